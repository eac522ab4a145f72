//! Records as Salesforce takes them: the fields of an item where the table in `fields` puts them.
//!
//! Pure: the same item makes the same record, or the same reason why it can't be sent. Empty texts are left out: Salesforce
//! would clear the field. What a new record can't do without is filled in on creation only, never on an update:
//!
//! | record | required | when nothing is given |
//! | --- | --- | --- |
//! | contact | `LastName` | the first name alone, else the e-mail address up to its `@`, else the phone number, else `Unknown` |
//! | call, note, task | `Subject`, `Status` | `Call`, `Note`, `Task`; `Completed`, for a task `Not Started` |
//! | deal | `Name` | `Deal from a call` |
//! | deal | `CloseDate` | the day of `at`, else [`CLOSE_DATE`], far away so that no forecast counts on it |
//! | deal | `StageName` | nothing: a deal without a stage is not sent |

use callflume_core::effect::{Field, Object, Value};
use callflume_core::vendor::Item;
use serde_json::{Map, Number, Value as Json};

use super::fields::{key_field, recording_field, sentiment_field};
use super::paths::is_id;
use super::texts::{LINE_MAX, description, line};
use crate::instants::{date_and_time, spelled};
use crate::settings::Settings;
use crate::values::plain;

/// When a deal closes of which a mapping says no `at`: one of `deal_stage_changed` has its event's day.
pub const CLOSE_DATE: &str = "2099-12-31";

/// Longest names, characters (Object Reference).
const FIRST_NAME_MAX: usize = 40;
const LAST_NAME_MAX: usize = 80;
const DEAL_NAME_MAX: usize = 120;

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is made, or brought up to date by its key if it was made meanwhile.
    Create,
    /// It is there.
    Update,
}

/// The fields of a record, without our key; or why the item can't be sent.
pub(crate) fn record(
    settings: &Settings,
    object: Object,
    mode: Mode,
    item: &Item,
) -> Result<Map<String, Json>, &'static str> {
    let mut writer = Writer {
        settings,
        item,
        creates: mode == Mode::Create,
        record: Map::new(),
    };
    match object {
        Object::Contact => writer.contact()?,
        Object::Call => writer.call()?,
        Object::Note => writer.note()?,
        Object::Task => writer.task()?,
        Object::Deal => writer.deal()?,
    }
    if let Some(owner) = writer.text(&Field::Owner) {
        if !is_id(&owner) {
            return Err("`owner` is no id of a Salesforce user");
        }
        writer.put("OwnerId", owner);
    }
    writer.own_properties(object);
    if mode == Mode::Create && object == Object::Deal && !writer.has("StageName") {
        return Err("a deal can't be made without a stage");
    }
    Ok(writer.record)
}

/// Builds one record.
struct Writer<'a> {
    settings: &'a Settings,
    item: &'a Item,
    creates: bool,
    record: Map<String, Json>,
}

impl Writer<'_> {
    /// A field as text, without blanks around it; none if nothing is left.
    fn text(&self, field: &Field) -> Option<String> {
        let text = plain(self.item.fields.get(field)?);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn line(&self, field: &Field, max: usize) -> Option<String> {
        let text = line(&self.text(field)?, max);
        (!text.is_empty()).then_some(text)
    }

    fn has(&self, name: &str) -> bool {
        self.record.keys().any(|it| it.eq_ignore_ascii_case(name))
    }

    /// Names of fields are the same in any case.
    fn put(&mut self, name: &str, value: impl Into<Json>) {
        self.record.retain(|it, _| !it.eq_ignore_ascii_case(name));
        self.record.insert(name.to_owned(), value.into());
    }

    fn put_line(&mut self, name: &str, field: &Field, max: usize, default: &str) {
        let default = Some(default.to_owned()).filter(|it| self.creates && !it.is_empty());
        if let Some(text) = self.line(field, max).or(default) {
            self.put(name, text);
        }
    }

    fn put_link(&mut self, name: &str) -> Result<(), &'static str> {
        if let Some(contact) = self.item.contact.as_deref().filter(|_| self.creates) {
            if !is_id(contact) {
                return Err("the contact's id is none of Salesforce's");
            }
            self.put(name, contact);
        }
        Ok(())
    }

    fn at(&self) -> Option<String> {
        match self.item.fields.get(&Field::At) {
            Some(Value::At(at)) => Some(date_and_time(*at).0),
            _ => None,
        }
    }

    fn put_date(&mut self) {
        if let Some(date) = self.at() {
            self.put("ActivityDate", date);
        }
    }

    fn contact(&mut self) -> Result<(), &'static str> {
        let first = self.line(&Field::FirstName, FIRST_NAME_MAX);
        let (phone, email) = (self.text(&Field::Phone), self.text(&Field::Email));
        let mut last = self.line(&Field::LastName, LAST_NAME_MAX);
        let mut first_kept = first.clone();
        if self.creates && last.is_none() {
            first_kept = None;
            let local = email.as_deref().and_then(|email| email.split('@').next());
            last = first
                .or_else(|| local.map(|it| line(it, LAST_NAME_MAX)))
                .filter(|name| !name.is_empty())
                .or_else(|| phone.clone())
                .or_else(|| Some("Unknown".to_owned()));
        }
        for (name, value) in [
            ("FirstName", first_kept),
            ("LastName", last),
            ("Phone", phone),
            ("Email", email),
        ] {
            if let Some(value) = value {
                self.put(name, value);
            }
        }
        match self.item.fields.get(&Field::OptedOut) {
            None => {}
            Some(Value::Flag(flag)) => self.put("DoNotCall", *flag),
            Some(other) => match plain(other).trim() {
                "true" => self.put("DoNotCall", true),
                "false" => self.put("DoNotCall", false),
                _ => return Err("`opted_out` is neither true nor false"),
            },
        }
        Ok(())
    }

    /// What is the same of everything that is a task in Salesforce. A task's subtype can't be changed, so it is never part
    /// of an update.
    fn activity(&mut self, subtype: &str, status: &str) -> Result<(), &'static str> {
        if self.creates {
            self.put("TaskSubtype", subtype);
            self.put("Status", status);
        }
        self.put_date();
        self.put_link("WhoId")
    }

    fn call(&mut self) -> Result<(), &'static str> {
        self.activity("Call", "Completed")?;
        self.put_line("Subject", &Field::Title, LINE_MAX, "Call");
        if let Some(direction) = self.line(&Field::Direction, LINE_MAX) {
            self.put("CallType", capitalised(&direction));
        }
        if let Some(Value::DurationMs(ms)) = self.item.fields.get(&Field::Duration) {
            // A begun second counts; Salesforce's whole numbers have 32 bits.
            self.put(
                "CallDurationInSeconds",
                ms.div_ceil(1_000).min(i32::MAX as u64),
            );
        }
        if let Some(name) = self.line(&Field::Disposition, LINE_MAX) {
            let own = self.settings.disposition(&name).map(ToOwned::to_owned);
            let shown = own.unwrap_or_else(|| capitalised(&name.replace('_', " ")));
            self.put("CallDisposition", line(&shown, LINE_MAX));
        }
        self.put_line("CallObject", &Field::CallId, LINE_MAX, "");
        if let Some(sentiment) = self.line(&Field::Sentiment, LINE_MAX) {
            self.put(sentiment_field(self.settings), sentiment);
        }
        if let Some(url) = self.text(&Field::RecordingUrl) {
            self.put(recording_field(self.settings), url);
        }
        if self.creates || self.text(&Field::Text).is_some() {
            let began = match self.item.fields.get(&Field::At) {
                Some(Value::At(at)) => Some(spelled(*at)),
                _ => None,
            };
            let facts: Vec<String> = [
                ("From", self.line(&Field::From, LINE_MAX)),
                ("To", self.line(&Field::To, LINE_MAX)),
                ("Began", began),
            ]
            .into_iter()
            .filter_map(|(label, value)| Some(format!("{label}: {}", value?)))
            .collect();
            self.put_description(&facts);
        }
        Ok(())
    }

    fn put_description(&mut self, facts: &[String]) {
        let text = self.text(&Field::Text).unwrap_or_default();
        let whole = description(&text, facts);
        if !whole.is_empty() {
            self.put("Description", whole);
        }
    }

    fn note(&mut self) -> Result<(), &'static str> {
        self.activity("Task", "Completed")?;
        if self.creates {
            self.put("Subject", "Note");
        }
        self.put_description(&[]);
        Ok(())
    }

    fn task(&mut self) -> Result<(), &'static str> {
        self.activity("Task", "Not Started")?;
        self.put_line("Subject", &Field::Title, LINE_MAX, "Task");
        self.put_description(&[]);
        if let Some(priority) = self.line(&Field::Priority, LINE_MAX) {
            let shown = match priority.as_str() {
                "medium" => "Normal".to_owned(),
                other => capitalised(other),
            };
            self.put("Priority", shown);
        }
        Ok(())
    }

    fn deal(&mut self) -> Result<(), &'static str> {
        self.put_line("Name", &Field::Title, DEAL_NAME_MAX, "Deal from a call");
        self.put_line("StageName", &Field::Stage, LINE_MAX, "");
        if let Some(pipeline) = self.text(&Field::Pipeline).filter(|it| is_id(it)) {
            self.put("RecordTypeId", pipeline);
        }
        if let Some(amount) = self.text(&Field::Amount) {
            self.put("Amount", number(&amount).ok_or("`amount` is no number")?);
        }
        if self.creates {
            let date = self.at().unwrap_or_else(|| CLOSE_DATE.to_owned());
            self.put("CloseDate", date);
        }
        // A contact can be named when the deal is made, not afterwards.
        self.put_link("ContactId")
    }

    fn own_properties(&mut self, object: Object) {
        for (field, value) in &self.item.fields {
            let Field::Custom(name) = field else {
                continue;
            };
            let own = self.settings.custom_field(&format!("{object}_{name}"));
            let own = own.unwrap_or(name);
            let reserved = [key_field(self.settings, object), "id", "attributes"];
            if reserved.iter().any(|it| it.eq_ignore_ascii_case(own)) {
                continue;
            }
            match value {
                Value::Flag(flag) => self.put(own, *flag),
                Value::DurationMs(ms) => self.put(own, *ms),
                Value::Text(text) if text.trim().is_empty() => {}
                Value::Text(text) => self.put(own, text.clone()),
                Value::At(at) => {
                    let shown = spelled(*at).replacen(' ', "T", 1).replace(" UTC", "Z");
                    self.put(own, shown);
                }
            }
        }
    }
}

/// Decimal text as a JSON number, whole if it is.
fn number(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    Number::from_f64(text.parse().ok()?)
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
