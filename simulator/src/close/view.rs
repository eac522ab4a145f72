//! What the organisation holds, for the oracle: where Close keeps a value and in which form, read from the vendor's
//! documents, not from the product.
//!
//! | field | is kept in |
//! | --- | --- |
//! | first and last name | `name` of the contact, one after the other |
//! | opted out, a property of the customer's own | a custom field of the contact, known by its label |
//! | a call's title, text and sentiment | paragraphs of `note`, the last of which marks whose record it is |
//! | a note's text | the same |
//! | a task's title and text | paragraphs of `text` |
//! | a deal's title | `note` of the opportunity |
//! | instants | `activity_at`, a task's `date`; lengths in whole seconds, amounts in cents |
//! | from, to | `phone`: the other side's, told by `direction` |
//! | a sentiment reported after the call | a custom field of the contact, where the next call's replaces it |
//!
//! No place: a call's id, a low priority, and phones and addresses, for they are lists that are replaced as a whole, so
//! whoever changes a contact leaves them alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use callflume_core::effect::{Field, Object, Value};
use serde_json::Value as Json;

use super::Close;
use super::audit::{Write, WriteKind};
use super::reading::{call_text, paragraphs, says};
use super::records::{ObjectKind, Record};
use crate::holdings::{Arrival, Deed, Errand, HeldRecord, HeldWrite, Holdings, SetField};
use crate::phone::national_number;

/// Labels of the custom fields of contacts that an account is prepared with.
pub(super) const OPTED_OUT_LABEL: &str = "Callflume opted out";
pub(super) const SENTIMENT_LABEL: &str = "Callflume sentiment";
/// Label of the custom fields of contacts and opportunities with Callflume's own key.
pub(super) const KEY_LABEL: &str = "Callflume key";

const fn object(kind: ObjectKind) -> Option<Object> {
    Some(match kind {
        ObjectKind::Lead => return None,
        ObjectKind::Contact => Object::Contact,
        ObjectKind::Call => Object::Call,
        ObjectKind::Note => Object::Note,
        ObjectKind::Task => Object::Task,
        ObjectKind::Opportunity => Object::Deal,
    })
}

fn shown(value: &Json) -> Arc<str> {
    match value {
        Json::String(text) => text.as_str().into(),
        Json::Null => "".into(),
        other => other.to_string().into(),
    }
}

fn held(record: &Record, object: Object) -> HeldRecord {
    let mut numbers: Vec<String> = record
        .fields
        .get("phones")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| national_number(entry.get("phone")?.as_str()?))
        .collect();
    numbers.sort();
    numbers.dedup();
    let label = match object {
        Object::Contact => None,
        Object::Task => record.text("text"),
        Object::Call | Object::Note | Object::Deal => record.text("note"),
    };
    HeldRecord {
        object,
        id: record.id.clone(),
        alive: !record.deleted,
        numbers: if object == Object::Contact {
            numbers
        } else {
            Vec::new()
        },
        contacts: record
            .text("contact_id")
            .map(ToOwned::to_owned)
            .into_iter()
            .collect(),
        label: label.map(Into::into),
    }
}

impl Close {
    /// The field of a contact that a custom field is, by its label; none for our key.
    fn custom_field(&self, kind: ObjectKind, id: &str) -> Option<Field> {
        let label = self.schema.label(kind, id)?;
        Some(match label {
            OPTED_OUT_LABEL => Field::OptedOut,
            SENTIMENT_LABEL => Field::Sentiment,
            KEY_LABEL => return None,
            other => Field::Custom(other.to_owned()),
        })
    }

    fn set_fields(&self, write: &Write) -> Vec<SetField> {
        let mut set = Vec::new();
        for it in &write.fields {
            let text = shown(&it.value);
            let mut put = |field, text: Arc<str>| {
                set.push(SetField {
                    field,
                    text,
                    changed: it.changed,
                });
            };
            if let Some(id) = it.name.strip_prefix("custom.") {
                if let Some(field) = self.custom_field(write.object, id) {
                    put(field, text);
                }
                continue;
            }
            match (write.object, it.name.as_str()) {
                (ObjectKind::Contact, "name") => {
                    put(Field::FirstName, text.clone());
                    put(Field::LastName, text);
                }
                (ObjectKind::Call, "note") => {
                    let (said, sentiment) = call_text(&text);
                    put(Field::Text, said.into());
                    if let Some(sentiment) = sentiment {
                        put(Field::Sentiment, sentiment.into());
                    }
                }
                (ObjectKind::Note, "note") => put(Field::Text, paragraphs(&text).into()),
                (ObjectKind::Task, "text") => {
                    let said = paragraphs(&text);
                    let (title, said) = said.split_once("\n\n").unwrap_or((said, ""));
                    put(Field::Title, title.into());
                    put(Field::Text, said.into());
                }
                (ObjectKind::Opportunity, "note") => put(Field::Title, text),
                (ObjectKind::Call | ObjectKind::Note, "activity_at")
                | (ObjectKind::Task, "date") => put(Field::At, text),
                (ObjectKind::Call, "direction") => put(Field::Direction, text),
                (ObjectKind::Call, "duration") => put(Field::Duration, text),
                (ObjectKind::Call, "status") => put(Field::Disposition, text),
                (ObjectKind::Call, "phone") => put(other_side(self.record(&write.id)), text),
                (ObjectKind::Call, "recording_url") => put(Field::RecordingUrl, text),
                (ObjectKind::Task, "priority") => put(Field::Priority, text),
                (ObjectKind::Opportunity, "status_id") => put(Field::Stage, text),
                (ObjectKind::Opportunity, "value") => put(Field::Amount, text),
                _ => {}
            }
        }
        set
    }
}

/// Whose number a call's `phone` is.
fn other_side(call: Option<&Record>) -> Field {
    match call.and_then(|call| call.text("direction")) {
        Some("outbound") => Field::To,
        _ => Field::From,
    }
}

const fn deed(kind: WriteKind) -> Deed {
    match kind {
        WriteKind::Seeded => Deed::Seeded,
        WriteKind::Create => Deed::Made,
        WriteKind::Update | WriteKind::Move => Deed::Changed,
        WriteKind::Delete => Deed::Removed,
    }
}

fn errand(group: &str) -> Errand {
    let (method, path) = group.split_once(' ').unwrap_or(("", ""));
    let object = match path.split('/').nth(1) {
        Some("lead" | "contact") => Object::Contact,
        Some("activity") if path.starts_with("/activity/call/") => Object::Call,
        Some("activity") => Object::Note,
        Some("task") => Object::Task,
        Some("opportunity") => Object::Deal,
        Some("data" | "event") => return Errand::LookUp,
        _ => return Errand::Other,
    };
    if method == "GET" {
        Errand::LookUp
    } else {
        Errand::Write(object)
    }
}

impl Holdings for Close {
    fn vendor(&self) -> &'static str {
        "close"
    }

    fn records(&self) -> Vec<HeldRecord> {
        let mut all: Vec<(&Record, Object)> = [
            ObjectKind::Contact,
            ObjectKind::Call,
            ObjectKind::Note,
            ObjectKind::Task,
            ObjectKind::Opportunity,
        ]
        .into_iter()
        .flat_map(|kind| self.records(kind))
        .filter_map(|record| Some((record, object(record.kind)?)))
        .collect();
        all.sort_by_key(|(record, object)| (*object, record.number));
        all.into_iter()
            .map(|(record, object)| held(record, object))
            .collect()
    }

    /// A sentiment that a contact holds is told of each call that was on it by then: whose it is, Close doesn't say.
    fn writes(&self) -> Vec<HeldWrite> {
        let mut calls: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut all = Vec::with_capacity(self.audit.writes.len());
        for write in self.writes() {
            let Some(object) = object(write.object) else {
                continue;
            };
            let held = HeldWrite {
                at_ms: write.at_ms,
                request_no: write.request_no,
                object,
                id: write.id.clone(),
                deed: deed(write.kind),
                fields: self.set_fields(write),
            };
            if held.object == Object::Call && held.deed == Deed::Made {
                let contact = write.fields.iter().find(|it| it.name == "contact_id");
                if let Some(contact) = contact.and_then(|it| it.value.as_str()) {
                    calls.entry(contact).or_default().push(&write.id);
                }
            }
            let sentiment = held
                .fields
                .iter()
                .find(|it| held.object == Object::Contact && it.field == Field::Sentiment)
                .cloned();
            let (at_ms, request_no) = (held.at_ms, held.request_no);
            all.push(held);
            if let Some(sentiment) = sentiment {
                let on = calls.get(write.id.as_str());
                all.extend(on.into_iter().flatten().map(|call| HeldWrite {
                    at_ms,
                    request_no,
                    object: Object::Call,
                    id: (*call).to_owned(),
                    deed: Deed::Changed,
                    fields: vec![sentiment.clone()],
                }));
            }
        }
        all
    }

    fn arrivals(&self) -> Vec<Arrival> {
        self.requests()
            .iter()
            .map(|request| Arrival {
                request_no: request.request_no,
                at_ms: request.at_ms,
                errand: errand(request.group),
                throttled: request.status == 429,
                over_limit: request.throttled.is_some(),
                tokens: None,
            })
            .collect()
    }

    fn keeps(&self, object: Object, field: &Field, all: &[(Field, Value)]) -> bool {
        let said = |wanted: &Field, text: &str| {
            all.iter()
                .any(|(field, value)| field == wanted && *value == Value::Text(text.to_owned()))
        };
        match (object, field) {
            (Object::Contact | Object::Deal, Field::Custom(_))
            | (
                Object::Contact,
                Field::FirstName | Field::LastName | Field::OptedOut | Field::Sentiment,
            )
            | (Object::Call | Object::Note | Object::Task, Field::At | Field::Text)
            | (
                Object::Call,
                Field::Direction
                | Field::Duration
                | Field::Disposition
                | Field::RecordingUrl
                | Field::Sentiment,
            )
            | (Object::Task | Object::Deal, Field::Title)
            | (Object::Deal, Field::Stage | Field::Amount) => true,
            (Object::Call, Field::From) => !said(&Field::Direction, "outbound"),
            (Object::Call, Field::To) => said(&Field::Direction, "outbound"),
            (Object::Task, Field::Priority) => !said(&Field::Priority, "low"),
            _ => false,
        }
    }

    fn says(&self, object: Object, field: &Field, value: &Value, text: &str) -> bool {
        says(object, field, value, text)
    }

    fn owns_place(&self, object: Object, field: &Field) -> bool {
        !(object == Object::Call && *field == Field::Sentiment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_of_requests_has_its_errand() {
        for (group, expect) in [
            ("POST /lead/", Errand::Write(Object::Contact)),
            ("PUT /contact/{id}/", Errand::Write(Object::Contact)),
            ("POST /activity/call/", Errand::Write(Object::Call)),
            ("PUT /activity/note/{id}/", Errand::Write(Object::Note)),
            ("POST /task/", Errand::Write(Object::Task)),
            ("POST /opportunity/", Errand::Write(Object::Deal)),
            ("POST /data/search/", Errand::LookUp),
            ("GET /event/", Errand::LookUp),
            ("GET /contact/", Errand::LookUp),
            ("GET /me/", Errand::Other),
            ("", Errand::Other),
        ] {
            assert_eq!(errand(group), expect, "{group}");
        }
    }
}
