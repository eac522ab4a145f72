//! The formats others read: JSON by name and type, Markdown to the letter, plain text for a terminal.

use serde_json::Value;

use crate::Case;

/// What may stand in a field.
enum Shape {
    /// One of these texts.
    OneOf(&'static [&'static str]),
    Text,
    /// A whole number.
    Whole,
    Number,
    /// A number, or `null` when nothing was measured.
    Measured,
    Flag,
    /// Exactly these fields, in this order.
    Map(&'static [(&'static str, Self)]),
    List(&'static Self),
    Texts,
}

use Shape::{Flag, List, Map, Measured, Number, OneOf, Text, Texts, Whole};

const AGE: Shape = Map(&[("p50", Measured), ("p99", Measured), ("max", Measured)]);
const ROW: Shape = Map(&[
    ("name", Text),
    ("expected", Text),
    ("actual", Measured),
    ("pass", Flag),
]);
/// `callflume.report/1`.
const REQUIRED: &[(&str, Shape)] = &[
    ("schema", OneOf(&["callflume.report/1"])),
    ("verdict", OneOf(&["pass", "fail", "unfit"])),
    ("scenario", Text),
    ("seed", Whole),
    ("mode", OneOf(&["real_time", "virtual_time"])),
    (
        "fitness",
        Map(&[
            ("bare_p99_ms", Measured),
            ("stalls_pct", Measured),
            ("lag_p99_ms", Measured),
            ("fit", Flag),
        ]),
    ),
    (
        "calls",
        Map(&[("started", Whole), ("peak_concurrent", Whole)]),
    ),
    (
        "events",
        Map(&[("planned", Whole), ("acked", Whole), ("failed", Whole)]),
    ),
    (
        "writes",
        Map(&[
            ("expected", Whole),
            ("applied", Whole),
            ("merged", Whole),
            ("superseded", Whole),
            ("lost", Whole),
            ("doubled", Whole),
            ("persons_doubled", Whole),
            ("reordered", Whole),
            ("dead", Whole),
        ]),
    ),
    (
        "publish_ms",
        Map(&[
            ("p50", Measured),
            ("p99", Measured),
            ("p999", Measured),
            ("max", Measured),
        ]),
    ),
    ("age_ms", Map(&[("op", AGE), ("en", AGE)])),
    (
        "crm",
        Map(&[
            ("requests", Whole),
            ("throttled", Whole),
            ("over_limit", Whole),
            ("writes_per_request", Number),
        ]),
    ),
    ("slo", List(&ROW)),
];
/// What may follow.
const OPTIONAL: &[(&str, Shape)] = &[
    (
        "workers",
        Map(&[
            ("kills", Whole),
            ("takeover_ms_max", Measured),
            ("rss_mb_max", Measured),
        ]),
    ),
    ("publish_ratio", Map(&[("p50", Number), ("p99", Number)])),
    ("backlog_done_ms", Whole),
    ("findings", List(&Text)),
    ("environment", Texts),
    ("plan_digest", Text),
    ("command", Text),
];

#[track_caller]
fn fits(path: &str, value: &Value, shape: &Shape) {
    let good = match shape {
        OneOf(texts) => value.as_str().is_some_and(|text| texts.contains(&text)),
        Text => value.is_string(),
        Whole => value.is_u64() || value.is_i64(),
        Number => value.is_number(),
        Measured => value.is_number() || value.is_null(),
        Flag => value.is_boolean(),
        Texts => value
            .as_object()
            .is_some_and(|map| map.values().all(Value::is_string)),
        List(item) => {
            for (place, value) in value.as_array().into_iter().flatten().enumerate() {
                fits(&format!("{path}[{place}]"), value, item);
            }
            value.is_array()
        }
        Map(fields) => {
            let map = value
                .as_object()
                .unwrap_or_else(|| panic!("{path} is a map"));
            for (name, shape) in *fields {
                let value = map
                    .get(*name)
                    .unwrap_or_else(|| panic!("{path}.{name} is there"));
                fits(&format!("{path}.{name}"), value, shape);
            }
            map.len() == fields.len()
        }
    };
    assert!(good, "{path}: {value}");
}

#[test]
fn the_json_has_every_field_of_its_schema_with_its_type_and_the_others_after_them() {
    for case in [
        Case::good(),
        Case::unfit(),
        Case::virtual_time(),
        Case::good().with_loss(),
    ] {
        let json = case.summary().to_json().unwrap();
        assert!(json.ends_with("}\n"));
        let value: Value = serde_json::from_str(&json).unwrap();
        let map = value.as_object().unwrap();
        let mut places = Vec::new();
        for (name, shape) in REQUIRED {
            fits(name, &map[*name], shape);
            places.push(json.find(&format!("\n  \"{name}\":")).unwrap());
        }
        for (name, value) in map {
            if REQUIRED.iter().any(|(known, _)| known == name) {
                continue;
            }
            let (_, shape) = OPTIONAL
                .iter()
                .find(|(known, _)| known == name)
                .unwrap_or_else(|| panic!("{name} is described"));
            fits(name, value, shape);
            assert!(json.find(&format!("\n  \"{name}\":")).unwrap() > *places.last().unwrap());
        }
        assert!(places.is_sorted(), "in the order of the schema");
    }
}

#[test]
fn what_was_not_measured_is_null_and_never_zero() {
    let value: Value =
        serde_json::from_str(&Case::virtual_time().summary().to_json().unwrap()).unwrap();
    for path in [
        "/publish_ms/p99",
        "/fitness/bare_p99_ms",
        "/fitness/stalls_pct",
    ] {
        assert_eq!(value.pointer(path), Some(&Value::Null), "{path}");
    }
    let good: Value = serde_json::from_str(&Case::good().summary().to_json().unwrap()).unwrap();
    for (path, expect) in [
        ("/publish_ms/p50", 0.25),
        ("/publish_ms/max", 0.64),
        ("/age_ms/op/p99", 410.0),
        ("/fitness/lag_p99_ms", 0.9),
        ("/publish_ratio/p99", 1.1),
        ("/crm/writes_per_request", 2.0),
        ("/calls/started", 3.0),
        ("/calls/peak_concurrent", 2.0),
    ] {
        assert_eq!(
            good.pointer(path).and_then(Value::as_f64),
            Some(expect),
            "{path}"
        );
    }
}

#[test]
fn the_markdown_is_this_to_the_letter() {
    let golden = include_str!("../golden/summary.md");
    let text = Case::good().with_loss().summary().to_markdown();
    assert_eq!(text, golden, "\n{text}");
}

#[test]
fn the_directory_holds_both_files() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("runs/1");
    let summary = Case::good().summary();
    summary.write(&directory).unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(read("summary.json"), summary.to_json().unwrap());
    assert_eq!(read("summary.md"), summary.to_markdown());
}

#[test]
fn the_terminal_gets_marks_and_colours_only_when_asked_for() {
    let summary = Case::good().with_loss().summary();
    let (plain, coloured) = (summary.render_text(false), summary.render_text(true));
    assert!(
        plain.starts_with(
            "FAIL  two-hundred (seed 7, real time)\n1 of 12 objectives missed: lost.\n"
        ),
        "{plain}"
    );
    assert!(!plain.contains('\u{1b}'));
    for line in [
        "  ✗ lost ",
        "  ✓ doubled ",
        "expected <= 2000",
        "- lost: `note_added` was acknowledged",
    ] {
        assert!(plain.contains(line), "{line}: {plain}");
    }
    assert!(coloured.contains("\u{1b}[31m✗\u{1b}[0m lost"));
    let mut uncoloured = coloured;
    for code in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"] {
        uncoloured = uncoloured.replace(code, "");
    }
    assert_eq!(uncoloured, plain);
    assert!(
        Case::unfit()
            .summary()
            .render_text(false)
            .contains("not fit to judge latency")
    );
}
