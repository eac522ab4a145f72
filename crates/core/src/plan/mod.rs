//! Events to effects.
//!
//! Decides what each kind of event writes: the table in [`default_effects`], or what the account's mapping says. An
//! event that can't be planned (a value its kind needs is missing, a template fails) is refused with a code. Pure:
//! the same event and configuration give the same effects, so a takeover plans what its predecessor planned.

mod defaults;

use std::collections::BTreeMap;

use minijinja::Environment;

pub use self::defaults::{contact_base_fields, default_effects};
use crate::codes;
use crate::config::{AccountConfig, BadConfig, EffectTemplate};
use crate::effect::{self, Effect, Field, Fields, Object, Value, Write};
use crate::event::{BadEvent, Event};
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
                let of_contact = effect.object == Object::Contact;
                if effect
                    .write
                    .is_some_and(|write| (write == Write::Contact) != of_contact)
                {
                    return Err(BadConfig::new(
                        format!("mapping.{kind}[{index}].write"),
                        "contacts are written with `contact` (leave `write` out), other records with `create`, \
                         `upsert` or `update`",
                    ));
                }
                if effect.write == Some(Write::Update)
                    && !matches!(effect.object, Object::Call | Object::Deal)
                {
                    return Err(BadConfig::new(
                        format!("mapping.{kind}[{index}].write"),
                        "only the event's call and the contact's deal can be updated; leave `write` out to create",
                    ));
                }
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
            // What is created on a timeline has a time; an update sets only what it names.
            let dated = matches!(template.object, Object::Call | Object::Note | Object::Task);
            if dated && write != Write::Update && !fields.contains_key(&Field::At) {
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
                url_expires_at: None,
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
