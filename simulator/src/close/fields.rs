//! What each kind of record takes: names, types, references, and the forms in which values are kept.
//!
//! A value is checked alone here; what a reference points to is asked of [`Reference`]. An unknown field is refused: Close's
//! own habit isn't documented, and the strictest reading finds a misspelt one. Chosen texts throughout.

use callflume_core::event::Phone;
use serde_json::{Map, Value, json};

use super::config::{CustomField, SetupError};
use super::records::ObjectKind;
use super::replies::{Refusal, instant, iso};

/// What references point to.
pub(super) trait Reference {
    fn lead_lives(&self, id: &str) -> bool;
    fn user_exists(&self, id: &str) -> bool;
    fn status_exists(&self, of: ObjectKind, id: &str) -> bool;
    fn pipeline_exists(&self, id: &str) -> bool;
    fn outcome_exists(&self, id: &str) -> bool;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Flag,
    /// An instant, kept in Close's own form; a date of a task stays one.
    Instant,
    OneOf(&'static [&'static str]),
    Phones,
    Emails,
    /// A link that must be https.
    Link,
    Lead,
    /// Checked with the lead, once both are known.
    Contact,
    User,
    Status,
    Pipeline,
    Outcome,
}

const CALL_STATUSES: &[&str] = &[
    "created",
    "in-progress",
    "completed",
    "cancel",
    "no-answer",
    "busy",
    "failed",
    "timeout",
];

fn form(kind: ObjectKind, name: &str) -> Option<Form> {
    use ObjectKind::{Call, Contact, Lead, Note, Opportunity, Task};
    Some(match (kind, name) {
        (Lead, "name" | "description" | "url") | (Contact, "name" | "title") => Form::Text,
        (Lead | Opportunity, "status_id") => Form::Status,
        (Contact, "phones") => Form::Phones,
        (Contact, "emails") => Form::Emails,
        (Contact | Call | Note | Task | Opportunity, "lead_id") => Form::Lead,
        (Call | Note | Task | Opportunity, "contact_id") => Form::Contact,
        (Call | Note | Opportunity, "user_id") | (Task, "assigned_to") => Form::User,
        (Call | Note, "note" | "note_html") | (Note, "title") | (Task, "text") => Form::Text,
        (Opportunity, "note") | (Call, "phone") => Form::Text,
        (Call | Note, "activity_at") | (Task, "date") => Form::Instant,
        (Call, "direction") => Form::OneOf(&["inbound", "outbound"]),
        (Call, "status") => Form::OneOf(CALL_STATUSES),
        (Call, "duration") | (Opportunity, "value" | "confidence") => Form::Number,
        (Call, "recording_url") => Form::Link,
        (Call, "outcome_id") => Form::Outcome,
        (Task, "_type") => Form::OneOf(&["lead", "outgoing_call"]),
        (Task, "is_complete") => Form::Flag,
        (Task, "priority") => Form::OneOf(&["high", "medium"]),
        (Opportunity, "value_period") => Form::OneOf(&["one_time", "monthly", "annual"]),
        (Opportunity, "pipeline_id") => Form::Pipeline,
        _ => return None,
    })
}

/// Which fields there are, and how numbers are read.
#[derive(Debug)]
pub(super) struct Schema {
    custom: Vec<CustomField>,
    country: Option<String>,
    made: u32,
}

impl Schema {
    pub(super) fn new(
        fields: Vec<CustomField>,
        country: Option<String>,
    ) -> Result<Self, SetupError> {
        let mut schema = Self {
            custom: Vec::new(),
            country,
            made: 0,
        };
        for field in fields {
            if schema.custom.iter().any(|other| other.id == field.id) {
                return Err(SetupError::FieldExists(field.id));
            }
            schema.custom.push(field);
        }
        Ok(schema)
    }

    /// The custom fields of a kind, in order.
    pub(super) fn custom_fields(&self, kind: ObjectKind) -> Vec<Value> {
        self.custom
            .iter()
            .filter(|field| field.object == kind)
            .map(custom_field_body)
            .collect()
    }

    /// What people call a custom field.
    pub(super) fn label(&self, kind: ObjectKind, id: &str) -> Option<&str> {
        let field = self
            .custom
            .iter()
            .find(|field| field.object == kind && field.id == id)?;
        Some(&field.name)
    }

    /// Makes a custom field from the body of a request.
    pub(super) fn create(&mut self, kind: ObjectKind, body: &Value) -> Result<Value, Refusal> {
        let said = |name: &str| {
            body.get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| Refusal::field(name, "A value is required."))
        };
        let (name, of) = (said("name")?, said("type")?);
        if !["text", "number", "date", "choices"].contains(&of) {
            return Err(Refusal::field("type", "No such type."));
        }
        if self
            .custom
            .iter()
            .any(|field| field.object == kind && field.name == name)
        {
            return Err(Refusal::field("name", "There is a field of this name."));
        }
        self.made += 1;
        let field = CustomField {
            object: kind,
            id: format!("cf_made{}", self.made),
            name: name.to_owned(),
            kind: of.to_owned(),
        };
        let made = custom_field_body(&field);
        self.custom.push(field);
        Ok(made)
    }

    /// Removes a custom field; its values stay where they are.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.custom.len();
        self.custom.retain(|field| field.id != id);
        before != self.custom.len()
    }

    /// The fields of a write as they are kept, or everything that is wrong with them.
    pub(super) fn kept(
        &self,
        kind: ObjectKind,
        body: &Map<String, Value>,
        reference: &dyn Reference,
    ) -> Result<Map<String, Value>, Refusal> {
        let (mut kept, mut wrong) = (Map::new(), Map::new());
        for (name, value) in body {
            let outcome = match name.strip_prefix("custom.") {
                Some(id) => self.custom_value(kind, id, value),
                None => match form(kind, name) {
                    Some(form) => self.value(kind, form, value, reference),
                    None => Err(json!("There is no such field.")),
                },
            };
            match outcome {
                Ok(value) => {
                    kept.insert(name.clone(), value);
                }
                Err(said) => {
                    wrong.insert(name.clone(), said);
                }
            }
        }
        if wrong.is_empty() {
            Ok(kept)
        } else {
            Err(Refusal::Fields(wrong))
        }
    }

    fn custom_value(&self, kind: ObjectKind, id: &str, value: &Value) -> Result<Value, Value> {
        let field = self
            .custom
            .iter()
            .find(|field| field.object == kind && field.id == id)
            .ok_or_else(|| json!("There is no such field."))?;
        let fits = match field.kind.as_str() {
            "number" => value.is_number(),
            _ => value.is_string(),
        };
        if fits || value.is_null() {
            Ok(value.clone())
        } else {
            Err(json!("A value of another type is needed."))
        }
    }

    fn value(
        &self,
        kind: ObjectKind,
        form: Form,
        value: &Value,
        reference: &dyn Reference,
    ) -> Result<Value, Value> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let wrong = |said: &str| Err(json!(said));
        match form {
            Form::Number => {
                return if value.is_i64() || value.is_u64() {
                    Ok(value.clone())
                } else {
                    wrong("A whole number is needed.")
                };
            }
            Form::Flag => {
                return if value.is_boolean() {
                    Ok(value.clone())
                } else {
                    wrong("Yes or no is needed.")
                };
            }
            Form::Phones => return self.phones(value),
            Form::Emails => return emails(value),
            _ => {}
        }
        let Some(text) = value.as_str() else {
            return wrong("A text is needed.");
        };
        let fits = match form {
            Form::OneOf(all) => all.contains(&text),
            Form::Instant => {
                return match instant(text) {
                    // A date without a time stays a date.
                    Some(_) if text.len() == 10 => Ok(value.clone()),
                    Some(at_ms) => Ok(iso(at_ms).into()),
                    None => wrong("No date or time."),
                };
            }
            Form::Link => text.starts_with("https://"),
            Form::Lead => reference.lead_lives(text),
            Form::User => reference.user_exists(text),
            Form::Status => reference.status_exists(kind, text),
            Form::Pipeline => reference.pipeline_exists(text),
            Form::Outcome => reference.outcome_exists(text),
            _ => true,
        };
        if fits {
            Ok(value.clone())
        } else {
            wrong("This value can't be used.")
        }
    }

    fn phones(&self, value: &Value) -> Result<Value, Value> {
        let entries = value.as_array().ok_or_else(|| json!("A list is needed."))?;
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            let said = |name: &str| entry.get(name).and_then(Value::as_str);
            let typed = said("phone").filter(|text| !text.trim().is_empty());
            let typed = typed.ok_or_else(|| json!("Every entry needs a phone."))?;
            let phone = self.understood(typed);
            kept.push(json!({
                "phone": phone.as_deref().unwrap_or(typed),
                "phone_formatted": phone.as_deref().map_or_else(|| typed.to_owned(), formatted),
                "type": said("type").unwrap_or("office"),
            }));
        }
        Ok(kept.into())
    }

    /// A number in E.164, if this organisation reads numbers and can read this one. With an extension it is kept as typed.
    pub(super) fn understood(&self, typed: &str) -> Option<String> {
        let country = self.country.as_deref()?;
        if typed.chars().any(char::is_alphabetic) {
            return None;
        }
        Phone::typed(typed, Some(country)).map(|phone| phone.as_str().to_owned())
    }
}

fn custom_field_body(field: &CustomField) -> Value {
    json!({
        "id": field.id,
        "name": field.name,
        "type": field.kind,
        "accepts_multiple_values": false,
    })
}

/// A number as people read it: North American ones in groups, others as they are.
fn formatted(e164: &str) -> String {
    let national = e164.strip_prefix("+1").filter(|rest| rest.len() == 10);
    let parts = national.and_then(|rest| Some((rest.get(..3)?, rest.get(3..6)?, rest.get(6..)?)));
    match parts {
        Some((area, office, line)) => format!("+1 {area}-{office}-{line}"),
        None => e164.to_owned(),
    }
}

fn emails(value: &Value) -> Result<Value, Value> {
    let entries = value.as_array().ok_or_else(|| json!("A list is needed."))?;
    let mut kept = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let said = |name: &str| entry.get(name).and_then(Value::as_str);
        let email = said("email").unwrap_or_default();
        let fits = email.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !host.contains('@')
        });
        if !fits {
            return Err(json!({"errors": {(place.to_string()): {"email": "This is no address."}}}));
        }
        kept.push(json!({"email": email, "type": said("type").unwrap_or("office")}));
    }
    Ok(kept.into())
}
