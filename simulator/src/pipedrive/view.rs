//! What the company holds, for the oracle: where Pipedrive keeps a value and in which form, read from the vendor's
//! documents, not from the product.
//!
//! | field | is kept in |
//! | --- | --- |
//! | first and last name | `name` of the person, one after the other |
//! | opted out, a property of the customer's own | a custom field of the person, known by its label |
//! | a call | an activity of type `call`; other activities are tasks |
//! | title, when | `subject`; `due_date` and `due_time`, to the minute |
//! | text; a call's direction, outcome, length, numbers and id; a task's priority | `note` ([`super::note`]) |
//! | a recording, a sentiment | `public_description`, `location` |
//! | a note's text | `content` |
//! | a deal's title, stage, amount | `title`, `stage_id` (won, lost: `status`), `value` |
//!
//! No place: a note's date, and phones and addresses of a person, for they are lists that are replaced as a whole, so
//! whoever changes a person leaves them alone.

use callflume_core::effect::{Field, Object, Value};
use serde_json::Value as Json;

use super::Pipedrive;
use super::audit::{Write, WriteKind};
use super::config::FieldOwner;
use super::limits::Pool;
use super::note::Note;
use super::reading::says;
use super::records::{Kind, Record};
use super::route::Route;
use crate::fakes::{FieldWrite, Request, first_writes};
use crate::holdings::{Arrival, Deed, Errand, HeldRecord, HeldWrite, Holdings, SetField};
use crate::phone::national_number;

/// Label of the custom field of persons that says whether somebody must not be called again.
pub(super) const OPTED_OUT_LABEL: &str = "Opted out of calls";
/// Label of the custom fields of persons and deals with Callflume's own key.
pub(super) const KEY_LABEL: &str = "Callflume key";

const RECORDING: &str = "Recording: ";
const SENTIMENT: &str = "Sentiment: ";

/// The call logs of Pipedrive's own aren't among what Callflume knows.
fn object(record: &Record) -> Option<Object> {
    Some(match record.kind {
        Kind::Person => Object::Contact,
        Kind::Activity if record.field("type") == "call" => Object::Call,
        Kind::Activity => Object::Task,
        Kind::Deal => Object::Deal,
        Kind::Note => Object::Note,
        Kind::CallLog => return None,
    })
}

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

fn held(record: &Record) -> Option<HeldRecord> {
    let object = object(record)?;
    let mut numbers: Vec<String> = if object == Object::Contact {
        let typed = record.entries("phones");
        typed.into_iter().filter_map(national_number).collect()
    } else {
        Vec::new()
    };
    numbers.sort();
    numbers.dedup();
    let text = |name: &str| record.field(name).as_str();
    let label = match object {
        Object::Contact => None,
        Object::Call => {
            let note = Note::read(text("note").unwrap_or_default());
            note.fact("Call").map(Into::into)
        }
        Object::Task => text("subject").map(Into::into),
        Object::Note => text("content").map(Into::into),
        Object::Deal => text("title").map(Into::into),
    };
    Some(HeldRecord {
        object,
        id: record.id.to_string(),
        alive: !record.deleted,
        numbers,
        contacts: record
            .person()
            .filter(|_| object != Object::Contact)
            .map(|id| id.to_string())
            .into_iter()
            .collect(),
        label,
    })
}

impl Pipedrive {
    /// The field that a custom field is, by its label; none for our key and for what is no custom field.
    fn custom_field(&self, kind: Kind, code: &str) -> Option<Field> {
        let on = match kind {
            Kind::Person => FieldOwner::Person,
            Kind::Deal => FieldOwner::Deal,
            Kind::Activity | Kind::Note | Kind::CallLog => return None,
        };
        let field = self.schema.fields(on).find(|field| field.code == code)?;
        Some(match field.name.as_str() {
            OPTED_OUT_LABEL => Field::OptedOut,
            KEY_LABEL => return None,
            other => Field::Custom(other.to_owned()),
        })
    }

    fn set_fields(&self, object: Object, write: &Write) -> Vec<SetField> {
        let mut set = Vec::new();
        for it in &write.fields {
            let text = shown(&it.value);
            let mut put = |field, text: &str| {
                set.push(SetField {
                    field,
                    text: text.into(),
                    changed: it.changed,
                });
            };
            match (object, it.name.as_str()) {
                (Object::Contact, "name") => {
                    put(Field::FirstName, &text);
                    put(Field::LastName, &text);
                }
                (Object::Call | Object::Task, "subject") | (Object::Deal, "title") => {
                    put(Field::Title, &text);
                }
                (Object::Call | Object::Task, "due_date") => {
                    put(Field::At, &format!("{text}T{}", due_time(&write.fields)));
                }
                (Object::Call, "public_description") => {
                    let url = text.strip_prefix(RECORDING).unwrap_or(&text);
                    put(Field::RecordingUrl, url);
                }
                (Object::Call, "location") => {
                    let said = shown(&it.value["value"]);
                    let said = said.strip_prefix(SENTIMENT).unwrap_or(&said);
                    put(Field::Sentiment, said);
                }
                (Object::Call | Object::Task, "note") | (Object::Note, "content") => {
                    let note = Note::read(&text);
                    put(Field::Text, &note.text);
                    for (label, said) in &note.facts {
                        if let Some(field) = fact_field(label) {
                            put(field, said);
                        }
                    }
                }
                (Object::Deal, "stage_id") => put(Field::Stage, &text),
                // Every open deal is in a stage; only an end is one of its own.
                (Object::Deal, "status") if text != "open" => put(Field::Stage, &text),
                (Object::Deal, "value") => put(Field::Amount, &text),
                (_, code) => {
                    if let Some(field) = self.custom_field(write.kind, code) {
                        put(field, &text);
                    }
                }
            }
        }
        set
    }
}

/// The time that a write gives beside a date, midnight without one.
fn due_time(fields: &[FieldWrite]) -> &str {
    fields
        .iter()
        .find(|it| it.name == "due_time")
        .and_then(|it| it.value.as_str())
        .unwrap_or("00:00")
}

fn fact_field(label: &str) -> Option<Field> {
    Some(match label {
        "Direction" => Field::Direction,
        "Outcome" => Field::Disposition,
        "Length" => Field::Duration,
        "From" => Field::From,
        "To" => Field::To,
        "Call" => Field::CallId,
        "Priority" => Field::Priority,
        _ => return None,
    })
}

const fn deed(kind: WriteKind) -> Deed {
    match kind {
        WriteKind::Seeded => Deed::Seeded,
        WriteKind::Create => Deed::Made,
        WriteKind::Update | WriteKind::Merge => Deed::Changed,
        WriteKind::Delete => Deed::Removed,
    }
}

impl Holdings for Pipedrive {
    fn vendor(&self) -> &'static str {
        "pipedrive"
    }

    fn records(&self) -> Vec<HeldRecord> {
        [Kind::Person, Kind::Activity, Kind::Deal, Kind::Note]
            .into_iter()
            .flat_map(|kind| self.records(kind))
            .filter_map(held)
            .collect()
    }

    fn writes(&self) -> Vec<HeldWrite> {
        self.writes()
            .iter()
            .filter_map(|write| {
                let object = object(self.record(write.kind, write.id)?)?;
                Some(HeldWrite {
                    at_ms: write.at_ms,
                    request_no: write.request_no,
                    object,
                    id: write.id.to_string(),
                    deed: deed(write.what),
                    fields: self.set_fields(object, write),
                })
            })
            .collect()
    }

    /// An activity is a call or a task by its type, which a path doesn't say: what a request wrote tells.
    fn arrivals(&self) -> Vec<Arrival> {
        let mut first_write = first_writes(self.writes(), |write| write.request_no);
        self.requests()
            .iter()
            .map(|request| {
                let written = first_write(request.request_no)
                    .and_then(|write| object(self.record(write.kind, write.id)?));
                Arrival {
                    request_no: request.request_no,
                    at_ms: request.at_ms,
                    errand: errand(request, written),
                    throttled: request.status == 429 || request.throttled.is_some(),
                    over_limit: request.throttled.is_some(),
                    tokens: Some(request.tokens),
                }
            })
            .collect()
    }

    fn keeps(&self, object: Object, field: &Field, _all: &[(Field, Value)]) -> bool {
        matches!(
            (object, field),
            (
                Object::Contact,
                Field::FirstName | Field::LastName | Field::OptedOut | Field::Custom(_)
            ) | (
                Object::Call,
                Field::At
                    | Field::Text
                    | Field::Direction
                    | Field::Duration
                    | Field::Disposition
                    | Field::From
                    | Field::To
                    | Field::RecordingUrl
                    | Field::Sentiment
                    | Field::CallId
            ) | (
                Object::Task,
                Field::At | Field::Title | Field::Text | Field::Priority
            ) | (Object::Note, Field::Text)
                | (
                    Object::Deal,
                    Field::Title | Field::Stage | Field::Amount | Field::Custom(_)
                )
        )
    }

    fn says(&self, object: Object, field: &Field, value: &Value, text: &str) -> bool {
        says(object, field, value, text)
    }
}

fn errand(request: &super::RequestAudit, written: Option<Object>) -> Errand {
    if request.pool == Pool::Search {
        return Errand::LookUp;
    }
    match Route::of(&Request::new(request.method, &request.path)) {
        Some(Route::List(_) | Route::Read(..) | Route::SearchPersons) => Errand::LookUp,
        Some(Route::Create(kind) | Route::Update(kind, _) | Route::Delete(kind, _)) => {
            Errand::Write(written.unwrap_or(match kind {
                Kind::Person => Object::Contact,
                Kind::Activity | Kind::CallLog => Object::Call,
                Kind::Deal => Object::Deal,
                Kind::Note => Object::Note,
            }))
        }
        _ => Errand::Other,
    }
}
