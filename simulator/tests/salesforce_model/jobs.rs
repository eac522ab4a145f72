//! What a job is refused for before it runs.

use callflume_sim::fakes::Method;
use callflume_sim::salesforce::DAY_MS;
use serde_json::json;

use crate::bulk::{JOBS, close, opened, upload, upsert};
use crate::{KEY, NOON_MS, code, delete, get, org, patch, post, with};

#[test]
fn requests_out_of_turn_are_refused() {
    let mut crm = org();
    for (job, expect) in [
        (
            json!({"object": "Contact", "operation": "upsert"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Contact", "operation": "upsert", "externalIdFieldName": "Phone"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Contact", "operation": "insert", "externalIdFieldName": KEY}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Contact", "operation": "replace"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "User", "operation": "insert"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Contact", "operation": "insert", "contentType": "JSON"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Contact", "operation": "insert", "lineEnding": "CR"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Contact", "operation": "insert", "columnDelimiter": "X"}),
            "INVALIDJOB",
        ),
    ] {
        assert_eq!(
            code(&post(&mut crm, NOON_MS, JOBS, &job), 400),
            expect,
            "{job}"
        );
    }
    let id = opened(&mut crm, NOON_MS, &upsert());
    let path = format!("{JOBS}/{id}");
    assert_eq!(
        code(&delete(&mut crm, NOON_MS, &path), 400),
        "INVALIDJOBSTATE"
    );
    assert_eq!(
        code(
            &patch(&mut crm, NOON_MS, &path, &json!({"state": "Open"})),
            400
        ),
        "INVALIDJOB"
    );
    let wrong = crate::send(
        &mut crm,
        NOON_MS,
        Method::Put,
        &format!("{path}/batches"),
        &json!({}),
    );
    assert_eq!(code(&wrong, 415), "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(upload(&mut crm, NOON_MS, &id, "a\nb\n").status, 201);
    assert_eq!(
        code(&upload(&mut crm, NOON_MS, &id, "a\nb\n"), 400),
        "INVALIDJOBSTATE"
    );
    assert_eq!(close(&mut crm, NOON_MS, &id).status, 200);
    assert_eq!(code(&close(&mut crm, NOON_MS, &id), 400), "INVALIDJOBSTATE");
    assert_eq!(
        code(&upload(&mut crm, NOON_MS, &id, "a\nb\n"), 400),
        "INVALIDJOBSTATE"
    );
    for path in [
        format!("{JOBS}/7505g0000zzzzzz"),
        format!("{path}/someResults"),
    ] {
        assert_eq!(get(&mut crm, NOON_MS, &path).status, 404, "{path}");
    }
    assert_eq!(
        get(&mut crm, NOON_MS + 7 * DAY_MS, &path).status,
        404,
        "kept for seven days"
    );
}

#[test]
fn rows_have_a_day_of_their_own() {
    let mut crm = with(|config| config.daily_bulk_rows = 3);
    let first = opened(&mut crm, NOON_MS, &upsert());
    assert_eq!(upload(&mut crm, NOON_MS, &first, "a\n1\n2\n").status, 201);
    let second = opened(&mut crm, NOON_MS, &upsert());
    assert_eq!(
        code(&upload(&mut crm, NOON_MS, &second, "a\n1\n2\n"), 400),
        "EXCEEDED_QUOTA"
    );
    assert_eq!(upload(&mut crm, NOON_MS, &second, "a\n1\n").status, 201);
}
