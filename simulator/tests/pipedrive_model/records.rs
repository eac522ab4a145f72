//! Records: what may be written, what is refused, what becomes of what people do behind our back.

use callflume_sim::fakes::{Method, Request};
use callflume_sim::pipedrive::{Kind, WriteKind};
use serde_json::{Value, json};

use crate::{
    ACTIVITIES, DEAL_KEY, DEALS, NOON_MS, NOTES, OPTED_OUT, PERSON_KEY, PERSONS, body, company,
    created, data, get, patch, person, post, send,
};

#[test]
fn a_person_is_shown_as_it_was_written() {
    let mut crm = company();
    let fields = json!({"name": "Carla Ilves", "phones": [{"value": "(202) 555-0101", "primary": true, "label": "work"}],
        "emails": [{"value": "carla@example.com", "primary": true}], "custom_fields": {PERSON_KEY: "k-1"}});
    let made = data(&post(&mut crm, NOON_MS + 250, PERSONS, &fields), 200);
    let id = made["id"].as_u64().unwrap();
    let read = data(&get(&mut crm, NOON_MS, &format!("{PERSONS}/{id}")), 200);
    assert_eq!(made, read);
    assert_eq!(read["owner_id"], 31);
    assert_eq!(read["add_time"], "2026-06-15T12:00:00Z");
    assert_eq!(read["is_deleted"], false);
    assert_eq!(read["phones"], fields["phones"]);
    assert_eq!(
        read["custom_fields"],
        json!({PERSON_KEY: "k-1", OPTED_OUT: null})
    );
    // Nothing is unique: sent twice it is there twice.
    let again = created(&mut crm, NOON_MS, PERSONS, fields);
    assert_ne!(again, id);
}

#[test]
fn an_update_replaces_what_it_names_lists_as_a_whole() {
    let mut crm = company();
    let two = json!([{"value": "1", "primary": true}, {"value": "2", "primary": false}]);
    let id = created(
        &mut crm,
        NOON_MS,
        PERSONS,
        json!({"name": "A", "phones": two, "custom_fields": {PERSON_KEY: "k-1"}}),
    );
    let target = format!("{PERSONS}/{id}");
    let one = json!([{"value": "3", "primary": true}]);
    let shown = data(
        &patch(
            &mut crm,
            NOON_MS + 1_000,
            &target,
            &json!({"phones": one, "custom_fields": {OPTED_OUT: "true"}}),
        ),
        200,
    );
    assert_eq!(shown["phones"], one);
    assert_eq!(shown["name"], "A");
    assert_eq!(
        shown["custom_fields"],
        json!({PERSON_KEY: "k-1", OPTED_OUT: "true"})
    );
    assert_eq!(shown["update_time"], "2026-06-15T12:00:01Z");
    let last = crm.history(Kind::Person, id).last().unwrap();
    assert_eq!(last.what, WriteKind::Update);
    assert!(last.fields.iter().all(|field| field.changed));
    let again = patch(&mut crm, NOON_MS, &target, &json!({"name": "A"}));
    assert_eq!(again.status, 200);
    assert!(!crm.history(Kind::Person, id).last().unwrap().fields[0].changed);
}

#[test]
fn what_the_api_does_not_take_is_refused_by_name_and_changes_nothing() {
    let mut crm = company();
    let id = person(&mut crm, NOON_MS, "Dimo Berger");
    let log = |outcome: &str| json!({"to_phone_number": "1", "outcome": outcome, "start_time": "2026-06-15 11:00:00", "end_time": "2026-06-15 11:00:09"});
    let before = crm.writes().len();
    for (turn, (target, fields, status, names)) in (1..).zip([
        (PERSONS, json!({}), 400, "nothing to write"),
        (PERSONS, json!([1]), 400, "Bad request"),
        (PERSONS, json!({"emails": []}), 400, "name"),
        (PERSONS, json!({"name": 7}), 400, "name"),
        (PERSONS, json!({"name": "x".repeat(256)}), 400, "name"),
        (PERSONS, json!({"name": "x", "phone": "1"}), 400, "phone"),
        (
            PERSONS,
            json!({"name": "x", "phones": ["1"]}),
            400,
            "phones",
        ),
        (
            PERSONS,
            json!({"name": "x", "phones": [{"value": "1", "kind": "x"}]}),
            400,
            "phones",
        ),
        (
            PERSONS,
            json!({"name": "x", "owner_id": "31"}),
            400,
            "owner_id",
        ),
        (
            PERSONS,
            json!({"name": "x", "owner_id": 99}),
            400,
            "owner_id",
        ),
        (
            PERSONS,
            json!({"name": "x", "marketing_status": "never"}),
            400,
            "marketing_status",
        ),
        (
            PERSONS,
            json!({"name": "x", "job_title": "x"}),
            403,
            "Contact Sync",
        ),
        (
            PERSONS,
            json!({"name": "x", "custom_fields": {"dead": "x"}}),
            400,
            "custom_fields.dead",
        ),
        (
            PERSONS,
            json!({"name": "x", "custom_fields": {PERSON_KEY: 1}}),
            400,
            PERSON_KEY,
        ),
        (
            PERSONS,
            json!({"name": "x", "custom_fields": {DEAL_KEY: "x"}}),
            400,
            DEAL_KEY,
        ),
        (
            ACTIVITIES,
            json!({"subject": "x", "duration": "185"}),
            400,
            "duration",
        ),
        (
            ACTIVITIES,
            json!({"subject": "x", "due_date": "15.6.2026"}),
            400,
            "due_date",
        ),
        (
            ACTIVITIES,
            json!({"subject": "x", "location": "https://x"}),
            400,
            "location",
        ),
        (
            ACTIVITIES,
            json!({"subject": "x", "custom_fields": {}}),
            400,
            "custom_fields",
        ),
        (
            ACTIVITIES,
            json!({"participants": [{"person_id": 1}]}),
            400,
            "Person with id 1 not found",
        ),
        (
            ACTIVITIES,
            json!({"subject": "x", "deal_id": 1}),
            400,
            "Deal with id 1 not found",
        ),
        (DEALS, json!({"value": 1}), 400, "title"),
        (DEALS, json!({"title": "x", "value": "1"}), 400, "value"),
        (
            DEALS,
            json!({"title": "x", "stage_id": 77}),
            400,
            "stage_id",
        ),
        (
            DEALS,
            json!({"title": "x", "pipeline_id": 2}),
            400,
            "pipeline_id",
        ),
        (
            DEALS,
            json!({"title": "x", "status": "closed"}),
            400,
            "status",
        ),
        (NOTES, json!({"content": "x"}), 400, "person_id"),
        (
            NOTES,
            json!({"content": "x", "person_id": 1}),
            404,
            "Person not found",
        ),
        (NOTES, json!({"person_id": id}), 400, "content"),
        (
            NOTES,
            json!({"content": "x".repeat(100_001), "person_id": id}),
            400,
            "content",
        ),
        ("/api/v1/callLogs", log("declined"), 400, "outcome"),
        (
            "/api/v1/callLogs",
            json!({"outcome": "busy"}),
            400,
            "to_phone_number",
        ),
    ]) {
        let reply = post(&mut crm, NOON_MS + turn * 2_000, target, &fields);
        let refused = body(&reply, status);
        assert_eq!(refused["success"], false);
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains(names), "{error}: {fields}");
    }
    assert_eq!(crm.writes().len(), before);
    let request = Request::new(Method::Post, PERSONS).with_header("x-api-token", crate::TOKEN);
    assert_eq!(
        crm.handle(NOON_MS + 90_000, &request).status,
        400,
        "no JSON"
    );
}

#[test]
fn a_deal_moves_through_its_stages() {
    let mut crm = company();
    let made = data(
        &post(&mut crm, NOON_MS, DEALS, &json!({"title": "Offer"})),
        200,
    );
    for (name, expect) in [
        ("status", json!("open")),
        ("currency", json!("EUR")),
        ("pipeline_id", json!(1)),
        ("stage_id", json!(1)),
        ("custom_fields", json!({DEAL_KEY: null})),
    ] {
        assert_eq!(made[name], expect, "{name}");
    }
    let target = format!("{DEALS}/{}", made["id"]);
    for change in [
        json!({"stage_id": 4}),
        json!({"status": "won"}),
        json!({"value": 12.5}),
    ] {
        data(&patch(&mut crm, NOON_MS, &target, &change), 200);
    }
    let shown = data(&get(&mut crm, NOON_MS, &target), 200);
    assert_eq!(
        (&shown["stage_id"], &shown["status"], &shown["value"]),
        (&json!(4), &json!("won"), &json!(12.5))
    );
}

#[test]
fn a_call_log_makes_an_activity_or_takes_one_once() {
    let mut crm = company();
    let person = person(&mut crm, NOON_MS, "Eero Aalto");
    let activity = created(
        &mut crm,
        NOON_MS,
        ACTIVITIES,
        json!({"subject": "x", "type": "call"}),
    );
    let mut log = json!({"to_phone_number": "+12025550101", "outcome": "connected", "start_time": "2026-06-15 11:00:00",
        "end_time": "2026-06-15 11:03:05", "duration": "185", "person_id": person, "subject": "About an offer"});
    let made = data(&post(&mut crm, NOON_MS, "/api/v1/callLogs", &log), 200);
    let own = made["activity_id"].as_u64().unwrap();
    let shown = data(&get(&mut crm, NOON_MS, &format!("{ACTIVITIES}/{own}")), 200);
    assert_eq!(shown["subject"], "About an offer");
    assert_eq!(
        (&shown["done"], &shown["person_id"]),
        (&json!(true), &json!(person))
    );
    log["activity_id"] = activity.into();
    assert_eq!(
        data(&post(&mut crm, NOON_MS, "/api/v1/callLogs", &log), 200)["activity_id"],
        activity
    );
    assert_eq!(
        post(&mut crm, NOON_MS, "/api/v1/callLogs", &log).status,
        400,
        "turned already"
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        data(
            &get(&mut crm, NOON_MS, &format!("/api/v1/callLogs/{id}")),
            200
        ),
        made
    );
    // Another user sees none of them.
    let other = Request::new(Method::Get, "/api/v1/callLogs").with_bearer("oauth-token");
    let reply = crm.handle(NOON_MS, &other);
    assert_eq!(data(&reply, 200), Value::Null);
    let mine = data(&get(&mut crm, NOON_MS, "/api/v1/callLogs"), 200);
    assert_eq!(mine.as_array().unwrap().len(), 2);
}

#[test]
fn deleted_records_are_found_by_nobody_but_stay_for_the_oracle() {
    let mut crm = company();
    let person = person(&mut crm, NOON_MS, "Fenna Kask");
    let note = created(
        &mut crm,
        NOON_MS,
        NOTES,
        json!({"content": "x", "person_id": person}),
    );
    assert!(crm.remove(NOON_MS, Kind::Person, person));
    assert!(!crm.remove(NOON_MS, Kind::Person, person));
    let target = format!("{NOTES}/{note}");
    assert_eq!(
        send(&mut crm, NOON_MS, Method::Delete, &target, &Value::Null).status,
        200
    );
    let persons = format!("{PERSONS}/{person}");
    for (method, target, fields) in [
        (Method::Get, &persons, Value::Null),
        (Method::Patch, &persons, json!({"name": "y"})),
        (Method::Get, &target, Value::Null),
        (Method::Put, &target, json!({"content": "y"})),
        (Method::Delete, &target, Value::Null),
    ] {
        let reply = send(&mut crm, NOON_MS, method, target, &fields);
        assert_eq!(reply.status, 404, "{method:?}");
    }
    assert_eq!(data(&get(&mut crm, NOON_MS, PERSONS), 200), json!([]));
    assert!(crm.record(Kind::Person, person).unwrap().deleted);
    let fields = json!({"subject": "x", "participants": [{"person_id": person, "primary": true}]});
    assert_eq!(post(&mut crm, NOON_MS, ACTIVITIES, &fields).status, 400);
}

#[test]
fn a_merged_person_is_gone_and_what_hung_on_it_moved() {
    let mut crm = company();
    let phone = |value: &str| json!([{"value": value, "primary": true, "label": "work"}]);
    let gone = created(
        &mut crm,
        NOON_MS,
        PERSONS,
        json!({"name": "A", "phones": phone("1"), "custom_fields": {PERSON_KEY: "k-1"}}),
    );
    let kept = created(
        &mut crm,
        NOON_MS,
        PERSONS,
        json!({"name": "B", "phones": phone("2")}),
    );
    let activity = created(
        &mut crm,
        NOON_MS,
        ACTIVITIES,
        json!({"subject": "x", "participants": [{"person_id": gone, "primary": true}]}),
    );
    let deal = created(
        &mut crm,
        NOON_MS,
        DEALS,
        json!({"title": "x", "person_id": gone}),
    );
    assert!(!crm.merge_persons(NOON_MS, gone, gone));
    assert!(crm.merge_persons(NOON_MS, gone, kept));
    assert!(!crm.merge_persons(NOON_MS, gone, kept));
    assert_eq!(
        get(&mut crm, NOON_MS, &format!("{PERSONS}/{gone}")).status,
        404
    );
    let shown = data(&get(&mut crm, NOON_MS, &format!("{PERSONS}/{kept}")), 200);
    assert_eq!(shown["name"], "B");
    assert_eq!(shown["phones"][0]["value"], "2");
    assert_eq!(
        shown["phones"][1],
        json!({"value": "1", "primary": false, "label": "work"})
    );
    assert_eq!(shown["custom_fields"][PERSON_KEY], "k-1");
    assert_eq!(
        crm.record(Kind::Activity, activity).unwrap().person(),
        Some(kept)
    );
    assert_eq!(crm.record(Kind::Deal, deal).unwrap().person(), Some(kept));
    assert_eq!(
        crm.record(Kind::Person, gone).unwrap().merged_into,
        Some(kept)
    );
}
