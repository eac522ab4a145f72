//! What each known kind of event writes, and with which values of its body.

use serde_json::Value as Json;

use super::own_key;
use crate::codes;
use crate::effect::{self, DISPOSITIONS, Effect, Field, Fields, Object, Value, Write};
use crate::event::{BadEvent, Event, Phone, name_parts};
use crate::time::WallTime;

/// What each kind writes when the account's mapping doesn't say otherwise:
///
/// | kind | effects |
/// | --- | --- |
/// | `call_started` | contact exists |
/// | `caller_identified` | contact fields |
/// | `call_ended` | contact exists (with `properties`), call record |
/// | `call_transferred` | task for whoever takes the call |
/// | `deal_stage_changed` | deal with its stage, and when: a CRM whose deals need a date takes that of a new one from it |
/// | `task_created` | task |
/// | `opted_out` | contact marked |
/// | `contact_enriched`, `analytics_rolled_up` | contact fields |
/// | `note_added`, `transcript_ready` | note |
/// | `sentiment_tagged`, `recording_ready` | field of the call record |
pub fn default_effects(event: &Event) -> Result<Vec<Effect>, BadEvent> {
    let body = Reader { event };
    let effects = match event.kind.as_str() {
        "call_started" => vec![contact(event, Fields::new())],
        "caller_identified" | "contact_enriched" => vec![contact(event, body.contact_fields()?)],
        "analytics_rolled_up" => {
            let fields = body.properties()?;
            if fields.is_empty() {
                return Err(body.missing("properties"));
            }
            vec![contact(event, fields)]
        }
        "opted_out" => vec![contact(
            event,
            Fields::from([(Field::OptedOut, Value::Flag(true))]),
        )],
        "call_ended" => call_ended(event, &body)?,
        "call_transferred" => {
            let title = body
                .text("task_title")?
                .unwrap_or_else(|| "Take over a transferred call".to_owned());
            let mut fields = Fields::from([
                (Field::Title, Value::Text(title)),
                (Field::Priority, Value::Text("high".into())),
            ]);
            body.put_text(&mut fields, "reason", Field::Text)?;
            fields.insert(Field::At, Value::At(body.at("due_at")?.unwrap_or(event.at)));
            vec![record(event, Object::Task, fields)]
        }
        "task_created" => {
            let title = body.text("title")?.ok_or_else(|| body.missing("title"))?;
            let mut fields = Fields::from([(Field::Title, Value::Text(title))]);
            body.put_text(&mut fields, "text", Field::Text)?;
            body.put_text(&mut fields, "owner", Field::Owner)?;
            if let Some(priority) = body.one_of("priority", &["high", "medium", "low"])? {
                fields.insert(Field::Priority, Value::Text(priority));
            }
            fields.insert(Field::At, Value::At(body.at("due_at")?.unwrap_or(event.at)));
            vec![record(event, Object::Task, fields)]
        }
        "deal_stage_changed" => {
            let stage = body.text("stage")?.ok_or_else(|| body.missing("stage"))?;
            let mut fields = body.properties()?;
            fields.insert(Field::Stage, Value::Text(stage));
            fields.insert(Field::At, Value::At(event.at));
            body.put_text(&mut fields, "pipeline", Field::Pipeline)?;
            body.put_text(&mut fields, "title", Field::Title)?;
            body.put_text(&mut fields, "amount", Field::Amount)?;
            let key = body.text("deal_key")?.unwrap_or_else(|| own_key(event));
            vec![Effect {
                name: "deal".into(),
                object: Object::Deal,
                write: Write::Upsert,
                key: effect::deal_key(&key),
                fields,
                linked: true,
                url_expires_at: None,
            }]
        }
        "note_added" | "transcript_ready" => {
            let text = body.text("text")?.ok_or_else(|| body.missing("text"))?;
            vec![record(
                event,
                Object::Note,
                Fields::from([
                    (Field::Text, Value::Text(text)),
                    (Field::At, Value::At(event.at)),
                ]),
            )]
        }
        "sentiment_tagged" => {
            let sentiment = body
                .one_of("sentiment", &["positive", "neutral", "negative"])?
                .ok_or_else(|| body.missing("sentiment"))?;
            vec![call_update(event, Field::Sentiment, sentiment)]
        }
        "recording_ready" => {
            let url = body.text("url")?.ok_or_else(|| body.missing("url"))?;
            vec![Effect {
                url_expires_at: body.at("expires_at")?,
                ..call_update(event, Field::RecordingUrl, url)
            }]
        }
        other => {
            return Err(BadEvent {
                code: codes::EVENT_KIND_UNMAPPED,
                text: format!(
                    "kind `{other}` is not known; add [accounts.<account>.mapping.{other}] or correct the publisher"
                ),
            });
        }
    };
    Ok(effects)
}

fn call_ended(event: &Event, body: &Reader<'_>) -> Result<Vec<Effect>, BadEvent> {
    let disposition = body
        .one_of("disposition", DISPOSITIONS)?
        .ok_or_else(|| body.missing("disposition"))?;
    let mut fields = Fields::from([
        (Field::Disposition, Value::Text(disposition)),
        (Field::CallId, Value::Text(event.call_id.clone())),
        (
            Field::At,
            Value::At(body.at("started_at")?.unwrap_or(event.at)),
        ),
    ]);
    if let Some(direction) = body.one_of("direction", &["inbound", "outbound"])? {
        fields.insert(Field::Direction, Value::Text(direction));
    }
    if let Some(duration_ms) = body.whole("duration_ms")? {
        fields.insert(Field::Duration, Value::DurationMs(duration_ms));
    }
    for (name, field) in [
        ("title", Field::Title),
        ("summary", Field::Text),
        ("from", Field::From),
        ("to", Field::To),
        ("recording_url", Field::RecordingUrl),
    ] {
        body.put_text(&mut fields, name, field)?;
    }
    let call = Effect {
        name: "call".into(),
        object: Object::Call,
        write: Write::Upsert,
        key: effect::call_key(&event.call_id),
        fields,
        linked: true,
        url_expires_at: body.at("recording_expires_at")?,
    };
    let properties = body.properties()?;
    Ok(if properties.is_empty() {
        vec![call]
    } else {
        vec![contact(event, properties), call]
    })
}

fn contact(event: &Event, fields: Fields) -> Effect {
    Effect {
        name: "contact".into(),
        object: Object::Contact,
        write: Write::Contact,
        key: own_key(event),
        fields,
        linked: false,
        url_expires_at: None,
    }
}

fn record(event: &Event, object: Object, fields: Fields) -> Effect {
    let name = object.name();
    Effect {
        name: name.into(),
        object,
        write: Write::Create,
        key: effect::event_record_key(&event.id, name),
        fields,
        linked: true,
        url_expires_at: None,
    }
}

fn call_update(event: &Event, field: Field, value: String) -> Effect {
    Effect {
        name: "call".into(),
        object: Object::Call,
        write: Write::Update,
        key: effect::call_key(&event.call_id),
        fields: Fields::from([(field, Value::Text(value))]),
        linked: false,
        url_expires_at: None,
    }
}

/// What a contact is created with, beside the fields of the effect that needs it.
pub fn contact_base_fields(event: &Event) -> Fields {
    let mut fields = Fields::new();
    if let Some(phone) = event.contact.phone() {
        fields.insert(Field::Phone, Value::Text(phone.as_str().to_owned()));
    }
    if let Some(email) = event.contact.email() {
        fields.insert(Field::Email, Value::Text(email));
    }
    if let Some((first, last)) = event.contact.name.as_deref().and_then(name_parts) {
        fields.insert(Field::FirstName, Value::Text(first.to_owned()));
        if let Some(last) = last {
            fields.insert(Field::LastName, Value::Text(last.to_owned()));
        }
    }
    fields
}

/// Reads values of an event's body; a wrong type is refused with the field's name.
struct Reader<'a> {
    event: &'a Event,
}

impl Reader<'_> {
    fn value(&self, name: &str) -> Option<&Json> {
        self.event.body.get(name).filter(|value| !value.is_null())
    }

    fn missing(&self, name: &str) -> BadEvent {
        BadEvent {
            code: codes::EVENT_FIELD_MISSING,
            text: format!(
                "`body.{name}` is missing; kind `{}` needs it",
                self.event.kind
            ),
        }
    }

    fn invalid(&self, name: &str, rule: &str) -> BadEvent {
        BadEvent {
            code: codes::EVENT_FIELD_INVALID,
            text: format!(
                "`body.{name}` of kind `{}` can't be used: {rule}",
                self.event.kind
            ),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, BadEvent> {
        match self.value(name) {
            None => Ok(None),
            Some(Json::String(text)) if text.is_empty() => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(Json::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.invalid(name, "a text")),
        }
    }

    fn put_text(&self, fields: &mut Fields, name: &str, field: Field) -> Result<(), BadEvent> {
        if let Some(text) = self.text(name)? {
            fields.insert(field, Value::Text(text));
        }
        Ok(())
    }

    fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<String>, BadEvent> {
        match self.text(name)? {
            Some(text) if !allowed.contains(&text.as_str()) => {
                Err(self.invalid(name, &format!("one of {}", allowed.join(", "))))
            }
            other => Ok(other),
        }
    }

    fn whole(&self, name: &str) -> Result<Option<u64>, BadEvent> {
        self.value(name)
            .map(|value| {
                value
                    .as_u64()
                    .ok_or_else(|| self.invalid(name, "a whole number, not negative"))
            })
            .transpose()
    }

    fn at(&self, name: &str) -> Result<Option<WallTime>, BadEvent> {
        self.value(name)
            .map(|value| {
                value
                    .as_i64()
                    .filter(|at| *at >= 0)
                    .map(WallTime)
                    .ok_or_else(|| self.invalid(name, "epoch milliseconds"))
            })
            .transpose()
    }

    fn properties(&self) -> Result<Fields, BadEvent> {
        let mut fields = Fields::new();
        match self.value("properties") {
            None => {}
            Some(Json::Object(map)) => {
                for (name, value) in map {
                    let field = Field::parse(&format!("x.{name}")).ok_or_else(|| {
                        self.invalid("properties", "names of letters, digits and `_`")
                    })?;
                    let text = match value {
                        Json::String(text) => text.clone(),
                        Json::Number(number) => number.to_string(),
                        Json::Bool(flag) => flag.to_string(),
                        Json::Null => continue,
                        _ => {
                            return Err(
                                self.invalid("properties", "texts, numbers or yes/no as values")
                            );
                        }
                    };
                    fields.insert(field, Value::Text(text));
                }
            }
            Some(_) => {
                return Err(
                    self.invalid("properties", "a map of the CRM's property names to values")
                );
            }
        }
        Ok(fields)
    }

    fn contact_fields(&self) -> Result<Fields, BadEvent> {
        let mut fields = self.properties()?;
        self.put_text(&mut fields, "first_name", Field::FirstName)?;
        self.put_text(&mut fields, "last_name", Field::LastName)?;
        self.put_text(&mut fields, "email", Field::Email)?;
        if let Some(phone) = self.text("phone")? {
            let phone = Phone::parse(&phone).ok_or_else(|| self.invalid("phone", "E.164"))?;
            fields.insert(Field::Phone, Value::Text(phone.as_str().to_owned()));
        }
        Ok(fields)
    }
}
