//! Checking an org and preparing it: what is asked, what is found, what is made.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, Method};
use callflume_crm::Settings;
use callflume_crm::salesforce::setup::{self, OrgLimits};
use callflume_crm::setup::{Finding, State};
use serde_json::{Value, json};

use crate::schema::violations;
use crate::support::response;

/// A field as Salesforce describes it.
fn described(name: &str, kind: &str, key: bool, writable: bool) -> Value {
    json!({"name": name, "type": kind, "length": 64, "externalId": key, "unique": key, "idLookup": key,
        "createable": writable, "updateable": writable})
}

const OWN: [(Object, &[&str]); 3] = [
    (
        Object::Contact,
        &["DoNotCall", "Email", "FirstName", "LastName", "Phone"],
    ),
    (
        Object::Task,
        &[
            "ActivityDate",
            "CallDisposition",
            "CallDurationInSeconds",
            "CallObject",
            "CallType",
            "Description",
            "Priority",
            "Status",
            "Subject",
            "WhoId",
        ],
    ),
    (Object::Deal, &["Amount", "CloseDate", "Name", "StageName"]),
];

/// The description of a kind of record: Salesforce's own fields, and these.
fn description(object: Object, ours: &[Value]) -> Answer {
    let own = OWN.iter().find(|(on, _)| *on == object).unwrap().1;
    let mut fields: Vec<Value> = own
        .iter()
        .map(|name| described(name, "string", false, true))
        .collect();
    fields.extend(ours.iter().cloned());
    response(200, &json!({"name": "x", "fields": fields}))
}

fn states(findings: &[Finding]) -> Vec<(&str, String)> {
    findings
        .iter()
        .map(|it| {
            let state = match &it.state {
                State::Ok => "ok".to_owned(),
                State::Missing => "missing".to_owned(),
                State::Wrong(reason) => reason.clone(),
            };
            (it.what.as_str(), state)
        })
        .collect()
}

#[test]
fn an_org_is_asked_for_its_limits() {
    let asked = setup::limits_request(&Settings::default());
    assert_eq!(violations(&asked), Vec::<String>::new());
    for (max, remaining, left) in [(110_000, 105_583, 105_583), (15_000, -12, 0)] {
        let body = json!({"DailyApiRequests": {"Max": max, "Remaining": remaining}, "DailyBulkApiBatches": {"Max": 1, "Remaining": 1}});
        assert_eq!(
            setup::org_limits(&response(200, &body)).unwrap(),
            OrgLimits {
                daily_api: max,
                remaining: left
            }
        );
    }
    for (answer, reason, remedy) in [
        (
            response(200, &json!({})),
            "the answer could not be understood",
            "my.salesforce.com",
        ),
        (
            response(
                401,
                &json!([{"errorCode": "INVALID_SESSION_ID", "message": "x"}]),
            ),
            "INVALID_SESSION_ID",
            "store a valid one",
        ),
        (
            response(
                403,
                &json!([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]),
            ),
            "REQUEST_LIMIT_EXCEEDED",
            "wait and try again",
        ),
        (
            response(
                403,
                &json!([{"errorCode": "API_DISABLED_FOR_ORG", "message": "x"}]),
            ),
            "API_DISABLED_FOR_ORG",
            "API access",
        ),
        (response(404, &json!([])), "HTTP 404", "api_version"),
        (response(503, &json!({})), "HTTP 503", "try again later"),
        (Answer::Lost, "Salesforce did not answer", "network"),
    ] {
        let finding = setup::org_limits(&answer).unwrap_err();
        assert_eq!(finding.state, State::Wrong(reason.to_owned()));
        assert!(finding.remedy.contains(remedy), "{}", finding.remedy);
    }
}

#[test]
fn an_empty_org_is_told_what_is_missing_and_gets_it_made() {
    let settings = Settings::default();
    for (object, expect) in [
        (
            Object::Contact,
            vec![(
                "Contact.Callflume_Key__c",
                json!({"type": "Text", "length": 64, "externalId": true, "unique": true, "caseSensitive": false}),
            )],
        ),
        (
            Object::Task,
            vec![
                (
                    "Activity.Callflume_Key__c",
                    json!({"type": "Text", "length": 64, "externalId": true, "unique": true, "caseSensitive": false}),
                ),
                (
                    "Activity.Callflume_Sentiment__c",
                    json!({"type": "Text", "length": 255}),
                ),
                (
                    "Activity.Callflume_Recording__c",
                    json!({"type": "LongTextArea", "length": 32_768, "visibleLines": 3}),
                ),
            ],
        ),
        (
            Object::Deal,
            vec![(
                "Opportunity.Callflume_Key__c",
                json!({"type": "Text", "length": 64, "externalId": true, "unique": true, "caseSensitive": false}),
            )],
        ),
    ] {
        let asked = setup::describe_request(&settings, object);
        assert_eq!(violations(&asked), Vec::<String>::new());
        let findings = setup::fields(&settings, object, &description(object, &[]));
        let (own, ours) = findings.split_last().unwrap();
        assert_eq!(own.state, State::Ok, "{}", own.what);
        assert_eq!(ours.len(), expect.len());
        for (finding, (name, metadata)) in ours.iter().zip(expect) {
            assert_eq!(finding.what, format!("field {name}"));
            assert_eq!(finding.state, State::Missing);
            assert!(finding.remedy.contains("account prepare"));
            let repair = finding.repair.clone().unwrap();
            assert_eq!(repair.method, Method::Post);
            assert_eq!(
                repair.path,
                "/services/data/v66.0/tooling/sobjects/CustomField"
            );
            assert_eq!(violations(&repair), Vec::<String>::new());
            let body: Value = serde_json::from_slice(&repair.body.unwrap()).unwrap();
            assert_eq!(body["FullName"], name);
            for (property, value) in metadata.as_object().unwrap() {
                assert_eq!(body["Metadata"][property], *value, "{name} {property}");
            }
        }
    }
}

#[test]
fn what_was_made_waits_to_be_shown_to_the_user() {
    let findings = setup::fields(
        &Settings::default(),
        Object::Contact,
        &description(Object::Contact, &[]),
    );
    let error = |code: &str| json!([{"errorCode": code, "message": "x", "fields": ["FullName"]}]);
    for (answer, reason, remedy) in [
        (
            response(
                201,
                &json!({"id": "00N5g0000000001EAA", "success": true, "errors": []}),
            ),
            "made; the credential's user may not see it yet",
            "permission set",
        ),
        (
            response(400, &error("DUPLICATE_DEVELOPER_NAME")),
            "it is there, but the credential's user may not see it",
            "permission set",
        ),
        (
            response(201, &json!({"success": false})),
            "the answer could not be understood",
            "base address",
        ),
        (
            response(403, &error("INSUFFICIENT_ACCESS")),
            "INSUFFICIENT_ACCESS",
            "Customize Application",
        ),
        (
            response(400, &error("NUM_CUSTOM_FIELDS_EXCEEDED")),
            "NUM_CUSTOM_FIELDS_EXCEEDED",
            "see the reason",
        ),
        (Answer::NotSent, "Salesforce did not answer", "network"),
    ] {
        let after = setup::repaired(&findings[0], &answer);
        assert_eq!(after.what, "field Contact.Callflume_Key__c");
        assert_eq!(after.state, State::Wrong(reason.to_owned()));
        assert!(after.remedy.contains(remedy), "{}", after.remedy);
        assert_eq!(after.repair, None);
    }
}

#[test]
fn fields_that_exist_are_as_required_or_wrong_with_the_reason() {
    let settings = Settings::default();
    for (field, reason, remedy) in [
        (
            described("Callflume_Key__c", "string", true, true),
            "ok",
            "",
        ),
        (
            described("callflume_key__C", "string", true, true),
            "ok",
            "",
        ),
        (
            described("Callflume_Key__c", "double", true, true),
            "its type is not text",
            "rename or delete",
        ),
        (
            described("Callflume_Key__c", "string", false, true),
            "it is no external id with unique values",
            "\"External ID\" and \"Unique\"",
        ),
        (
            described("Callflume_Key__c", "string", true, false),
            "the credential's user may not write it",
            "permission set",
        ),
    ] {
        let answer = description(Object::Deal, &[field]);
        let findings = setup::fields(&settings, Object::Deal, &answer);
        assert_eq!(
            states(&findings),
            [
                ("field Opportunity.Callflume_Key__c", reason.to_owned()),
                ("Salesforce's own fields of Opportunity", "ok".to_owned()),
            ]
        );
        assert!(findings[0].remedy.contains(remedy));
        assert_eq!(findings[0].repair, None, "what exists is never changed");
    }
    let texts = [
        described("Callflume_Key__c", "string", true, true),
        described("Callflume_Sentiment__c", "picklist", false, true),
        described("Callflume_Recording__c", "url", false, true),
    ];
    let findings = setup::fields(&settings, Object::Task, &description(Object::Task, &texts));
    let reasons: Vec<String> = states(&findings).into_iter().map(|(_, it)| it).collect();
    assert_eq!(reasons, ["ok", "its type is not text", "ok", "ok"]);
}

#[test]
fn fields_of_salesforces_own_must_be_writable() {
    let fields = json!({"fields": [
        described("Callflume_Key__c", "string", true, true),
        described("Amount", "currency", false, false),
        described("CloseDate", "date", false, true),
        described("Name", "string", false, true),
    ]});
    let findings = setup::fields(&Settings::default(), Object::Deal, &response(200, &fields));
    assert_eq!(
        states(&findings)[1].1,
        "the credential's user may not see or write Amount, StageName"
    );
    assert!(findings[1].remedy.contains("edit access"));
}

#[test]
fn another_name_for_a_field_is_looked_for_and_made() {
    let names = [("deal_key".to_owned(), "Ref__c".to_owned())];
    let settings = Settings::default()
        .with_custom_fields(names.into())
        .unwrap();
    let findings = setup::fields(&settings, Object::Deal, &description(Object::Deal, &[]));
    assert_eq!(findings[0].what, "field Opportunity.Ref__c");
    let there = [described("Ref__c", "string", true, true)];
    let findings = setup::fields(&settings, Object::Deal, &description(Object::Deal, &there));
    assert_eq!(findings[0].state, State::Ok);
}

#[test]
fn a_description_that_cannot_be_had_is_one_finding() {
    for (answer, reason) in [
        (
            response(200, &json!([])),
            "the answer could not be understood",
        ),
        (
            response(200, &json!({})),
            "the answer could not be understood",
        ),
        (
            response(404, &json!([{"errorCode": "NOT_FOUND", "message": "x"}])),
            "NOT_FOUND",
        ),
    ] {
        let findings = setup::fields(&Settings::default(), Object::Task, &answer);
        assert_eq!(states(&findings), [("fields of Task", reason.to_owned())]);
    }
}

#[test]
fn a_token_needs_a_scope_that_lets_it_in() {
    for (granted, expect) in [
        ("refresh_token api", State::Ok),
        ("full", State::Ok),
        ("refresh_token web", State::Missing),
        ("", State::Missing),
    ] {
        assert_eq!(setup::scopes(granted).state, expect, "{granted}");
    }
}
