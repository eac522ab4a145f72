//! Back-fills: a job's requests, its answers, and what became of every record.

use callflume_core::effect::{Field, Fields, Object};
use callflume_core::vendor::{AccountSignal, Answer, Method, Verb};
use callflume_crm::Settings;
use callflume_crm::salesforce::bulk::{self, Job, JobState, NoTable, Part, Trouble};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recorded::VERBS;
use crate::schema::violations;
use crate::support::{AT, id, operation, response, shown, shown_request, text};

fn settings() -> Settings {
    Settings::default()
}

fn table(verb: Verb, object: Object, fields: [Fields; 2]) -> String {
    let mut operation = operation(verb, object, 2);
    for (item, fields) in operation.items.iter_mut().zip(fields) {
        item.fields = fields;
    }
    String::from_utf8(bulk::table(&settings(), &operation).unwrap()).unwrap()
}

#[test]
fn records_are_rows_and_what_is_not_given_stays_as_it_is() {
    let one = Fields::from([
        (Field::LastName, text("Holm, \"Mira\"\n")),
        (Field::OptedOut, callflume_core::effect::Value::Flag(true)),
        (Field::Custom("phone".into()), text("#N/A")),
    ]);
    let two = Fields::from([
        (Field::LastName, text("Roe")),
        (Field::Phone, text("+12025550102")),
    ]);
    assert_eq!(
        table(Verb::UpsertByKey, Object::Contact, [one, two]),
        "\"Callflume_Key__c\",\"DoNotCall\",\"LastName\",\"phone\"\n\
         \"k-1\",\"true\",\"Holm, \"\"Mira\"\"\",\"\"\n\
         \"k-2\",\"\",\"Roe\",\"+12025550102\"\n"
    );
    let stage = |at: bool| {
        let mut fields = Fields::from([(Field::Stage, text("Closed Won"))]);
        if at {
            fields.insert(Field::Amount, text("12.5"));
        }
        fields
    };
    assert_eq!(
        table(Verb::UpdateById, Object::Deal, [stage(true), stage(false)]),
        format!(
            "\"Amount\",\"Id\",\"StageName\"\n\"12.5\",\"{}\",\"Closed Won\"\n\"\",\"{}\",\"Closed Won\"\n",
            id(9_001),
            id(9_002)
        )
    );
    let note = Fields::from([(Field::Text, text("a\nb")), (Field::At, AT)]);
    assert_eq!(
        table(Verb::Create, Object::Note, [note, Fields::new()])
            .lines()
            .next()
            .unwrap(),
        "\"ActivityDate\",\"Callflume_Key__c\",\"Description\",\"Status\",\"Subject\",\"TaskSubtype\",\"WhoId\""
    );
}

#[test]
fn a_jobs_requests_are_those_that_the_interface_describes() {
    for (verb, expect) in [
        (
            Verb::Create,
            json!({"object": "Task", "operation": "insert", "contentType": "CSV", "lineEnding": "LF"}),
        ),
        (
            Verb::UpsertByKey,
            json!({"object": "Task", "operation": "upsert", "externalIdFieldName": "Callflume_Key__c",
                "contentType": "CSV", "lineEnding": "LF"}),
        ),
        (
            Verb::UpdateById,
            json!({"object": "Task", "operation": "update", "contentType": "CSV", "lineEnding": "LF"}),
        ),
    ] {
        let request = bulk::create(&settings(), &operation(verb, Object::Note, 1)).unwrap();
        assert_eq!(violations(&request), Vec::<String>::new());
        assert_eq!(
            shown_request(&request),
            (
                Method::Post,
                "/services/data/v66.0/jobs/ingest".to_owned(),
                expect
            )
        );
    }
    for (request, method, path, body) in [
        (
            bulk::close(&settings(), "7505g01"),
            Method::Patch,
            "7505g01",
            json!({"state": "UploadComplete"}),
        ),
        (
            bulk::abort(&settings(), "7505g01"),
            Method::Patch,
            "7505g01",
            json!({"state": "Aborted"}),
        ),
        (
            bulk::poll(&settings(), "../x"),
            Method::Get,
            "..%2Fx",
            Value::Null,
        ),
        (
            bulk::results(&settings(), "7505g01", Part::Successful),
            Method::Get,
            "7505g01/successfulResults",
            Value::Null,
        ),
        (
            bulk::results(&settings(), "7505g01", Part::Failed),
            Method::Get,
            "7505g01/failedResults",
            Value::Null,
        ),
        (
            bulk::results(&settings(), "7505g01", Part::Unprocessed),
            Method::Get,
            "7505g01/unprocessedrecords",
            Value::Null,
        ),
    ] {
        assert_eq!(violations(&request), Vec::<String>::new());
        let path = format!("/services/data/v66.0/jobs/ingest/{path}");
        assert_eq!(shown_request(&request), (method, path, body));
    }
    let upload = bulk::upload(&settings(), "7505g01", b"a\n".to_vec());
    assert_eq!(violations(&upload), Vec::<String>::new());
    assert_eq!(
        (upload.method, upload.path.as_str(), upload.body.as_deref()),
        (
            Method::Put,
            "/services/data/v66.0/jobs/ingest/7505g01/batches",
            Some(&b"a\n"[..])
        )
    );
}

#[test]
fn only_what_can_be_repeated_becomes_a_job() {
    for (name, verb) in VERBS {
        let possible = matches!(verb, Verb::Create | Verb::UpsertByKey | Verb::UpdateById);
        let operation = operation(verb, Object::Contact, 1);
        assert_eq!(bulk::is_possible(verb), possible, "{name}");
        assert_eq!(bulk::create(&settings(), &operation).is_some(), possible);
        assert_eq!(bulk::table(&settings(), &operation).is_some(), possible);
    }
}

#[test]
fn a_job_says_how_far_it_is() {
    for (state, expect, over) in [
        ("Open", JobState::Open, false),
        ("UploadComplete", JobState::UploadComplete, false),
        ("InProgress", JobState::InProgress, false),
        ("JobComplete", JobState::JobComplete, true),
        ("Failed", JobState::Failed, true),
        ("Aborted", JobState::Aborted, true),
    ] {
        let body = json!({"id": "7505g01", "state": state, "numberRecordsProcessed": 20, "numberRecordsFailed": 2});
        let job = bulk::job(&settings(), &response(200, &body)).unwrap();
        assert_eq!(
            job,
            Job {
                id: "7505g01".into(),
                state: expect,
                processed: Some(20),
                failed: Some(2)
            }
        );
        assert_eq!(job.state.is_over(), over);
    }
}

#[test]
fn trouble_with_a_step_says_what_may_be_done() {
    let error = |code: &str, message: &str| json!([{"errorCode": code, "message": message}]);
    for (answer, expect) in [
        (
            Answer::NotSent,
            Trouble::NotExecuted(AccountSignal::Failing),
        ),
        (Answer::Lost, Trouble::Unknown),
        (response(200, &json!({"id": "x"})), Trouble::Unknown),
        (
            response(200, &json!({"id": "", "state": "Open"})),
            Trouble::Unknown,
        ),
        (
            response(200, &json!({"id": "x", "state": "Lunch"})),
            Trouble::Unknown,
        ),
        (
            response(401, &error("INVALID_SESSION_ID", "")),
            Trouble::NotExecuted(AccountSignal::CredentialRefused),
        ),
        (
            response(
                403,
                &error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            ),
            Trouble::NotExecuted(AccountSignal::DayExhausted),
        ),
        (
            response(
                400,
                &error("EXCEEDED_QUOTA", "The number of records exceeds"),
            ),
            Trouble::Quota,
        ),
        (
            response(403, &error("INSUFFICIENT_ACCESS", "")),
            Trouble::NotExecuted(AccountSignal::ScopeMissing),
        ),
        (response(404, &error("NOT_FOUND", "")), Trouble::Gone),
        (response(404, &json!("gone")), Trouble::Unknown),
        (
            response(400, &error("INVALIDJOB_STATE", "Mira Holm")),
            Trouble::Refused("INVALIDJOB_STATE".into()),
        ),
        (
            response(400, &error("x", "Mira Holm")),
            Trouble::Refused("HTTP 400".into()),
        ),
        (
            response(500, &error("UNKNOWN_EXCEPTION", "")),
            Trouble::Unknown,
        ),
        (response(503, &json!({})), Trouble::Unknown),
    ] {
        assert_eq!(bulk::job(&settings(), &answer), Err(expect), "{answer:?}");
    }
    let made = response(201, &Value::Null);
    assert_eq!(bulk::uploaded(&settings(), &made), Ok(()));
    assert_eq!(
        bulk::uploaded(&settings(), &Answer::Lost),
        Err(Trouble::Unknown)
    );
    let answer = response(200, &json!("x"));
    assert_eq!(bulk::downloaded(&settings(), &answer), Ok(&b"\"x\""[..]));
}

fn settled(verb: Verb, object: Object, count: u64, tables: [&str; 3]) -> Vec<String> {
    let mut operation = operation(verb, object, count);
    // The last one can't be sent.
    let last = operation.items.last_mut().unwrap();
    last.key.clear();
    last.crm_id = None;
    let [successful, failed, unprocessed] = tables.map(str::as_bytes);
    bulk::outcomes(&settings(), &operation, successful, failed, unprocessed)
        .unwrap()
        .iter()
        .map(shown)
        .collect()
}

#[test]
fn every_record_has_its_outcome_wherever_it_is_told() {
    let successful = "\"sf__Id\",\"sf__Created\",Callflume_Key__c,LastName\n\
        \"0035g0000008802AAA\",\"true\",\"k-2\",\"Ro\n e\"\n\"0035g0000008805AAA\",\"false\",\"k-5\",\"x\"\n\
        \"0035g0000008806AAA\",\"false\",\"k-6\",\"x\"\n\"x\",\"false\",\"k-7\",\"x\"\n";
    let failed = "\"sf__Id\",\"sf__Error\",Callflume_Key__c,LastName\n\
        \"\",\"STRING_TOO_LONG:Last Name: data value too large: Mira (max length=80):LastName --\",\"k-1\",\"Mira\"\n\
        \"\",\"DUPLICATE_VALUE:duplicate value found: Callflume_Key__c duplicates value on record with id: 0035g0000007703:--\",\"k-3\",\"x\"\n\
        \"\",\"UNABLE_TO_LOCK_ROW:unable to obtain exclusive access:--\",\"k-8\",\"x\"\n\
        \"\",\"x:x:--\",\"k-6\",\"x\"\n";
    let unprocessed = "Callflume_Key__c,LastName\r\n\"k-4\",\"x\"\r\n";
    let outcomes = settled(
        Verb::Create,
        Object::Contact,
        10,
        [successful, failed, unprocessed],
    );
    assert_eq!(
        outcomes,
        [
            "refused CF2101 STRING_TOO_LONG LastName",
            "done 0035g0000008802AAA",
            "conflict 0035g0000007703",
            "not executed",
            "done 0035g0000008805AAA",
            "unknown", // in both
            "unknown", // an id that is none
            "not executed",
            "unknown", // in none
            "refused CF2101 not sent: the item has no key",
        ]
    );
    let by_id = format!(
        "\"sf__Id\",\"sf__Error\",Id\n\"\",\"ENTITY_IS_DELETED:entity is deleted:--\",\"{}\"\n",
        id(9_001)
    );
    assert_eq!(
        settled(Verb::UpdateById, Object::Contact, 2, ["", &by_id, ""]),
        [
            "gone",
            "refused CF2101 not sent: the item's CRM id is none of Salesforce's"
        ]
    );
}

#[test]
fn two_items_of_one_key_are_not_told_apart() {
    let mut operation = operation(Verb::UpsertByKey, Object::Contact, 2);
    operation.items[1].key = "k-1".into();
    let table = "sf__Id,sf__Created,Callflume_Key__c\n0035g0000008802AAA,true,k-1\n";
    let outcomes = bulk::outcomes(&settings(), &operation, table.as_bytes(), b"", b"").unwrap();
    assert_eq!(
        outcomes.iter().map(shown).collect::<Vec<_>>(),
        ["unknown", "unknown"]
    );
}

#[test]
fn a_table_that_is_none_settles_nothing() {
    let operation = operation(Verb::Create, Object::Call, 1);
    for (table, expect) in [
        (
            "sf__Id,Subject\n1,2\n",
            NoTable::Column("Callflume_Key__c".into()),
        ),
        (
            "Id,Callflume_Key__c\n1,k-1\n",
            NoTable::Column("sf__Id".into()),
        ),
        ("sf__Id,Callflume_Key__c\n1,\"k-1", NoTable::Unclosed),
        ("sf__Id,Callflume_Key__c\n1\n", NoTable::Ragged(2)),
    ] {
        let outcomes = bulk::outcomes(&settings(), &operation, table.as_bytes(), b"", b"");
        assert_eq!(outcomes, Err(expect));
    }
}

proptest! {
    #[test]
    fn any_tables_have_one_outcome_per_item_or_none_at_all(
        count in 1_u64..4,
        rows in prop::collection::vec("[k0-4,\"\\n:-]{0,12}", 3),
    ) {
        let operation = operation(Verb::Create, Object::Call, count);
        let headers = ["sf__Id,Callflume_Key__c\n", "sf__Error,Callflume_Key__c\n", "x,Callflume_Key__c\n"];
        let tables: Vec<String> = headers.iter().zip(&rows).map(|(header, rows)| format!("{header}{rows}")).collect();
        let outcomes = bulk::outcomes(&settings(), &operation, tables[0].as_bytes(), tables[1].as_bytes(), tables[2].as_bytes());
        if let Ok(outcomes) = outcomes {
            prop_assert_eq!(outcomes.len(), operation.items.len());
        }
    }
}
