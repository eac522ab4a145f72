//! Who may do what: credentials, administrators, what the older version no longer has.

use callflume_sim::fakes::{Method, Request};
use callflume_sim::pipedrive::{Pipedrive, PipedriveConfig, SetupError, Token};
use serde_json::{Value, json};

use crate::{NOON_MS, NOTES, PERSONS, TOKEN, body, company, config, data, get, person, post, send};

const ME: &str = "/api/v1/users/me";

fn ask(crm: &mut Pipedrive, request: Request) -> u16 {
    crm.handle(NOON_MS, &request).status
}

#[test]
fn an_api_token_goes_in_its_header_and_an_access_token_as_a_bearer() {
    let mut crm = company();
    let me = || Request::new(Method::Get, ME);
    for (request, expect) in [
        (me().with_header("x-api-token", TOKEN), 200),
        (me().with_header("X-API-Token", TOKEN), 200),
        (
            Request::new(Method::Get, "/api/v1/users/me?api_token=sim-token"),
            200,
        ),
        (me().with_bearer("oauth-token"), 200),
        (me().with_bearer(TOKEN), 401),
        (me().with_header("x-api-token", "oauth-token"), 401),
        (me().with_header("x-api-token", "nobody's"), 401),
        (me(), 401),
        (Request::new(Method::Get, "/api/v2/nowhere"), 401),
    ] {
        assert_eq!(ask(&mut crm, request.clone()), expect, "{request:?}");
    }
    assert_eq!(crm.counters().unauthorized, 5);
    assert_eq!(
        crm.counters().admitted,
        4,
        "who isn't let in spends nothing"
    );
}

#[test]
fn a_refused_credential_is_answered_by_the_gateway() {
    let mut crm = company();
    crm.revoke(TOKEN);
    let reply = get(&mut crm, NOON_MS, ME);
    assert_eq!(
        body(&reply, 401),
        json!({"success": false, "error": "unauthorized access", "errorCode": 401,
            "error_info": "Please check developers.pipedrive.com"})
    );
    assert_eq!(reply.header("x-401-by-gw"), Some("true"));
    assert!(crm.reinstate(TOKEN));
    assert_eq!(get(&mut crm, NOON_MS, ME).status, 200);
    assert!(!crm.revoke("nobody's"));
}

#[test]
fn an_access_token_ends_at_its_instant() {
    let mut crm = company();
    assert!(crm.expire("oauth-token", NOON_MS + 10));
    let me = Request::new(Method::Get, ME).with_bearer("oauth-token");
    assert_eq!(crm.handle(NOON_MS + 9, &me).status, 200);
    assert_eq!(crm.handle(NOON_MS + 10, &me).status, 401);
    crm.add_token(Token::oauth("refreshed", 32)).unwrap();
    let me = Request::new(Method::Get, ME).with_bearer("refreshed");
    assert_eq!(crm.handle(NOON_MS + 11, &me).status, 200);
}

#[test]
fn the_company_says_who_the_credential_belongs_to() {
    let mut crm = company();
    let me = data(&get(&mut crm, NOON_MS, ME), 200);
    assert_eq!(me["id"], 31);
    assert_eq!(me["company_domain"], "sim-company");
    assert_eq!(me["access"], json!([{"app": "global", "admin": true}]));
    let users = data(&get(&mut crm, NOON_MS, "/api/v1/users"), 200);
    assert_eq!(users.as_array().unwrap().len(), 2);
}

#[test]
fn only_an_administrator_makes_fields_or_dates_notes() {
    let mut crm = company();
    let person = person(&mut crm, NOON_MS, "Anouk Kask");
    let field = json!({"field_name": "Score", "field_type": "varchar"});
    let note = json!({"content": "x", "person_id": person, "add_time": "2026-06-01 08:00:00"});
    for (target, wanted) in [("/api/v2/personFields", &field), (NOTES, &note)] {
        let request = Request::new(Method::Post, target)
            .with_bearer("oauth-token")
            .with_json(wanted);
        assert_eq!(crm.handle(NOON_MS, &request).status, 403, "{target}");
        assert_eq!(post(&mut crm, NOON_MS, target, wanted).status, 200);
    }
    let fields = data(&get(&mut crm, NOON_MS, "/api/v2/personFields"), 200);
    let score = fields
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["field_name"] == "Score")
        .unwrap();
    let code = score["field_code"].as_str().unwrap();
    assert_eq!(code.len(), 40);
    let mut fields = json!({"name": "x", "custom_fields": {}});
    fields["custom_fields"][code] = "9".into();
    assert_eq!(post(&mut crm, NOON_MS, PERSONS, &fields).status, 200);
}

#[test]
fn the_older_versions_persons_are_gone_and_unknown_paths_unknown() {
    let mut crm = company();
    for (method, target, expect) in [
        (Method::Get, "/api/v1/persons", 410),
        (Method::Get, "/v1/deals/3", 410),
        (Method::Put, "/api/v1/activities/3", 410),
        (Method::Get, "/api/v2/notes", 404),
        (Method::Put, "/api/v2/persons/5001", 404),
        (Method::Patch, "/api/v1/notes/9001", 404),
        (Method::Get, "/api/v3/persons", 404),
        (Method::Get, "/", 404),
    ] {
        let reply = send(&mut crm, NOON_MS, method, target, &Value::Null);
        assert_eq!(body(&reply, expect)["success"], false, "{target}");
    }
}

#[test]
fn a_company_that_cannot_be_is_refused() {
    let wrong = |change: fn(&mut PipedriveConfig)| {
        let mut config = config();
        change(&mut config);
        Pipedrive::new(config).err().unwrap()
    };
    for (error, expect) in [
        (
            wrong(|config| config.time_zone = "Mars/Olympus".into()),
            SetupError::UnknownTimeZone("Mars/Olympus".into()),
        ),
        (
            wrong(|config| config.burst_limit = 0),
            SetupError::ZeroLimit("burst_limit"),
        ),
        (
            wrong(|config| config.tokens.push(Token::api("x", 99))),
            SetupError::UnknownUser(99),
        ),
        (
            wrong(|config| config.tokens.push(Token::api("sim-token", 32))),
            SetupError::SharedToken(32),
        ),
    ] {
        assert_eq!(error, expect);
    }
}
