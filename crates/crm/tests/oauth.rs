//! What the answers of the four token addresses mean: known bodies, and anything at all.

use callflume_core::vendor::Answer;
use callflume_crm::oauth::{TokenAnswer, dialect, interpret};
use proptest::prelude::*;

const VENDORS: [&str; 4] = ["hubspot", "salesforce", "close", "pipedrive"];

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    Answer::Response {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_vec(),
    }
}

fn meaning(vendor: &str, answer: &Answer) -> TokenAnswer {
    interpret(dialect(vendor).unwrap(), answer)
}

#[test]
fn a_grant_is_read_with_its_life_refresh_token_and_address() {
    // CRM, body, refresh token, life, base address.
    for (vendor, body, refresh, life_s, base_url) in [
        (
            "hubspot",
            r#"{"token_type":"bearer","refresh_token":"r-1","access_token":"a-1","expires_in":1800}"#,
            Some("r-1"),
            Some(1_800),
            None,
        ),
        (
            "hubspot",
            r#"{"tokenType":"bearer","refreshToken":"r-1","accessToken":"a-1","expiresIn":1800,"hubId":7}"#,
            Some("r-1"),
            Some(1_800),
            None,
        ),
        // Without a life, the vendor's own.
        (
            "hubspot",
            r#"{"access_token":"a-1"}"#,
            None,
            Some(1_800),
            None,
        ),
        (
            "salesforce",
            r#"{"access_token":"a-1","instance_url":"https://acme.my.salesforce.com","token_type":"Bearer","issued_at":"1790000000000","signature":"s="}"#,
            None,
            None,
            Some("https://acme.my.salesforce.com"),
        ),
        (
            "salesforce",
            r#"{"access_token":"a-1","refresh_token":"r-2","instance_url":"https://acme.my.salesforce.com/"}"#,
            Some("r-2"),
            None,
            Some("https://acme.my.salesforce.com"),
        ),
        (
            "close",
            r#"{"access_token":"a-1","refresh_token":"r-2","expires_in":3600,"organization_id":"orga_1"}"#,
            Some("r-2"),
            Some(3_600),
            None,
        ),
        (
            "pipedrive",
            r#"{"access_token":"a-1","token_type":"Bearer","expires_in":3599,"refresh_token":"r-1","api_domain":"https://acme.pipedrive.com"}"#,
            Some("r-1"),
            Some(3_599),
            Some("https://acme.pipedrive.com"),
        ),
        // Numbers as texts, absurd ones, and addresses to which no credential may go.
        (
            "pipedrive",
            r#"{"access_token":"a-1","expires_in":"120","api_domain":"http://acme.pipedrive.com"}"#,
            None,
            Some(120),
            None,
        ),
        (
            "pipedrive",
            r#"{"access_token":"a-1","expires_in":0,"api_domain":"https://acme.pipedrive.com@elsewhere.example"}"#,
            None,
            Some(3_600),
            None,
        ),
        (
            "close",
            r#"{"access_token":"a-1","expires_in":99999999999,"refresh_token":"line\nbreak"}"#,
            None,
            Some(31_536_000),
            None,
        ),
        (
            "close",
            r#"{"access_token":"a-1","expires_in":-5}"#,
            None,
            Some(3_600),
            None,
        ),
        // Nobody else's field is an address.
        (
            "hubspot",
            r#"{"access_token":"a-1","api_domain":"https://acme.example"}"#,
            None,
            Some(1_800),
            None,
        ),
    ] {
        let TokenAnswer::Granted(granted) = meaning(vendor, &response(200, &[], body.as_bytes()))
        else {
            panic!("{vendor} {body}");
        };
        assert_eq!(granted.access_token, "a-1", "{vendor} {body}");
        assert_eq!(granted.refresh_token.as_deref(), refresh, "{vendor} {body}");
        assert_eq!(granted.life_s, life_s, "{vendor} {body}");
        assert_eq!(granted.base_url.as_deref(), base_url, "{vendor} {body}");
        assert!(!format!("{granted:?}").contains("a-1"));
        assert!(!format!("{granted:?}").contains("r-"));
    }
}

#[test]
fn scopes_are_kept_where_they_are_named_and_look_like_scopes() {
    for (scope, kept) in [
        (
            "\"contacts:full,deals:full,base\"",
            Some("contacts:full,deals:full,base"),
        ),
        ("\"api refresh_token\"", Some("api refresh_token")),
        ("\"a\\nb\"", None),
        ("\"<b>\"", None),
        ("[\"api\"]", None),
        ("null", None),
    ] {
        let body = format!("{{\"access_token\":\"a-1\",\"scope\":{scope}}}");
        let TokenAnswer::Granted(granted) =
            meaning("pipedrive", &response(200, &[], body.as_bytes()))
        else {
            panic!("{body}");
        };
        assert_eq!(granted.scope.as_deref(), kept, "{body}");
    }
}

/// `ended`, `misconfigured` or `passing`, the latter with `?` when in doubt; and the reason.
fn kind(answer: &TokenAnswer) -> (&'static str, &str, Option<u64>) {
    match answer {
        TokenAnswer::Granted(_) => ("granted", "", None),
        TokenAnswer::Ended { reason } => ("ended", reason, None),
        TokenAnswer::Misconfigured { reason } => ("misconfigured", reason, None),
        TokenAnswer::Passing {
            wait_ms,
            in_doubt,
            reason,
        } => (
            if *in_doubt { "passing?" } else { "passing" },
            reason,
            *wait_ms,
        ),
    }
}

#[test]
fn refusals_are_told_apart() {
    for (vendor, status, body, expect, reason) in [
        (
            "hubspot",
            400,
            r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or invalid refresh token"}"#,
            "ended",
            "bad_refresh_token",
        ),
        (
            "hubspot",
            400,
            r#"{"status":"error","message":"missing or invalid refresh token"}"#,
            "ended",
            "status 400",
        ),
        (
            "hubspot",
            400,
            r#"{"status":"BAD_CLIENT_ID","message":"missing or unknown client id"}"#,
            "misconfigured",
            "bad_client_id",
        ),
        (
            "salesforce",
            400,
            r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#,
            "ended",
            "invalid_grant",
        ),
        (
            "salesforce",
            400,
            r#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#,
            "passing",
            "invalid_grant",
        ),
        (
            "salesforce",
            400,
            r#"{"error":"unknown_error","error_description":"retry your request"}"#,
            "passing",
            "unknown_error",
        ),
        (
            "salesforce",
            400,
            r#"{"error":"invalid_client_id","error_description":"client identifier invalid"}"#,
            "misconfigured",
            "invalid_client_id",
        ),
        (
            "close",
            400,
            r#"{"error":"invalid_grant"}"#,
            "ended",
            "invalid_grant",
        ),
        (
            "close",
            401,
            r#"{"error":"invalid_client"}"#,
            "misconfigured",
            "invalid_client",
        ),
        (
            "pipedrive",
            400,
            r#"{"success":false,"message":"Invalid grant: refresh_token is invalid","error":"invalid_grant"}"#,
            "ended",
            "invalid_grant",
        ),
        (
            "pipedrive",
            400,
            r#"{"success":false,"error":"Invalid grant: refresh_token is invalid"}"#,
            "ended",
            "status 400",
        ),
        (
            "pipedrive",
            401,
            r#"{"success":false,"message":"Invalid client: client is invalid","error":"invalid_client"}"#,
            "misconfigured",
            "invalid_client",
        ),
        // A wrong address: a page, a redirection.
        ("pipedrive", 404, "<html>", "misconfigured", "status 404"),
        ("salesforce", 302, "", "misconfigured", "status 302"),
        ("close", 403, "", "misconfigured", "status 403"),
        ("close", 429, "", "passing", "status 429"),
        ("hubspot", 408, "", "passing", "status 408"),
        // The refresh token may be used up.
        (
            "close",
            500,
            r#"{"error":"server_error"}"#,
            "passing?",
            "server_error",
        ),
        ("hubspot", 502, "<html>", "passing?", "status 502"),
        (
            "close",
            200,
            "",
            "passing?",
            "an answer without a usable access token",
        ),
        (
            "close",
            200,
            "{\"access_token\":\"\"}",
            "passing?",
            "an answer without a usable access token",
        ),
        (
            "close",
            200,
            "{\"access_token\":7}",
            "passing?",
            "an answer without a usable access token",
        ),
        (
            "close",
            204,
            "",
            "passing?",
            "an answer without a usable access token",
        ),
    ] {
        let meaning = meaning(vendor, &response(status, &[], body.as_bytes()));
        assert_eq!(
            kind(&meaning),
            (expect, reason, None),
            "{vendor} {status} {body}"
        );
    }
    for vendor in VENDORS {
        assert_eq!(
            kind(&meaning(vendor, &Answer::NotSent)),
            ("passing", "not sent", None)
        );
        assert_eq!(
            kind(&meaning(vendor, &Answer::Lost)),
            ("passing?", "no answer", None)
        );
        let busy = response(429, &[("Retry-After", "7")], b"{}");
        assert_eq!(
            kind(&meaning(vendor, &busy)),
            ("passing", "status 429", Some(7_000))
        );
    }
}

proptest! {
    #[test]
    fn every_answer_has_a_meaning_that_repeats_nothing(
        status in any::<u16>(),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\{\"(access_token|error|status|message)\":(\"[ -~]{0,20}\"|null|[0-9]{1,25}|\\[\\])\\}"
                .prop_map(String::into_bytes),
        ],
        secret in "[0-9]{8}",
    ) {
        for vendor in VENDORS {
            let first = meaning(vendor, &response(status, &[], &body));
            prop_assert_eq!(&first, &meaning(vendor, &response(status, &[], &body)));
            if let TokenAnswer::Granted(granted) = &first {
                prop_assert!((200..300).contains(&status) && !granted.access_token.is_empty());
            }
            // A CRM that repeats what was sent, in whichever field.
            for field in ["error", "status", "message", "error_description"] {
                let echo = format!("{{\"{field}\":\"token {secret}\"}}");
                let shown = format!("{:?}", meaning(vendor, &response(status, &[], echo.as_bytes())));
                prop_assert!(!shown.contains(&secret), "{}", shown);
            }
        }
    }
}
