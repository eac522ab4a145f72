//! Batches: whole or item by item, upserts, reads with missing ids.

use callflume_sim::hubspot::{HubSpot, HubSpotConfig, ObjectKind, WriteKind};
use serde_json::{Value, json};

use crate::{CALLS, CONTACTS, NOON_MS, account, body, config, created, post};

fn batch(crm: &mut HubSpot, target: &str, inputs: &Value) -> callflume_sim::fakes::Reply {
    post(crm, NOON_MS, target, &json!({"inputs": inputs}))
}

/// Results or errors by trace id: the order isn't promised.
fn by_trace<'a>(answer: &'a Value, trace: &str) -> &'a Value {
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|result| result["objectWriteTraceId"] == trace)
        .unwrap_or(&Value::Null)
}

#[test]
fn an_upsert_creates_then_updates_the_same_record() {
    let mut crm = account();
    let inputs = |name: &str| {
        json!([
            {"idProperty": "voice_ref", "id": "k1", "objectWriteTraceId": "op-1", "properties": {"firstname": name}},
            {"idProperty": "voice_ref", "id": "k2", "objectWriteTraceId": "op-2", "properties": {"voice_ref": "k2"}},
        ])
    };
    let target = format!("{CONTACTS}/batch/upsert");
    let first = body(&batch(&mut crm, &target, &inputs("Kim")), 200);
    let second = body(&batch(&mut crm, &target, &inputs("Kit")), 200);
    assert_eq!(first["status"], "COMPLETE");
    assert_eq!(first.get("errors"), None);
    for trace in ["op-1", "op-2"] {
        assert_eq!(by_trace(&first, trace)["new"], true);
        assert_eq!(by_trace(&second, trace)["new"], false);
        assert_eq!(
            by_trace(&first, trace)["id"],
            by_trace(&second, trace)["id"]
        );
    }
    let record = crm.holder(ObjectKind::Contacts, "voice_ref", "k1").unwrap();
    assert_eq!(record.property("firstname"), Some("Kit"));
    let kinds: Vec<WriteKind> = crm.writes().iter().map(|write| write.kind).collect();
    assert_eq!(
        kinds,
        [
            WriteKind::Create,
            WriteKind::Create,
            WriteKind::Update,
            WriteKind::Update
        ]
    );
    assert_eq!(crm.counters().admitted, 2);
    assert_eq!(crm.requests()[0].inputs, 2);
}

#[test]
fn a_call_upsert_needs_its_timestamp_only_when_it_creates() {
    let mut crm = account();
    let target = format!("{CALLS}/batch/upsert");
    let upsert = |properties: Value| json!([{"idProperty": "voice_ref", "id": "c1", "properties": properties}]);
    assert_eq!(
        batch(&mut crm, &target, &upsert(json!({"hs_call_title": "x"}))).status,
        400
    );
    let create = upsert(json!({"hs_timestamp": "2026-06-15T11:58:00Z", "hs_call_title": "x"}));
    assert_eq!(
        body(&batch(&mut crm, &target, &create), 200)["results"][0]["new"],
        true
    );
    assert_eq!(
        batch(&mut crm, &target, &upsert(json!({"hs_call_title": "y"}))).status,
        200
    );
}

#[test]
fn upserts_go_by_unique_properties_only_and_by_one_per_batch() {
    let mut crm = account();
    let target = format!("{CONTACTS}/batch/upsert");
    let input = |key: &str, id: &str| json!({"idProperty": key, "id": id, "properties": {}});
    for (inputs, text) in [
        (
            json!([input("firstname", "a")]),
            "Unable to perform update/upsert by non-unique 0-1 property",
        ),
        (json!([{"id": "a", "properties": {}}]), "idProperty"),
        (
            json!([input("voice_ref", "a"), input("email", "a@example.com")]),
            "same idProperty",
        ),
        (
            json!([
                input("email", "a@example.com"),
                input("email", "A@example.com")
            ]),
            "Duplicate IDs",
        ),
        (json!([]), "no inputs"),
    ] {
        let answer = body(&batch(&mut crm, &target, &inputs), 400);
        assert!(
            answer["message"].as_str().unwrap().contains(text),
            "{answer}"
        );
    }
    assert!(crm.writes().is_empty());
}

#[test]
fn more_than_a_hundred_inputs_are_refused() {
    let mut crm = account();
    for (count, status) in [(100, 201), (101, 400)] {
        let inputs: Vec<Value> = (0..count)
            .map(|_| json!({"properties": {"firstname": "L"}}))
            .collect();
        let reply = batch(
            &mut crm,
            &format!("{CONTACTS}/batch/create"),
            &json!(inputs),
        );
        assert_eq!(reply.status, status, "{count}");
    }
    assert_eq!(crm.writes().len(), 100);
}

/// With a trace id of its own on each input the good ones are applied; without, nothing is.
#[test]
fn one_bad_input_fails_the_batch_unless_each_has_its_own_trace_id() {
    for (case, traces, status, written) in [
        ("own ids", [Some("t1"), Some("t2"), Some("t3")], 207, 2),
        ("none", [None, None, None], 400, 0),
        ("one missing", [Some("t1"), None, Some("t3")], 400, 0),
        ("one twice", [Some("t1"), Some("t2"), Some("t1")], 400, 0),
    ] {
        let mut crm = account();
        let values = [
            json!({"firstname": "M"}),
            json!({"fristname": "N"}),
            json!({"firstname": "O"}),
        ];
        let inputs: Vec<Value> = traces
            .iter()
            .zip(values)
            .map(|(trace, properties)| match trace {
                Some(trace) => json!({"objectWriteTraceId": trace, "properties": properties}),
                None => json!({"properties": properties}),
            })
            .collect();
        let answer = body(
            &batch(
                &mut crm,
                &format!("{CONTACTS}/batch/create"),
                &json!(inputs),
            ),
            status,
        );
        assert_eq!(crm.writes().len(), written, "{case}");
        assert_eq!(crm.records(ObjectKind::Contacts).count(), written, "{case}");
        if status == 207 {
            assert_eq!(answer["numErrors"], 1);
            let error = &answer["errors"][0];
            assert_eq!(error["context"]["objectWriteTraceId"], json!(["t2"]));
            assert_eq!(error["category"], "VALIDATION_ERROR");
            assert_eq!(error["errors"][0]["code"], "PROPERTY_DOESNT_EXIST");
            assert_eq!(by_trace(&answer, "t3")["properties"]["firstname"], "O");
        } else {
            assert_eq!(answer["category"], "VALIDATION_ERROR");
        }
    }
}

#[test]
fn a_conflict_in_a_batch_is_a_409_for_all_or_an_error_for_one() {
    let mut crm = account();
    let holder = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"email": "p@example.com"}),
    );
    let target = format!("{CONTACTS}/batch/create");
    let whole = json!([{"properties": {"email": "q@example.com"}}, {"properties": {"email": "P@example.com"}}]);
    let answer = body(&batch(&mut crm, &target, &whole), 409);
    assert_eq!(
        answer["message"],
        format!("Contact already exists. Existing ID: {holder}")
    );
    assert_eq!(crm.records(ObjectKind::Contacts).count(), 1);

    let each = json!([
        {"objectWriteTraceId": "a", "properties": {"email": "q@example.com"}},
        {"objectWriteTraceId": "b", "properties": {"email": "p@example.com"}},
        {"objectWriteTraceId": "c", "properties": {"email": "Q@example.com"}},
    ]);
    let answer = body(&batch(&mut crm, &target, &each), 207);
    let made = by_trace(&answer, "a")["id"].as_str().unwrap();
    let messages: Vec<&str> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["message"].as_str())
        .collect();
    assert_eq!(
        messages,
        [
            format!("Contact already exists. Existing ID: {holder}"),
            format!("Contact already exists. Existing ID: {made}"),
        ]
    );
    assert_eq!(crm.records(ObjectKind::Contacts).count(), 2);
}

#[test]
fn a_batch_update_names_the_ids_nobody_holds() {
    let mut crm = account();
    let id = created(&mut crm, NOON_MS, CONTACTS, json!({"voice_ref": "k1"}));
    let target = format!("{CONTACTS}/batch/update");
    let inputs = json!([
        {"objectWriteTraceId": "a", "idProperty": "voice_ref", "id": "k1", "properties": {"firstname": "R"}},
        {"objectWriteTraceId": "b", "id": "55", "properties": {"firstname": "S"}},
    ]);
    let answer = body(&batch(&mut crm, &target, &inputs), 207);
    assert_eq!(by_trace(&answer, "a")["id"], id.as_str());
    assert_eq!(answer["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(
        answer["errors"][0]["context"],
        json!({"ids": ["55"], "objectWriteTraceId": ["b"]})
    );
    let twice = json!([
        {"objectWriteTraceId": "a", "id": id, "properties": {}},
        {"objectWriteTraceId": "b", "idProperty": "voice_ref", "id": "k1", "properties": {}},
    ]);
    assert!(
        body(&batch(&mut crm, &target, &twice), 400)["message"]
            .as_str()
            .unwrap()
            .contains("Duplicate")
    );
}

#[test]
fn a_batch_create_links_its_records() {
    let mut crm = account();
    let contact = created(&mut crm, NOON_MS, CONTACTS, json!({}));
    let inputs = json!([{
        "objectWriteTraceId": "a",
        "properties": {"hs_timestamp": "2026-06-15T12:00:00Z", "hs_note_body": "x"},
        "associations": [{"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]}],
    }]);
    body(
        &batch(&mut crm, "/crm/v3/objects/notes/batch/create", &inputs),
        201,
    );
    let write = crm.writes().last().unwrap();
    assert_eq!(write.associations[0].to, ObjectKind::Contacts);
    assert_eq!(write.associations[0].id.to_string(), contact);
}

#[test]
fn a_batch_read_lists_missing_ids_and_answers_the_others() {
    let mut crm = account();
    let id = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"voice_ref": "k1", "firstname": "T"}),
    );
    let read = |ids: &[&str]| {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        json!({"idProperty": "voice_ref", "properties": ["firstname"], "propertiesWithHistory": [], "inputs": inputs})
    };
    let target = format!("{CONTACTS}/batch/read");
    let all = body(&post(&mut crm, NOON_MS, &target, &read(&["k1"])), 200);
    assert_eq!(all["results"][0]["properties"]["firstname"], "T");
    let some = body(
        &post(&mut crm, NOON_MS, &target, &read(&["k1", "k2", "k3"])),
        207,
    );
    assert_eq!(some["results"][0]["id"], id.as_str());
    assert_eq!(some["numErrors"], 1);
    assert_eq!(some["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(some["errors"][0]["context"]["ids"], json!(["k2", "k3"]));
}

#[test]
fn results_come_in_an_order_of_their_own_unless_told_otherwise() {
    for (in_order, names) in [(true, ["U", "V", "W"]), (false, ["V", "W", "U"])] {
        let mut crm = HubSpot::new(HubSpotConfig {
            batch_results_in_order: in_order,
            ..config()
        })
        .unwrap();
        let inputs = json!([{"properties": {"firstname": "U"}}, {"properties": {"firstname": "V"}}, {"properties": {"firstname": "W"}}]);
        let answer = body(
            &batch(&mut crm, &format!("{CONTACTS}/batch/create"), &inputs),
            201,
        );
        let shown: Vec<&str> = answer["results"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["properties"]["firstname"].as_str())
            .collect();
        assert_eq!(shown, names);
    }
}

#[test]
fn a_batch_archive_passes_over_what_is_gone() {
    let mut crm = account();
    let id = created(&mut crm, NOON_MS, CONTACTS, json!({}));
    let reply = batch(
        &mut crm,
        &format!("{CONTACTS}/batch/archive"),
        &json!([{"id": id}, {"id": "9"}]),
    );
    assert_eq!(reply.status, 204);
    assert_eq!(crm.writes().last().unwrap().kind, WriteKind::Archive);
    assert_eq!(crm.writes().len(), 2);
}
