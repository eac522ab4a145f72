//! Neutral fields as fields of Salesforce's records.
//!
//! | field | contact (Contact) | call (Task) | note (Task) | task (Task) | deal (Opportunity) |
//! | --- | --- | --- | --- | --- | --- |
//! | `first_name`, `last_name` | `FirstName`, `LastName` | | | | |
//! | `phone`, `email` | `Phone`, `Email` | | | | |
//! | `opted_out` | `DoNotCall` | | | | |
//! | `at` | | `ActivityDate`, time in `Description` | `ActivityDate` | `ActivityDate` (due) | `CloseDate`, on creation only |
//! | `title` | | `Subject` | | `Subject` | `Name` |
//! | `text` | | `Description` | `Description` | `Description` | |
//! | `direction` | | `CallType` | | | |
//! | `duration` | | `CallDurationInSeconds` | | | |
//! | `disposition` | | `CallDisposition` | | | |
//! | `from`, `to` | | `Description` | | | |
//! | `recording_url` | | `Callflume_Recording__c` | | | |
//! | `sentiment` | | `Callflume_Sentiment__c` | | | |
//! | `call_id` | | `CallObject` | | | |
//! | `priority` | | | | `Priority` | |
//! | `pipeline`, `stage`, `amount` | | | | | `RecordTypeId`, `StageName`, `Amount` |
//! | `owner` | `OwnerId` | `OwnerId` | `OwnerId` | `OwnerId` | `OwnerId` |
//! | `x.<name>` | see below | see below | see below | see below | see below |
//!
//! - **Our key** is in `Callflume_Key__c`, an external id with unique values, on Contact, Opportunity and Activity (fields of
//!   tasks are made there). Its name, and those of the two fields for calls, can be set in the account's `custom_fields`:
//!   [`CONTACT_KEY`], [`ACTIVITY_KEY`], [`DEAL_KEY`], [`CALL_SENTIMENT`], [`CALL_RECORDING`].
//! - **Dates** have no time and are those of UTC. When a call began is spelled in its description.
//! - **A description** is replaced as a whole, so an update writes it only if it carries the text; `from`, `to` and the
//!   time of a call alone are not written afterwards.
//! - **Pipelines** don't exist: a record type stands for one. A `pipeline` that is a record type's id is written, any other
//!   is left out, for the stage says it all.
//! - **A vendor's own property** is written under the name that the account's `custom_fields` give for `<object>_<name>`,
//!   else under its own. It wins over a mapped field, never over our key.

use callflume_core::effect::{Field, Object};

use crate::settings::Settings;

/// Our key of a record, unless the settings name another field.
pub const KEY_FIELD: &str = "Callflume_Key__c";
/// Sentiment of a call: `positive`, `neutral` or `negative`, unless the settings name another field.
pub const SENTIMENT_FIELD: &str = "Callflume_Sentiment__c";
/// Link to the recording of a call, unless the settings name another field.
pub const RECORDING_FIELD: &str = "Callflume_Recording__c";

/// Our name of the field with our key of a contact, in the account's `custom_fields`.
pub const CONTACT_KEY: &str = "contact_key";
/// Our name of the field with our key of a call, note or task.
pub const ACTIVITY_KEY: &str = "activity_key";
/// Our name of the field with our key of a deal.
pub const DEAL_KEY: &str = "deal_key";
/// Our name of the field with a call's sentiment.
pub const CALL_SENTIMENT: &str = "call_sentiment";
/// Our name of the field with the link to a call's recording.
pub const CALL_RECORDING: &str = "call_recording";

/// Salesforce's own fields that are written, read or named in its refusals, sorted.
pub(crate) const FIELD_NAMES: &[&str] = &[
    "ActivityDate",
    "Amount",
    "CallDisposition",
    "CallDurationInSeconds",
    "CallObject",
    "CallType",
    "CloseDate",
    "ContactId",
    "Description",
    "DoNotCall",
    "Email",
    "FirstName",
    "Id",
    "LastName",
    "MobilePhone",
    "Name",
    "OwnerId",
    "Phone",
    "Priority",
    "RecordTypeId",
    "StageName",
    "Status",
    "Subject",
    "TaskSubtype",
    "WhatId",
    "WhoId",
];

/// The field that holds our key of records of an object.
pub(crate) fn key_field(settings: &Settings, object: Object) -> &str {
    let name = match object {
        Object::Contact => CONTACT_KEY,
        Object::Call | Object::Note | Object::Task => ACTIVITY_KEY,
        Object::Deal => DEAL_KEY,
    };
    settings.custom_field(name).unwrap_or(KEY_FIELD)
}

/// The field that holds a call's sentiment.
pub(crate) fn sentiment_field(settings: &Settings) -> &str {
    settings
        .custom_field(CALL_SENTIMENT)
        .unwrap_or(SENTIMENT_FIELD)
}

/// The field that holds the link to a call's recording.
pub(crate) fn recording_field(settings: &Settings) -> &str {
    settings
        .custom_field(CALL_RECORDING)
        .unwrap_or(RECORDING_FIELD)
}

/// Whether a field is one that `account prepare` makes.
pub(crate) fn is_ours(settings: &Settings, name: &str) -> bool {
    [Object::Contact, Object::Task, Object::Deal]
        .map(|object| key_field(settings, object))
        .iter()
        .chain(&[sentiment_field(settings), recording_field(settings)])
        .any(|ours| ours.eq_ignore_ascii_case(name))
}

/// Where a field of an object goes, in Salesforce's terms; none if the object has no place for it.
pub fn place(object: Object, field: &Field) -> Option<&str> {
    use Object::{Call, Contact, Deal, Note, Task};
    Some(match (object, field) {
        (_, Field::Owner) => "OwnerId",
        (Contact, Field::FirstName) => "FirstName",
        (Contact, Field::LastName) => "LastName",
        (Contact, Field::Phone) => "Phone",
        (Contact, Field::Email) => "Email",
        (Contact, Field::OptedOut) => "DoNotCall",
        (Call | Note | Task, Field::At) => "ActivityDate",
        (Call | Task, Field::Title) => "Subject",
        (Call | Note | Task, Field::Text) | (Call, Field::From | Field::To) => "Description",
        (Call, Field::Direction) => "CallType",
        (Call, Field::Duration) => "CallDurationInSeconds",
        (Call, Field::Disposition) => "CallDisposition",
        (Call, Field::CallId) => "CallObject",
        (Call, Field::RecordingUrl) => RECORDING_FIELD,
        (Call, Field::Sentiment) => SENTIMENT_FIELD,
        (Task, Field::Priority) => "Priority",
        (Deal, Field::Title) => "Name",
        (Deal, Field::Pipeline) => "RecordTypeId",
        (Deal, Field::Stage) => "StageName",
        (Deal, Field::Amount) => "Amount",
        (Deal, Field::At) => "CloseDate",
        (_, Field::Custom(name)) => name,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mapped_field_is_one_of_salesforces_or_ours() {
        assert!(FIELD_NAMES.is_sorted());
        for object in Object::ALL {
            for name in "first_name last_name phone email opted_out at title text direction duration disposition from to \
                         recording_url sentiment call_id priority pipeline stage amount owner"
                .split_whitespace()
            {
                let field = Field::parse(name).unwrap();
                if let Some(place) = place(object, &field) {
                    assert!(
                        FIELD_NAMES.contains(&place) || is_ours(&Settings::default(), place),
                        "{place}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_settings_may_name_other_fields() {
        let names = [(ACTIVITY_KEY, "Ref__c"), (CALL_SENTIMENT, "Mood__c")];
        let names = names.map(|(name, field)| (name.to_owned(), field.to_owned()));
        let settings = Settings::default()
            .with_custom_fields(names.into())
            .unwrap();
        assert_eq!(key_field(&settings, Object::Note), "Ref__c");
        assert_eq!(key_field(&settings, Object::Contact), KEY_FIELD);
        for (name, expect) in [
            ("ref__C", true),
            ("Mood__c", true),
            (KEY_FIELD, true),
            (RECORDING_FIELD, true),
            (SENTIMENT_FIELD, false),
            ("Subject", false),
        ] {
            assert_eq!(is_ours(&settings, name), expect, "{name}");
        }
    }
}
