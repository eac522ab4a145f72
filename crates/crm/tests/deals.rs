//! Deals of every CRM, from the event that changes a stage to the request: a new one is dated where a date is needed, and
//! no change of one that is there moves a date.

use callflume_core::account::AccountId;
use callflume_core::effect::{Field, Object};
use callflume_core::event::{ContactRef, Draft};
use callflume_core::plan::default_effects;
use callflume_core::time::WallTime;
use callflume_core::vendor::{Item, Operation, Verb};
use callflume_crm::{Settings, VENDORS, vendor};
use serde_json::{Map, Value, json};

/// The fields that `account prepare` makes where names are not fixed.
fn settings() -> Settings {
    let fields = [
        ("contact_key", "cf_1"),
        ("contact_opted_out", "cf_2"),
        ("contact_sentiment", "cf_3"),
        ("deal_key", "cf_4"),
    ];
    let fields = fields.map(|(name, id)| (name.to_owned(), id.to_owned()));
    Settings::default()
        .with_custom_fields(fields.into())
        .unwrap()
}

/// Settings, ids of a contact and of a deal, and a stage, as the CRM has them.
fn particulars(crm: &str) -> (Settings, &'static str, &'static str, &'static str) {
    match crm {
        "salesforce" => (
            Settings::default(),
            "0035g0000000001",
            "0065g0000000001",
            "Prospecting",
        ),
        "close" => (settings(), "lead_1/cont_1", "oppo_1", "stat_1"),
        "pipedrive" => (settings(), "71", "81", "4"),
        _ => (Settings::default(), "71", "81", "appointmentscheduled"),
    }
}

/// What `deal_stage_changed` of this instant makes the CRM be sent.
fn sent(crm: &str, verb: Verb, at_ms: i64, properties: Value, without_at: bool) -> Value {
    let (settings, contact, deal, stage) = particulars(crm);
    let body = json!({"stage": stage, "title": "Offer", "amount": "12", "properties": properties});
    let account: AccountId = "acme".parse().unwrap();
    let event = Draft {
        call_id: "c1".to_owned(),
        kind: "deal_stage_changed".to_owned(),
        at: WallTime(at_ms),
        revision: None,
        contact: ContactRef {
            phone: Some("+12025550101".to_owned()),
            ..ContactRef::default()
        },
        body: body.as_object().cloned().unwrap().into_iter().collect(),
    }
    .into_event(&account);
    let mut effect = default_effects(&event).unwrap().pop().unwrap();
    if without_at {
        assert!(effect.fields.remove(&Field::At).is_some());
    }
    let creates = verb == Verb::Create;
    let item = Item {
        trace: 1,
        key: effect.key,
        crm_id: (verb == Verb::UpdateById).then(|| deal.to_owned()),
        contact: creates.then(|| contact.to_owned()),
        fields: effect.fields,
        ..Item::default()
    };
    let operation = Operation {
        verb,
        object: Object::Deal,
        items: vec![item],
        after: None,
    };
    let request = vendor(crm, &settings).unwrap().request(&operation);
    let body = request
        .body
        .unwrap_or_else(|| panic!("{crm} {verb:?}: refused"));
    serde_json::from_slice(&body).unwrap()
}

/// How deals that are there are updated.
fn updates(crm: &str) -> &'static [Verb] {
    match crm {
        "close" | "pipedrive" => &[Verb::UpdateById],
        _ => &[Verb::UpdateById, Verb::UpdateByKey],
    }
}

/// 2026-10-30, 23:59:59.999 UTC.
const LATE_MS: i64 = 1_793_404_799_999;

#[test]
fn a_new_deal_is_dated_by_its_event_where_the_crm_needs_a_date() {
    for (at_ms, properties, expect) in [
        (LATE_MS, json!({}), json!({"CloseDate": "2026-10-30"})),
        (LATE_MS + 1, json!({}), json!({"CloseDate": "2026-10-31"})),
        (0, json!({}), json!({"CloseDate": "1970-01-01"})),
        // What the publisher says of it wins.
        (
            LATE_MS,
            json!({"CloseDate": "2027-01-31"}),
            json!({"CloseDate": "2027-01-31"}),
        ),
    ] {
        let body = sent("salesforce", Verb::Create, at_ms, properties, false);
        let record = body["records"][0].as_object().unwrap();
        let dates: Map<String, Value> = record
            .iter()
            .filter(|(name, _)| name.to_lowercase().contains("date"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        assert_eq!(Value::from(dates), expect);
    }
    for crm in VENDORS.iter().filter(|crm| **crm != "salesforce") {
        let dated = sent(crm, Verb::Create, LATE_MS, json!({}), false);
        let undated = sent(crm, Verb::Create, LATE_MS, json!({}), true);
        assert_eq!(dated, undated, "{crm}");
    }
}

#[test]
fn no_change_of_a_deal_that_is_there_moves_a_date() {
    for crm in VENDORS {
        for verb in updates(crm) {
            let later = sent(crm, *verb, LATE_MS + 86_400_000, json!({}), false);
            let undated = sent(crm, *verb, LATE_MS, json!({}), true);
            assert_eq!(later, undated, "{crm} {verb:?}");
            let text = later.to_string().to_lowercase();
            assert!(
                !text.contains("date\"") && !text.contains("2026-1"),
                "{crm}"
            );
        }
    }
}
