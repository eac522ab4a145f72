//! Neutral fields as HubSpot properties.
//!
//! HubSpot takes every value as text. A field that an object has no property for is left out; configuration is
//! checked against [`property`], so that happens only to fields the operator was told about. A vendor's own
//! property ([`Field::Custom`]) goes through verbatim and wins over a mapped one, but never over our key.
//!
//! | field | contact | call | note | task | deal |
//! | --- | --- | --- | --- | --- | --- |
//! | `first_name`, `last_name` | `firstname`, `lastname` | | | | |
//! | `phone`, `email` | `phone`, `email` | | | | |
//! | `opted_out` | `callflume_opted_out` | | | | |
//! | `at` | | `hs_timestamp` | `hs_timestamp` | `hs_timestamp` (due) | |
//! | `title` | | `hs_call_title` | | `hs_task_subject` | `dealname` |
//! | `text` | | `hs_call_body` | `hs_note_body` | `hs_task_body` | |
//! | `direction` | | `hs_call_direction` | | | |
//! | `duration` | | `hs_call_duration` | | | |
//! | `disposition` | | `hs_call_status`, `hs_call_disposition` | | | |
//! | `from`, `to` | | `hs_call_from_number`, `hs_call_to_number` | | | |
//! | `recording_url` | | `hs_call_recording_url` | | | |
//! | `sentiment` | | `callflume_sentiment` | | | |
//! | `call_id` | | `hs_call_external_id` | | | |
//! | `priority` | | | | `hs_task_priority` | |
//! | `pipeline`, `stage`, `amount` | | | | | `pipeline`, `dealstage`, `amount` |
//! | `owner` | `hubspot_owner_id` | same | same | same | same |
//!
//! Instants are epoch milliseconds, durations milliseconds, flags `true` and `false`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use callflume_core::effect::{Field, Fields, Object};

use crate::cut::cut;
use crate::settings::Settings;
use crate::values::plain;

/// Longest title, UTF-16 units (HubSpot counts as Java does).
pub(crate) const TITLE_MAX: usize = 255;
/// Longest body of a note, call or task, UTF-16 units.
pub(crate) const TEXT_MAX: usize = 65_536;

/// Our key of a record, on every object; a unique property that `account prepare` makes.
pub const KEY_PROPERTY: &str = "callflume_key";
/// Whether a contact must not be called again: `true` or `false`.
pub const OPTED_OUT_PROPERTY: &str = "callflume_opted_out";
/// Sentiment of a call: `positive`, `neutral` or `negative`.
pub const SENTIMENT_PROPERTY: &str = "callflume_sentiment";

/// What of a contact is read to tell who it is, and to greet them.
pub(crate) const CONTACT_PROPERTIES: [&str; 7] = [
    KEY_PROPERTY,
    "phone",
    "mobilephone",
    "email",
    "firstname",
    "lastname",
    "hubspot_owner_id",
];

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it is.
    Plain,
    /// In upper case: HubSpot's enumerations.
    Upper,
    /// Cut to a length.
    Cut(usize),
    /// As HubSpot's pair of status and outcome.
    Disposition,
}

/// The property that a field of an object is written to; none if the object has no such property.
pub fn property(object: Object, field: &Field) -> Option<Cow<'static, str>> {
    match field {
        Field::Custom(name) => Some(Cow::Owned(name.clone())),
        _ => mapped(object, field).map(|(name, _)| Cow::Borrowed(name)),
    }
}

const fn mapped(object: Object, field: &Field) -> Option<(&'static str, Form)> {
    use Form::{Cut, Disposition, Plain, Upper};
    use Object::{Call, Contact, Deal, Note, Task};
    Some(match (object, field) {
        (_, Field::Owner) => ("hubspot_owner_id", Plain),
        (Contact, Field::FirstName) => ("firstname", Plain),
        (Contact, Field::LastName) => ("lastname", Plain),
        (Contact, Field::Phone) => ("phone", Plain),
        (Contact, Field::Email) => ("email", Plain),
        (Contact, Field::OptedOut) => (OPTED_OUT_PROPERTY, Plain),
        (Call | Note | Task, Field::At) => ("hs_timestamp", Plain),
        (Call, Field::Title) => ("hs_call_title", Cut(TITLE_MAX)),
        (Call, Field::Text) => ("hs_call_body", Cut(TEXT_MAX)),
        (Call, Field::Direction) => ("hs_call_direction", Upper),
        (Call, Field::Duration) => ("hs_call_duration", Plain),
        (Call, Field::Disposition) => ("hs_call_disposition", Disposition),
        (Call, Field::From) => ("hs_call_from_number", Plain),
        (Call, Field::To) => ("hs_call_to_number", Plain),
        (Call, Field::RecordingUrl) => ("hs_call_recording_url", Plain),
        (Call, Field::Sentiment) => (SENTIMENT_PROPERTY, Plain),
        (Call, Field::CallId) => ("hs_call_external_id", Plain),
        (Note, Field::Text) => ("hs_note_body", Cut(TEXT_MAX)),
        (Task, Field::Title) => ("hs_task_subject", Cut(TITLE_MAX)),
        (Task, Field::Text) => ("hs_task_body", Cut(TEXT_MAX)),
        (Task, Field::Priority) => ("hs_task_priority", Upper),
        (Deal, Field::Title) => ("dealname", Cut(TITLE_MAX)),
        (Deal, Field::Pipeline) => ("pipeline", Plain),
        (Deal, Field::Stage) => ("dealstage", Plain),
        (Deal, Field::Amount) => ("amount", Plain),
        _ => return None,
    })
}

/// HubSpot's call status and default call outcome per disposition. HubSpot has no outcome for some; an account's own
/// ones are set in [`Settings`].
const DISPOSITION_TABLE: &[(&str, &str, Option<&str>)] = &[
    ("connected", "COMPLETED", Some(CONNECTED)),
    ("transferred", "COMPLETED", Some(CONNECTED)),
    (
        "voicemail",
        "COMPLETED",
        Some("b2cf5968-551e-4856-9783-52b3da59a7d0"),
    ),
    (
        "no_answer",
        "NO_ANSWER",
        Some("73a0d17f-1163-4015-bdd5-ec830791da20"),
    ),
    ("busy", "BUSY", Some(BUSY)),
    ("declined", "BUSY", Some(BUSY)),
    ("abandoned", "CANCELED", None),
    ("failed", "FAILED", None),
    ("error", "FAILED", None),
];
const CONNECTED: &str = "f240bbac-87c9-4f6e-bf70-924b57d47db7";
const BUSY: &str = "9d9162e7-6cf3-4944-bf63-4dff82258764";

/// The properties of a record with these fields, without our key.
pub(crate) fn write(
    settings: &Settings,
    object: Object,
    fields: &Fields,
) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    for (field, value) in fields {
        let Some((name, form)) = mapped(object, field) else {
            continue;
        };
        let text = plain(value);
        let written = match form {
            Form::Plain => text,
            Form::Upper => text.to_ascii_uppercase(),
            Form::Cut(max) => cut(text, max),
            Form::Disposition => {
                if let Some((status, outcome)) = disposition(settings, &text) {
                    properties.insert("hs_call_status".to_owned(), status.to_owned());
                    if let Some(outcome) = outcome {
                        properties.insert(name.to_owned(), outcome.to_owned());
                    }
                    continue;
                }
                // An account's own outcome id from a mapping; HubSpot refuses it by name if it is none.
                text
            }
        };
        properties.insert(name.to_owned(), written);
    }
    for (field, value) in fields {
        if let Field::Custom(name) = field
            && name != KEY_PROPERTY
        {
            properties.insert(name.clone(), plain(value));
        }
    }
    properties
}

fn disposition<'a>(settings: &'a Settings, name: &str) -> Option<(&'static str, Option<&'a str>)> {
    DISPOSITION_TABLE
        .iter()
        .find(|(known, _, _)| *known == name)
        .map(|(_, status, default)| (*status, settings.disposition(name).or(*default)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callflume_core::effect::{DISPOSITIONS, Value};
    use callflume_core::time::WallTime;

    fn text(value: &str) -> Value {
        Value::Text(value.into())
    }

    fn written(object: Object, fields: &[(Field, Value)]) -> Vec<(String, String)> {
        let fields = fields.iter().cloned().collect();
        write(&Settings::default(), object, &fields)
            .into_iter()
            .collect()
    }

    #[test]
    fn each_field_becomes_its_property_in_hubspots_units() {
        use Field as F;
        use Object as O;
        for (object, field, value, property, expect) in [
            (O::Contact, F::FirstName, text("Ada"), "firstname", "Ada"),
            (O::Contact, F::LastName, text("Roe"), "lastname", "Roe"),
            (
                O::Contact,
                F::Phone,
                text("+12025550143"),
                "phone",
                "+12025550143",
            ),
            (
                O::Contact,
                F::Email,
                text("a@example.org"),
                "email",
                "a@example.org",
            ),
            (
                O::Contact,
                F::OptedOut,
                Value::Flag(true),
                "callflume_opted_out",
                "true",
            ),
            (
                O::Call,
                F::At,
                Value::At(WallTime(1_792_000_000_123)),
                "hs_timestamp",
                "1792000000123",
            ),
            (O::Call, F::Title, text("Call"), "hs_call_title", "Call"),
            (O::Call, F::Text, text("sum"), "hs_call_body", "sum"),
            (
                O::Call,
                F::Direction,
                text("inbound"),
                "hs_call_direction",
                "INBOUND",
            ),
            (
                O::Call,
                F::Duration,
                Value::DurationMs(65_250),
                "hs_call_duration",
                "65250",
            ),
            (
                O::Call,
                F::From,
                text("+12025550143"),
                "hs_call_from_number",
                "+12025550143",
            ),
            (
                O::Call,
                F::To,
                text("+12025550144"),
                "hs_call_to_number",
                "+12025550144",
            ),
            (
                O::Call,
                F::RecordingUrl,
                text("https://r.example/1"),
                "hs_call_recording_url",
                "https://r.example/1",
            ),
            (
                O::Call,
                F::Sentiment,
                text("positive"),
                "callflume_sentiment",
                "positive",
            ),
            (O::Call, F::CallId, text("C1"), "hs_call_external_id", "C1"),
            (O::Note, F::At, Value::At(WallTime(5)), "hs_timestamp", "5"),
            (O::Note, F::Text, text("n"), "hs_note_body", "n"),
            (O::Task, F::At, Value::At(WallTime(6)), "hs_timestamp", "6"),
            (O::Task, F::Title, text("t"), "hs_task_subject", "t"),
            (O::Task, F::Text, text("b"), "hs_task_body", "b"),
            (
                O::Task,
                F::Priority,
                text("high"),
                "hs_task_priority",
                "HIGH",
            ),
            (O::Deal, F::Title, text("d"), "dealname", "d"),
            (O::Deal, F::Pipeline, text("default"), "pipeline", "default"),
            (
                O::Deal,
                F::Stage,
                text("closedwon"),
                "dealstage",
                "closedwon",
            ),
            (O::Deal, F::Amount, text("24.00"), "amount", "24.00"),
            (O::Deal, F::Owner, text("77"), "hubspot_owner_id", "77"),
            (
                O::Call,
                F::Custom("lead_score".into()),
                text("9"),
                "lead_score",
                "9",
            ),
        ] {
            assert_eq!(super::property(object, &field).as_deref(), Some(property));
            assert_eq!(
                written(object, &[(field.clone(), value)]),
                [(property.to_owned(), expect.to_owned())],
                "{object} {}",
                field.name()
            );
        }
    }

    #[test]
    fn a_field_the_object_has_no_property_for_is_left_out() {
        assert_eq!(property(Object::Note, &Field::Amount), None);
        assert_eq!(written(Object::Note, &[(Field::Amount, text("1"))]), []);
    }

    #[test]
    fn every_disposition_has_a_status_and_the_accounts_own_outcome_wins() {
        for name in DISPOSITIONS {
            assert!(disposition(&Settings::default(), name).is_some(), "{name}");
        }
        let own = [
            ("connected".to_owned(), "own-1".to_owned()),
            ("failed".to_owned(), "own-2".to_owned()),
        ];
        let settings = Settings::new(crate::ApiVersion::V3, own.into()).unwrap();
        assert_eq!(
            disposition(&settings, "connected"),
            Some(("COMPLETED", Some("own-1")))
        );
        assert_eq!(
            disposition(&settings, "failed"),
            Some(("FAILED", Some("own-2")))
        );
        assert_eq!(disposition(&settings, "error"), Some(("FAILED", None)));
        assert_eq!(
            written(Object::Call, &[(Field::Disposition, text("no_answer"))]),
            [
                (
                    "hs_call_disposition".to_owned(),
                    "73a0d17f-1163-4015-bdd5-ec830791da20".to_owned()
                ),
                ("hs_call_status".to_owned(), "NO_ANSWER".to_owned()),
            ]
        );
        assert_eq!(
            written(Object::Call, &[(Field::Disposition, text("ab-12"))]),
            [("hs_call_disposition".to_owned(), "ab-12".to_owned())]
        );
    }

    #[test]
    fn a_custom_property_wins_over_a_mapped_one_but_never_over_our_key() {
        assert_eq!(
            written(
                Object::Deal,
                &[
                    (Field::Amount, text("1")),
                    (Field::Custom("amount".into()), text("2")),
                    (Field::Custom(KEY_PROPERTY.into()), text("forged")),
                ]
            ),
            [("amount".to_owned(), "2".to_owned())]
        );
    }
}
