//! Listings: order, filters, pages of both versions; what was written a moment ago is there.

use serde_json::{Value, json};

use crate::{
    ACTIVITIES, DEALS, NOON_MS, NOTES, PERSON_KEY, PERSONS, body, company, created, data, get,
    patch, person,
};

fn ids(data: &Value) -> Vec<u64> {
    data.as_array()
        .into_iter()
        .flatten()
        .map(|record| record["id"].as_u64().unwrap())
        .collect()
}

#[test]
fn pages_follow_each_other_in_any_order_and_records_made_meanwhile_move_nothing() {
    let mut crm = company();
    let made: Vec<u64> = (0..5)
        .map(|n| person(&mut crm, NOON_MS + n * 1_000, "x"))
        .collect();
    let at = NOON_MS + 60_000;
    patch(
        &mut crm,
        at,
        &format!("{PERSONS}/{}", made[1]),
        &json!({"name": "y"}),
    );
    for (order, expect) in [
        ("sort_by=id&sort_direction=asc", vec![0, 1, 2, 3, 4]),
        ("sort_by=add_time&sort_direction=desc", vec![4, 3, 2, 1, 0]),
        (
            "sort_by=update_time&sort_direction=desc",
            vec![1, 4, 3, 2, 0],
        ),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        for turn in 0..3 {
            let target = format!("{PERSONS}?limit=2&{order}{cursor}");
            let page = body(&get(&mut crm, at + turn, &target), 200);
            seen.extend(ids(&page["data"]));
            let next = &page["additional_data"]["next_cursor"];
            assert_eq!(next.is_null(), turn == 2, "{order}");
            cursor = format!("&cursor={}", next.as_str().unwrap_or_default());
        }
        let expect: Vec<u64> = expect.into_iter().map(|place: usize| made[place]).collect();
        assert_eq!(seen, expect, "{order}");
    }
    let first = body(&get(&mut crm, at, &format!("{PERSONS}?limit=2")), 200);
    let newcomer = person(&mut crm, at, "z");
    let cursor = first["additional_data"]["next_cursor"].as_str().unwrap();
    let rest = data(
        &get(&mut crm, at, &format!("{PERSONS}?cursor={cursor}")),
        200,
    );
    assert_eq!(ids(&rest), [made[2], made[3], made[4], newcomer]);
}

#[test]
fn filters_let_through_what_they_say() {
    let mut crm = company();
    let (a, b) = (
        person(&mut crm, NOON_MS, "a"),
        person(&mut crm, NOON_MS, "b"),
    );
    let on = |person: u64| json!([{"person_id": person, "primary": true}]);
    let deal = created(
        &mut crm,
        NOON_MS,
        DEALS,
        json!({"title": "x", "person_id": a}),
    );
    let call = created(
        &mut crm,
        NOON_MS,
        ACTIVITIES,
        json!({"subject": "x", "done": true, "participants": on(a)}),
    );
    let task = created(
        &mut crm,
        NOON_MS + 5_000,
        ACTIVITIES,
        json!({"subject": "y", "type": "task", "deal_id": deal, "participants": on(b)}),
    );
    for (turn, (target, expect)) in (1..).zip([
        (format!("{ACTIVITIES}?person_id={a}"), vec![call]),
        (format!("{ACTIVITIES}?person_id={b}"), vec![task]),
        (format!("{ACTIVITIES}?deal_id={deal}"), vec![task]),
        (format!("{ACTIVITIES}?done=false"), vec![task]),
        (format!("{ACTIVITIES}?owner_id=32"), vec![]),
        (
            format!("{ACTIVITIES}?updated_since=2026-06-15T12:00:05Z"),
            vec![task],
        ),
        (
            format!("{ACTIVITIES}?updated_until=2026-06-15T12:00:05Z"),
            vec![call],
        ),
        (format!("{DEALS}?person_id={a}&status=open"), vec![deal]),
        (format!("{DEALS}?stage_id=2"), vec![]),
        (format!("{PERSONS}?ids={a},{b}"), vec![a, b]),
    ]) {
        let reply = get(&mut crm, NOON_MS + 9_000 + turn * 2_000, &target);
        assert_eq!(ids(&data(&reply, 200)), expect, "{target}");
    }
    for (turn, (name, value)) in (1..).zip([
        ("limit", "501"),
        ("limit", "0"),
        ("limit", "many"),
        ("sort_by", "name"),
        ("sort_direction", "up"),
        ("cursor", "?"),
        ("person_id", "me"),
        ("done", "1"),
        ("ids", "a"),
        ("updated_since", "yesterday"),
        ("custom_fields", "dead"),
    ]) {
        let target = format!("{PERSONS}?{name}={value}");
        let reply = get(&mut crm, NOON_MS + 90_000 + turn * 2_000, &target);
        let error = body(&reply, 400)["error"].clone();
        assert!(error.as_str().unwrap().contains(name), "{target}: {error}");
    }
}

#[test]
fn only_the_custom_fields_asked_for_are_shown() {
    let mut crm = company();
    created(
        &mut crm,
        NOON_MS,
        PERSONS,
        json!({"name": "x", "custom_fields": {PERSON_KEY: "k"}}),
    );
    let target = format!("{PERSONS}?custom_fields={PERSON_KEY}");
    let page = data(&get(&mut crm, NOON_MS, &target), 200);
    assert_eq!(page[0]["custom_fields"], json!({PERSON_KEY: "k"}));
}

#[test]
fn notes_are_paged_by_number() {
    let mut crm = company();
    let person = person(&mut crm, NOON_MS, "x");
    let empty = body(&get(&mut crm, NOON_MS, NOTES), 200);
    assert_eq!(empty["data"], Value::Null);
    assert_eq!(
        empty["additional_data"]["pagination"]["more_items_in_collection"],
        false
    );
    let notes: Vec<u64> = (0..3)
        .map(|n| {
            let fields = json!({"content": "x", "person_id": person});
            created(&mut crm, NOON_MS + n * 1_000, NOTES, fields)
        })
        .collect();
    let newest = format!("{NOTES}?person_id={person}&sort=add_time%20DESC&start=0&limit=2");
    let page = body(&get(&mut crm, NOON_MS + 5_000, &newest), 200);
    assert_eq!(ids(&page["data"]), [notes[2], notes[1]]);
    assert_eq!(
        page["additional_data"]["pagination"],
        json!({"start": 0, "limit": 2, "more_items_in_collection": true, "next_start": 2})
    );
    let rest = format!("{NOTES}?sort=id%20ASC&start=2&limit=2");
    let page = body(&get(&mut crm, NOON_MS + 5_000, &rest), 200);
    assert_eq!(ids(&page["data"]), [notes[2]]);
    assert_eq!(page["data"][0]["add_time"], "2026-06-15 12:00:02");
    assert_eq!(
        get(&mut crm, NOON_MS + 5_000, &format!("{NOTES}?sort=colour")).status,
        400
    );
}
