//! Events to effects.
//!
//! Decides what each kind of event writes: the table in [`default_effects`], or what the account's mapping says. An
//! event that can't be planned (a value its kind needs is missing, a template fails) is refused with a code. Pure:
//! the same event and configuration give the same effects, so a takeover plans what its predecessor planned.

use std::collections::BTreeMap;

use minijinja::Environment;
use serde_json::Value as Json;

use crate::codes;
use crate::config::{AccountConfig, BadConfig, EffectTemplate};
use crate::effect::{self, DISPOSITIONS, Effect, Field, Fields, Object, Value, Write};
use crate::event::{BadEvent, Event, Phone};
use crate::time::WallTime;

/// Plans events of one account; holds its compiled templates.
pub struct Planner {
    templates: Environment<'static>,
    mapping: BTreeMap<String, Vec<EffectTemplate>>,
}

impl std::fmt::Debug for Planner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planner")
            .field("kinds", &self.mapping.keys())
            .finish_non_exhaustive()
    }
}

impl Planner {
    /// Compiles an account's mapping; a template that can't be compiled names itself.
    pub fn new(config: &AccountConfig) -> Result<Self, BadConfig> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
        for (kind, effects) in &config.mapping {
            for (index, effect) in effects.iter().enumerate() {
                for (name, template) in &effect.fields {
                    let path = format!("mapping.{kind}[{index}].fields.{name}");
                    if Field::parse(name).is_none() {
                        return Err(BadConfig::new(
                            path,
                            "no such field; a CRM's own property is written `x.<name>`",
                        ));
                    }
                    templates
                        .add_template_owned(template_name(kind, index, name), template.clone())
                        .map_err(|error| {
                            BadConfig::new(path, format!("not a template: {}", error.kind()))
                        })?;
                }
            }
        }
        Ok(Self {
            templates,
            mapping: config.mapping.clone(),
        })
    }

    /// The effects of an event, in the order they are written.
    pub fn plan(&self, event: &Event) -> Result<Vec<Effect>, BadEvent> {
        match self.mapping.get(&event.kind) {
            Some(templates) => self.mapped(event, templates),
            None => default_effects(event),
        }
    }

    fn mapped(&self, event: &Event, templates: &[EffectTemplate]) -> Result<Vec<Effect>, BadEvent> {
        let context = minijinja::context! { event => event };
        let mut effects = Vec::with_capacity(templates.len());
        for (index, template) in templates.iter().enumerate() {
            let mut fields = Fields::new();
            for name in template.fields.keys() {
                let failed = |text: &str| BadEvent {
                    code: codes::EVENT_TEMPLATE,
                    text: format!("`mapping.{}[{index}].fields.{name}`: {text}", event.kind),
                };
                let text = self
                    .templates
                    .get_template(&template_name(&event.kind, index, name))
                    .and_then(|template| template.render(&context))
                    .map_err(|error| failed(&error.kind().to_string()))?;
                let Some(field) = Field::parse(name) else {
                    continue;
                };
                if let Some(value) = typed(&field, text.trim()).map_err(failed)? {
                    fields.insert(field, value);
                }
            }
            let write = template
                .write
                .unwrap_or(if template.object == Object::Contact {
                    Write::Contact
                } else {
                    Write::Create
                });
            let name = if index == 0 {
                template.object.name().to_owned()
            } else {
                format!("{}-{index}", template.object)
            };
            if template.object != Object::Contact && !fields.contains_key(&Field::At) {
                fields.insert(Field::At, Value::At(event.at));
            }
            let key = match (template.object, write) {
                (Object::Contact, _) => own_key(event),
                (Object::Call, _) => effect::call_key(&event.call_id),
                (Object::Deal, _) => effect::deal_key(&own_key(event)),
                _ => effect::event_record_key(&event.id, &name),
            };
            effects.push(Effect {
                name,
                object: template.object,
                write,
                key,
                fields,
                linked: template.object != Object::Contact,
            });
        }
        Ok(effects)
    }
}

fn template_name(kind: &str, index: usize, field: &str) -> String {
    format!("{kind}/{index}/{field}")
}

fn typed(field: &Field, text: &str) -> Result<Option<Value>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(match field {
        Field::At => Value::At(WallTime(
            text.parse()
                .map_err(|_| "an instant in epoch milliseconds is needed")?,
        )),
        Field::Duration => Value::DurationMs(
            text.parse()
                .map_err(|_| "a length in whole milliseconds is needed")?,
        ),
        Field::OptedOut => Value::Flag(text.eq_ignore_ascii_case("true")),
        _ => Value::Text(text.to_owned()),
    }))
}

fn own_key(event: &Event) -> String {
    // Decoding refuses an event whose contact names nobody.
    event.contact.own_key().unwrap_or_default()
}

/// What each kind writes when the account's mapping doesn't say otherwise:
///
/// | kind | effects |
/// | --- | --- |
/// | `call_started` | contact exists |
/// | `caller_identified` | contact fields |
/// | `call_ended` | contact exists (with `properties`), call record |
/// | `call_transferred` | task for whoever takes the call |
/// | `deal_stage_changed` | deal with its stage |
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
            vec![call_update(event, Field::RecordingUrl, url)]
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
    if let Some(name) = event
        .contact
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let (first, last) = name
            .rsplit_once(' ')
            .map_or((name, None), |(first, last)| (first.trim(), Some(last)));
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
