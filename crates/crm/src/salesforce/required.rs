//! What of an org's records Callflume needs: fields of its own, and the right to write some of Salesforce's.

use callflume_core::effect::Object;

use super::fields::{ACTIVITY_KEY, CALL_RECORDING, CALL_SENTIMENT, CONTACT_KEY, DEAL_KEY};

/// One object per kind of Salesforce's records: what is described, and has fields of ours.
pub const OBJECTS: [Object; 3] = [Object::Contact, Object::Task, Object::Deal];

/// A custom field that must exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// On which kind of record: one of [`OBJECTS`].
    pub object: Object,
    /// Our name of it, as in the account's `custom_fields`.
    pub keeps: &'static str,
    /// What people see.
    pub label: &'static str,
    /// What it holds.
    pub holds: Holds,
}

/// What a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Our key: an external id whose values are unique.
    Key,
    /// A short text.
    Line,
    /// A text longer than 255 characters, such as a link with a signature.
    Text,
}

/// Every custom field that must exist, in the order to make them.
pub const REQUIRED_FIELDS: &[FieldSpec] = &[
    FieldSpec {
        object: Object::Contact,
        keeps: CONTACT_KEY,
        label: "Callflume key",
        holds: Holds::Key,
    },
    FieldSpec {
        object: Object::Task,
        keeps: ACTIVITY_KEY,
        label: "Callflume key",
        holds: Holds::Key,
    },
    FieldSpec {
        object: Object::Task,
        keeps: CALL_SENTIMENT,
        label: "Call sentiment",
        holds: Holds::Line,
    },
    FieldSpec {
        object: Object::Task,
        keeps: CALL_RECORDING,
        label: "Call recording",
        holds: Holds::Text,
    },
    FieldSpec {
        object: Object::Deal,
        keeps: DEAL_KEY,
        label: "Callflume key",
        holds: Holds::Key,
    },
];

/// Salesforce's own fields that are written, by kind of record. The credential's user must be allowed to.
pub(crate) const OWN_FIELDS: &[(Object, &[&str])] = &[
    (
        Object::Contact,
        &["DoNotCall", "Email", "FirstName", "LastName", "Phone"],
    ),
    (
        Object::Task,
        &[
            "ActivityDate",
            "CallDisposition",
            "CallDurationInSeconds",
            "CallObject",
            "CallType",
            "Description",
            "Priority",
            "Status",
            "Subject",
            "WhoId",
        ],
    ),
    (Object::Deal, &["Amount", "CloseDate", "Name", "StageName"]),
];
