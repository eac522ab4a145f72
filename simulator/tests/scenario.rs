//! Scenario files: which are usable, and how a fault in one is told.

use std::path::{Path, PathBuf};

use callflume_sim::fakes::Method;
use callflume_sim::hubspot::prepared::fault;
use callflume_sim::hubspot::{Fault, FaultKind, Policy};
use callflume_sim::scenario::{Arrivals, Scenario};

const MINIMAL: &str = "name = \"x\"\nseed = 1\nduration_s = 10\n[calls]\nconcurrent = 5\n";

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(text, "x.toml").map_err(|error| error.to_string())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtests")
}

#[test]
fn a_minimal_scenario_has_the_documented_defaults() {
    let scenario = parse(MINIMAL).unwrap();
    let calls = &scenario.calls;
    assert_eq!(
        (
            calls.durations.mu,
            calls.durations.sigma,
            calls.hang_up_share,
            calls.compress
        ),
        (4.81, 0.91, 0.051, 1.0)
    );
    assert_eq!(
        (calls.unknown_share, calls.arrivals),
        (0.2, Arrivals::Constant)
    );
    let crm = &scenario.crm;
    assert_eq!(
        (
            crm.vendor.as_str(),
            crm.profile.as_str(),
            crm.share_percent,
            crm.contacts
        ),
        ("hubspot", "private_professional", 80, 5_000)
    );
    assert!(calls.dialler && crm.daily_limit.is_none());
    assert_eq!(scenario.workers.count, 1);
    assert!(!scenario.publish_twice && !scenario.warm);
    let config = scenario.hubspot_config();
    assert_eq!(
        (
            config.apps[0].interval_limit,
            config.search_limit,
            config.daily_limit
        ),
        (190, 5, 625_000)
    );
}

#[test]
fn a_day_of_ones_own_replaces_the_profiles() {
    let scenario = parse(&format!("{MINIMAL}[crm]\ndaily_limit = 2000\n")).unwrap();
    assert_eq!(scenario.hubspot_config().daily_limit, 2_000);
}

#[test]
fn durations_are_a_preset_or_ones_own() {
    for (text, mu, sigma, max_s) in [
        ("\"support\"", 4.81, 0.91, 3_600.0),
        ("\"reception\"", 4.5, 0.8, 3_600.0),
        ("\"outbound\"", 4.2, 0.9, 720.0),
        ("{ mu = 4, sigma = 0.5 }", 4.0, 0.5, 3_600.0),
        ("{ mu = 4.0, sigma = 0.5, max_s = 600 }", 4.0, 0.5, 600.0),
    ] {
        let durations = parse(&format!("{MINIMAL}durations = {text}\n"))
            .unwrap()
            .calls
            .durations;
        assert_eq!(
            (durations.mu, durations.sigma, durations.max_s),
            (mu, sigma, max_s),
            "{text}"
        );
    }
}

#[test]
fn every_file_of_the_project_is_usable() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "toml") {
            let scenario = Scenario::read(&path).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                path.file_stem().unwrap().to_str(),
                Some(scenario.name.as_str())
            );
            assert!(!scenario.description.is_empty(), "{}", scenario.name);
            names.push(scenario.name);
        }
    }
    for name in ["200-calls", "burst", "crash", "smoke"] {
        assert!(names.iter().any(|it| it == name), "{name}");
    }
}

#[test]
fn the_main_scenario_asks_for_what_is_promised() {
    let scenario = Scenario::read(&folder().join("200-calls.toml")).unwrap();
    assert_eq!((scenario.calls.concurrent, scenario.duration_s), (200, 300));
    assert_eq!(
        (scenario.crm.contacts, scenario.backlog.enrichment),
        (5_000, 5_000)
    );
    assert_eq!(scenario.slo.publish_p99_ms, Some(1.0));
    assert_eq!(scenario.slo.op_age_p99_ms, Some(2_000.0));
    assert!(scenario.warm);
}

#[test]
fn a_fault_is_told_with_its_place_its_field_and_a_remedy() {
    let faulty = |line: &str| format!("{MINIMAL}{line}\n");
    for (text, place, field, remedy) in [
        // Not TOML at all.
        (
            "name = \"x\nseed = 1".to_owned(),
            "x.toml:1:",
            "(file)",
            "write `\"`",
        ),
        // Unknown keys, of the file and of a table.
        (
            format!("colour = 1\n{MINIMAL}"),
            "x.toml:1:1",
            "`colour`",
            "remove it; known here: `name`",
        ),
        (
            faulty("concurent = 9"),
            "x.toml:6:1",
            "`calls.concurent`",
            "`concurrent`",
        ),
        (
            faulty("mix = { note_shares = 1.0 }"),
            "x.toml:6:9",
            "`calls.mix.note_shares`",
            "`note_share`",
        ),
        // Wrong types.
        (
            MINIMAL.replace("duration_s = 10", "duration_s = \"10 s\""),
            "x.toml:3:14",
            "`duration_s`",
            "write u64",
        ),
        (
            faulty("durations = \"long\""),
            "x.toml:6:13",
            "`calls.durations`",
            "\"support\"",
        ),
        // Missing.
        (
            "name = \"x\"\nduration_s = 1\n[calls]\nconcurrent = 1\n".to_owned(),
            "x.toml:1:1",
            "`seed`",
            "add it",
        ),
        // Out of range.
        (
            MINIMAL.replace("concurrent = 5", "concurrent = 0"),
            "x.toml:5:1",
            "`calls.concurrent`",
            "use 1 to 10000",
        ),
        (
            faulty("unknown_share = 1.5"),
            "x.toml:6:1",
            "`calls.unknown_share`",
            "use 0 to 1",
        ),
        (
            faulty("arrivals = \"day\"\nday_start = \"25:00\""),
            "x.toml:7:1",
            "`calls.day_start`",
            "HH:MM",
        ),
        (
            faulty("[crm]\nprofile = \"gold\""),
            "x.toml:7:1",
            "`crm.profile`",
            "private_professional",
        ),
        (
            faulty("[crm]\nvendor = \"other\""),
            "x.toml:7:1",
            "`crm.vendor`",
            "one of hubspot, salesforce, close, pipedrive",
        ),
        (
            faulty("[crm]\ncontacts = 50000"),
            "x.toml:7:1",
            "`crm.contacts`",
            "use 0 to",
        ),
        (
            faulty("[crm]\ndaily_limit = 0"),
            "x.toml:7:1",
            "`crm.daily_limit`",
            "use 1 to",
        ),
        (
            faulty("dialer = false"),
            "x.toml:6:1",
            "`calls.dialer`",
            "`dialler`",
        ),
        (
            faulty("dialler = \"yes\""),
            "x.toml:6:11",
            "`calls.dialler`",
            "write a boolean",
        ),
        (
            faulty("[workers]\nkill_at_s = [3, 2]"),
            "x.toml:7:17",
            "`workers.kill_at_s[1]`",
            "rising order",
        ),
        (
            faulty("[workers]\nkill_at_s = [10]"),
            "x.toml:7:14",
            "`workers.kill_at_s[0]`",
            "use 1 to 9",
        ),
        (
            faulty("[[crm.faults]]\nkind = \"html502\"\nfrom_s = 5\nuntil_s = 4"),
            "x.toml:9:1",
            "`crm.faults[0].until_s`",
            "after `from_s`",
        ),
        (
            faulty("[[crm.faults]]\nkind = \"html502\""),
            "x.toml:6:1",
            "`crm.faults[0]`",
            "`until_s` or `times`",
        ),
        (
            faulty("[[crm.faults]]\nkind = \"status\"\ntimes = 1"),
            "x.toml:7:1",
            "`crm.faults[0].kind`",
            "add `status`",
        ),
        (
            faulty("[[crm.faults]]\nkind = \"drop\"\ntimes = 1\nstatus = 500"),
            "x.toml:9:1",
            "`crm.faults[0].status`",
            "remove it",
        ),
        (
            faulty("[slo]\npublish_p99_ms = -1"),
            "x.toml:7:1",
            "`slo.publish_p99_ms`",
            "above 0",
        ),
        (
            faulty("[slo]\ntakeover_ms = 8000"),
            "x.toml:7:1",
            "`slo.takeover_ms`",
            "kill_at_s",
        ),
        (
            faulty("[backlog]\nenrichment = 5\n[crm]\ncontacts = 0"),
            "x.toml:7:1",
            "`backlog.enrichment`",
            "set `crm.contacts`",
        ),
    ] {
        let error = parse(&text).expect_err(&text);
        assert!(error.starts_with(place), "{place} expected: {error}");
        assert!(error.contains(field), "{field} expected: {error}");
        assert!(error.contains(remedy), "{remedy} expected: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Scenario::read(Path::new("nowhere/x.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("nowhere/x.toml: can't be read"),
        "{error}"
    );
}

#[test]
fn faults_become_the_crms_with_instants_of_the_run() {
    let text = format!(
        "{MINIMAL}[[crm.faults]]\nkind = \"throttled\"\npolicy = \"daily\"\nfrom_s = 1.5\nuntil_s = 3\nmethod = \"post\"\n\
         [[crm.faults]]\nkind = \"execute_then_drop\"\npath_contains = \"/calls\"\nskip = 2\ntimes = 1\n"
    );
    let faults: Vec<Fault> = parse(&text)
        .unwrap()
        .crm
        .faults
        .iter()
        .map(|spec| fault(spec, 1_000_000))
        .collect();
    assert_eq!(
        faults,
        [
            Fault {
                method: Some(Method::Post),
                ..Fault::during(
                    FaultKind::Throttled(Policy::Daily),
                    "",
                    1_001_500,
                    1_003_000
                )
            },
            Fault::nth(FaultKind::ExecuteThenDrop, "/calls", 3),
        ]
    );
}
