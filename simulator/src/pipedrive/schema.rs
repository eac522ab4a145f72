//! What a body may hold: fields with their types, and what an unknown or ill-typed one is answered with.
//!
//! Which fields there are and of which types is the vendor's API description; that a field it doesn't describe is refused,
//! and with which words, is chosen: the strictest reading, so that whoever relies on leniency is found out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::config::{CustomField, FieldOwner};
use super::records::Kind;
use super::replies::Refusal;

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Whole,
    Number,
    Flag,
    /// `YYYY-MM-DD`.
    Date,
    /// `HH:MM`, optionally with seconds: a time, or a length.
    Clock,
    /// `YYYY-MM-DD HH:MM:SS` in the older version.
    Instant,
    /// A list of `{value, primary, label}`, replaced as a whole.
    Entries,
    Participants,
    /// `{value, …}`.
    Location,
    Wholes,
    OneOf(&'static [&'static str]),
}

use Kind::{Activity, CallLog, Deal, Note, Person};
use Type::{
    Clock, Date, Entries, Flag, Instant, Location, Number, OneOf, Participants, Text, Whole, Wholes,
};

const FIELDS: &[(Kind, &str, Type)] = &[
    (Person, "name", Text),
    (Person, "owner_id", Whole),
    (Person, "org_id", Whole),
    (Person, "emails", Entries),
    (Person, "phones", Entries),
    (Person, "visible_to", Whole),
    (Person, "label_ids", Wholes),
    (
        Person,
        "marketing_status",
        OneOf(&["no_consent", "unsubscribed", "subscribed", "archived"]),
    ),
    (Activity, "subject", Text),
    (Activity, "type", Text),
    (Activity, "owner_id", Whole),
    (Activity, "deal_id", Whole),
    (Activity, "lead_id", Text),
    (Activity, "person_id", Whole),
    (Activity, "org_id", Whole),
    (Activity, "project_id", Whole),
    (Activity, "due_date", Date),
    (Activity, "due_time", Clock),
    (Activity, "duration", Clock),
    (Activity, "busy", Flag),
    (Activity, "done", Flag),
    (Activity, "location", Location),
    (Activity, "participants", Participants),
    (Activity, "public_description", Text),
    (Activity, "priority", Whole),
    (Activity, "note", Text),
    (Deal, "title", Text),
    (Deal, "owner_id", Whole),
    (Deal, "person_id", Whole),
    (Deal, "org_id", Whole),
    (Deal, "pipeline_id", Whole),
    (Deal, "stage_id", Whole),
    (Deal, "value", Number),
    (Deal, "currency", Text),
    (Deal, "status", OneOf(&["open", "won", "lost"])),
    (Deal, "probability", Number),
    (Deal, "lost_reason", Text),
    (Deal, "visible_to", Whole),
    (Deal, "expected_close_date", Date),
    (Deal, "label_ids", Wholes),
    (Note, "content", Text),
    (Note, "lead_id", Text),
    (Note, "deal_id", Whole),
    (Note, "person_id", Whole),
    (Note, "org_id", Whole),
    (Note, "user_id", Whole),
    (Note, "add_time", Instant),
    (CallLog, "to_phone_number", Text),
    (CallLog, "from_phone_number", Text),
    (
        CallLog,
        "outcome",
        OneOf(&[
            "connected",
            "no_answer",
            "left_message",
            "left_voicemail",
            "wrong_number",
            "busy",
        ]),
    ),
    (CallLog, "start_time", Instant),
    (CallLog, "end_time", Instant),
    (CallLog, "duration", Text),
    (CallLog, "subject", Text),
    (CallLog, "person_id", Whole),
    (CallLog, "org_id", Whole),
    (CallLog, "deal_id", Whole),
    (CallLog, "lead_id", Text),
    (CallLog, "activity_id", Whole),
    (CallLog, "note", Text),
    (CallLog, "user_id", Whole),
];

/// Fields of a person that need a product of the vendor's: 403 without it.
const CONTACT_SYNC: [&str; 5] = ["job_title", "notes", "im", "birthday", "postal_address"];

/// Fields that a creation must have.
const REQUIRED: &[(Kind, &[&str])] = &[
    (Person, &["name"]),
    (Activity, &[]),
    (Deal, &["title"]),
    (Note, &["content"]),
    (
        CallLog,
        &["to_phone_number", "outcome", "start_time", "end_time"],
    ),
];

/// Longest note, characters. Not published; chosen.
pub const NOTE_MAX: usize = 100_000;
/// Longest one-liner, characters. Not published for these; the vendor's custom fields of one line hold as many.
pub const LINE_MAX: usize = 255;

/// Fields of a body, and its custom fields.
pub(super) type Parts = (Map<String, Value>, BTreeMap<String, Value>);

/// The company's custom fields.
#[derive(Debug)]
pub(super) struct Schema {
    custom: Vec<CustomField>,
    made: u64,
}

impl Schema {
    pub(super) fn new(custom: &[CustomField]) -> Self {
        Self {
            custom: custom.to_vec(),
            made: 0,
        }
    }

    pub(super) fn fields(&self, on: FieldOwner) -> impl Iterator<Item = &CustomField> {
        self.custom.iter().filter(move |field| field.on == on)
    }

    /// Codes of a kind's custom fields; none for a kind without.
    pub(super) fn codes(&self, kind: Kind) -> Vec<&str> {
        let Some(on) = owner(kind) else {
            return Vec::new();
        };
        self.fields(on).map(|field| field.code.as_str()).collect()
    }

    /// Makes a custom field. Labels may repeat; codes never do.
    pub(super) fn create(&mut self, on: FieldOwner, body: &Value) -> Result<CustomField, Refusal> {
        const KINDS: [&str; 16] = [
            "varchar",
            "text",
            "double",
            "phone",
            "date",
            "daterange",
            "time",
            "timerange",
            "set",
            "enum",
            "varchar_auto",
            "address",
            "monetary",
            "org",
            "people",
            "user",
        ];
        let named = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, kind) = (named("field_name"), named("field_type"));
        if name.is_empty() || name.chars().count() > LINE_MAX {
            return Err(Refusal::invalid("field_name"));
        }
        if !KINDS.contains(&kind) {
            return Err(Refusal::invalid("field_type"));
        }
        self.made += 1;
        let place = match on {
            FieldOwner::Person => 0xb0_u64,
            FieldOwner::Deal => 0xd0,
        };
        let field = CustomField {
            on,
            name: name.to_owned(),
            code: format!("{place:02x}{:038x}", self.made),
            kind: kind.to_owned(),
        };
        self.custom.push(field.clone());
        Ok(field)
    }

    /// The fields of a body, checked.
    pub(super) fn parts(&self, kind: Kind, body: &Value, creates: bool) -> Result<Parts, Refusal> {
        let body = body
            .as_object()
            .ok_or_else(|| Refusal::new(400, "Bad request"))?;
        if body.is_empty() {
            return Err(Refusal::new(400, "Bad request: there is nothing to write"));
        }
        let (mut fields, mut custom) = (Map::new(), BTreeMap::new());
        for (name, value) in body {
            if name == "custom_fields" && owner(kind).is_some() {
                custom = self.custom_parts(kind, value)?;
                continue;
            }
            if kind == Person && CONTACT_SYNC.contains(&name.as_str()) {
                return Err(Refusal::new(403, "Contact Sync is not enabled")
                    .with_code("feature_contact_sync"));
            }
            let Some((_, _, kind_of)) = FIELDS
                .iter()
                .find(|(on, known, _)| *on == kind && known == name)
            else {
                return Err(Refusal::invalid(name));
            };
            if !value.is_null() && !fits(*kind_of, value) {
                return Err(Refusal::invalid(name));
            }
            let most = match name.as_str() {
                "note" | "content" => NOTE_MAX,
                "name" | "subject" | "title" => LINE_MAX,
                _ => usize::MAX,
            };
            if value
                .as_str()
                .is_some_and(|text| text.chars().count() > most)
            {
                return Err(Refusal::invalid(name));
            }
            fields.insert(name.clone(), value.clone());
        }
        if creates {
            let required = REQUIRED.iter().find(|(on, _)| *on == kind);
            for name in required.map_or(&[][..], |(_, names)| names) {
                let given = fields.get(*name).and_then(Value::as_str);
                if given.is_none_or(str::is_empty) {
                    return Err(Refusal::invalid(name));
                }
            }
        }
        Ok((fields, custom))
    }

    fn custom_parts(&self, kind: Kind, value: &Value) -> Result<BTreeMap<String, Value>, Refusal> {
        let given = value
            .as_object()
            .ok_or_else(|| Refusal::invalid("custom_fields"))?;
        let codes: BTreeSet<&str> = self.codes(kind).into_iter().collect();
        let mut custom = BTreeMap::new();
        for (code, value) in given {
            let place = format!("custom_fields.{code}");
            if !codes.contains(code.as_str()) {
                return Err(Refusal::invalid(&place));
            }
            let text = self.custom.iter().any(|field| {
                field.code == *code && matches!(field.kind.as_str(), "varchar" | "text")
            });
            if text && !(value.is_string() || value.is_null()) {
                return Err(Refusal::invalid(&place));
            }
            if value
                .as_str()
                .is_some_and(|it| it.chars().count() > LINE_MAX)
            {
                return Err(Refusal::invalid(&place));
            }
            custom.insert(code.clone(), value.clone());
        }
        Ok(custom)
    }
}

const fn owner(kind: Kind) -> Option<FieldOwner> {
    match kind {
        Person => Some(FieldOwner::Person),
        Deal => Some(FieldOwner::Deal),
        Activity | Note | CallLog => None,
    }
}

fn fits(kind: Type, value: &Value) -> bool {
    let all = |check: fn(&Value) -> bool| value.as_array().is_some_and(|all| all.iter().all(check));
    match kind {
        Text => value.is_string(),
        Whole => value.is_u64(),
        Number => value.is_number(),
        Flag => value.is_boolean(),
        Date => value
            .as_str()
            .is_some_and(|text| shaped(text, "0000-00-00")),
        Clock => value
            .as_str()
            .is_some_and(|text| shaped(text, "00:00") || shaped(text, "00:00:00")),
        Instant => value
            .as_str()
            .is_some_and(|text| shaped(text, "0000-00-00 00:00:00")),
        Entries => {
            all(|entry| entry["value"].is_string() && only(entry, &["value", "primary", "label"]))
        }
        Participants => {
            all(|one| one["person_id"].is_u64() && only(one, &["person_id", "primary"]))
        }
        Location => value["value"].is_string(),
        Wholes => all(Value::is_u64),
        OneOf(allowed) => value.as_str().is_some_and(|text| allowed.contains(&text)),
    }
}

fn only(value: &Value, names: &[&str]) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.keys().all(|name| names.contains(&name.as_str())))
}

/// Whether a text has digits where the form has zeros, and the form's characters elsewhere.
fn shaped(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(given, wanted)| {
            if wanted == b'0' {
                given.is_ascii_digit()
            } else {
                given == wanted
            }
        })
}
