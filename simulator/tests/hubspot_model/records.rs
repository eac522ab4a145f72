//! Single records: create, read, update, list, archive.

use callflume_sim::fakes::Method;
use callflume_sim::hubspot::ObjectKind;
use serde_json::{Value, json};

use crate::{CONTACTS, NOON_MS, account, body, created, get, patch, post, send};

#[test]
fn a_created_contact_is_shown_with_what_was_written() {
    let mut crm = account();
    let reply = post(
        &mut crm,
        NOON_MS,
        CONTACTS,
        &json!({"properties": {"email": "Ada@Example.com", "firstname": "Ada", "phone": "+1 212 555 0100"}}),
    );
    let contact = body(&reply, 201);
    assert_eq!(
        contact,
        json!({
            "id": "1001",
            "properties": {
                "createdate": "2026-06-15T12:00:00.000Z",
                "email": "ada@example.com",
                "firstname": "Ada",
                "hs_object_id": "1001",
                "lastmodifieddate": "2026-06-15T12:00:00.000Z",
                "phone": "+1 212 555 0100",
            },
            "createdAt": "2026-06-15T12:00:00.000Z",
            "updatedAt": "2026-06-15T12:00:00.000Z",
            "archived": false,
        })
    );
}

#[test]
fn both_path_families_lead_to_the_same_record() {
    let mut crm = account();
    let id = created(
        &mut crm,
        NOON_MS,
        "/crm/objects/2026-09/contacts",
        json!({"voice_ref": "k1"}),
    );
    for target in [
        format!("/crm/v3/objects/contacts/{id}"),
        format!("/crm/objects/2026-03/contacts/{id}"),
        format!("/crm/v3/objects/0-1/{id}"),
        "/crm/v3/objects/contacts/k1?idProperty=voice_ref".to_owned(),
        "/crm/objects/2026-09/contact/k1?idProperty=voice_ref&properties=firstname".to_owned(),
    ] {
        assert_eq!(
            body(&get(&mut crm, NOON_MS, &target), 200)["id"],
            id.as_str(),
            "{target}"
        );
    }
}

#[test]
fn a_read_shows_what_is_asked_and_null_for_what_is_not_set() {
    let mut crm = account();
    let id = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"email": "b@example.com", "phone": "(212) 555-0101"}),
    );
    let target = format!(
        "{CONTACTS}/b%40example.com?idProperty=email&properties=phone,lastname&properties=hs_searchable_calculated_phone_number,no_such"
    );
    let contact = body(&get(&mut crm, NOON_MS, &target), 200);
    assert_eq!(contact["id"], id.as_str());
    assert_eq!(contact["properties"]["phone"], "(212) 555-0101");
    assert_eq!(contact["properties"]["lastname"], Value::Null);
    assert_eq!(
        contact["properties"]["hs_searchable_calculated_phone_number"],
        "2125550101"
    );
    assert_eq!(contact["properties"].get("no_such"), None);
    assert_eq!(contact["properties"].get("email"), None);
}

#[test]
fn an_update_changes_the_named_values_and_an_empty_one_clears() {
    let mut crm = account();
    let id = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"email": "c@example.com", "firstname": "C", "city": "Ulm"}),
    );
    let by_email = format!("{CONTACTS}/C@EXAMPLE.com?idProperty=email");
    let update = json!({"properties": {"firstname": "Cleo", "city": "", "voice_ref": "k9"}});
    body(&patch(&mut crm, NOON_MS + 5, &by_email, &update), 200);
    let record = crm
        .record(ObjectKind::Contacts, id.parse().unwrap())
        .unwrap();
    assert_eq!(record.property("firstname"), Some("Cleo"));
    assert_eq!(record.property("city"), None);
    assert_eq!(record.updated_ms, NOON_MS + 5);
    assert_eq!(
        crm.holder(ObjectKind::Contacts, "voice_ref", "k9")
            .unwrap()
            .id,
        record.id
    );

    let history: Vec<String> = crm
        .history(ObjectKind::Contacts, record.id)
        .flat_map(|write| {
            write.properties.iter().map(move |it| {
                format!(
                    "{} {:?} {}={}",
                    write.request_no, write.kind, it.name, it.value
                )
            })
        })
        .collect();
    assert_eq!(
        history,
        [
            "1 Create city=Ulm",
            "1 Create email=c@example.com",
            "1 Create firstname=C",
            "2 Update city=",
            "2 Update firstname=Cleo",
            "2 Update voice_ref=k9",
        ]
    );
}

#[test]
fn a_repeated_update_is_recorded_as_changing_nothing() {
    let mut crm = account();
    let id = created(&mut crm, NOON_MS, CONTACTS, json!({"firstname": "D"}));
    let again = json!({"properties": {"firstname": "D"}});
    body(
        &patch(&mut crm, NOON_MS, &format!("{CONTACTS}/{id}"), &again),
        200,
    );
    assert!(!crm.writes()[1].properties[0].changed);
}

#[test]
fn a_freed_unique_value_can_be_taken_again() {
    let mut crm = account();
    let first = created(&mut crm, NOON_MS, CONTACTS, json!({"voice_ref": "k1"}));
    let clear = json!({"properties": {"voice_ref": ""}});
    body(
        &patch(&mut crm, NOON_MS, &format!("{CONTACTS}/{first}"), &clear),
        200,
    );
    let second = created(&mut crm, NOON_MS, CONTACTS, json!({"voice_ref": "k1"}));
    let reply = send(
        &mut crm,
        NOON_MS,
        Method::Delete,
        &format!("{CONTACTS}/{second}"),
        &Value::Null,
    );
    assert_eq!(reply.status, 204);
    created(&mut crm, NOON_MS, CONTACTS, json!({"voice_ref": "k1"}));
}

#[test]
fn an_archived_record_is_gone_for_requests_and_kept_for_the_oracle() {
    let mut crm = account();
    let id = created(&mut crm, NOON_MS, CONTACTS, json!({"voice_ref": "k1"}));
    assert!(crm.archive(NOON_MS, ObjectKind::Contacts, id.parse().unwrap()));
    let target = format!("{CONTACTS}/{id}");
    let update = json!({"properties": {"firstname": "I"}});
    assert_eq!(
        body(&get(&mut crm, NOON_MS, &target), 404)["category"],
        "OBJECT_NOT_FOUND"
    );
    assert_eq!(patch(&mut crm, NOON_MS, &target, &update).status, 404);
    assert_eq!(
        get(
            &mut crm,
            NOON_MS,
            &format!("{CONTACTS}/k1?idProperty=voice_ref")
        )
        .status,
        404
    );
    let record = crm
        .record(ObjectKind::Contacts, id.parse().unwrap())
        .unwrap();
    assert!(record.archived);
    assert_eq!(record.property("voice_ref"), Some("k1"));
}

#[test]
fn records_can_be_named_by_unique_properties_only() {
    let mut crm = account();
    created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"firstname": "J", "voice_mood": "calm"}),
    );
    for property in ["firstname", "voice_mood", "no_such"] {
        let target = format!("{CONTACTS}/J?idProperty={property}");
        let answer = body(&get(&mut crm, NOON_MS, &target), 400);
        assert!(
            answer["message"]
                .as_str()
                .unwrap()
                .contains("non-unique 0-1 property")
        );
    }
}

#[test]
fn the_list_walks_every_living_record_once() {
    let mut crm = account();
    let ids: Vec<String> = (0..7)
        .map(|_| created(&mut crm, NOON_MS, CONTACTS, json!({})))
        .collect();
    crm.archive(NOON_MS, ObjectKind::Contacts, ids[2].parse().unwrap());
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = body(
            &get(
                &mut crm,
                NOON_MS,
                &format!("{CONTACTS}?limit=2&properties=email{after}"),
            ),
            200,
        );
        for contact in page["results"].as_array().unwrap() {
            seen.push(contact["id"].as_str().unwrap().to_owned());
        }
        match page["paging"]["next"]["after"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let living: Vec<String> = ids
        .into_iter()
        .enumerate()
        .filter(|(place, _)| *place != 2)
        .map(|(_, id)| id)
        .collect();
    assert_eq!(seen, living);
    assert_eq!(
        get(&mut crm, NOON_MS, &format!("{CONTACTS}?limit=101")).status,
        400
    );
}
