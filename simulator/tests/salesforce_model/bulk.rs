//! Bulk API 2.0: jobs that run as time goes by.

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::salesforce::{JobState, ObjectKind, Salesforce};
use serde_json::{Value, json};

use crate::{CONTACTS, KEY, NOON_MS, TOKEN, body, code, created, delete, get, org, patch, post};

pub(crate) const JOBS: &str = "/jobs/ingest";

pub(crate) fn upsert() -> Value {
    json!({"object": "Contact", "operation": "upsert", "externalIdFieldName": KEY, "contentType": "CSV", "lineEnding": "LF"})
}

#[track_caller]
pub(crate) fn opened(crm: &mut Salesforce, at_ms: i64, job: &Value) -> String {
    let job = body(&post(crm, at_ms, JOBS, job), 200);
    assert_eq!(job["state"], "Open");
    job["id"].as_str().unwrap().to_owned()
}

pub(crate) fn upload(crm: &mut Salesforce, at_ms: i64, id: &str, file: &str) -> Reply {
    let mut request = Request::new(
        Method::Put,
        &format!("/services/data/v66.0{JOBS}/{id}/batches"),
    )
    .with_bearer(TOKEN)
    .with_header("Content-Type", "text/csv; charset=UTF-8");
    request.body = file.as_bytes().to_vec();
    crm.handle(at_ms, &request)
}

pub(crate) fn close(crm: &mut Salesforce, at_ms: i64, id: &str) -> Reply {
    patch(
        crm,
        at_ms,
        &format!("{JOBS}/{id}"),
        &json!({"state": "UploadComplete"}),
    )
}

/// A job with this file, closed at noon.
#[track_caller]
fn sent(crm: &mut Salesforce, job: &Value, file: &str) -> String {
    let id = opened(crm, NOON_MS, job);
    assert_eq!(upload(crm, NOON_MS, &id, file).status, 201);
    assert_eq!(close(crm, NOON_MS, &id).status, 200);
    id
}

fn state(crm: &mut Salesforce, at_ms: i64, id: &str) -> Value {
    body(&get(crm, at_ms, &format!("{JOBS}/{id}")), 200)
}

fn results(crm: &mut Salesforce, at_ms: i64, id: &str, which: &str) -> String {
    let reply = get(crm, at_ms, &format!("{JOBS}/{id}/{which}"));
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/csv"))
    );
    String::from_utf8(reply.body).unwrap()
}

#[test]
fn a_job_waits_runs_and_ends_and_tells_of_every_row() {
    let mut crm = org();
    let held = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "Held", "FirstName": "X", "Phone": "1", KEY: "k2"}),
    );
    let file = format!(
        "{KEY},LastName,FirstName,Phone,DoNotCall,Email\n\
        k1,\"Acker, \"\"A\"\"\",Ada,,true,\n\
        k2,Held,#N/A,,,\n\
        k3,,Ada,,,\n\
        k4,B,,,maybe,\n\
        k5,B,,,,no address\n\
        ,B,,,,\n\
        k7,B,,,,\nK7,B,,,,\n"
    );
    let id = sent(&mut crm, &upsert(), &file);
    assert_eq!(
        state(&mut crm, NOON_MS + 1_999, &id)["state"],
        "UploadComplete"
    );
    assert_eq!(crm.records(ObjectKind::Contact).count(), 1);
    assert_eq!(state(&mut crm, NOON_MS + 2_000, &id)["state"], "InProgress");
    let ended = state(&mut crm, NOON_MS + 2_008, &id);
    assert_eq!(
        (&ended["state"], &ended["jobType"]),
        (&"JobComplete".into(), &"V2Ingest".into())
    );
    assert_eq!(
        (
            &ended["numberRecordsProcessed"],
            &ended["numberRecordsFailed"]
        ),
        (&8.into(), &6.into())
    );
    let done = results(&mut crm, NOON_MS + 3_000, &id, "successfulResults");
    let made = crm.records(ObjectKind::Contact).last().unwrap().clone();
    assert_eq!(made.value("LastName"), "Acker, \"A\"");
    assert_eq!(
        (made.value("DoNotCall"), made.value("Phone")),
        (true.into(), Value::Null)
    );
    let header =
        format!("\"{KEY}\",\"LastName\",\"FirstName\",\"Phone\",\"DoNotCall\",\"Email\"\n");
    let first = format!(
        "\"{}\",\"true\",\"k1\",\"Acker, \"\"A\"\"\",\"Ada\",\"\",\"true\",\"\"\n",
        made.id
    );
    let second = format!("\"{held}\",\"false\",\"k2\",\"Held\",\"#N/A\",\"\",\"\",\"\"\n");
    assert_eq!(
        done,
        format!("\"sf__Id\",\"sf__Created\",{header}{first}{second}")
    );
    let record = crm.record(&held).unwrap();
    assert_eq!(
        (record.value("FirstName"), record.value("Phone")),
        (Value::Null, "1".into()),
        "empty is untouched"
    );
    let failed = results(&mut crm, NOON_MS + 3_000, &id, "failedResults");
    let lines: Vec<&str> = failed.lines().collect();
    assert_eq!(lines.len(), 7);
    for (line, expect) in lines.iter().skip(1).zip([
        "\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --\",\"k3\"",
        "\"\",\"JSON_PARSER_ERROR:",
        "\"\",\"INVALID_EMAIL_ADDRESS:Email: invalid email address: no address:Email --\",\"k5\"",
        "\"\",\"MISSING_ARGUMENT:Voice_Key__c not specified: --\",\"\"",
        "\"\",\"DUPLICATE_VALUE:Duplicate external id specified: k7: --\"",
        "\"\",\"DUPLICATE_VALUE:Duplicate external id specified: K7: --\"",
    ]) {
        assert!(line.starts_with(expect), "{line}");
    }
    assert_eq!(
        results(&mut crm, NOON_MS + 3_000, &id, "unprocessedrecords"),
        header
    );
    assert_eq!(crm.counters().bulk_rows, 8);
    let writes: Vec<i64> = crm
        .writes()
        .iter()
        .skip(1)
        .map(|it| it.at_ms - NOON_MS)
        .collect();
    assert_eq!(writes, [2_008, 2_008]);
}

#[test]
fn a_large_file_is_a_few_calls_and_is_written_bit_by_bit() {
    let mut crm = org();
    let mut file = format!("{KEY},LastName\n");
    for at in 0..5_000 {
        file.extend([format!("k{at},N{at}\n")]);
    }
    let id = sent(&mut crm, &upsert(), &file);
    for (at, rows) in [(2_199, 0), (2_200, 200), (4_500, 2_400), (7_000, 5_000)] {
        let shown = state(&mut crm, NOON_MS + at, &id);
        assert_eq!(shown["numberRecordsProcessed"], rows, "{at}");
    }
    assert_eq!(
        state(&mut crm, NOON_MS + 7_000, &id)["state"],
        "JobComplete"
    );
    assert_eq!(crm.records(ObjectKind::Contact).count(), 5_000);
    assert_eq!(crm.counters().calls, 8);
    assert!(crm.writes().is_sorted_by_key(|it| it.at_ms));
    let closed_by = 3;
    assert!(crm.writes().iter().all(|it| it.request_no == closed_by));
    crm.advance(NOON_MS + 9_000);
    assert_eq!(
        crm.job_states().collect::<Vec<_>>(),
        [(id.as_str(), JobState::JobComplete)]
    );
}

#[test]
fn the_reply_to_closing_lacks_what_the_vendors_lacks() {
    let mut crm = org();
    let id = opened(&mut crm, NOON_MS, &upsert());
    let open = state(&mut crm, NOON_MS, &id);
    assert_eq!(
        (&open["lineEnding"], &open["externalIdFieldName"]),
        (&"LF".into(), &KEY.into())
    );
    assert_eq!(
        open["contentUrl"],
        format!("services/data/v66.0/jobs/ingest/{id}/batches")
    );
    assert_eq!(upload(&mut crm, NOON_MS, &id, "a\n").status, 201);
    let closed = body(&close(&mut crm, NOON_MS, &id), 200);
    assert_eq!(closed["state"], "UploadComplete");
    for lacking in ["jobType", "lineEnding", "numberRecordsProcessed"] {
        assert_eq!(closed[lacking], Value::Null, "{lacking}");
    }
}

#[test]
fn other_operations_go_by_id() {
    let mut crm = org();
    let kept = created(&mut crm, NOON_MS, CONTACTS, json!({"LastName": "A"}));
    let gone = created(&mut crm, NOON_MS, CONTACTS, json!({"LastName": "A"}));
    assert!(crm.delete_record(NOON_MS, &gone));
    let job = |operation: &str| json!({"object": "Contact", "operation": operation, "columnDelimiter": "PIPE", "lineEnding": "CRLF"});
    let file = format!("Id|FirstName\r\n{kept}|B\r\n{gone}|B\r\n");
    let update = sent(&mut crm, &job("update"), &file);
    let insert = sent(&mut crm, &job("insert"), "LastName\r\nC\r\n");
    let failed = results(&mut crm, NOON_MS + 5_000, &update, "failedResults");
    assert!(
        failed.contains(&format!(
            "\"{gone}\"|\"ENTITY_IS_DELETED:entity is deleted: --\"|"
        )),
        "{failed}"
    );
    assert!(failed.ends_with("\r\n"));
    assert_eq!(crm.record(&kept).unwrap().value("FirstName"), "B");
    assert_eq!(
        state(&mut crm, NOON_MS + 5_000, &insert)["numberRecordsFailed"],
        0
    );
    let remove = opened(&mut crm, NOON_MS + 5_000, &job("delete"));
    assert_eq!(
        upload(
            &mut crm,
            NOON_MS + 5_000,
            &remove,
            &format!("Id\r\n{kept}\r\n")
        )
        .status,
        201
    );
    assert_eq!(close(&mut crm, NOON_MS + 5_000, &remove).status, 200);
    assert_eq!(
        state(&mut crm, NOON_MS + 9_000, &remove)["state"],
        "JobComplete"
    );
    assert!(crm.record(&kept).unwrap().deleted);
}

#[test]
fn what_a_failed_or_aborted_job_has_written_stays() {
    let mut file = format!("{KEY},LastName\n");
    for at in 0..1_000 {
        file.extend([format!("k{at},N\n")]);
    }
    let count = |text: String| text.lines().count() - 1;
    let mut crm = org();
    crm.fail_next_job_after(250);
    let id = sent(&mut crm, &upsert(), &file);
    let ended = state(&mut crm, NOON_MS + 60_000, &id);
    assert_eq!(ended["state"], "Failed");
    assert!(ended["errorMessage"].is_string());
    for (which, rows) in [
        ("successfulResults", 250),
        ("failedResults", 0),
        ("unprocessedrecords", 750),
    ] {
        assert_eq!(
            count(results(&mut crm, NOON_MS + 60_000, &id, which)),
            rows,
            "{which}"
        );
    }
    assert_eq!(crm.records(ObjectKind::Contact).count(), 250);
    let mut crm = org();
    let id = sent(&mut crm, &upsert(), &file);
    let abort = json!({"state": "Aborted"});
    let path = format!("{JOBS}/{id}");
    assert_eq!(
        body(&patch(&mut crm, NOON_MS + 2_400, &path, &abort), 200)["state"],
        "Aborted"
    );
    for (which, rows) in [("successfulResults", 400), ("unprocessedrecords", 600)] {
        assert_eq!(
            count(results(&mut crm, NOON_MS + 60_000, &id, which)),
            rows,
            "{which}"
        );
    }
    assert_eq!(
        code(&patch(&mut crm, NOON_MS + 60_000, &path, &abort), 400),
        "INVALIDJOBSTATE"
    );
    assert_eq!(delete(&mut crm, NOON_MS + 60_000, &path).status, 204);
    assert_eq!(get(&mut crm, NOON_MS + 60_000, &path).status, 404);
}

#[test]
fn files_that_cannot_be_used_fail_their_job_and_write_nothing() {
    for (file, expect) in [
        (
            format!("{KEY},Nothing__c\nk1,A\n"),
            "InvalidBatch : Field name not found : Nothing__c",
        ),
        (
            "LastName\nA\n".to_owned(),
            "InvalidBatch : Field name not found : Voice_Key__c",
        ),
        (format!("{KEY},LastName\nk1\n"), "InvalidBatch : row 1"),
        (
            format!("{KEY},LastName\n"),
            "InvalidBatch : the file has no records",
        ),
        (String::new(), "InvalidBatch : the file has no records"),
        (
            format!("{KEY},LastName\r\nk1,A\r\n"),
            "ClientInputError : LineEnding is invalid on user data.",
        ),
        (format!("{KEY},LastName\nk1,\"A\n"), "ClientInputError"),
    ] {
        let mut crm = org();
        let id = sent(&mut crm, &upsert(), &file);
        let ended = state(&mut crm, NOON_MS + 60_000, &id);
        assert_eq!(ended["state"], "Failed", "{file}");
        assert!(
            ended["errorMessage"].as_str().unwrap().starts_with(expect),
            "{ended}"
        );
        assert!(crm.writes().is_empty());
    }
}
