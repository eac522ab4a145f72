//! The command line: arguments, output, exit codes.

use std::process::{Command, Output};

fn tournament(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_callflume-sim"))
        .arg("tournament")
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn json_has_a_row_per_scenario_and_strategy_with_exactly_the_promised_fields() {
    let ran = tournament(&[
        "--scenario",
        "F,h",
        "--seeds",
        "1",
        "--strategy",
        "callflume,direct",
        "--json",
    ]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let results = json["results"].as_array().unwrap();
    let names: Vec<(&str, &str)> = results
        .iter()
        .map(|row| {
            (
                row["scenario"].as_str().unwrap(),
                row["strategy"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("F", "callflume"),
            ("F", "direct"),
            ("H", "callflume"),
            ("H", "direct")
        ]
    );
    for row in results {
        let mut fields: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "doubled",
                "drain_ratio",
                "en_wait_p99_s",
                "lost",
                "op_max_ms",
                "op_p50_ms",
                "op_p99_ms",
                "over_limit",
                "rejections",
                "scenario",
                "seeds",
                "strategy"
            ]
        );
        assert_eq!(row["seeds"], 1);
    }
}

#[test]
fn text_names_the_scenario_and_every_criterion_of_ours() {
    let ran = tournament(&["--scenario", "H", "--seeds", "1", "--strategy", "callflume"]);
    let text = String::from_utf8(ran.stdout).unwrap();
    for part in [
        "H  batches of 100 with 2 % invalid items · 1 seed",
        "callflume",
        "holds   refused items without dead letter: 0, at most 0 (seed 1)",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn what_does_not_exist_is_a_usage_error_that_says_what_does() {
    for (arguments, says) in [
        (["--scenario", "K"], "there are A to J"),
        (["--strategy", "leaky"], "token_bucket"),
        (["--seeds", "0"], "1..=100000"),
    ] {
        let ran = tournament(&arguments);
        let text = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{text}");
        assert!(text.contains(says), "{text}");
    }
}
