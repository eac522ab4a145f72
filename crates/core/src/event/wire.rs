//! Bytes to events and back.

use serde_json::Value;

use super::{Body, CALL_ID_BYTES_MAX, ContactRef, Event, EventId, Phone, VERSION, is_kind};
use crate::codes::{self, Code};
use crate::time::WallTime;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// MessagePack with named fields; the default.
    MessagePack,
    /// JSON; header `Content-Type: application/json`.
    Json,
}

impl ContentType {
    /// From the `Content-Type` header; none means MessagePack.
    pub fn of_header(header: Option<&str>) -> Self {
        match header {
            Some(text)
                if text
                    .trim_start()
                    .to_ascii_lowercase()
                    .starts_with("application/json") =>
            {
                Self::Json
            }
            _ => Self::MessagePack,
        }
    }
}

/// Why bytes are no event. The text names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct BadEvent {
    /// The code of the dead letter.
    pub code: Code,
    /// What is wrong and what to do.
    pub text: String,
}

fn bad(code: Code, text: impl Into<String>) -> BadEvent {
    BadEvent {
        code,
        text: text.into(),
    }
}

fn missing(field: &str) -> BadEvent {
    bad(
        codes::EVENT_FIELD_MISSING,
        format!("`{field}` is missing; add it (docs/contract.md)"),
    )
}

fn invalid(field: &str, rule: &str) -> BadEvent {
    bad(
        codes::EVENT_FIELD_INVALID,
        format!("`{field}` can't be used: {rule}"),
    )
}

/// Encodes an event.
pub fn encode(event: &Event, content_type: ContentType) -> Result<Vec<u8>, BadEvent> {
    match content_type {
        ContentType::MessagePack => rmp_serde::to_vec_named(event)
            .map_err(|error| bad(codes::EVENT_UNREADABLE, error.to_string())),
        ContentType::Json => serde_json::to_vec(event)
            .map_err(|error| bad(codes::EVENT_UNREADABLE, error.to_string())),
    }
}

/// Reads an event. `msg_id` is the `Nats-Msg-Id` header; it must equal the body's `id` where both are given, and
/// stands in for it where the body has none.
pub fn decode(
    bytes: &[u8],
    content_type: ContentType,
    msg_id: Option<&str>,
) -> Result<Event, BadEvent> {
    let value = match content_type {
        ContentType::Json => serde_json::from_slice::<Value>(bytes)
            .map_err(|error| bad(codes::EVENT_UNREADABLE, format!("not JSON (line {}, column {})", error.line(), error.column())))?,
        ContentType::MessagePack => rmp_serde::from_slice::<Value>(bytes).map_err(|_| {
            bad(
                codes::EVENT_UNREADABLE,
                "not MessagePack with named fields; JSON needs the header `Content-Type: application/json`",
            )
        })?,
    };
    let Value::Object(mut fields) = value else {
        return Err(bad(
            codes::EVENT_UNREADABLE,
            "the body is not a map of named fields",
        ));
    };
    let version = match fields.get("v") {
        None => return Err(missing("v")),
        Some(value) => value
            .as_u64()
            .ok_or_else(|| invalid("v", "a whole number"))?,
    };
    if version != u64::from(VERSION) {
        return Err(bad(
            codes::EVENT_VERSION,
            format!("`v` is {version}, this Callflume reads {VERSION}; upgrade the workers first"),
        ));
    }
    let text = |fields: &serde_json::Map<String, Value>, field: &str| match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(field, "a text")),
    };
    let id = match (text(&fields, "id")?, msg_id) {
        (Some(body), Some(header)) if body != header => {
            return Err(bad(
                codes::EVENT_ID_MISMATCH,
                "`id` and the Nats-Msg-Id header differ; send the same in both",
            ));
        }
        (Some(id), _) => id,
        (None, Some(header)) => header.to_owned(),
        (None, None) => return Err(missing("id")),
    };
    let id =
        EventId::new(id).ok_or_else(|| invalid("id", "1 to 128 printable ASCII characters"))?;
    let call_id = text(&fields, "call_id")?.ok_or_else(|| missing("call_id"))?;
    if call_id.is_empty()
        || call_id.len() > CALL_ID_BYTES_MAX
        || call_id.chars().any(char::is_control)
    {
        return Err(invalid(
            "call_id",
            "1 to 128 bytes without control characters",
        ));
    }
    let kind = text(&fields, "kind")?.ok_or_else(|| missing("kind"))?;
    if !is_kind(&kind) {
        return Err(invalid(
            "kind",
            "a lower-case letter, then up to 63 of a-z, 0-9 and `_`",
        ));
    }
    let at = match fields.get("at") {
        None | Some(Value::Null) => return Err(missing("at")),
        Some(value) => value
            .as_i64()
            .filter(|at| *at >= 0)
            .ok_or_else(|| invalid("at", "epoch milliseconds, a whole number"))?,
    };
    let revision = match fields.get("revision") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => return Err(invalid("revision", "a text or a number")),
    };
    let contact = match fields.remove("contact") {
        None | Some(Value::Null) => return Err(missing("contact")),
        Some(value) => serde_json::from_value::<ContactRef>(value).map_err(|_| {
            invalid(
                "contact",
                "a map with texts `phone`, `email`, `key`, `name`",
            )
        })?,
    };
    if contact
        .phone
        .as_deref()
        .is_some_and(|phone| Phone::parse(phone).is_none())
    {
        return Err(invalid(
            "contact.phone",
            "E.164: `+`, country code, number, 7 to 15 digits",
        ));
    }
    if contact.own_key().is_none() {
        return Err(bad(
            codes::EVENT_FIELD_MISSING,
            "`contact` names nobody: give `phone`, `email` or `key`",
        ));
    }
    let body = match fields.remove("body") {
        None | Some(Value::Null) => Body::new(),
        Some(Value::Object(map)) => map.into_iter().collect(),
        Some(_) => return Err(invalid("body", "a map of named values")),
    };
    Ok(Event {
        v: VERSION,
        id,
        call_id,
        kind,
        at: WallTime(at),
        revision,
        contact,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Draft;

    fn event() -> Event {
        Draft {
            call_id: "call-1".into(),
            kind: "call_ended".into(),
            at: WallTime(1_760_000_000_000),
            revision: None,
            contact: ContactRef {
                phone: Some("+12025550143".into()),
                ..ContactRef::default()
            },
            body: Body::from([
                ("duration_ms".into(), 185_000.into()),
                ("summary".into(), "Moved to Tuesday.".into()),
            ]),
        }
        .into_event(&"acme".parse().unwrap())
    }

    #[test]
    fn both_encodings_read_back() {
        let event = event();
        for content_type in [ContentType::MessagePack, ContentType::Json] {
            let bytes = encode(&event, content_type).unwrap();
            assert_eq!(
                decode(&bytes, content_type, Some(event.id.as_str())).unwrap(),
                event
            );
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_the_header_stands_in_for_the_id() {
        let json = br#"{"v":1,"call_id":"c","kind":"x","at":5,"contact":{"key":"k","later":1},"later":{"a":1}}"#;
        let event = decode(json, ContentType::Json, Some("abc")).unwrap();
        assert_eq!(event.id.as_str(), "abc");
    }

    #[test]
    fn every_fault_has_its_code_and_names_its_field_without_the_value() {
        let good = serde_json::to_value(event()).unwrap();
        let with = |field: &str, value: Value| {
            let mut changed = good.clone();
            changed[field] = value;
            changed
        };
        let without = |field: &str| {
            let mut changed = good.clone();
            changed.as_object_mut().unwrap().remove(field);
            changed
        };
        for (value, code, names) in [
            (without("v"), codes::EVENT_FIELD_MISSING, "`v`"),
            (with("v", 2.into()), codes::EVENT_VERSION, "`v`"),
            (without("call_id"), codes::EVENT_FIELD_MISSING, "`call_id`"),
            (
                with("call_id", "x".repeat(129).into()),
                codes::EVENT_FIELD_INVALID,
                "`call_id`",
            ),
            (
                with("kind", "Secret Kind".into()),
                codes::EVENT_FIELD_INVALID,
                "`kind`",
            ),
            (
                with("at", "yesterday-secret".into()),
                codes::EVENT_FIELD_INVALID,
                "`at`",
            ),
            (without("at"), codes::EVENT_FIELD_MISSING, "`at`"),
            (without("contact"), codes::EVENT_FIELD_MISSING, "`contact`"),
            (
                with("contact", serde_json::json!({"name": "secret"})),
                codes::EVENT_FIELD_MISSING,
                "`contact`",
            ),
            (
                with("contact", serde_json::json!({"phone": "0secret"})),
                codes::EVENT_FIELD_INVALID,
                "`contact.phone`",
            ),
            (
                with("body", "secret".into()),
                codes::EVENT_FIELD_INVALID,
                "`body`",
            ),
            (with("id", "other".into()), codes::EVENT_ID_MISMATCH, "`id`"),
            (Value::from(7), codes::EVENT_UNREADABLE, "map"),
        ] {
            let bytes = serde_json::to_vec(&value).unwrap();
            let error = decode(&bytes, ContentType::Json, Some(event().id.as_str())).unwrap_err();
            assert_eq!(error.code, code, "{error}");
            assert!(error.text.contains(names), "{error}");
            assert!(!error.text.contains("secret"), "{error}");
        }
        for garbage in [&b"\xff\xfe\x00"[..], b"", b"{\"v\":1", b"\xc1"] {
            for content_type in [ContentType::MessagePack, ContentType::Json] {
                assert_eq!(
                    decode(garbage, content_type, None).unwrap_err().code,
                    codes::EVENT_UNREADABLE
                );
            }
        }
    }
}
