//! Links between records, properties, and what belongs to the account.

use callflume_sim::fakes::Method;
use callflume_sim::hubspot::{HubSpot, ObjectKind, WriteKind, default_association_type};
use serde_json::{Value, json};

use crate::{CALLS, CONTACTS, NOON_MS, account, body, created, get, post, send};

#[test]
fn links_are_seen_from_both_ends_and_replay_cleanly() {
    let mut crm = account();
    let contact = created(&mut crm, NOON_MS, CONTACTS, json!({}));
    let deal = created(
        &mut crm,
        NOON_MS,
        "/crm/v3/objects/deals",
        json!({"dealname": "One", "dealstage": "closedwon"}),
    );
    let call = post(
        &mut crm,
        NOON_MS,
        CALLS,
        &json!({
            "properties": {"hs_timestamp": "1781524800000", "hs_call_duration": "185000", "voice_ref": "c1"},
            "associations": [{"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]}],
        }),
    );
    let call = body(&call, 201);
    assert_eq!(
        call["properties"]["hs_timestamp"],
        "2026-06-15T12:00:00.000Z"
    );
    let call = call["id"].as_str().unwrap();

    let link = format!("/crm/v4/objects/calls/{call}/associations/default/deals/{deal}");
    for target in [
        link.clone(),
        link.replace("/crm/v4/objects", "/crm/objects/2026-09"),
    ] {
        let answer = body(
            &send(&mut crm, NOON_MS, Method::Put, &target, &Value::Null),
            200,
        );
        assert_eq!(answer["status"], "COMPLETE");
        assert_eq!(
            answer["results"][0]["associationSpec"]["associationTypeId"],
            206
        );
        assert_eq!(answer["results"][1]["to"]["id"], call);
    }
    assert_eq!(
        send(
            &mut crm,
            NOON_MS,
            Method::Put,
            &link.replace(&deal, "99"),
            &Value::Null
        )
        .status,
        400
    );

    let calls = body(
        &get(
            &mut crm,
            NOON_MS,
            &format!("/crm/v4/objects/contacts/{contact}/associations/calls"),
        ),
        200,
    );
    assert_eq!(calls["results"][0]["toObjectId"], call);
    assert_eq!(calls["results"][0]["associationTypes"][0]["typeId"], 193);
    let read = body(
        &get(
            &mut crm,
            NOON_MS,
            &format!("{CALLS}/{call}?associations=contacts,deals"),
        ),
        200,
    );
    assert_eq!(
        read["associations"]["contacts"]["results"][0]["id"],
        contact.as_str()
    );
    assert_eq!(
        read["associations"]["deals"]["results"][0]["id"],
        deal.as_str()
    );
    assert_eq!(crm.writes().last().unwrap().kind, WriteKind::Associate);
    assert_eq!(
        crm.record(ObjectKind::Calls, call.parse().unwrap())
            .unwrap()
            .associations
            .len(),
        2
    );
}

#[test]
fn every_kind_of_record_can_be_linked_to_contacts_and_deals() {
    for from in ObjectKind::ALL {
        for to in [ObjectKind::Contacts, ObjectKind::Deals] {
            assert_eq!(default_association_type(from, to).is_some(), from != to);
        }
    }
}

#[test]
fn properties_are_made_once_and_hold_from_then_on() {
    let mut crm = account();
    let made = json!({"name": "call_score", "label": "Call score", "type": "number", "fieldType": "number", "groupName": "contactinformation"});
    let target = "/crm/v3/properties/contacts";
    let write = json!({"properties": {"call_score": "7"}});
    assert_eq!(post(&mut crm, NOON_MS, CONTACTS, &write).status, 400);
    let answer = body(&post(&mut crm, NOON_MS, target, &made), 201);
    assert_eq!(answer["hasUniqueValue"], false);
    assert_eq!(answer["hubspotDefined"], false);
    assert_eq!(post(&mut crm, NOON_MS, CONTACTS, &write).status, 201);
    assert_eq!(post(&mut crm, NOON_MS, target, &made).status, 409);
    assert_eq!(
        body(
            &get(&mut crm, NOON_MS, &format!("{target}/call_score")),
            200
        )["type"],
        "number"
    );
    assert_eq!(
        get(&mut crm, NOON_MS, "/crm/v3/properties/calls/call_score").status,
        404
    );
    let listed = body(
        &get(&mut crm, NOON_MS, "/crm/properties/2026-09/contacts"),
        200,
    );
    let names: Vec<&str> = listed["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert!(
        names.contains(&"call_score") && names.contains(&"email") && names.contains(&"voice_ref")
    );
    let unnamed = json!({"name": "Call Score", "label": "x", "type": "string", "fieldType": "text", "groupName": "contactinformation"});
    assert_eq!(post(&mut crm, NOON_MS, target, &unnamed).status, 400);
}

#[test]
fn groups_are_made_once_per_object_and_a_property_needs_one() {
    let (v3, dated) = ("/crm/v3/properties/calls", "/crm/properties/2026-09/calls");
    let mut crm = account();
    let names = |crm: &mut HubSpot, target: &str| -> Vec<String> {
        let listed = body(&get(crm, NOON_MS, &format!("{target}/groups")), 200);
        let groups = listed["results"].as_array().unwrap();
        groups
            .iter()
            .map(|group| group["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&mut crm, v3), ["callinformation"]);
    let property = json!({"name": "voice_turns", "label": "Turns", "type": "number", "fieldType": "number", "groupName": "voice"});
    let refused = body(&post(&mut crm, NOON_MS, v3, &property), 400);
    assert_eq!(refused["category"], "VALIDATION_ERROR");
    assert!(
        refused["message"].as_str().unwrap().contains("\"voice\""),
        "{refused}"
    );

    let group = json!({"name": "voice", "label": "Voice", "displayOrder": 4});
    let made = body(
        &post(&mut crm, NOON_MS, &format!("{v3}/groups"), &group),
        201,
    );
    let expected = json!({"name": "voice", "label": "Voice", "displayOrder": 4, "archived": false});
    assert_eq!(made, expected);
    let again = post(&mut crm, NOON_MS, &format!("{dated}/groups"), &group);
    assert_eq!(again.status, 409, "both families lead to the same groups");
    for target in [v3, dated] {
        assert_eq!(names(&mut crm, target), ["callinformation", "voice"]);
    }
    assert_eq!(
        names(&mut crm, "/crm/v3/properties/contacts"),
        ["contactinformation"]
    );
    assert_eq!(post(&mut crm, NOON_MS, v3, &property).status, 201);
    for bad in [
        json!({"name": "Voice!", "label": "x"}),
        json!({"name": "other"}),
        json!({"name": "other", "label": "x", "displayOrder": "first"}),
    ] {
        let reply = post(&mut crm, NOON_MS, &format!("{v3}/groups"), &bad);
        assert_eq!(reply.status, 400, "{bad}");
    }
}

#[test]
fn an_object_has_at_most_ten_unique_properties() {
    let mut crm = account();
    for (place, status) in (1..=10).map(|place| (place, if place < 10 { 201 } else { 400 })) {
        let made = json!({"name": format!("key_{place}"), "label": "Key", "type": "string", "fieldType": "text", "groupName": "contactinformation", "hasUniqueValue": true});
        // The account starts with one: voice_ref.
        assert_eq!(
            post(&mut crm, NOON_MS, "/crm/v3/properties/contacts", &made).status,
            status,
            "{place}"
        );
    }
}

#[test]
fn owners_pipelines_and_account_details_are_served() {
    let mut crm = account();
    let owners = body(
        &get(
            &mut crm,
            NOON_MS,
            "/crm/v3/owners/?email=SALES.WEST@example.com",
        ),
        200,
    );
    assert_eq!(owners["results"].as_array().unwrap().len(), 1);
    assert_eq!(owners["results"][0]["id"], "7701");
    let first = body(&get(&mut crm, NOON_MS, "/crm/v3/owners/?limit=1"), 200);
    assert_eq!(first["paging"]["next"]["after"], "1");
    let pipelines = body(&get(&mut crm, NOON_MS, "/crm/v3/pipelines/deals"), 200);
    let stages = pipelines["results"][0]["stages"].as_array().unwrap();
    assert_eq!(stages[5]["id"], "closedwon");
    assert_eq!(stages[5]["metadata"]["isClosed"], "true");
    let details = body(&get(&mut crm, NOON_MS, "/account-info/v3/details"), 200);
    assert_eq!(details["portalId"], 4_242_001);
    assert_eq!(details["timeZone"], "America/New_York");
    assert_eq!(details["utcOffset"], "-04:00");
    for unknown in [
        "/crm/v3/objects/spaceships",
        "/crm/v5/objects/contacts",
        "/",
        "/crm/v3/objects/contacts/1/2",
    ] {
        assert_eq!(
            body(&get(&mut crm, NOON_MS, unknown), 404)["status"],
            "error"
        );
    }
}

const LINKS: &str = "/crm/v4/associations/contacts/deals/batch/read";

fn deal_of(crm: &mut HubSpot, contacts: &[&str]) -> String {
    let to: Vec<Value> = contacts
        .iter()
        .map(|id| json!({"to": {"id": id}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}))
        .collect();
    let made = post(
        crm,
        NOON_MS,
        "/crm/v3/objects/deals",
        &json!({"properties": {"dealname": "x", "dealstage": "appointmentscheduled"}, "associations": to}),
    );
    body(&made, 201)["id"].as_str().unwrap().to_owned()
}

#[test]
fn links_of_many_contacts_are_read_at_once_and_those_without_are_named() {
    let mut crm = account();
    let ids: Vec<String> = (0..3)
        .map(|_| created(&mut crm, NOON_MS, CONTACTS, json!({})))
        .collect();
    let shared = deal_of(&mut crm, &[&ids[0], &ids[1]]);
    let own = deal_of(&mut crm, &[&ids[1]]);
    let inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let inputs = json!({"inputs": [inputs[0], inputs[1], inputs[2], {"id": "99"}]});
    for path in [
        LINKS.to_owned(),
        LINKS.replace("/crm/v4/associations", "/crm/associations/2026-09"),
    ] {
        let read = body(&post(&mut crm, NOON_MS, &path, &inputs), 207);
        assert_eq!(read["status"], "COMPLETE");
        let links: Vec<(&str, Vec<&str>)> = read["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                let to = it["to"].as_array().unwrap();
                let to = to.iter().map(|link| link["toObjectId"].as_str().unwrap());
                (it["from"]["id"].as_str().unwrap(), to.collect())
            })
            .collect();
        assert_eq!(
            links,
            [
                (ids[0].as_str(), vec![shared.as_str()]),
                (ids[1].as_str(), vec![shared.as_str(), own.as_str()])
            ]
        );
        assert_eq!(read["numErrors"], 2);
        for (error, id) in read["errors"]
            .as_array()
            .unwrap()
            .iter()
            .zip([&*ids[2], "99"])
        {
            assert_eq!(error["category"], "OBJECT_NOT_FOUND");
            assert_eq!(error["context"]["fromObjectId"], json!([id]));
        }
    }
    let both = json!({"inputs": [{"id": ids[0]}, {"id": ids[1]}]});
    let read = body(&post(&mut crm, NOON_MS, LINKS, &both), 200);
    assert!(read.get("errors").is_none() && read["results"][0].get("paging").is_none());
}

#[test]
fn a_thousand_contacts_fit_one_reading_of_links_and_no_more() {
    let mut crm = account();
    let ask = |count: u64| json!({"inputs": (1..=count).map(|id| json!({"id": id.to_string()})).collect::<Vec<_>>()});
    assert_eq!(post(&mut crm, NOON_MS, LINKS, &ask(1_000)).status, 207);
    for (refused, why) in [
        (ask(1_001), "too many"),
        (ask(0), "none"),
        (json!({}), "none"),
        (json!({"inputs": [{"name": "x"}]}), "no id"),
        (
            json!({"inputs": [{"id": "1", "after": "elsewhere"}]}),
            "no mark",
        ),
    ] {
        assert_eq!(
            post(&mut crm, NOON_MS, LINKS, &refused).status,
            400,
            "{why}"
        );
    }
}

#[test]
fn links_beyond_an_answer_are_read_from_their_mark_on() {
    let mut crm = account();
    let contact = created(&mut crm, NOON_MS, CONTACTS, json!({}));
    let types = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]);
    let one = json!({"properties": {"dealname": "x", "dealstage": "closedwon"}, "associations": [{"to": {"id": contact}, "types": types}]});
    for _ in 0..6 {
        let batch = json!({"inputs": vec![one.clone(); 84]});
        let made = post(
            &mut crm,
            NOON_MS,
            "/crm/v3/objects/deals/batch/create",
            &batch,
        );
        assert_eq!(made.status, 201);
    }
    let mut seen = Vec::new();
    let mut input = json!({"id": contact});
    for expect in [500, 4] {
        let read = post(&mut crm, NOON_MS, LINKS, &json!({"inputs": [input]}));
        let read = body(&read, 200);
        let result = &read["results"][0];
        let to = result["to"].as_array().unwrap();
        assert_eq!(to.len(), expect);
        seen.extend(to.iter().map(|link| link["toObjectId"].clone()));
        input["after"] = result["paging"]["next"]["after"].clone();
    }
    assert!(input["after"].is_null());
    seen.dedup();
    assert_eq!(seen.len(), 504);
}

#[test]
fn whether_a_deal_is_closed_follows_its_stage() {
    let mut crm = account();
    let deal = created(
        &mut crm,
        NOON_MS,
        "/crm/v3/objects/deals",
        json!({"dealname": "One", "dealstage": "appointmentscheduled"}),
    );
    let path = format!("/crm/v3/objects/deals/{deal}");
    let asked = format!("{path}?properties=hs_is_closed");
    for (stage, closed) in [
        ("appointmentscheduled", "false"),
        ("closedlost", "true"),
        ("qualifiedtobuy", "false"),
    ] {
        let change = json!({"properties": {"dealstage": stage}});
        assert_eq!(
            send(&mut crm, NOON_MS, Method::Patch, &path, &change).status,
            200
        );
        let read = body(&get(&mut crm, NOON_MS, &asked), 200);
        assert_eq!(read["properties"]["hs_is_closed"], closed, "{stage}");
    }
    let written = json!({"properties": {"hs_is_closed": "true"}});
    assert_eq!(
        send(&mut crm, NOON_MS, Method::Patch, &path, &written).status,
        400
    );
    let bare = created(
        &mut crm,
        NOON_MS,
        "/crm/v3/objects/deals",
        json!({"dealname": "Two"}),
    );
    let read = body(
        &get(
            &mut crm,
            NOON_MS,
            &format!("/crm/v3/objects/deals/{bare}?properties=hs_is_closed"),
        ),
        200,
    );
    assert!(read["properties"]["hs_is_closed"].is_null());
}
