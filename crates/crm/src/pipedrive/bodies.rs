//! Bodies of Pipedrive's writes: the fields of an item where the table in `fields` puts them.
//!
//! Pure: the same item makes the same body, or the same reason why it can't be sent.

use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::vendor::Item;
use serde_json::{Map, Number, Value as Json, json};

use super::fields::{CONTACT_KEY, DEAL_KEY, OPTED_OUT, Type, own_field};
use super::texts::{line, note};
use crate::instants::{date_and_time, hours_and_minutes, spelled};
use crate::settings::Settings;
use crate::values::plain;

/// Why a record can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The account's settings lack the key of this custom field: the account isn't prepared.
    Unprepared(&'static str),
    /// The record itself; why.
    Item(&'static str),
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is made.
    Create,
    /// It is there.
    Update,
}

/// The key of a custom field of ours.
pub(crate) fn custom_key<'a>(
    settings: &'a Settings,
    name: &'static str,
) -> Result<&'a str, Obstacle> {
    settings
        .custom_field(name)
        .ok_or(Obstacle::Unprepared(name))
}

/// The body that writes an item.
pub(crate) fn body(
    settings: &Settings,
    object: Object,
    mode: Mode,
    item: &Item,
) -> Result<Map<String, Json>, Obstacle> {
    let mut writer = Writer {
        settings,
        fields: &item.fields,
        body: Map::new(),
        custom: Map::new(),
    };
    match object {
        Object::Contact => writer.contact(mode)?,
        Object::Call => writer.call(mode, item)?,
        Object::Note => writer.note(mode, item)?,
        Object::Task => writer.task(mode, item)?,
        Object::Deal => writer.deal(mode, item)?,
    }
    writer.own_properties(object)?;
    // Last, so that nothing wins over it.
    let key_field = match object {
        Object::Contact if mode == Mode::Create || item.stamp => Some(CONTACT_KEY),
        Object::Deal if mode == Mode::Create || item.stamp => Some(DEAL_KEY),
        _ => None,
    };
    if let Some(name) = key_field {
        let key = custom_key(settings, name)?;
        writer
            .custom
            .insert(key.to_owned(), item.key.clone().into());
    }
    if !writer.custom.is_empty() {
        writer
            .body
            .insert("custom_fields".into(), Json::Object(writer.custom));
    }
    if object == Object::Note && mode == Mode::Create {
        let linked = ["person_id", "deal_id", "lead_id", "org_id"]
            .iter()
            .any(|name| writer.body.contains_key(*name));
        if !linked {
            return Err(Obstacle::Item("a note must be on a contact"));
        }
    }
    Ok(writer.body)
}

/// Builds one body.
struct Writer<'a> {
    settings: &'a Settings,
    fields: &'a Fields,
    body: Map<String, Json>,
    custom: Map<String, Json>,
}

impl Writer<'_> {
    fn text(&self, field: &Field) -> Option<String> {
        self.fields.get(field).map(plain)
    }

    fn put(&mut self, name: &str, value: impl Into<Json>) {
        self.body.insert(name.to_owned(), value.into());
    }

    fn put_line(&mut self, name: &str, field: &Field, default: Option<&str>) {
        let text = self.text(field).map(|text| line(&text));
        let text = text.filter(|text| !text.is_empty());
        if let Some(text) = text.or_else(|| default.map(ToOwned::to_owned)) {
            self.put(name, text);
        }
    }

    fn put_whole(
        &mut self,
        name: &str,
        field: &Field,
        otherwise: &'static str,
    ) -> Result<(), Obstacle> {
        if let Some(text) = self.text(field) {
            let number: u64 = text.trim().parse().map_err(|_| Obstacle::Item(otherwise))?;
            self.put(name, number);
        }
        Ok(())
    }

    fn put_owner(&mut self) -> Result<(), Obstacle> {
        self.put_whole(
            "owner_id",
            &Field::Owner,
            "`owner` is no id of a Pipedrive user, a whole number",
        )
    }

    fn contact(&mut self, mode: Mode) -> Result<(), Obstacle> {
        let first = self.text(&Field::FirstName);
        let last = self.text(&Field::LastName);
        let (phone, email) = (self.text(&Field::Phone), self.text(&Field::Email));
        let name = match (&first, &last) {
            (Some(first), Some(last)) => Some(format!("{first} {last}")),
            (Some(one), None) | (None, Some(one)) if mode == Mode::Create => Some(one.clone()),
            _ => None,
        };
        let name = name.map(|name| line(&name)).filter(|name| !name.is_empty());
        match mode {
            Mode::Create => {
                let name = name.or_else(|| phone.clone()).or_else(|| email.clone());
                self.put("name", name.unwrap_or_else(|| "Unknown caller".to_owned()));
                for (name, value) in [("phones", phone), ("emails", email)] {
                    if let Some(value) = value {
                        let entry = json!([{"value": value, "primary": true, "label": "work"}]);
                        self.put(name, entry);
                    }
                }
            }
            Mode::Update => {
                if let Some(name) = name {
                    self.put("name", name);
                }
                for (name, value) in [("contact_phone", phone), ("contact_email", email)] {
                    if let (Some(key), Some(value)) = (self.settings.custom_field(name), value) {
                        self.custom.insert(key.to_owned(), value.into());
                    }
                }
            }
        }
        if let Some(opted_out) = self.text(&Field::OptedOut) {
            let key = custom_key(self.settings, OPTED_OUT)?;
            self.custom.insert(key.to_owned(), opted_out.into());
        }
        self.put_owner()
    }

    fn call(&mut self, mode: Mode, item: &Item) -> Result<(), Obstacle> {
        self.activity(mode, item, "call", "Call")?;
        if let Some(Value::DurationMs(ms)) = self.fields.get(&Field::Duration) {
            self.put("duration", hours_and_minutes(*ms));
        }
        if let Some(url) = self.text(&Field::RecordingUrl) {
            self.put("public_description", format!("Recording: {url}"));
        }
        if let Some(sentiment) = self.text(&Field::Sentiment) {
            let shown = line(&format!("Sentiment: {sentiment}"));
            self.put("location", json!({"value": shown}));
        }
        let whole =
            self.fields.contains_key(&Field::Text) || self.fields.contains_key(&Field::Disposition);
        if mode == Mode::Create || whole {
            let facts = self.call_facts();
            let text = self.text(&Field::Text).unwrap_or_default();
            self.put("note", note(&text, &facts, &item.key, ""));
        }
        Ok(())
    }

    /// What of a call has no field on an activity, one line each.
    fn call_facts(&self) -> Vec<String> {
        let disposition = self.text(&Field::Disposition).map(|name| {
            let own = self.settings.disposition(&name).map(ToOwned::to_owned);
            own.unwrap_or_else(|| name.replace('_', " "))
        });
        let seconds = match self.fields.get(&Field::Duration) {
            Some(Value::DurationMs(ms)) => Some(format!("{} s", ms.saturating_add(500) / 1_000)),
            _ => None,
        };
        [
            ("Direction", self.text(&Field::Direction)),
            ("Outcome", disposition),
            ("Length", seconds),
            ("From", self.text(&Field::From)),
            ("To", self.text(&Field::To)),
            ("Call", self.text(&Field::CallId)),
        ]
        .into_iter()
        .filter_map(|(label, value)| Some(format!("{label}: {}", line(&value?))))
        .collect()
    }

    fn task(&mut self, mode: Mode, item: &Item) -> Result<(), Obstacle> {
        self.activity(mode, item, "task", "Task")?;
        if mode == Mode::Create || self.fields.contains_key(&Field::Text) {
            let priority = self.text(&Field::Priority);
            let facts: Vec<String> = priority
                .map(|priority| format!("Priority: {}", line(&priority)))
                .into_iter()
                .collect();
            let text = self.text(&Field::Text).unwrap_or_default();
            self.put("note", note(&text, &facts, &item.key, ""));
        }
        Ok(())
    }

    fn activity(
        &mut self,
        mode: Mode,
        item: &Item,
        kind: &str,
        subject: &str,
    ) -> Result<(), Obstacle> {
        let default = (mode == Mode::Create).then_some(subject);
        self.put_line("subject", &Field::Title, default);
        if mode == Mode::Create {
            self.put("type", kind);
            self.put("done", kind == "call");
            if let Some(person) = person(item)? {
                self.put(
                    "participants",
                    json!([{"person_id": person, "primary": true}]),
                );
            }
        }
        if let Some(Value::At(at)) = self.fields.get(&Field::At) {
            let (date, time) = date_and_time(*at);
            self.put("due_date", date);
            self.put("due_time", time);
        }
        self.put_owner()
    }

    fn note(&mut self, mode: Mode, item: &Item) -> Result<(), Obstacle> {
        if mode == Mode::Create || self.fields.contains_key(&Field::Text) {
            let at = match self.fields.get(&Field::At) {
                Some(Value::At(at)) => spelled(*at),
                _ => String::new(),
            };
            let text = self.text(&Field::Text).unwrap_or_default();
            self.put("content", note(&text, &[], &item.key, &at));
        }
        if mode == Mode::Create
            && let Some(person) = person(item)?
        {
            self.put("person_id", person);
        }
        Ok(())
    }

    fn deal(&mut self, mode: Mode, item: &Item) -> Result<(), Obstacle> {
        let default = (mode == Mode::Create).then_some("Deal from a call");
        self.put_line("title", &Field::Title, default);
        if mode == Mode::Create
            && let Some(person) = person(item)?
        {
            self.put("person_id", person);
        }
        self.put_whole(
            "pipeline_id",
            &Field::Pipeline,
            "`pipeline` is no id of a Pipedrive pipeline, a whole number",
        )?;
        match self.text(&Field::Stage).as_deref() {
            Some(status @ ("won" | "lost" | "open")) => self.put("status", status),
            _ => self.put_whole(
                "stage_id",
                &Field::Stage,
                "`stage` is neither an id of a Pipedrive stage, a whole number, nor won, lost or open",
            )?,
        }
        if let Some(amount) = self.text(&Field::Amount) {
            let number = number(&amount).ok_or(Obstacle::Item("`amount` is no number"))?;
            self.put("value", number);
        }
        self.put_owner()
    }

    fn own_properties(&mut self, object: Object) -> Result<(), Obstacle> {
        for (field, value) in self.fields {
            let Field::Custom(name) = field else {
                continue;
            };
            let text = plain(value);
            if let Some((own, kind)) = own_field(object, name) {
                let typed = typed(kind, &text).ok_or(Obstacle::Item(
                    "a property of Pipedrive's own has a value that isn't of its type",
                ))?;
                self.put(own, typed);
            } else if matches!(object, Object::Contact | Object::Deal) {
                let key = self.settings.custom_field(&format!("{object}_{name}"));
                let key = key.unwrap_or(name);
                let ours = [CONTACT_KEY, DEAL_KEY]
                    .iter()
                    .any(|name| self.settings.custom_field(name) == Some(key));
                if !ours {
                    self.custom.insert(key.to_owned(), text.into());
                }
            }
        }
        Ok(())
    }
}

/// The person that a record is on.
pub(crate) fn person(item: &Item) -> Result<Option<u64>, Obstacle> {
    item.contact
        .as_deref()
        .map(|id| {
            id.parse()
                .map_err(|_| Obstacle::Item("the contact's id is none of Pipedrive's"))
        })
        .transpose()
}

fn typed(kind: Type, text: &str) -> Option<Json> {
    Some(match kind {
        Type::Text => text.into(),
        Type::Whole => text.trim().parse::<u64>().ok()?.into(),
        Type::Number => number(text)?.into(),
        Type::Flag => text.trim().parse::<bool>().ok()?.into(),
    })
}

/// Decimal text as a JSON number, whole if it is.
fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    Number::from_f64(text.parse().ok()?)
}
