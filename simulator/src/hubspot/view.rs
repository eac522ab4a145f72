//! What the account holds, for the oracle: where HubSpot keeps a value and in which form, read from the vendor's
//! documents, not from the product.
//!
//! Instants are kept in ISO form, e-mail addresses in lower case, enumerations in upper case; numbers as they were sent.
//! One property holds one field.

use std::collections::BTreeSet;

use callflume_core::effect::{Field, Object, Value};

use super::HubSpot;
use super::audit::WriteKind;
use super::records::{ObjectKind, Record};
use super::route::Route;
use crate::fakes::Request;
use crate::holdings::{Arrival, Deed, Errand, HeldRecord, HeldWrite, Holdings, SetField};
use crate::phone::national_number;

/// Properties with a neutral name. Every other one is a field of the customer's own.
const PROPERTIES: &[(Object, Field, &str)] = &[
    (Object::Contact, Field::FirstName, "firstname"),
    (Object::Contact, Field::LastName, "lastname"),
    (Object::Contact, Field::Email, "email"),
    (Object::Contact, Field::Phone, "phone"),
    (Object::Contact, Field::OptedOut, "callflume_opted_out"),
    (Object::Call, Field::At, "hs_timestamp"),
    (Object::Note, Field::At, "hs_timestamp"),
    (Object::Task, Field::At, "hs_timestamp"),
    (Object::Call, Field::Text, "hs_call_body"),
    (Object::Call, Field::Direction, "hs_call_direction"),
    (Object::Call, Field::Duration, "hs_call_duration"),
    // The outcome has an id of its own per account; the status is the same everywhere.
    (Object::Call, Field::Disposition, "hs_call_status"),
    (Object::Call, Field::From, "hs_call_from_number"),
    (Object::Call, Field::To, "hs_call_to_number"),
    (Object::Call, Field::RecordingUrl, "hs_call_recording_url"),
    (Object::Call, Field::Sentiment, "callflume_sentiment"),
    (Object::Call, Field::CallId, "hs_call_external_id"),
    (Object::Note, Field::Text, "hs_note_body"),
    (Object::Task, Field::Title, "hs_task_subject"),
    (Object::Task, Field::Text, "hs_task_body"),
    (Object::Task, Field::Priority, "hs_task_priority"),
    (Object::Deal, Field::Title, "dealname"),
    (Object::Deal, Field::Stage, "dealstage"),
    (Object::Deal, Field::Amount, "amount"),
];

const fn object(kind: ObjectKind) -> Object {
    match kind {
        ObjectKind::Contacts => Object::Contact,
        ObjectKind::Calls => Object::Call,
        ObjectKind::Notes => Object::Note,
        ObjectKind::Tasks => Object::Task,
        ObjectKind::Deals => Object::Deal,
    }
}

fn field(object: Object, property: &str) -> Field {
    PROPERTIES
        .iter()
        .find(|(on, _, name)| *on == object && *name == property)
        .map_or_else(
            || Field::Custom(property.to_owned()),
            |(_, field, _)| field.clone(),
        )
}

/// The property that tells a record apart from others of its kind.
const fn label(object: Object) -> Option<&'static str> {
    match object {
        Object::Contact => None,
        Object::Call => Some("hs_call_external_id"),
        Object::Note => Some("hs_note_body"),
        Object::Task => Some("hs_task_subject"),
        Object::Deal => Some("dealname"),
    }
}

fn held(record: &Record) -> HeldRecord {
    let object = object(record.object);
    let numbers: BTreeSet<String> = ["phone", "mobilephone"]
        .into_iter()
        .filter(|_| object == Object::Contact)
        .filter_map(|name| national_number(record.property(name)?))
        .collect();
    HeldRecord {
        object,
        id: record.id.to_string(),
        alive: !record.archived,
        numbers: numbers.into_iter().collect(),
        contacts: record
            .associations
            .iter()
            .filter(|link| link.to == ObjectKind::Contacts)
            .map(|link| link.id.to_string())
            .collect(),
        label: label(object).and_then(|name| record.properties.get(name).cloned()),
    }
}

fn errand(request: &super::RequestAudit) -> Errand {
    match Route::of(&Request::new(request.method, &request.path)) {
        Some(
            Route::List(_)
            | Route::Read(..)
            | Route::BatchRead(_)
            | Route::Search(_)
            | Route::ListAssociations { .. }
            | Route::ReadAssociations { .. },
        ) => Errand::LookUp,
        Some(
            Route::Create(kind)
            | Route::Update(kind, _)
            | Route::Archive(kind, _)
            | Route::BatchCreate(kind)
            | Route::BatchUpdate(kind)
            | Route::BatchUpsert(kind)
            | Route::BatchArchive(kind)
            | Route::Associate { from: kind, .. },
        ) => Errand::Write(object(kind)),
        _ => Errand::Other,
    }
}

impl Holdings for HubSpot {
    fn vendor(&self) -> &'static str {
        "hubspot"
    }

    fn records(&self) -> Vec<HeldRecord> {
        ObjectKind::ALL
            .into_iter()
            .flat_map(|kind| self.records(kind))
            .map(held)
            .collect()
    }

    fn writes(&self) -> Vec<HeldWrite> {
        self.writes()
            .iter()
            .map(|write| {
                let object = object(write.object);
                HeldWrite {
                    at_ms: write.at_ms,
                    request_no: write.request_no,
                    object,
                    id: write.id.to_string(),
                    deed: match write.kind {
                        WriteKind::Seeded => Deed::Seeded,
                        WriteKind::Create => Deed::Made,
                        WriteKind::Update | WriteKind::Associate => Deed::Changed,
                        WriteKind::Archive => Deed::Removed,
                    },
                    fields: write
                        .properties
                        .iter()
                        .map(|it| SetField {
                            field: field(object, &it.name),
                            text: it.value.clone(),
                            changed: it.changed,
                        })
                        .collect(),
                }
            })
            .collect()
    }

    fn arrivals(&self) -> Vec<Arrival> {
        self.requests()
            .iter()
            .map(|request| Arrival {
                request_no: request.request_no,
                at_ms: request.at_ms,
                errand: errand(request),
                throttled: request.status == 429,
                over_limit: request.throttled.is_some(),
                tokens: None,
            })
            .collect()
    }

    fn keeps(&self, object: Object, field: &Field, _all: &[(Field, Value)]) -> bool {
        matches!(field, Field::Custom(_))
            || PROPERTIES
                .iter()
                .any(|(on, known, _)| *on == object && known == field)
    }

    fn says(&self, object: Object, field: &Field, value: &Value, text: &str) -> bool {
        says(object, field, value, text)
    }
}

fn says(object: Object, field: &Field, value: &Value, stored: &str) -> bool {
    match value {
        Value::At(at) => stored
            .parse::<jiff::Timestamp>()
            .is_ok_and(|held| held.as_millisecond() == at.0),
        Value::DurationMs(ms) => stored.parse() == Ok(*ms),
        Value::Flag(flag) => stored == if *flag { "true" } else { "false" },
        Value::Text(text) => match (object, field) {
            (Object::Contact, Field::Email) => stored == text.to_lowercase(),
            (Object::Call, Field::Direction) | (Object::Task, Field::Priority) => {
                stored == text.to_uppercase()
            }
            (Object::Call, Field::Disposition) => status(text) == Some(stored),
            (Object::Deal, Field::Amount) => {
                matches!((stored.parse::<f64>(), text.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 1e-9)
            }
            _ => stored == text,
        },
    }
}

/// HubSpot's call status for what the traffic reports.
fn status(disposition: &str) -> Option<&'static str> {
    Some(match disposition {
        "connected" | "transferred" | "voicemail" => "COMPLETED",
        "no_answer" => "NO_ANSWER",
        "busy" | "declined" => "BUSY",
        "abandoned" => "CANCELED",
        "failed" | "error" => "FAILED",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use callflume_core::time::WallTime;

    #[test]
    fn values_are_recognised_in_the_form_the_crm_keeps() {
        let text = |value: &str| Value::Text(value.to_owned());
        for (object, field, value, stored, same) in [
            (
                Object::Call,
                Field::At,
                Value::At(WallTime(1_781_524_800_123)),
                "2026-06-15T12:00:00.123Z",
                true,
            ),
            (
                Object::Call,
                Field::At,
                Value::At(WallTime(1_781_524_800_123)),
                "2026-06-15T12:00:00.124Z",
                false,
            ),
            (
                Object::Contact,
                Field::Email,
                text("A@Example.net"),
                "a@example.net",
                true,
            ),
            (
                Object::Call,
                Field::Direction,
                text("inbound"),
                "INBOUND",
                true,
            ),
            (
                Object::Call,
                Field::Duration,
                Value::DurationMs(65_250),
                "65250",
                true,
            ),
            (
                Object::Call,
                Field::Disposition,
                text("abandoned"),
                "CANCELED",
                true,
            ),
            (Object::Deal, Field::Amount, text("24.00"), "24", true),
            (
                Object::Contact,
                Field::OptedOut,
                Value::Flag(true),
                "true",
                true,
            ),
            (Object::Note, Field::Text, text("a"), "A", false),
        ] {
            assert_eq!(
                says(object, &field, &value, stored),
                same,
                "{object} {stored}"
            );
        }
    }
}
