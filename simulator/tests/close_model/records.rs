//! What is held: leads with contacts and what hangs on them, lists replaced whole, nothing unique.

use callflume_sim::close::{ObjectKind, WriteKind};
use callflume_sim::fakes::Method;
use serde_json::{Value, json};

use crate::{NOON_MS, body, get, organisation, person, post, put, send};

fn bo() -> Value {
    json!({"name": "Bo Roe", "phones": [{"phone": "(202) 555-0143", "type": "mobile"}],
        "emails": [{"email": "bo@example.org", "type": "office"}], "custom.cf_key": "k-1"})
}

#[test]
fn a_lead_is_made_with_its_contacts_and_nothing_is_unique() {
    let mut crm = organisation();
    let (lead, contact) = person(&mut crm, NOON_MS, &bo());
    assert!(lead.starts_with("lead_") && contact.starts_with("cont_"));
    let (other, _) = person(&mut crm, NOON_MS, &bo());
    assert_ne!(lead, other);
    let shown = body(
        &get(&mut crm, NOON_MS, &format!("/contact/{contact}/")),
        200,
    );
    assert_eq!(
        (&shown["lead_id"], &shown["custom.cf_key"]),
        (&json!(lead), &json!("k-1"))
    );
    assert_eq!(
        shown["phones"],
        json!([{"phone": "+12025550143", "phone_formatted": "+1 202-555-0143", "type": "mobile"}])
    );
    assert_eq!(crm.records(ObjectKind::Contact).count(), 2);
}

#[test]
fn a_contact_without_a_lead_gets_one_that_is_called_after_it() {
    let mut crm = organisation();
    let contact = body(
        &post(&mut crm, NOON_MS, "/contact/", &json!({"name": "Bo Roe"})),
        200,
    );
    let lead = contact["lead_id"].as_str().unwrap();
    assert_eq!(
        body(&get(&mut crm, NOON_MS, &format!("/lead/{lead}/")), 200)["name"],
        "Bo Roe"
    );
}

#[test]
fn a_number_that_isnt_understood_stays_as_it_was_typed() {
    let mut crm = organisation();
    for (typed, kept) in [
        ("+44 (0)7700 900123", "+447700900123"),
        ("0044 7700 900123", "+447700900123"),
        ("202.555.0143", "+12025550143"),
        ("(202) 555-0143 ext. 7", "(202) 555-0143 ext. 7"),
        ("555-0143", "555-0143"),
    ] {
        let (_, contact) = person(
            &mut crm,
            NOON_MS,
            &json!({"name": "x", "phones": [{"phone": typed, "type": "office"}]}),
        );
        let phones = &crm.record(&contact).unwrap().fields["phones"];
        assert_eq!(phones[0]["phone"], kept, "{typed}");
    }
}

#[test]
fn a_change_sets_what_it_names_and_replaces_lists_whole() {
    let mut crm = organisation();
    let (_, contact) = person(&mut crm, NOON_MS, &bo());
    let path = format!("/contact/{contact}/");
    let named = body(
        &put(&mut crm, NOON_MS, &path, &json!({"name": "Bo R."})),
        200,
    );
    assert_eq!(
        named["phones"].as_array().unwrap().len(),
        1,
        "not named, not touched"
    );
    let listed = body(
        &put(
            &mut crm,
            NOON_MS,
            &path,
            &json!({"phones": [{"phone": "+12025550199", "type": "office"}]}),
        ),
        200,
    );
    assert_eq!(listed["phones"].as_array().unwrap().len(), 1);
    assert_eq!(
        listed["phones"][0]["phone"], "+12025550199",
        "the old number is lost"
    );
    let write = crm.writes().last().unwrap();
    assert_eq!(
        (write.kind, write.fields.len(), write.fields[0].changed),
        (WriteKind::Update, 1, true)
    );
}

#[test]
fn what_hangs_on_a_lead_is_made_with_defaults_and_checked() {
    let mut crm = organisation();
    let (lead, contact) = person(&mut crm, NOON_MS, &bo());
    let call = json!({"lead_id": lead, "contact_id": contact, "direction": "inbound", "duration": 65, "note": "sum", "status": "busy"});
    let call = body(&post(&mut crm, NOON_MS, "/activity/call/", &call), 200);
    assert_eq!(
        (&call["_type"], &call["source"], &call["disposition"]),
        (&json!("Call"), &json!("External"), &json!("busy"))
    );
    let note = body(
        &post(
            &mut crm,
            NOON_MS,
            "/activity/note/",
            &json!({"lead_id": lead, "note_html": "<p>a <b>b</b></p>"}),
        ),
        200,
    );
    assert_eq!(note["note"], "a b");
    let task = body(
        &post(
            &mut crm,
            NOON_MS,
            "/task/",
            &json!({"lead_id": lead, "text": "t", "date": "2026-11-02"}),
        ),
        200,
    );
    assert_eq!(
        (&task["is_complete"], &task["date"]),
        (&json!(false), &json!("2026-11-02"))
    );
    let deal = body(
        &post(
            &mut crm,
            NOON_MS,
            "/opportunity/",
            &json!({"lead_id": lead, "value": 240_000}),
        ),
        200,
    );
    assert_eq!(
        (&deal["status_id"], &deal["value_period"]),
        (&json!("stat_20"), &json!("one_time"))
    );
    let (_, stranger) = person(&mut crm, NOON_MS, &bo());
    for (path, wrong, field) in [
        ("/activity/note/", json!({"note": "x"}), "lead_id"),
        (
            "/activity/note/",
            json!({"lead_id": "lead_none", "note": "x"}),
            "lead_id",
        ),
        (
            "/activity/note/",
            json!({"lead_id": lead, "contact_id": stranger}),
            "contact_id",
        ),
        (
            "/activity/note/",
            json!({"lead_id": lead, "mood": "x"}),
            "mood",
        ),
        (
            "/activity/note/",
            json!({"lead_id": lead, "custom.cf_key": "x"}),
            "custom.cf_key",
        ),
        (
            "/activity/call/",
            json!({"lead_id": lead, "duration": "65"}),
            "duration",
        ),
        (
            "/activity/call/",
            json!({"lead_id": lead, "status": "done"}),
            "status",
        ),
        (
            "/activity/call/",
            json!({"lead_id": lead, "recording_url": "http://r.example/1"}),
            "recording_url",
        ),
        (
            "/activity/call/",
            json!({"lead_id": lead, "activity_at": "yesterday"}),
            "activity_at",
        ),
        (
            "/activity/call/",
            json!({"lead_id": lead, "user_id": "user_none"}),
            "user_id",
        ),
        (
            "/task/",
            json!({"lead_id": lead, "priority": "low"}),
            "priority",
        ),
        (
            "/opportunity/",
            json!({"lead_id": lead, "status_id": "stat_10"}),
            "status_id",
        ),
        (
            "/opportunity/",
            json!({"lead_id": lead, "value": 1.5}),
            "value",
        ),
        (
            "/lead/",
            json!({"contacts": [{"emails": [{"email": "a@@b", "type": "office"}]}]}),
            "emails",
        ),
    ] {
        let before = crm.writes().len();
        let refused = body(&post(&mut crm, NOON_MS, path, &wrong), 400);
        assert!(
            refused["field-errors"].get(field).is_some(),
            "{path} {wrong}: {refused}"
        );
        assert_eq!(crm.writes().len(), before, "{path} {wrong}");
    }
}

#[test]
fn a_change_of_tasks_without_an_id_changes_them_all() {
    let mut crm = organisation();
    let (lead, _) = person(&mut crm, NOON_MS, &bo());
    for _ in 0..3 {
        post(
            &mut crm,
            NOON_MS,
            "/task/",
            &json!({"lead_id": lead, "text": "t"}),
        );
    }
    put(&mut crm, NOON_MS, "/task/", &json!({"is_complete": true}));
    assert!(
        crm.records(ObjectKind::Task)
            .all(|task| task.fields["is_complete"] == true)
    );
}

#[test]
fn a_listing_shows_a_write_at_once_newest_first_page_by_page() {
    let mut crm = organisation();
    let (lead, _) = person(&mut crm, NOON_MS, &bo());
    for number in 0..5_i64 {
        let note = json!({"lead_id": lead, "note": format!("n{number}")});
        post(&mut crm, NOON_MS + number, "/activity/note/", &note);
    }
    let page = |crm: &mut callflume_sim::close::Close, query: &str| {
        let page = body(
            &get(
                crm,
                NOON_MS + 10,
                &format!("/activity/note/?lead_id={lead}{query}"),
            ),
            200,
        );
        let notes: Vec<String> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| note["note"].as_str().unwrap().to_owned())
            .collect();
        (notes, page["has_more"].as_bool().unwrap())
    };
    assert_eq!(
        page(&mut crm, "&_limit=2"),
        (vec!["n4".into(), "n3".into()], true)
    );
    assert_eq!(
        page(&mut crm, "&_limit=2&_skip=4&_fields=note"),
        (vec!["n0".into()], false)
    );
    assert_eq!(
        page(&mut crm, "&date_created__gte=2026-06-15T12:00:00.003Z"),
        (vec!["n4".into(), "n3".into()], false)
    );
    for query in ["_limit=101", "_skip=10001", "_limit=x"] {
        assert_eq!(
            get(&mut crm, NOON_MS, &format!("/activity/note/?{query}")).status,
            400,
            "{query}"
        );
    }
}

#[test]
fn leads_are_merged_and_deleted_with_everything_on_them() {
    let mut crm = organisation();
    let (one, contact) = person(&mut crm, NOON_MS, &bo());
    let (other, _) = person(&mut crm, NOON_MS, &bo());
    let note = body(
        &post(
            &mut crm,
            NOON_MS,
            "/activity/note/",
            &json!({"lead_id": one, "note": "n"}),
        ),
        200,
    );
    let merged = post(
        &mut crm,
        NOON_MS,
        "/lead/merge/",
        &json!({"source": one, "destination": other}),
    );
    assert_eq!(merged.status, 200);
    assert_eq!(get(&mut crm, NOON_MS, &format!("/lead/{one}/")).status, 404);
    assert_eq!(
        body(
            &get(&mut crm, NOON_MS, &format!("/contact/{contact}/")),
            200
        )["lead_id"],
        json!(other)
    );
    let on_other = body(
        &get(
            &mut crm,
            NOON_MS,
            &format!("/activity/note/?lead_id={other}"),
        ),
        200,
    );
    assert_eq!(on_other["data"][0]["id"], note["id"]);
    assert!(!crm.merge_leads(NOON_MS, &one, &other), "gone already");
    assert_eq!(
        send(
            &mut crm,
            NOON_MS,
            Method::Delete,
            &format!("/lead/{other}/"),
            &Value::Null
        )
        .status,
        200
    );
    assert!(
        crm.records(ObjectKind::Contact)
            .chain(crm.records(ObjectKind::Note))
            .all(|record| record.deleted)
    );
    assert!(!crm.delete_record(NOON_MS, ObjectKind::Lead, &other));
}

#[test]
fn opportunities_are_listed_by_what_their_status_says_of_them() {
    let mut crm = organisation();
    let (lead, contact) = person(&mut crm, NOON_MS, &bo());
    let deal = |crm: &mut callflume_sim::close::Close, at_ms: i64, status: &str| {
        let made = json!({"lead_id": lead, "contact_id": contact, "status_id": status});
        let made = body(&post(crm, at_ms, "/opportunity/", &made), 200);
        made["id"].as_str().unwrap().to_owned()
    };
    let older = deal(&mut crm, NOON_MS + 1_000, "stat_20");
    let newer = deal(&mut crm, NOON_MS + 2_000, "stat_21");
    let won = deal(&mut crm, NOON_MS + 3_000, "stat_22");
    for (wanted, expect) in [
        ("active", vec![&newer, &older]),
        ("won", vec![&won]),
        ("lost", vec![]),
    ] {
        let path = format!(
            "/opportunity/?status_type={wanted}&_fields=id,contact_id,lead_id,date_created"
        );
        let page = body(&get(&mut crm, NOON_MS + 5_000, &path), 200);
        let found: Vec<&str> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap())
            .collect();
        assert_eq!(found, expect, "{wanted}");
        for deal in page["data"].as_array().unwrap() {
            assert_eq!(
                (&deal["lead_id"], &deal["contact_id"]),
                (&json!(lead), &json!(contact))
            );
        }
    }
    let shown = body(
        &get(&mut crm, NOON_MS + 6_000, &format!("/opportunity/{won}/")),
        200,
    );
    assert_eq!(shown["status_type"], "won");
    let pipeline = body(&get(&mut crm, NOON_MS + 7_000, "/pipeline/"), 200);
    let types: Vec<&Value> = pipeline["data"][0]["statuses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["type"])
        .collect();
    assert_eq!(types, ["active", "active", "won"]);
}
