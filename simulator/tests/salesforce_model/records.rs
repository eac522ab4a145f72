//! Requests about one record.

use callflume_sim::fakes::Method;
use callflume_sim::salesforce::{ObjectKind, WriteKind};
use serde_json::{Value, json};

use crate::{
    CONTACTS, DEALS, NOON_MS, TASKS, body, code, contact, created, delete, get, org, patch, post,
    send,
};

#[test]
fn a_created_record_is_there_at_once_and_says_where() {
    let mut crm = org();
    let fields = json!({"LastName": " Lorenz ", "FirstName": "Ada", "Email": "ada@example.com", "Phone": "+15551230000", "Title": ""});
    let reply = post(&mut crm, NOON_MS, CONTACTS, &fields);
    let made = body(&reply, 201);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made, json!({"id": id, "success": true, "errors": []}));
    let url = format!("/services/data/v66.0/sobjects/Contact/{id}");
    assert_eq!(reply.header("location"), Some(url.as_str()));
    assert_eq!((id.len(), id.starts_with("003")), (18, true));
    let short = id.get(..15).unwrap();
    for form in [id.as_str(), short] {
        let shown = body(&get(&mut crm, NOON_MS, &format!("{CONTACTS}/{form}")), 200);
        assert_eq!(shown["attributes"], json!({"type": "Contact", "url": url}));
        assert_eq!(shown["Id"], id.as_str());
        assert_eq!(shown["LastName"], "Lorenz", "without the spaces around it");
        assert_eq!(shown["Name"], "Ada Lorenz");
        assert_eq!(shown["Title"], Value::Null, "an empty text is nothing");
        assert_eq!(shown["DoNotCall"], false);
        assert_eq!(shown["CreatedDate"], "2026-06-15T12:00:00.000+0000");
        assert!(shown["OwnerId"].as_str().unwrap().starts_with("005"));
    }
    let some = body(
        &get(
            &mut crm,
            NOON_MS,
            &format!("{CONTACTS}/{id}?fields=email,Phone"),
        ),
        200,
    );
    assert_eq!(some["Email"], "ada@example.com");
    assert_eq!(some.as_object().unwrap().len(), 4);
}

#[test]
fn a_change_touches_what_it_names_and_is_answered_with_nothing() {
    let mut crm = org();
    let id = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", "FirstName": "B"}),
    );
    let path = format!("{CONTACTS}/{id}");
    let reply = patch(
        &mut crm,
        NOON_MS + 1,
        &path,
        &json!({"FirstName": null, "DoNotCall": true, "LastName": "A"}),
    );
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert!(reply.header("sforce-limit-info").is_some());
    let record = crm.record(&id).unwrap();
    assert_eq!(record.value("FirstName"), Value::Null);
    assert_eq!(record.value("DoNotCall"), true);
    let writes: Vec<(WriteKind, u64)> = crm
        .history(&id)
        .map(|it| (it.kind, it.request_no))
        .collect();
    assert_eq!(writes, [(WriteKind::Create, 1), (WriteKind::Update, 2)]);
    let changed: Vec<(String, bool)> = crm
        .history(&id)
        .nth(1)
        .unwrap()
        .fields
        .iter()
        .map(|it| (it.name.clone(), it.changed))
        .collect();
    for (name, expect) in [
        ("FirstName", true),
        ("DoNotCall", true),
        ("LastName", false),
    ] {
        assert!(changed.contains(&(name.to_owned(), expect)), "{name}");
    }
}

#[test]
fn what_is_not_there_is_told_apart_from_what_was_deleted() {
    let mut crm = org();
    let id = contact(&mut crm, NOON_MS, "A");
    let path = format!("{CONTACTS}/{id}");
    assert_eq!(delete(&mut crm, NOON_MS, &path).status, 204);
    assert!(crm.record(&id).unwrap().deleted);
    let change = json!({"FirstName": "B"});
    let absent = format!("{CONTACTS}/0035g0000zzzzzz");
    for (method, path, expect) in [
        (Method::Get, path.as_str(), (404, "NOT_FOUND")),
        (Method::Patch, &path, (404, "ENTITY_IS_DELETED")),
        (Method::Delete, &path, (404, "ENTITY_IS_DELETED")),
        (Method::Get, &absent, (404, "NOT_FOUND")),
        (Method::Patch, &absent, (404, "NOT_FOUND")),
        (Method::Patch, "/sobjects/Contact/what", (404, "NOT_FOUND")),
        (
            Method::Patch,
            &path.replace("Contact", "Task"),
            (404, "NOT_FOUND"),
        ),
        (Method::Get, "/sobjects/Nothing/003", (404, "NOT_FOUND")),
        (Method::Post, "/sobjects/Nothing", (404, "NOT_FOUND")),
        (Method::Get, "/what", (404, "NOT_FOUND")),
        (Method::Put, &path, (405, "METHOD_NOT_ALLOWED")),
        (
            Method::Get,
            "/composite/sobjects/Contact/Voice_Key__c",
            (405, "METHOD_NOT_ALLOWED"),
        ),
    ] {
        let reply = send(&mut crm, NOON_MS, method, path, &change);
        assert_eq!(code(&reply, expect.0), expect.1, "{method:?} {path}");
    }
    let versions = ["30", "69", "x"].map(|version| format!("/services/data/v{version}.0/limits"));
    for target in versions {
        let request =
            callflume_sim::fakes::Request::new(Method::Get, &target).with_bearer("sim-token");
        assert_eq!(
            code(&crm.handle(NOON_MS, &request), 404),
            "NOT_FOUND",
            "{target}"
        );
    }
}

#[test]
fn a_task_is_of_a_contact_and_closes_with_its_status() {
    let mut crm = org();
    let person = contact(&mut crm, NOON_MS, "A");
    let call = json!({"Subject": "Call", "Status": "Completed", "TaskSubtype": "Call", "CallType": "Inbound",
        "CallDurationInSeconds": 185, "CallDisposition": "Connected", "CallObject": "CA1", "Description": "text",
        "ActivityDate": "2026-06-15", "WhoId": person, "Priority": "Normal", "Sentiment__c": "good"});
    let id = created(&mut crm, NOON_MS, TASKS, call);
    let record = crm.record(&id).unwrap();
    assert_eq!(record.value("IsClosed"), true);
    assert_eq!(
        record.value("CompletedDateTime"),
        "2026-06-15T12:00:00.000+0000"
    );
    let id = created(
        &mut crm,
        NOON_MS,
        TASKS,
        json!({"WhoId": person, "ActivityDate": "2026-06-20"}),
    );
    let record = crm.record(&id).unwrap();
    assert_eq!(
        (record.value("Status"), record.value("IsClosed")),
        ("Not Started".into(), false.into())
    );
    assert_eq!(
        (record.value("Priority"), record.value("TaskSubtype")),
        ("Normal".into(), "Task".into())
    );
    assert_eq!(
        patch(
            &mut crm,
            NOON_MS,
            &format!("{TASKS}/{id}"),
            &json!({"Status": "Completed"})
        )
        .status,
        204
    );
    assert_eq!(crm.record(&id).unwrap().value("IsClosed"), true);
}

#[test]
fn an_opportunity_made_with_a_contact_has_its_role_and_keeps_it() {
    let mut crm = org();
    let person = contact(&mut crm, NOON_MS, "A");
    let deal = json!({"Name": "D", "StageName": "Proposal", "CloseDate": "2026-12-31", "ContactId": person});
    let id = created(&mut crm, NOON_MS, DEALS, deal);
    let role = crm
        .records(ObjectKind::OpportunityContactRole)
        .next()
        .unwrap();
    assert_eq!(role.value("OpportunityId"), id.as_str());
    assert_eq!(
        (role.value("ContactId"), role.value("IsPrimary")),
        (person.as_str().into(), true.into())
    );
    assert_eq!(crm.record(&id).unwrap().value("Probability"), 60);
    let path = format!("{DEALS}/{id}");
    assert_eq!(
        patch(
            &mut crm,
            NOON_MS,
            &path,
            &json!({"StageName": "Closed Won"})
        )
        .status,
        204
    );
    let record = crm.record(&id).unwrap();
    assert_eq!(
        (record.value("IsClosed"), record.value("IsWon")),
        (true.into(), true.into())
    );
    let again = patch(&mut crm, NOON_MS, &path, &json!({"ContactId": person}));
    assert_eq!(code(&again, 400), "INVALID_FIELD_FOR_INSERT_UPDATE");
}
