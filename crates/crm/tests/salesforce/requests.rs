//! What is sent to Salesforce, field by field.

use callflume_core::effect::{DISPOSITIONS, Field, Fields, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::vendor::{Method, Vendor, Verb};
use callflume_crm::Settings;
use callflume_crm::salesforce::{CLOSE_DATE, KEY_FIELD, Salesforce};
use serde_json::json;

use crate::support::{
    AT, id, operation, query, record, salesforce, sent, shown_request, text, with_fields, writing,
};

const BASE: &str = "/services/data/v66.0";

fn whole_call() -> Fields {
    Fields::from([
        (Field::Title, text("Call about an offer")),
        (Field::Text, text("Wants an offer <soon>.\nBy Friday.")),
        (Field::Direction, text("inbound")),
        (Field::Disposition, text("no_answer")),
        (Field::Duration, FieldValue::DurationMs(185_400)),
        (Field::From, text("+12025550101")),
        (Field::To, text("+12025550190")),
        (Field::CallId, text("C1")),
        (Field::At, AT),
        (Field::Owner, text("0055g0000000031")),
        (Field::RecordingUrl, text("https://rec.example/1?a=b&c")),
        (Field::Sentiment, text("positive")),
    ])
}

#[test]
fn a_whole_call_is_one_completed_task() {
    assert_eq!(
        sent(&writing(Verb::Create, Object::Call, whole_call())),
        (
            Method::Post,
            format!("{BASE}/composite/sobjects"),
            json!({"allOrNone": false, "records": [{
                "attributes": {"type": "Task"}, "Callflume_Key__c": "k-1",
                "Subject": "Call about an offer", "Status": "Completed", "TaskSubtype": "Call", "CallType": "Inbound",
                "CallDurationInSeconds": 186, "CallDisposition": "No answer", "CallObject": "C1",
                "ActivityDate": "2026-10-30", "WhoId": id(9_101), "OwnerId": "0055g0000000031",
                "Callflume_Recording__c": "https://rec.example/1?a=b&c", "Callflume_Sentiment__c": "positive",
                "Description": "Wants an offer <soon>.\nBy Friday.\n\nFrom: +12025550101\nTo: +12025550190\nBegan: 2026-10-30 03:30:17 UTC",
            }]})
        )
    );
}

#[test]
fn the_kind_of_a_record_comes_first() {
    let request = salesforce().request(&writing(Verb::Create, Object::Call, whole_call()));
    let body = String::from_utf8(request.body.unwrap()).unwrap();
    assert!(
        body.starts_with(r#"{"allOrNone":false,"records":[{"attributes":{"type":"Task"},"#),
        "{body}"
    );
}

#[test]
fn what_comes_after_the_call_leaves_its_description_alone() {
    for (fields, expect) in [
        (
            vec![(Field::RecordingUrl, text("https://rec.example/1"))],
            json!({"Callflume_Recording__c": "https://rec.example/1"}),
        ),
        (
            vec![(Field::Sentiment, text("negative"))],
            json!({"Callflume_Sentiment__c": "negative"}),
        ),
        (
            vec![
                (Field::Duration, FieldValue::DurationMs(1)),
                (Field::From, text("+12025550101")),
                (Field::At, AT),
            ],
            json!({"CallDurationInSeconds": 1, "ActivityDate": "2026-10-30"}),
        ),
        (
            vec![
                (Field::Text, text("New")),
                (Field::To, text("+12025550190")),
            ],
            json!({"Description": "New\n\nTo: +12025550190"}),
        ),
        (vec![(Field::Text, text(" "))], json!({})),
    ] {
        let fields: Fields = fields.into_iter().collect();
        for verb in [Verb::UpdateByKey, Verb::UpdateById] {
            let mut written = record(&writing(verb, Object::Call, fields.clone()));
            written.as_object_mut().unwrap().remove("id");
            assert_eq!(written, expect, "{verb:?}");
        }
    }
}

#[test]
fn updates_by_key_are_parts_that_make_nothing() {
    let mut two = operation(Verb::UpdateByKey, Object::Call, 2);
    for item in &mut two.items {
        item.fields = Fields::from([(Field::Sentiment, text("neutral"))]);
    }
    let part = |number: u64| {
        json!({"method": "PATCH", "referenceId": format!("t{number}"),
            "url": format!("{BASE}/sobjects/Task/Callflume_Key__c/k-{number}?updateOnly=true"),
            "body": {"Callflume_Sentiment__c": "neutral"}})
    };
    assert_eq!(
        sent(&two),
        (
            Method::Post,
            format!("{BASE}/composite"),
            json!({"allOrNone": false, "compositeRequest": [part(1), part(2)]})
        )
    );
}

#[test]
fn a_new_person_has_our_key_and_always_a_last_name() {
    let fields = Fields::from([
        (Field::FirstName, text("Mira")),
        (Field::LastName, text("Holm")),
        (Field::Phone, text("+12025550101")),
        (Field::Email, text("p1@example.org")),
        (Field::OptedOut, FieldValue::Flag(true)),
        (Field::Custom("lead_score".into()), text("9")),
        (Field::Custom("callflume_key__C".into()), text("forged")),
        (Field::Custom("ID".into()), text("forged")),
    ]);
    assert_eq!(
        sent(&writing(Verb::UpsertByKey, Object::Contact, fields)),
        (
            Method::Patch,
            format!("{BASE}/composite/sobjects/Contact/Callflume_Key__c"),
            json!({"allOrNone": false, "records": [{
                "attributes": {"type": "Contact"}, "Callflume_Key__c": "k-1", "FirstName": "Mira", "LastName": "Holm",
                "Phone": "+12025550101", "Email": "p1@example.org", "DoNotCall": true, "lead_score": "9",
            }]})
        )
    );
    for (fields, first, last) in [
        (vec![(Field::LastName, text("Holm"))], None, "Holm"),
        (vec![(Field::FirstName, text("Mira"))], None, "Mira"),
        (
            vec![
                (Field::Phone, text("+12025550101")),
                (Field::Email, text("mira.h@example.org")),
            ],
            None,
            "mira.h",
        ),
        (
            vec![
                (Field::Phone, text("+12025550101")),
                (Field::Email, text("@example.org")),
            ],
            None,
            "+12025550101",
        ),
        (vec![(Field::LastName, text(" \t"))], None, "Unknown"),
    ] {
        let fields: Fields = fields.into_iter().collect();
        let written = record(&writing(Verb::UpsertByKey, Object::Contact, fields));
        assert_eq!(written["LastName"], last);
        assert_eq!(written["FirstName"].as_str(), first);
    }
}

#[test]
fn an_update_of_a_person_writes_what_is_given_and_our_key_only_as_a_stamp() {
    let fields = Fields::from([
        (Field::FirstName, text("Mira")),
        (Field::Phone, text("")),
        (Field::OptedOut, text("false")),
    ]);
    let mut operation = writing(Verb::UpdateById, Object::Contact, fields);
    assert_eq!(
        sent(&operation),
        (
            Method::Patch,
            format!("{BASE}/composite/sobjects"),
            json!({"allOrNone": false, "records": [
                {"attributes": {"type": "Contact"}, "id": id(9_001), "FirstName": "Mira", "DoNotCall": false}]})
        )
    );
    operation.items[0].stamp = true;
    assert_eq!(record(&operation)[KEY_FIELD], "k-1");
}

#[test]
fn notes_tasks_and_deals_in_salesforces_terms() {
    let note = Fields::from([(Field::Text, text("one\r\ntwo")), (Field::At, AT)]);
    let task = Fields::from([
        (Field::Title, text("Call back")),
        (Field::Text, text("a & b")),
        (Field::Priority, text("medium")),
        (Field::At, AT),
        (Field::Custom("WhatId".into()), text("0065g0000000441")),
    ]);
    let deal = Fields::from([
        (Field::Title, text("Offer")),
        (Field::Pipeline, text("0125g0000000002")),
        (Field::Stage, text("Qualification")),
        (Field::Amount, text("1250.50")),
        (Field::At, AT),
    ]);
    let won = Fields::from([
        (Field::Stage, text("Closed Won")),
        (Field::Pipeline, text("default")),
        (Field::Amount, text("12")),
        (Field::At, AT),
    ]);
    let later = Fields::from([(Field::Custom("closedate".into()), text("2027-01-31"))]);
    for (verb, object, fields, expect) in [
        (
            Verb::Create,
            Object::Note,
            note.clone(),
            json!({KEY_FIELD: "k-1", "Subject": "Note", "Status": "Completed", "TaskSubtype": "Task",
                "ActivityDate": "2026-10-30", "Description": "one\ntwo", "WhoId": id(9_101)}),
        ),
        (
            Verb::UpdateByKey,
            Object::Note,
            note,
            json!({"ActivityDate": "2026-10-30", "Description": "one\ntwo"}),
        ),
        (
            Verb::Create,
            Object::Task,
            task,
            json!({KEY_FIELD: "k-1", "Subject": "Call back", "Status": "Not Started", "TaskSubtype": "Task",
                "ActivityDate": "2026-10-30", "Description": "a & b", "Priority": "Normal", "WhoId": id(9_101),
                "WhatId": "0065g0000000441"}),
        ),
        (
            Verb::Create,
            Object::Task,
            Fields::new(),
            json!({KEY_FIELD: "k-1", "Subject": "Task", "Status": "Not Started", "TaskSubtype": "Task", "WhoId": id(9_101)}),
        ),
        (
            Verb::Create,
            Object::Deal,
            deal,
            json!({KEY_FIELD: "k-1", "Name": "Offer", "StageName": "Qualification", "CloseDate": "2026-10-30",
                "Amount": 1250.5, "RecordTypeId": "0125g0000000002", "ContactId": id(9_101)}),
        ),
        (
            Verb::Create,
            Object::Deal,
            Fields::from([(Field::Stage, text("Prospecting"))]),
            json!({KEY_FIELD: "k-1", "Name": "Deal from a call", "StageName": "Prospecting", "CloseDate": CLOSE_DATE,
                "ContactId": id(9_101)}),
        ),
        (
            Verb::UpdateByKey,
            Object::Deal,
            won,
            json!({"StageName": "Closed Won", "Amount": 12}),
        ),
        (
            Verb::UpdateByKey,
            Object::Deal,
            later,
            json!({"closedate": "2027-01-31"}),
        ),
    ] {
        let operation = writing(verb, object, fields);
        assert_eq!(record(&operation), expect, "{verb:?} {object}");
    }
}

#[test]
fn a_property_of_the_accounts_own_wins_over_a_mapped_one_whatever_its_case() {
    let fields = Fields::from([
        (Field::Title, text("Offer")),
        (Field::Stage, text("Prospecting")),
        (Field::Custom("NAME".into()), text("Renamed")),
        (Field::Custom("closeDate".into()), text("2027-01-31")),
        (Field::Custom("open".into()), FieldValue::Flag(true)),
        (Field::Custom("seen".into()), AT),
        (Field::Custom("empty".into()), text(" ")),
    ]);
    let operation = writing(Verb::Create, Object::Deal, fields);
    let vendor = with_fields(&[("deal_open", "Is_Open__c"), ("deal_key", "Ref__c")]);
    let (_, _, body) = shown_request(&vendor.request(&operation));
    assert_eq!(
        body["records"][0],
        json!({"attributes": {"type": "Opportunity"}, "Ref__c": "k-1", "NAME": "Renamed", "StageName": "Prospecting",
            "closeDate": "2027-01-31", "Is_Open__c": true, "seen": "2026-10-30T03:30:17Z", "ContactId": id(9_101)})
    );
}

#[test]
fn every_disposition_is_spelled_for_people_and_an_account_has_its_own() {
    let own = [("busy".to_owned(), "Line busy".to_owned())];
    let vendor = Salesforce::new(Settings::new("v68.0".parse().unwrap(), own.into()).unwrap());
    for name in DISPOSITIONS {
        let fields = Fields::from([(Field::Disposition, text(name))]);
        let operation = writing(Verb::Create, Object::Call, fields);
        let shown = record(&operation)["CallDisposition"].clone();
        let shown = shown.as_str().unwrap();
        assert!(shown.starts_with(|c: char| c.is_uppercase()), "{shown}");
        assert_eq!(shown.to_lowercase().replace(' ', "_"), *name);
        let (_, path, body) = shown_request(&vendor.request(&operation));
        assert!(path.starts_with("/services/data/v68.0/"));
        if *name == "busy" {
            assert_eq!(body["records"][0]["CallDisposition"], "Line busy");
        }
    }
}

#[test]
fn look_ups_and_listings() {
    let mut mixed = operation(Verb::ReadByEmail, Object::Contact, 3);
    mixed.items[0].email = Some(" O'Neil+1@Example.ORG ".into());
    mixed.items[1].email = Some("o'neil+1@example.org".into());
    let mut abroad = operation(Verb::SearchByPhone, Object::Contact, 1);
    abroad.items[0].phone = Phone::parse("+44 7700 900123");
    let mut page = operation(Verb::List, Object::Contact, 0);
    page.after = Some(id(2_000));
    let mut elsewhere = page.clone();
    elsewhere.after = Some("' OR Name != '".into());
    const FROM: &str = "SELECT Id,Callflume_Key__c,Email,Phone,MobilePhone,FirstName,LastName,OwnerId FROM Contact";
    for (operation, expect) in [
        (
            operation(Verb::ReadByKey, Object::Contact, 2),
            format!("{FROM} WHERE Callflume_Key__c IN ('k-1','k-2') LIMIT 2000"),
        ),
        (
            mixed,
            format!(r"{FROM} WHERE Email IN ('o\'neil+1@example.org','p3@example.org') LIMIT 2000"),
        ),
        (
            operation(Verb::SearchByPhone, Object::Contact, 1),
            format!(
                "{FROM} WHERE Phone LIKE '%5%5%5%0%1%0%1%' OR MobilePhone LIKE '%5%5%5%0%1%0%1%' ORDER BY Id LIMIT 2000"
            ),
        ),
        (
            abroad,
            format!(
                "{FROM} WHERE Phone LIKE '%0%9%0%0%1%2%3%' OR MobilePhone LIKE '%0%9%0%0%1%2%3%' ORDER BY Id LIMIT 2000"
            ),
        ),
        (
            operation(Verb::Probe, Object::Call, 1),
            "SELECT Id,Callflume_Key__c FROM Task WHERE Callflume_Key__c IN ('k-1') LIMIT 2000"
                .into(),
        ),
        (
            operation(Verb::List, Object::Contact, 0),
            format!("{FROM} ORDER BY Id LIMIT 2000"),
        ),
        (
            page,
            format!("{FROM} WHERE Id > '0035g0000002000' ORDER BY Id LIMIT 2000"),
        ),
        (elsewhere, format!("{FROM} ORDER BY Id LIMIT 2000")),
    ] {
        let request = salesforce().request(&operation);
        assert_eq!(request.method, Method::Get);
        assert!(
            request
                .path
                .starts_with(&format!("{BASE}/query?q=SELECT%20Id"))
        );
        assert_eq!(query(&request), expect);
        assert_eq!(request.body, None);
    }
}
