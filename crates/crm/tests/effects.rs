//! `docs/effects.md` says what each kind writes and costs: its figures against the code's.

use callflume_core::effect::{Object, Write};
use callflume_core::event::{ContactRef, Draft, Event};
use callflume_core::lane::Lane;
use callflume_core::plan::default_effects;
use callflume_core::time::WallTime;
use callflume_core::vendor::Verb;
use callflume_crm::Settings;
use callflume_crm::pipedrive::limits::DAILY_TOKENS;
use serde_json::json;

const PAGE: &str = include_str!("../../../docs/effects.md");
const VENDORS: [&str; 4] = ["hubspot", "salesforce", "close", "pipedrive"];

/// Cells of the rows whose first cell is a kind.
fn rows() -> Vec<Vec<String>> {
    PAGE.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

fn event(kind: &str) -> Event {
    let body = json!({
        "disposition": "connected", "stage": "s", "title": "t", "text": "t", "sentiment": "neutral",
        "url": "https://rec.example/1", "first_name": "A", "properties": {"score": 1},
    });
    let mut body: callflume_core::event::Body =
        body.as_object().cloned().unwrap().into_iter().collect();
    if kind == "call_ended" {
        body.remove("properties");
    }
    Draft {
        call_id: "c1".into(),
        kind: kind.into(),
        at: WallTime(0),
        revision: None,
        contact: ContactRef {
            phone: Some("+12025550143".into()),
            ..ContactRef::default()
        },
        body,
    }
    .into_event(&"acme".parse().unwrap())
}

/// What one effect of a known contact costs: `0`, `1`, `1/100`, or Pipedrive's tokens.
fn cost(name: &str, lane: Lane, object: Object, write: Write, fields: bool) -> String {
    let vendor = callflume_crm::vendor(name, &Settings::default()).unwrap();
    let verb = match write {
        Write::Contact if !fields => return "0".to_owned(),
        Write::Contact => Verb::UpdateById,
        Write::Create | Write::Upsert => Verb::Create,
        Write::Update if vendor.updates_by_key(object) => Verb::UpdateByKey,
        Write::Update => Verb::UpdateById,
    };
    if name == "pipedrive" {
        let charges = vendor.windows(verb, object);
        let tokens = charges.iter().find(|it| it.window == DAILY_TOKENS).unwrap();
        return tokens.cost.to_string();
    }
    match vendor.batch_max(verb, object) {
        batch if batch > 1 && lane == Lane::En => format!("1/{batch}"),
        _ => "1".to_owned(),
    }
}

#[test]
fn every_kind_writes_and_costs_what_the_page_says() {
    let rows = rows();
    assert_eq!(rows.len(), 13);
    for row in rows {
        let kind = row[0].as_str();
        let lane: Lane = if row[1] == "op" { Lane::Op } else { Lane::En };
        assert_eq!(row[1], lane.token(), "{kind}");
        let effects = default_effects(&event(kind)).unwrap();
        assert_eq!(effects.len(), 1, "{kind}");
        let effect = &effects[0];
        let object = effect.object.name();
        assert!(row[2].contains(object), "{kind}: a {object}? {}", row[2]);
        for (name, cell) in VENDORS.into_iter().zip(&row[3..]) {
            let fields = !effect.fields.is_empty();
            let expect = cost(name, lane, effect.object, effect.write, fields);
            let (_, says) = cell.split_once(" → ").unwrap();
            assert_eq!(says, expect, "{kind} {name}");
        }
    }
}

/// Per call of the load tests' mix, by the kind that stands for each part of it.
const MIX: [(&str, f64); 6] = [
    ("call_ended", 1.0),
    ("task_created", 0.28),
    ("deal_stage_changed", 0.15),
    ("note_added", 1.1),
    ("sentiment_tagged", 0.9),
    ("contact_enriched", 1.17),
];

#[test]
fn the_sums_per_call_follow_from_the_table() {
    let rows = rows();
    let sum = |column: usize, part: usize| -> f64 {
        let costs = MIX.iter().map(|(kind, share)| {
            let row = rows.iter().find(|row| row[0] == *kind).unwrap();
            let cell: Vec<&str> = row[column].split(" → ").collect();
            let (over, under) = cell[part].split_once('/').unwrap_or((cell[part], "1"));
            share * over.parse::<f64>().unwrap() / under.parse::<f64>().unwrap()
        });
        costs.sum()
    };
    let cells = |name: &str| -> Vec<String> {
        let line = PAGE.lines().find(|line| line.starts_with(name)).unwrap();
        let cells = line.trim_matches('|').split('|').skip(1);
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let before = cells("| looked up");
    let after = cells("| Callflume");
    for (column, (before, after)) in (3..).zip(before.iter().zip(&after)) {
        let said: f64 = before.parse().unwrap();
        assert!(
            (said - sum(column, 0)).abs() < 0.1,
            "{before}, {}",
            sum(column, 0)
        );
        let mut said = after.split(" to ").map(|text| text.parse::<f64>().unwrap());
        let least = said.next().unwrap();
        assert!(
            (least - sum(column, 1)).abs() < 0.06,
            "{after}, {}",
            sum(column, 1)
        );
        if let Some(most) = said.next() {
            // All updates of the contact operational, each a request of its own.
            let most_sum = sum(column, 1) + 1.17;
            assert!((most - most_sum).abs() < 0.06, "{after}, {most_sum}");
        }
    }
}
