//! Neutral fields as Close's.
//!
//! Close keeps custom fields on leads, contacts and opportunities under ids of their own, which the account's settings
//! name (`custom_fields`, by `<object>_<name>`); those that Callflume itself needs are [`KEY_FIELD`] and the others
//! below. A list (phones, e-mails) and a text are replaced as a whole, so an update never sends what it can't set
//! without losing what people typed.
//!
//! | field | contact | call | note | task | deal (opportunity) |
//! | --- | --- | --- | --- | --- | --- |
//! | `first_name`, `last_name` | `name`; an update sends it only with both | | | | |
//! | `phone`, `email` | `phones`, `emails` of a new contact; never in an update | | | | |
//! | `opted_out` | custom field `contact.opted_out` | | | | |
//! | `at` | | `activity_at` | `activity_at` | `date` (due) | |
//! | `title` | | first paragraph of `note` | `title` | first paragraph of `text` | `note` of a new one |
//! | `text` | | `note`, with our marker | same | `text`, with our marker | |
//! | `direction` | | `direction` of a new call | | | |
//! | `duration` | | `duration`, seconds | | | |
//! | `disposition` | | `status`; `outcome_id` if the settings give one | | | |
//! | `from`, `to` | | `phone`: the other side's, told by the direction | | | |
//! | `recording_url` | | `recording_url`; left out unless `https` | | | |
//! | `sentiment` | | custom field `call.sentiment`; without one a line of a new call's `note`, later the custom field `contact.sentiment` | | | |
//! | `call_id` | | none: the marker is made of it | | | |
//! | `priority` | | | | `priority`: `high`, `medium`; Close has no `low` | |
//! | `stage`, `pipeline` | | | | | `status_id`; `pipeline_id` of a new one without a stage |
//! | `amount` | | | | | `value`, cents |
//! | `owner` | custom field `contact.owner` | `user_id` | `user_id` | `assigned_to` | `user_id` |
//! | `x.<name>` | custom field `contact.<name>`, else `custom.<name>` for an id `cf_…`, else Close's own field | same, `call.` | Close's own field | same | as contact, `deal.` |

use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::vendor::Item;
use serde_json::{Map, Value as Json, json};

use super::ids::is_custom_field;
use super::lack::Lack;
use super::text::{TITLE_MAX, cut, marked};
use super::when::{cents, iso, seconds};
use crate::settings::Settings;

/// Our key of a contact: a custom text field of contacts.
pub const KEY_FIELD: &str = "contact_key";
/// Whether a contact must not be called again, `true` or `false`: a custom text field of contacts.
pub const OPTED_OUT_FIELD: &str = "contact_opted_out";
/// Sentiment of a contact's last call: a custom text field of contacts.
pub const SENTIMENT_FIELD: &str = "contact_sentiment";
/// Our key of a deal: a custom text field of opportunities.
pub const DEAL_KEY_FIELD: &str = "deal_key";
/// Sentiment of a call, if the account has a custom field for it on calls.
const CALL_SENTIMENT_FIELD: &str = "call_sentiment";
/// A contact's owner, if the account has a custom field for it.
const OWNER_FIELD: &str = "contact_owner";

/// Fields of Close's that say whose a record is or hold lists that are replaced as a whole: never set by a mapping.
const PROTECTED: &[&str] = &[
    "id",
    "_type",
    "lead_id",
    "contact_id",
    "phones",
    "emails",
    "contacts",
    "note",
    "note_html",
    "text",
];

/// Fields of Close's own that are whole numbers; everything else that a mapping names is a text.
const NUMBERS: &[&str] = &["confidence", "value", "duration"];

/// Whether a record is made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    New,
    Change,
}

type Body = Map<String, Json>;

/// Whether an object has a place for a field; the table above.
pub fn has_field(object: Object, field: &Field) -> bool {
    use Object::{Call, Contact, Deal, Note, Task};
    match field {
        Field::FirstName | Field::LastName | Field::Phone | Field::Email | Field::OptedOut => {
            object == Contact
        }
        Field::At => matches!(object, Call | Note | Task),
        Field::Title => object != Contact,
        Field::Text => matches!(object, Call | Note | Task),
        Field::Direction
        | Field::Duration
        | Field::Disposition
        | Field::From
        | Field::To
        | Field::RecordingUrl
        | Field::Sentiment => object == Call,
        Field::CallId => false,
        Field::Priority => object == Task,
        Field::Pipeline | Field::Stage | Field::Amount => object == Deal,
        Field::Owner => true,
        Field::Custom(name) => {
            !PROTECTED.contains(&name.as_str())
                && (!is_custom_field(name) || !matches!(object, Note | Task))
        }
    }
}

/// The name under which Close takes a custom field, if the settings give its id.
pub(crate) fn custom(settings: &Settings, name: &str) -> Option<String> {
    settings
        .custom_field(name)
        .filter(|id| is_custom_field(id))
        .map(|id| format!("custom.{id}"))
}

/// A new contact, to be nested in a new lead.
pub(crate) fn new_contact(settings: &Settings, item: &Item) -> Result<Body, Lack> {
    let mut body = Body::new();
    let fields = &item.fields;
    if let Some(name) = name(fields) {
        body.insert("name".into(), name.into());
    }
    if let Some(phone) = said(fields, &Field::Phone) {
        body.insert("phones".into(), json!([{"phone": phone, "type": "office"}]));
    }
    if let Some(email) = said(fields, &Field::Email) {
        body.insert("emails".into(), json!([{"email": email, "type": "office"}]));
    }
    own_contact_fields(settings, fields, &mut body)?;
    customs(settings, Object::Contact, fields, &mut body);
    let key = custom(settings, KEY_FIELD).ok_or(Lack::Unprepared)?;
    body.insert(key, item.key.clone().into());
    Ok(body)
}

/// What a new lead is called: as its contact, and a contact without a name as people would find them.
pub(crate) fn lead_name(item: &Item) -> String {
    name(&item.fields)
        .or_else(|| said(&item.fields, &Field::Phone))
        .or_else(|| said(&item.fields, &Field::Email))
        .unwrap_or_else(|| "Unknown caller".to_owned())
}

/// What an update changes of a contact.
pub(crate) fn contact_change(settings: &Settings, item: &Item) -> Result<Body, Lack> {
    let mut body = Body::new();
    let fields = &item.fields;
    let whole = fields.contains_key(&Field::FirstName) && fields.contains_key(&Field::LastName);
    if let Some(name) = name(fields).filter(|_| whole) {
        body.insert("name".into(), name.into());
    }
    own_contact_fields(settings, fields, &mut body)?;
    customs(settings, Object::Contact, fields, &mut body);
    if let Some(key) = custom(settings, KEY_FIELD) {
        body.remove(&key);
        if item.stamp {
            body.insert(key, item.key.clone().into());
        }
    } else if item.stamp {
        return Err(Lack::Unprepared);
    }
    Ok(body)
}

fn own_contact_fields(settings: &Settings, fields: &Fields, body: &mut Body) -> Result<(), Lack> {
    if let Some(opted_out) = said(fields, &Field::OptedOut) {
        let field = custom(settings, OPTED_OUT_FIELD).ok_or(Lack::Unprepared)?;
        body.insert(field, opted_out.into());
    }
    if let (Some(owner), Some(field)) = (said(fields, &Field::Owner), custom(settings, OWNER_FIELD))
    {
        body.insert(field, owner.into());
    }
    Ok(())
}

fn name(fields: &Fields) -> Option<String> {
    let parts: Vec<String> = [Field::FirstName, Field::LastName]
        .iter()
        .filter_map(|field| said(fields, field))
        .collect();
    (!parts.is_empty()).then(|| cut(&parts.join(" "), TITLE_MAX))
}

/// A call, but for the sentiment of one that is there: see [`later_sentiment`].
pub(crate) fn call(settings: &Settings, item: &Item, mode: Mode) -> Body {
    let mut body = Body::new();
    let fields = &item.fields;
    put(&mut body, "activity_at", instant(fields));
    let direction = said(fields, &Field::Direction);
    let other_side = match direction.as_deref() {
        Some("outbound") => said(fields, &Field::To),
        Some(_) => said(fields, &Field::From),
        None if mode == Mode::New => {
            said(fields, &Field::From).or_else(|| said(fields, &Field::To))
        }
        None => None,
    };
    put(&mut body, "phone", other_side);
    if mode == Mode::New {
        put(&mut body, "direction", direction);
    }
    if let Some(Value::DurationMs(ms)) = fields.get(&Field::Duration) {
        body.insert("duration".into(), seconds(*ms).into());
    }
    if let Some(disposition) = said(fields, &Field::Disposition) {
        let status = status(&disposition);
        let outcome = settings.disposition(&disposition).map(ToOwned::to_owned);
        put(&mut body, "status", status.map(ToOwned::to_owned));
        // A name that is none of ours is an outcome's id from a mapping.
        let outcome = outcome.or_else(|| status.is_none().then_some(disposition));
        put(&mut body, "outcome_id", outcome);
    }
    let recording = said(fields, &Field::RecordingUrl).filter(|url| url.starts_with("https://"));
    put(&mut body, "recording_url", recording);
    put(&mut body, "user_id", said(fields, &Field::Owner));
    let title = said(fields, &Field::Title).unwrap_or_default();
    let text = said(fields, &Field::Text).unwrap_or_default();
    let mut sentiment = said(fields, &Field::Sentiment);
    if let (Some(field), Some(_)) = (custom(settings, CALL_SENTIMENT_FIELD), &sentiment) {
        put(&mut body, &field, sentiment.take());
    }
    if mode == Mode::New {
        let line = sentiment.map(|said| format!("Sentiment: {said}"));
        let parts = [&*title, &*text, line.as_deref().unwrap_or_default()];
        body.insert("note".into(), marked(&parts, &item.key).into());
    } else if !text.is_empty() {
        body.insert("note".into(), marked(&[&title, &text], &item.key).into());
    }
    customs(settings, Object::Call, fields, &mut body);
    body
}

/// The sentiment of a call that is there, as its contact's field; none if the call itself holds it, or there is none.
pub(crate) fn later_sentiment(settings: &Settings, fields: &Fields) -> Result<Option<Body>, Lack> {
    let on_call = custom(settings, CALL_SENTIMENT_FIELD).is_some();
    match said(fields, &Field::Sentiment) {
        Some(sentiment) if !on_call => {
            let field = custom(settings, SENTIMENT_FIELD).ok_or(Lack::Unprepared)?;
            Ok(Some(Body::from_iter([(field, sentiment.into())])))
        }
        _ => Ok(None),
    }
}

/// Close's call status per disposition.
const STATUS_TABLE: &[(&str, &str)] = &[
    ("connected", "completed"),
    ("transferred", "completed"),
    ("voicemail", "completed"),
    ("no_answer", "no-answer"),
    ("busy", "busy"),
    ("declined", "busy"),
    ("abandoned", "cancel"),
    ("failed", "failed"),
    ("error", "failed"),
];

fn status(disposition: &str) -> Option<&'static str> {
    STATUS_TABLE
        .iter()
        .find(|(known, _)| *known == disposition)
        .map(|(_, status)| *status)
}

/// A note.
pub(crate) fn note(settings: &Settings, item: &Item, mode: Mode) -> Body {
    let mut body = Body::new();
    let fields = &item.fields;
    put(&mut body, "activity_at", instant(fields));
    put(
        &mut body,
        "title",
        said(fields, &Field::Title).map(|title| cut(&title, TITLE_MAX)),
    );
    if mode == Mode::New {
        // The update of a note takes no user.
        put(&mut body, "user_id", said(fields, &Field::Owner));
    }
    let text = said(fields, &Field::Text);
    if mode == Mode::New || text.is_some() {
        let text = text.unwrap_or_default();
        body.insert("note".into(), marked(&[&text], &item.key).into());
    }
    customs(settings, Object::Note, fields, &mut body);
    body
}

/// A task.
pub(crate) fn task(settings: &Settings, item: &Item, mode: Mode) -> Body {
    let mut body = Body::new();
    let fields = &item.fields;
    put(&mut body, "date", instant(fields));
    put(&mut body, "assigned_to", said(fields, &Field::Owner));
    let priority = said(fields, &Field::Priority)
        .filter(|priority| matches!(priority.as_str(), "high" | "medium"));
    put(&mut body, "priority", priority);
    let title = said(fields, &Field::Title).unwrap_or_default();
    let text = said(fields, &Field::Text).unwrap_or_default();
    if mode == Mode::New || !(title.is_empty() && text.is_empty()) {
        body.insert("text".into(), marked(&[&title, &text], &item.key).into());
    }
    if mode == Mode::New {
        body.insert("_type".into(), "lead".into());
        body.insert("is_complete".into(), false.into());
    }
    customs(settings, Object::Task, fields, &mut body);
    body
}

/// An opportunity.
pub(crate) fn deal(settings: &Settings, item: &Item, mode: Mode) -> Result<Body, Lack> {
    let mut body = Body::new();
    let fields = &item.fields;
    let stage = said(fields, &Field::Stage);
    if mode == Mode::New {
        if stage.is_none() {
            // A stage belongs to one pipeline: both could only contradict each other.
            put(&mut body, "pipeline_id", said(fields, &Field::Pipeline));
        }
        put(
            &mut body,
            "note",
            said(fields, &Field::Title).map(|title| cut(&title, TITLE_MAX)),
        );
    }
    put(&mut body, "status_id", stage);
    if let Some(amount) = said(fields, &Field::Amount) {
        let cents = cents(&amount).ok_or(Lack::Refused("the amount is no decimal number"))?;
        body.insert("value".into(), cents.into());
        if mode == Mode::New {
            body.insert("value_period".into(), "one_time".into());
        }
    }
    put(&mut body, "user_id", said(fields, &Field::Owner));
    customs(settings, Object::Deal, fields, &mut body);
    let key = custom(settings, DEAL_KEY_FIELD).ok_or(Lack::Unprepared)?;
    body.remove(&key);
    if mode == Mode::New {
        body.insert(key, item.key.clone().into());
    }
    Ok(body)
}

/// Sets what a mapping names by Close's own names; it wins over a mapped field.
fn customs(settings: &Settings, object: Object, fields: &Fields, body: &mut Body) {
    for (field, value) in fields {
        let Field::Custom(name) = field else { continue };
        if !has_field(object, field) {
            continue;
        }
        let name = match custom(settings, &format!("{object}_{name}")) {
            Some(custom) => custom,
            None if is_custom_field(name) => format!("custom.{name}"),
            None => name.clone(),
        };
        let text = plain(value);
        let number = NUMBERS.contains(&name.as_str());
        match text.parse::<u64>() {
            Ok(value) if number => body.insert(name, value.into()),
            _ => body.insert(name, text.into()),
        };
    }
}

fn put(body: &mut Body, name: &str, text: Option<String>) {
    if let Some(text) = text {
        body.insert(name.to_owned(), text.into());
    }
}

fn said(fields: &Fields, field: &Field) -> Option<String> {
    fields.get(field).map(plain).filter(|text| !text.is_empty())
}

fn instant(fields: &Fields) -> Option<String> {
    match fields.get(&Field::At) {
        Some(Value::At(at)) => Some(iso(*at)),
        _ => None,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::At(at) => iso(*at),
        Value::DurationMs(ms) => seconds(*ms).to_string(),
        Value::Flag(flag) => flag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use callflume_core::effect::DISPOSITIONS;

    use super::*;

    #[test]
    fn every_disposition_has_a_status() {
        for name in DISPOSITIONS {
            assert!(status(name).is_some(), "{name}");
        }
        assert_eq!(STATUS_TABLE.len(), DISPOSITIONS.len());
    }
}
