//! The test vectors for publishers in other languages say what this crate does, and the page that explains them
//! shows the same ones.

use callflume_core::account::AccountId;
use callflume_core::codes::Code;
use callflume_core::event::{
    Body, ContactRef, ContentType, Draft, Event, body_digest, decode, encode, usual_lane,
};
use callflume_core::lookup::{LookupAsk, LookupReply};
use callflume_core::time::WallTime;
use serde::Deserialize;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../docs/contract-vectors.json");
const CONTRACT: &str = include_str!("../../../docs/contract.md");

#[derive(Deserialize)]
struct Vectors {
    ids: Vec<IdVector>,
    encodings: Vec<EncodingVector>,
    refused: Vec<RefusedVector>,
}

#[derive(Deserialize)]
struct IdVector {
    name: String,
    account: AccountId,
    event: Parts,
    canonical_json: Option<String>,
    digest: Option<String>,
    hashed_text: String,
    id: String,
}

#[derive(Deserialize)]
struct Parts {
    call_id: String,
    kind: String,
    at: WallTime,
    revision: Option<String>,
    contact: ContactRef,
    body: Body,
}

#[derive(Deserialize)]
struct EncodingVector {
    name: String,
    account: AccountId,
    subject: String,
    headers: std::collections::BTreeMap<String, String>,
    body_hex: String,
    body_text: Option<String>,
    event: Event,
}

#[derive(Deserialize)]
struct RefusedVector {
    name: String,
    content_type: Option<String>,
    msg_id: String,
    body_hex: String,
    code: Code,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

fn hex_of_bytes(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[test]
fn ids_are_those_of_the_vectors() {
    for vector in vectors().ids {
        let Parts {
            call_id,
            kind,
            at,
            revision,
            contact,
            body,
        } = vector.event;
        let canonical = serde_json::json!({"body": body, "contact": contact}).to_string();
        let digest = body_digest(&contact, &body);
        let revision_line = match &revision {
            Some(revision) => format!("r:{revision}"),
            None => format!("d:{digest}"),
        };
        if revision.is_none() {
            assert_eq!(
                vector.canonical_json.as_ref(),
                Some(&canonical),
                "{}",
                vector.name
            );
            assert_eq!(vector.digest.as_ref(), Some(&digest), "{}", vector.name);
        }
        let hashed_text = [
            "callflume-event/1",
            vector.account.as_str(),
            &call_id,
            &kind,
            &at.0.to_string(),
            &revision_line,
        ]
        .join("\n");
        assert_eq!(vector.hashed_text, hashed_text, "{}", vector.name);
        let event = Draft {
            call_id,
            kind,
            at,
            revision,
            contact,
            body,
        }
        .into_event(&vector.account);
        assert_eq!(event.id.as_str(), vector.id, "{}", vector.name);
        assert!(
            CONTRACT.contains(&vector.id),
            "docs/contract.md lacks {}",
            vector.name
        );
    }
}

#[test]
fn bytes_are_those_of_the_vectors() {
    for vector in vectors().encodings {
        let EncodingVector {
            name,
            account,
            subject,
            headers,
            body_hex,
            body_text,
            event,
        } = vector;
        let content_type = ContentType::of_header(headers.get("Content-Type").map(String::as_str));
        let bytes = encode(&event, content_type).unwrap();
        let msg_id = headers.get("Nats-Msg-Id").unwrap();
        assert_eq!(
            decode(&bytes_of_hex(&body_hex), content_type, Some(msg_id)).unwrap(),
            event,
            "{name}"
        );

        let lane = usual_lane(&event.kind);
        assert_eq!(subject, lane.subject(&account, &event.kind), "{name}");
        assert_eq!(
            headers.get("Nats-Expected-Stream").unwrap(),
            lane.stream(),
            "{name}"
        );

        let draft = Draft {
            call_id: event.call_id,
            kind: event.kind,
            at: event.at,
            revision: event.revision,
            contact: event.contact,
            body: event.body,
        };
        assert_eq!(draft.into_event(&account).id.as_str(), msg_id, "{name}");

        // The order of JSON's fields is free: equal as values, and the page shows the very text.
        if let Some(text) = body_text {
            assert_eq!(bytes_of_hex(&body_hex), text.as_bytes(), "{name}");
            let ours: Value = serde_json::from_slice(&bytes).unwrap();
            let theirs: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(ours, theirs, "{name}");
            assert!(CONTRACT.contains(&text), "docs/contract.md lacks {name}");
        } else {
            assert_eq!(hex_of_bytes(&bytes), body_hex, "{name}");
            let shown = shown_bytes();
            assert!(shown.contains(&body_hex), "docs/contract.md lacks {name}");
        }
    }
}

/// The hex digits of the page's byte listings: indented by four, explanation after two spaces.
fn shown_bytes() -> String {
    CONTRACT
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter_map(|line| line.split("  ").next())
        .flat_map(|bytes| bytes.split(' '))
        .filter(|token| token.len() % 2 == 0 && token.bytes().all(|b| b.is_ascii_hexdigit()))
        .collect()
}

#[test]
fn what_is_no_event_is_refused_with_the_code_of_the_vectors() {
    for vector in vectors().refused {
        let content_type = ContentType::of_header(vector.content_type.as_deref());
        let refused = decode(
            &bytes_of_hex(&vector.body_hex),
            content_type,
            Some(&vector.msg_id),
        );
        assert_eq!(refused.unwrap_err().code, vector.code, "{}", vector.name);
        assert!(
            CONTRACT.contains(vector.code.as_str()),
            "docs/contract.md lacks {}",
            vector.code
        );
    }
}

#[test]
fn look_ups_are_read_as_the_page_shows_them() {
    let ask = r#"{"account":"acme","phone":"+12025550143"}"#;
    assert!(CONTRACT.contains(&format!("    {ask}\n")));
    LookupAsk::read(ask.as_bytes(), None).unwrap();
    for word in ["known", "absent", "unknown", "refused"] {
        let begin = format!("    {{\"{word}\":");
        let shown = CONTRACT
            .lines()
            // Permits are refused on the same page, with another code.
            .filter(|line| line.starts_with(&begin) && !line.contains("CF1301"))
            .map(|line| serde_json::from_str::<LookupReply>(line.trim()).unwrap());
        assert_eq!(shown.count(), 1, "{word}");
    }
}
