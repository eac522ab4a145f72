//! Vapi's end-of-call report becomes the events it stands for, and what can't be read is named.

use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_core::effect;
use callflume_core::event::{ContentType, Draft, Event, decode, encode};
use callflume_core::lane::Lane;
use callflume_core::voice::vapi::{DISPOSITIONS, disposition, read};
use serde_json::{Value, json};

const REPORT: &str = include_str!("vapi/report.json");
const VOICEMAIL: &str = include_str!("vapi/voicemail.json");
const NO_ANSWER: &str = include_str!("vapi/no-answer.json");
const WEB_CALL: &str = include_str!("vapi/web-call.json");
const STATUS_UPDATE: &str = include_str!("vapi/status-update.json");

fn events(report: &str) -> Vec<(Lane, Event)> {
    let account: AccountId = "acme".parse().unwrap();
    let mapped = read(report.as_bytes()).unwrap();
    assert_eq!(mapped.ignored, None);
    mapped
        .events
        .into_iter()
        .map(|(lane, draft): (Lane, Draft)| (lane, draft.into_event(&account)))
        .collect()
}

/// The report with one place changed; `Value::Null` as good as removes it.
fn with(report: &str, pointer: &str, value: Value) -> String {
    let mut report: Value = serde_json::from_str(report).unwrap();
    *report.pointer_mut(pointer).unwrap() = value;
    report.to_string()
}

#[test]
fn a_conversation_gives_call_transcript_and_recording() {
    let events = events(REPORT);
    let kinds: Vec<_> = events
        .iter()
        .map(|(lane, e)| (*lane, e.kind.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Lane::Op, "call_ended"),
            (Lane::En, "transcript_ready"),
            (Lane::En, "recording_ready"),
        ]
    );
    let (_, call) = &events[0];
    assert_eq!(call.call_id, "0b7d6c1e-4d0e-4f52-9a7e-51c2a9f0e001");
    assert_eq!(call.at.0, 1_791_372_298_750);
    assert_eq!(call.revision, None);
    assert_eq!(
        serde_json::to_value(&call.contact).unwrap(),
        json!({"phone": "+441632960961", "email": "mira@example.org", "name": "Mira Okafor"})
    );
    assert_eq!(
        serde_json::to_value(&call.body).unwrap(),
        json!({
            "disposition": "connected",
            "direction": "inbound",
            "from": "+441632960961",
            "to": "+441632960100",
            "started_at": 1_791_372_000_250_i64,
            "duration_ms": 298_500,
            "title": "Wants the boiler serviced before winter",
            "summary": "Wants the boiler serviced before winter. Asked for a morning slot in week 43.",
        })
    );
    assert_eq!(
        serde_json::to_value(&events[1].1.body).unwrap(),
        json!({"text": "AI: Bookings, good morning.\nUser: I'd like my boiler serviced."})
    );
    assert_eq!(
        serde_json::to_value(&events[2].1.body).unwrap(),
        json!({"url": "https://recordings.example.org/0b7d6c1e-mono.wav"})
    );
}

#[test]
fn a_voicemail_keeps_the_end_of_its_signed_recording() {
    let events = events(VOICEMAIL);
    assert_eq!(events.len(), 3);
    assert_eq!(
        serde_json::to_value(&events[0].1.body).unwrap(),
        json!({
            "disposition": "voicemail",
            "direction": "outbound",
            "from": "+441632960100",
            "to": "+441632960962",
            "started_at": 1_791_372_900_000_i64,
            "duration_ms": 12_000,
        })
    );
    assert_eq!(
        serde_json::to_value(&events[2].1.body).unwrap(),
        json!({
            "url": "https://recordings.example.org/0b7d6c1e-2.wav?sig=78",
            "expires_at": 1_791_376_520_000_i64,
        })
    );
}

#[test]
fn a_call_nobody_answered_has_neither_start_nor_transcript_and_takes_the_messages_time() {
    let events = events(NO_ANSWER);
    assert_eq!(events.len(), 1);
    let (lane, call) = &events[0];
    assert_eq!((*lane, call.at.0), (Lane::Op, 1_791_373_000_123));
    assert_eq!(
        serde_json::to_value(&call.body).unwrap(),
        json!({
            "disposition": "no_answer",
            "direction": "outbound",
            "from": "+441632960100",
            "to": "+441632960963",
        })
    );
}

#[test]
fn every_event_is_one_a_worker_reads() {
    for report in [REPORT, VOICEMAIL, NO_ANSWER] {
        for (_, event) in events(report) {
            let bytes = encode(&event, ContentType::MessagePack).unwrap();
            let read = decode(&bytes, ContentType::MessagePack, Some(event.id.as_str()));
            assert_eq!(read.unwrap(), event);
        }
    }
}

#[test]
fn the_same_report_gives_the_same_ids_and_a_corrected_one_only_new_ones_for_what_changed() {
    let ids = |report: &str| -> Vec<String> {
        events(report)
            .into_iter()
            .map(|(_, e)| e.id.to_string())
            .collect()
    };
    let first = ids(REPORT);
    assert_eq!(first, ids(REPORT));
    // Costs and metrics may differ between two deliveries of the same report: they are not part of any event.
    let recosted = with(REPORT, "/message/cost", json!(0.2));
    assert_eq!(
        first,
        ids(&with(
            &recosted,
            "/message/timestamp",
            json!(1_791_372_999_999_i64)
        ))
    );

    let corrected = ids(&with(
        REPORT,
        "/message/analysis/summary",
        json!("Wants a new boiler."),
    ));
    assert_ne!(first[0], corrected[0]);
    assert_eq!(first[1..], corrected[1..]);
}

#[test]
fn other_messages_give_nothing_and_say_why() {
    let mapped = read(STATUS_UPDATE.as_bytes()).unwrap();
    assert!(mapped.events.is_empty());
    assert!(mapped.ignored.unwrap().contains("`status-update`"));
    let odd = read(br#"{"message":{"type":"+44 1632 960961"}}"#).unwrap();
    assert!(!odd.ignored.unwrap().contains("960961"));
}

#[test]
fn dispositions_follow_the_beginning_of_the_reason() {
    for (reason, expect) in [
        ("customer-ended-call", "connected"),
        ("customer-ended-call-before-warm-transfer", "abandoned"),
        ("customer-ended-call-during-transfer", "abandoned"),
        (
            "customer-ended-call-after-warm-transfer-attempt",
            "connected",
        ),
        ("customer-did-not-answer", "no_answer"),
        ("customer-busy", "busy"),
        ("customer-did-not-give-microphone-permission", "failed"),
        ("assistant-ended-call", "connected"),
        ("assistant-ended-call-after-message-spoken", "connected"),
        ("assistant-said-end-call-phrase", "connected"),
        ("assistant-forwarded-call", "transferred"),
        ("assistant-request-failed", "error"),
        ("assistant-not-found", "error"),
        ("voicemail", "voicemail"),
        ("silence-timed-out", "connected"),
        ("exceeded-max-duration", "connected"),
        ("manually-canceled", "abandoned"),
        ("twilio-failed-to-connect-call", "failed"),
        ("vonage-rejected", "declined"),
        ("vonage-failed-to-connect-call", "failed"),
        (
            "call.in-progress.error-providerfault-cartesia-500-server-error",
            "error",
        ),
        ("call.in-progress.twilio-completed-call", "connected"),
        ("call.forwarding.operator-busy", "connected"),
        ("call.start.error-get-assistant", "error"),
        ("pipeline-error-openai-llm-failed", "error"),
        ("unknown-error", "error"),
        ("a-reason-of-next-year", "error"),
        ("", "error"),
    ] {
        assert_eq!(disposition(reason), expect, "{reason}");
    }
}

#[test]
fn every_line_of_the_table_can_be_reached_and_names_a_known_disposition() {
    for (index, (prefix, name)) in DISPOSITIONS.iter().enumerate() {
        assert!(effect::DISPOSITIONS.contains(name), "{name}");
        let shadowed = DISPOSITIONS[..index]
            .iter()
            .find(|(earlier, _)| prefix.starts_with(earlier));
        assert_eq!(shadowed, None, "{prefix}");
    }
}

#[test]
fn every_fault_has_its_code_and_names_its_field_without_the_value() {
    let gone = Value::Null;
    for (report, code, field) in [
        ("secret {".to_owned(), codes::EVENT_UNREADABLE, ""),
        ("[]".to_owned(), codes::EVENT_FIELD_MISSING, "message"),
        (
            "{\"message\":{}}".to_owned(),
            codes::EVENT_FIELD_MISSING,
            "message.type",
        ),
        (
            with(REPORT, "/message/call/id", gone.clone()),
            codes::EVENT_FIELD_MISSING,
            "message.call.id",
        ),
        (
            with(REPORT, "/message/call/id", json!(7)),
            codes::EVENT_FIELD_INVALID,
            "message.call.id",
        ),
        (
            with(REPORT, "/message/call/id", json!("secret".repeat(30))),
            codes::EVENT_FIELD_INVALID,
            "message.call.id",
        ),
        (
            WEB_CALL.to_owned(),
            codes::EVENT_FIELD_MISSING,
            "message.customer.number",
        ),
        (
            with(NO_ANSWER, "/message/customer/number", json!("secret")),
            codes::EVENT_FIELD_INVALID,
            "message.customer.number",
        ),
        (
            with(REPORT, "/message/endedReason", gone.clone()),
            codes::EVENT_FIELD_MISSING,
            "message.endedReason",
        ),
        (
            with(REPORT, "/message/endedAt", json!("secret")),
            codes::EVENT_FIELD_INVALID,
            "message.endedAt",
        ),
        (
            with(REPORT, "/message/startedAt", json!("secret")),
            codes::EVENT_FIELD_INVALID,
            "message.startedAt",
        ),
        (
            with(NO_ANSWER, "/message/timestamp", gone),
            codes::EVENT_FIELD_MISSING,
            "message.endedAt",
        ),
        (
            with(NO_ANSWER, "/message/timestamp", json!("secret")),
            codes::EVENT_FIELD_INVALID,
            "message.timestamp",
        ),
        (
            with(REPORT, "/message/analysis/summary", json!(["secret"])),
            codes::EVENT_FIELD_INVALID,
            "message.analysis.summary",
        ),
    ] {
        let error = read(report.as_bytes()).unwrap_err();
        assert_eq!((error.code, error.field), (code, field), "{error}");
        assert!(error.text.contains(field), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn a_number_that_is_none_does_not_cost_a_customer_who_has_an_address() {
    let events = events(&with(
        REPORT,
        "/message/customer/number",
        json!("anonymous"),
    ));
    assert_eq!(events[0].1.contact.phone, None);
    assert_eq!(
        events[0].1.contact.email.as_deref(),
        Some("mira@example.org")
    );
}
