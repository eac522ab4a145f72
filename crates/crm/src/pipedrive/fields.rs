//! Neutral fields as bodies of Pipedrive's requests.
//!
//! | field | contact | call | note | task | deal |
//! | --- | --- | --- | --- | --- | --- |
//! | `first_name`, `last_name` | `name`; on an update only both together | | | | |
//! | `phone`, `email` | `phones`, `emails`, on creation only | | | | |
//! | `opted_out` | custom field `contact_opted_out` | | | | |
//! | `at` | | `due_date`, `due_time` | last line of `content` | `due_date`, `due_time` | |
//! | `title` | | `subject` | | `subject` | `title` |
//! | `text` | | `note` | `content` | `note` | |
//! | `duration` | | `duration`, seconds in `note` | | | |
//! | `direction`, `disposition`, `from`, `to`, `call_id` | | `note` | | | |
//! | `recording_url` | | `public_description` | | | |
//! | `sentiment` | | `location.value` | | | |
//! | `priority` | | | | `note` | |
//! | `pipeline`, `stage`, `amount` | | | | | `pipeline_id`, `stage_id` or `status`, `value` |
//! | `owner` | `owner_id` | `owner_id` | | `owner_id` | `owner_id` |
//! | `x.<name>` | see below | see below | see below | see below | see below |
//!
//! - **Lists of phones and e-mails** are replaced as a whole, so an update never carries one: numbers that people typed
//!   stay. An account that wants them gives custom fields, `contact_phone` and `contact_email`, which an update writes.
//! - **Names** have one field; an update with half a name would drop the other half.
//! - **A note** (`note`, `content`) is replaced as a whole, so an update writes it only if it carries the text, or a call's
//!   disposition, as the report of a whole call does. The facts of a call alone are not written afterwards.
//! - **A note record** has no owner and no date of its own: both need an administrator's token.
//! - **Stages** are ids; `won`, `lost` and `open` are the deal's status.
//! - **A vendor's own property** is one of Pipedrive's own fields in [`OWN_FIELDS`], else (contact, deal) a custom field
//!   under the key that the account's `custom_fields` give for `<object>_<name>`, else under its name, which is its key then. It wins over a mapped field, never over our key.

use callflume_core::effect::{Field, Object};

/// Our name of the custom field with our key of a person.
pub const CONTACT_KEY: &str = "contact_key";
/// Our name of the custom field that says whether a person must not be called again: `true` or `false`.
pub const OPTED_OUT: &str = "contact_opted_out";
/// Our name of the custom field with our key of a deal.
pub const DEAL_KEY: &str = "deal_key";

/// Type of one of Pipedrive's own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Whole,
    Number,
    Flag,
}

/// Pipedrive's own fields that a mapping may set as `x.<name>`.
pub(crate) const OWN_FIELDS: &[(Object, &str, Type)] = &[
    (Object::Contact, "org_id", Type::Whole),
    (Object::Contact, "visible_to", Type::Whole),
    (Object::Call, "type", Type::Text),
    (Object::Call, "deal_id", Type::Whole),
    (Object::Call, "lead_id", Type::Text),
    (Object::Call, "org_id", Type::Whole),
    (Object::Call, "project_id", Type::Whole),
    (Object::Call, "priority", Type::Whole),
    (Object::Call, "busy", Type::Flag),
    (Object::Note, "deal_id", Type::Whole),
    (Object::Note, "lead_id", Type::Text),
    (Object::Note, "org_id", Type::Whole),
    (Object::Task, "type", Type::Text),
    (Object::Task, "deal_id", Type::Whole),
    (Object::Task, "lead_id", Type::Text),
    (Object::Task, "org_id", Type::Whole),
    (Object::Task, "project_id", Type::Whole),
    (Object::Task, "priority", Type::Whole),
    (Object::Task, "busy", Type::Flag),
    (Object::Task, "done", Type::Flag),
    (Object::Deal, "org_id", Type::Whole),
    (Object::Deal, "currency", Type::Text),
    (Object::Deal, "status", Type::Text),
    (Object::Deal, "lost_reason", Type::Text),
    (Object::Deal, "probability", Type::Number),
    (Object::Deal, "expected_close_date", Type::Text),
    (Object::Deal, "visible_to", Type::Whole),
];

/// Where a field of an object goes, in Pipedrive's terms; none if the object has no place for it.
pub fn place(object: Object, field: &Field) -> Option<&'static str> {
    use Object::{Call, Contact, Deal, Note, Task};
    Some(match (object, field) {
        (Contact | Call | Task | Deal, Field::Owner) => "owner_id",
        (Contact, Field::FirstName | Field::LastName) => "name",
        (Contact, Field::Phone) => "phones",
        (Contact, Field::Email) => "emails",
        (Contact, Field::OptedOut) => "custom_fields",
        (Call | Task, Field::At) => "due_date",
        (Call | Task, Field::Title) => "subject",
        (Call | Task, Field::Text) | (Task, Field::Priority) => "note",
        (Call, Field::Duration) => "duration",
        (Call, Field::Direction | Field::Disposition | Field::From | Field::To | Field::CallId) => {
            "note"
        }
        (Call, Field::RecordingUrl) => "public_description",
        (Call, Field::Sentiment) => "location",
        (Note, Field::Text | Field::At) => "content",
        (Deal, Field::Title) => "title",
        (Deal, Field::Pipeline) => "pipeline_id",
        (Deal, Field::Stage) => "stage_id",
        (Deal, Field::Amount) => "value",
        (_, Field::Custom(name)) => match own_field(object, name) {
            Some((own, _)) => own,
            None if matches!(object, Contact | Deal) => "custom_fields",
            None => return None,
        },
        _ => return None,
    })
}

pub(crate) fn own_field(object: Object, name: &str) -> Option<(&'static str, Type)> {
    OWN_FIELDS
        .iter()
        .find(|(on, own, _)| *on == object && *own == name)
        .map(|(_, own, kind)| (*own, *kind))
}
