//! Jobs as the dispatcher sees them: steps, troubles, rows of which only the manifest is known.

use callflume_core::bulk::{Bulk, BulkAnswer, BulkAsk, BulkState, BulkStep, Part};
use callflume_core::effect::{Field, Fields, Object};
use callflume_core::vendor::{AccountSignal, Answer, Content, Item, Vendor, Verb};
use serde_json::json;

use crate::recorded::VERBS;
use crate::support::{id, operation, response, salesforce, shown, text, writing};

#[test]
fn a_table_travels_as_csv_and_everything_else_as_json() {
    let salesforce = salesforce();
    let bulk = Vendor::bulk(&salesforce).unwrap();
    let operation = operation(Verb::UpsertByKey, Object::Contact, 2);
    for (ask, content) in [
        (BulkAsk::Create(&operation), Content::Json),
        (BulkAsk::Upload("7505g01", &operation), Content::Csv),
        (BulkAsk::Close("7505g01"), Content::Json),
        (BulkAsk::Abort("7505g01"), Content::Json),
        (BulkAsk::Poll("7505g01"), Content::Json),
        (BulkAsk::Results("7505g01", Part::Failed), Content::Json),
    ] {
        let request = bulk.request(&ask);
        assert_eq!(request.content, content, "{ask:?}");
        assert!(request.path.contains("/jobs/ingest"), "{ask:?}");
        let named = matches!(ask, BulkAsk::Create(_)) || request.path.contains("7505g01");
        assert!(named, "{ask:?}");
    }
    assert_eq!((bulk.rows_min(), bulk.rows_max()), (2_000, 5_000));
}

#[test]
fn what_can_be_a_job_and_what_makes_a_row() {
    let salesforce = salesforce();
    for (name, verb) in VERBS {
        let expect = matches!(verb, Verb::UpsertByKey | Verb::UpdateById | Verb::Create);
        assert_eq!(salesforce.is_possible(verb, Object::Note), expect, "{name}");
    }
    let mut deal = operation(Verb::Create, Object::Deal, 1);
    assert!(salesforce.fits(&deal));
    deal.items[0].fields.clear();
    assert!(!salesforce.fits(&deal), "a deal without a stage");
}

#[test]
fn answers_tell_of_the_account_and_of_the_job() {
    let error = |code: &str| json!([{"errorCode": code, "message": "TotalRequests Limit exceeded. Mira Holm"}]);
    let job = |state: &str| {
        let body = json!({"id": "7505g01", "state": state, "numberRecordsProcessed": 9, "numberRecordsFailed": 2});
        response(200, &body)
    };
    let told = |state| BulkAnswer::Job {
        id: "7505g01".into(),
        state,
        processed: Some(9),
        failed: Some(2),
    };
    let refused = |reason: &str| BulkAnswer::Refused(reason.into());
    use AccountSignal::{CredentialRefused, DayExhausted, Failing, Fine, ScopeMissing};
    for (step, answer, expect) in [
        (BulkStep::Create, job("Open"), (Fine, told(BulkState::Open))),
        (
            BulkStep::Poll,
            job("UploadComplete"),
            (Fine, told(BulkState::Working)),
        ),
        (
            BulkStep::Poll,
            job("InProgress"),
            (Fine, told(BulkState::Working)),
        ),
        (
            BulkStep::Poll,
            job("JobComplete"),
            (Fine, told(BulkState::Complete)),
        ),
        (
            BulkStep::Poll,
            job("Failed"),
            (Fine, told(BulkState::Broken)),
        ),
        (
            BulkStep::Abort,
            job("Aborted"),
            (Fine, told(BulkState::Broken)),
        ),
        (
            BulkStep::Upload,
            response(201, &json!(null)),
            (Fine, BulkAnswer::Uploaded),
        ),
        (
            BulkStep::Results(Part::Failed),
            response(200, &json!("x")),
            (Fine, BulkAnswer::Table(b"\"x\"".to_vec())),
        ),
        (
            BulkStep::Close,
            Answer::Lost,
            (Failing, BulkAnswer::Unknown),
        ),
        (
            BulkStep::Close,
            Answer::NotSent,
            (Failing, BulkAnswer::NotExecuted),
        ),
        (
            BulkStep::Poll,
            response(401, &error("INVALID_SESSION_ID")),
            (CredentialRefused, BulkAnswer::NotExecuted),
        ),
        (
            BulkStep::Upload,
            response(403, &error("REQUEST_LIMIT_EXCEEDED")),
            (DayExhausted, BulkAnswer::NotExecuted),
        ),
        (
            BulkStep::Upload,
            response(400, &error("EXCEEDED_QUOTA")),
            (Fine, refused("the records of 24 hours are used up")),
        ),
        // The interface is closed to this user: that says nothing of other requests.
        (
            BulkStep::Create,
            response(403, &error("FEATURENOTENABLED")),
            (Fine, refused("the user may not make one")),
        ),
        (
            BulkStep::Poll,
            response(403, &error("INSUFFICIENT_ACCESS")),
            (ScopeMissing, BulkAnswer::NotExecuted),
        ),
        (
            BulkStep::Poll,
            response(404, &error("NOT_FOUND")),
            (Fine, BulkAnswer::Gone),
        ),
        (
            BulkStep::Close,
            response(400, &error("INVALIDJOB_STATE")),
            (Fine, refused("INVALIDJOB_STATE")),
        ),
        (
            BulkStep::Poll,
            response(503, &json!({})),
            (Failing, BulkAnswer::Unknown),
        ),
    ] {
        assert_eq!(
            Bulk::interpret(&salesforce(), step, &answer),
            expect,
            "{step:?} {answer:?}"
        );
    }
}

#[test]
fn a_row_of_which_only_the_manifest_is_known_is_found_and_one_that_is_nowhere_is_unknown() {
    let known = |number: u64| Item {
        key: format!("d-{number}"),
        contact: Some(id(9_100 + number)),
        ..Item::default()
    };
    // A deal without a stage could not be sent: this one was, by whoever knew it.
    let mut deals = operation(Verb::Create, Object::Deal, 0);
    deals.items = (1..=4).map(known).collect();
    let successful = "sf__Id,sf__Created,Callflume_Key__c\n0065g0000008801AAA,true,d-1\n";
    let failed = "sf__Id,sf__Error,Callflume_Key__c\n,STRING_TOO_LONG:Mira:Name --,d-2\n\
        ,INVALID_CROSS_REFERENCE_KEY:invalid:ContactId --,d-3\n";
    let tables = [successful, failed, ""].map(str::as_bytes);
    let outcomes = salesforce().outcomes(&deals, tables).unwrap();
    let outcomes: Vec<String> = outcomes.iter().map(shown).collect();
    assert_eq!(
        outcomes,
        [
            "done 0065g0000008801AAA",
            "refused CF2101 STRING_TOO_LONG Name",
            "gone",
            "unknown"
        ]
    );
    assert_eq!(
        salesforce().outcomes(&deals, [b"sf__Id\n1,2\n", b"", b""]),
        None
    );
}

#[test]
fn an_upsert_is_plain_only_with_a_last_name() {
    let salesforce = salesforce();
    for (fields, expect) in [
        (Fields::new(), false),
        (Fields::from([(Field::FirstName, text("Mira"))]), false),
        (Fields::from([(Field::LastName, text(" "))]), false),
        (Fields::from([(Field::LastName, text("Holm"))]), true),
    ] {
        assert_eq!(salesforce.upserts_plainly(Object::Contact, &fields), expect);
        // What the others would write beyond their fields is the last name that is made up.
        let record =
            crate::support::record(&writing(Verb::UpsertByKey, Object::Contact, fields.clone()));
        let given = fields.get(&Field::LastName).is_some_and(|_| expect);
        assert!(record.get("LastName").is_some(), "{record}");
        assert_eq!(record["LastName"] == "Holm", given, "{record}");
    }
}
