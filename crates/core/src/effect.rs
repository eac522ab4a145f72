//! Effects: what a CRM must end up holding because of an event, in neutral terms.
//!
//! An effect names an object, our own key of the record, fields and links; `crm` turns fields into a vendor's
//! properties. Two effects with the same key write the same record.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::EventId;
use crate::time::WallTime;

/// The kinds of records a CRM holds for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// A person.
    Contact,
    /// A logged call.
    Call,
    /// A note on a person's timeline.
    Note,
    /// Something to do.
    Task,
    /// A deal or opportunity.
    Deal,
}

impl Object {
    /// All objects.
    pub const ALL: [Self; 5] = [
        Self::Contact,
        Self::Call,
        Self::Note,
        Self::Task,
        Self::Deal,
    ];

    /// Lower-case singular name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Call => "call",
            Self::Note => "note",
            Self::Task => "task",
            Self::Deal => "deal",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A field of a record, in neutral terms. Which object has which is the table in `docs/contract.md`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Contact: first name.
    FirstName,
    /// Contact: last name.
    LastName,
    /// Contact: phone number in E.164.
    Phone,
    /// Contact: e-mail address.
    Email,
    /// Contact: must not be called again.
    OptedOut,
    /// All: when it happened (call, note) or is due (task).
    At,
    /// Call, task, deal: one line that names it.
    Title,
    /// Call, note, task: text.
    Text,
    /// Call: `inbound` or `outbound`.
    Direction,
    /// Call: length.
    Duration,
    /// Call: one of [`DISPOSITIONS`].
    Disposition,
    /// Call: calling number.
    From,
    /// Call: called number.
    To,
    /// Call: link to the recording.
    RecordingUrl,
    /// Call: `positive`, `neutral` or `negative`.
    Sentiment,
    /// Call: the voice platform's id of the call.
    CallId,
    /// Task: `high`, `medium` or `low`.
    Priority,
    /// Deal: pipeline, by id or label.
    Pipeline,
    /// Deal: stage, by id or label.
    Stage,
    /// Deal: amount, as decimal text.
    Amount,
    /// All: owner, by id in the CRM or e-mail address.
    Owner,
    /// A vendor's own property, by its name there.
    Custom(String),
}

/// Outcomes of a call that every voice platform's reasons map to.
pub const DISPOSITIONS: &[&str] = &[
    "connected",
    "voicemail",
    "no_answer",
    "busy",
    "failed",
    "abandoned",
    "transferred",
    "declined",
    "error",
];

impl Field {
    /// The name used in records and mappings; custom properties carry the prefix `x.`.
    pub fn name(&self) -> String {
        match self.plain_name() {
            Some(name) => name.to_owned(),
            None => match self {
                Self::Custom(name) => format!("x.{name}"),
                _ => String::new(),
            },
        }
    }

    const fn plain_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::OptedOut => "opted_out",
            Self::At => "at",
            Self::Title => "title",
            Self::Text => "text",
            Self::Direction => "direction",
            Self::Duration => "duration",
            Self::Disposition => "disposition",
            Self::From => "from",
            Self::To => "to",
            Self::RecordingUrl => "recording_url",
            Self::Sentiment => "sentiment",
            Self::CallId => "call_id",
            Self::Priority => "priority",
            Self::Pipeline => "pipeline",
            Self::Stage => "stage",
            Self::Amount => "amount",
            Self::Owner => "owner",
            Self::Custom(_) => return None,
        })
    }

    /// The field of this name; any other name of `[a-z0-9_]` with the prefix `x.` is a vendor's own property.
    pub fn parse(name: &str) -> Option<Self> {
        const PLAIN: [Field; 21] = [
            Field::FirstName,
            Field::LastName,
            Field::Phone,
            Field::Email,
            Field::OptedOut,
            Field::At,
            Field::Title,
            Field::Text,
            Field::Direction,
            Field::Duration,
            Field::Disposition,
            Field::From,
            Field::To,
            Field::RecordingUrl,
            Field::Sentiment,
            Field::CallId,
            Field::Priority,
            Field::Pipeline,
            Field::Stage,
            Field::Amount,
            Field::Owner,
        ];
        if let Some(custom) = name.strip_prefix("x.") {
            let fits = !custom.is_empty()
                && custom.len() <= 100
                && custom
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_');
            return fits.then(|| Self::Custom(custom.to_owned()));
        }
        PLAIN
            .into_iter()
            .find(|field| field.plain_name() == Some(name))
    }
}

/// Value of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Text.
    Text(String),
    /// An instant.
    At(WallTime),
    /// A length of time in milliseconds.
    DurationMs(u64),
    /// Yes or no.
    Flag(bool),
}

/// Fields of a record with their values.
pub type Fields = BTreeMap<Field, Value>;

/// The text of a field; none when it has none, or something else.
pub(crate) fn text_of<'a>(fields: &'a Fields, field: &Field) -> Option<&'a str> {
    match fields.get(field) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Write {
    /// The contact must exist and carry these fields.
    Contact,
    /// The record must exist: created once, and if it is there already its fields are set to these.
    Upsert,
    /// The record must exist: created once; if it is there already nothing is to be done.
    Create,
    /// Fields of a record that another event creates.
    Update,
}

/// What a CRM must end up holding because of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Unique within its event: `contact`, `call`, `note` … Part of the ledger key.
    pub name: String,
    /// What kind of record.
    pub object: Object,
    /// How it is written.
    pub write: Write,
    /// Our own unique key of the record: for contacts the contact's own key, for calls one made of the call id, else
    /// one made of the event id.
    pub key: String,
    /// The fields to set.
    pub fields: Fields,
    /// Whether the record is linked to the event's contact.
    pub linked: bool,
    /// From then on the address in [`Field::RecordingUrl`] leads nowhere: it is left out.
    pub url_expires_at: Option<WallTime>,
}

impl Effect {
    /// Whether its address leads nowhere any more.
    pub fn has_expired(&self, now: WallTime) -> bool {
        self.url_expires_at.is_some_and(|at| at <= now)
            && self.fields.contains_key(&Field::RecordingUrl)
    }
}

/// Key of an effect in the ledger: 32 hex digits, SHA-256 of event id and effect name.
pub fn effect_key(event: &EventId, effect: &str) -> String {
    digest_key(&["callflume-effect/1", event.as_str(), effect])
}

/// Our key of the record of a call: `c-` and 32 hex digits. The same for every event of the call.
pub fn call_key(call_id: &str) -> String {
    format!("c-{}", digest_key(&["callflume-call/1", call_id]))
}

/// Our key of a record that one event makes: a note, a task.
pub fn event_record_key(event: &EventId, effect: &str) -> String {
    format!("r-{}", effect_key(event, effect))
}

/// Our key of a deal: `d-` and 32 hex digits of the publisher's deal key or of the contact's own key.
pub fn deal_key(deal: &str) -> String {
    format!("d-{}", digest_key(&["callflume-deal/1", deal]))
}

fn digest_key(parts: &[&str]) -> String {
    use sha2::{Digest, Sha256};
    crate::event::hex_prefix(&Sha256::digest(parts.join("\n").as_bytes()), 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_read_back() {
        for name in [
            "first_name",
            "opted_out",
            "duration",
            "owner",
            "x.lead_score",
        ] {
            assert_eq!(Field::parse(name).unwrap().name(), name);
        }
        for name in ["", "x.", "x.a b", "lead_score"] {
            assert_eq!(Field::parse(name), None, "{name}");
        }
    }

    #[test]
    fn keys_differ_by_event_and_effect() {
        let (a, b) = (EventId::new("a").unwrap(), EventId::new("b").unwrap());
        let keys = [
            effect_key(&a, "call"),
            effect_key(&a, "note"),
            effect_key(&b, "call"),
        ];
        assert!(keys[0] != keys[1] && keys[0] != keys[2]);
        assert_eq!(keys[0].len(), 32);
    }
}
