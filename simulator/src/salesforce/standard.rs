//! The fields that objects have in every org, as one table.
//!
//! Names, types and lengths are the vendor's object reference; which standard lists of choices are closed is chosen: the
//! strictest reading, so that whoever relies on leniency is found out.

use super::records::ObjectKind::{
    self, Contact, Opportunity, OpportunityContactRole, OpportunityStage, Task, User,
};
use super::schema::Type::{
    self, Date, Email, Flag, Instant, LongText, Number, OneOf, Phone, Reference, Text, Whole,
};

/// Who may write a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    Never,
    OnCreation,
    Always,
}

use Writing::{Never, OnCreation};

/// Longest comment or description, characters.
pub const DESCRIPTION_MAX: usize = 32_000;

const TASK_STATUS: Type = OneOf(&[
    "Not Started",
    "In Progress",
    "Completed",
    "Waiting on someone else",
    "Deferred",
]);
const CALL_TYPE: Type = OneOf(&["Inbound", "Internal", "Outbound"]);

/// The object's fields: name, label, type, longest text.
pub(super) type Row = (&'static str, &'static str, Type, usize);

/// The fields of each object that the API writes, unless [`CLOSED`] says otherwise, and of those it only reads.
pub(super) const STANDARD: &[(ObjectKind, &[Row])] = &[
    (
        Contact,
        &[
            ("LastName", "Last Name", Text, 80),
            ("FirstName", "First Name", Text, 40),
            ("Salutation", "Salutation", Text, 40),
            ("Name", "Full Name", Text, 121),
            ("Email", "Email", Email, 80),
            ("Phone", "Business Phone", Phone, 40),
            ("MobilePhone", "Mobile Phone", Phone, 40),
            ("HomePhone", "Home Phone", Phone, 40),
            ("OtherPhone", "Other Phone", Phone, 40),
            ("Title", "Title", Text, 128),
            ("Department", "Department", Text, 80),
            ("LeadSource", "Lead Source", Text, 255),
            ("Birthdate", "Birthdate", Date, 0),
            ("MailingStreet", "Mailing Street", Text, 255),
            ("MailingCity", "Mailing City", Text, 40),
            ("MailingState", "Mailing State", Text, 80),
            ("MailingPostalCode", "Mailing Zip", Text, 20),
            ("MailingCountry", "Mailing Country", Text, 80),
            (
                "Description",
                "Contact Description",
                LongText,
                DESCRIPTION_MAX,
            ),
            ("DoNotCall", "Do Not Call", Flag, 0),
            ("HasOptedOutOfEmail", "Email Opt Out", Flag, 0),
            ("AccountId", "Account ID", Reference(&[]), 18),
            ("ReportsToId", "Reports To ID", Reference(&[Contact]), 18),
            ("OwnerId", "Owner ID", Reference(&[User]), 18),
            (
                "MasterRecordId",
                "Master Record ID",
                Reference(&[Contact]),
                18,
            ),
        ],
    ),
    (
        Task,
        &[
            ("Subject", "Subject", Text, 255),
            ("Status", "Status", TASK_STATUS, 255),
            (
                "Priority",
                "Priority",
                OneOf(&["High", "Normal", "Low"]),
                255,
            ),
            (
                "TaskSubtype",
                "Task Subtype",
                OneOf(&["Task", "Email", "Call"]),
                255,
            ),
            ("CallType", "Call Type", CALL_TYPE, 255),
            ("CallDurationInSeconds", "Call Duration", Whole, 0),
            ("CallDisposition", "Call Result", Text, 255),
            ("CallObject", "Call Object Identifier", Text, 255),
            ("Description", "Comments", LongText, DESCRIPTION_MAX),
            ("ActivityDate", "Due Date Only", Date, 0),
            ("WhoId", "Name ID", Reference(&[Contact]), 18),
            ("WhatId", "Related To ID", Reference(&[Opportunity]), 18),
            ("OwnerId", "Assigned To ID", Reference(&[User]), 18),
            ("IsReminderSet", "Reminder Set", Flag, 0),
            ("ReminderDateTime", "Reminder Date/Time", Instant, 0),
            ("IsClosed", "Closed", Flag, 0),
            ("CompletedDateTime", "Completed Date", Instant, 0),
        ],
    ),
    (
        Opportunity,
        &[
            ("Name", "Name", Text, 120),
            ("StageName", "Stage", Type::Stage, 255),
            ("CloseDate", "Close Date", Date, 0),
            ("Amount", "Amount", Number, 0),
            ("Probability", "Probability (%)", Number, 0),
            ("Description", "Description", LongText, DESCRIPTION_MAX),
            ("NextStep", "Next Step", Text, 255),
            ("Type", "Opportunity Type", Text, 255),
            ("LeadSource", "Lead Source", Text, 255),
            ("AccountId", "Account ID", Reference(&[]), 18),
            ("OwnerId", "Owner ID", Reference(&[User]), 18),
            ("ContactId", "Contact ID", Reference(&[Contact]), 18),
            ("IsClosed", "Closed", Flag, 0),
            ("IsWon", "Won", Flag, 0),
        ],
    ),
    (
        OpportunityContactRole,
        &[
            (
                "OpportunityId",
                "Opportunity ID",
                Reference(&[Opportunity]),
                18,
            ),
            ("ContactId", "Contact ID", Reference(&[Contact]), 18),
            ("Role", "Role", Text, 255),
            ("IsPrimary", "Primary", Flag, 0),
        ],
    ),
    (
        OpportunityStage,
        &[
            ("ApiName", "API Name", Text, 255),
            ("MasterLabel", "Master Label", Text, 255),
            ("IsActive", "Is Active", Flag, 0),
            ("IsClosed", "Closed", Flag, 0),
            ("IsWon", "Won", Flag, 0),
            ("DefaultProbability", "Probability (%)", Number, 0),
            ("SortOrder", "Order", Whole, 0),
        ],
    ),
    (
        User,
        &[
            ("Name", "Full Name", Text, 121),
            ("Email", "Email", Email, 128),
            ("Username", "Username", Text, 80),
            ("IsActive", "Active", Flag, 0),
            ("UserType", "User Type", Text, 40),
        ],
    ),
];

/// Fields without which there is no record.
pub(super) const REQUIRED: &[(ObjectKind, &str)] = &[
    (Contact, "LastName"),
    (Opportunity, "Name"),
    (Opportunity, "StageName"),
    (Opportunity, "CloseDate"),
    (OpportunityContactRole, "OpportunityId"),
    (OpportunityContactRole, "ContactId"),
];

/// Fields that a request can't write, or only when it makes the record. An opportunity's contact is of these: it comes
/// with a contact role, and later the role is the place to change it.
pub(super) const CLOSED: &[(ObjectKind, &str, Writing)] = &[
    (Contact, "Name", Never),
    (Contact, "MasterRecordId", Never),
    (Task, "IsClosed", Never),
    (Task, "CompletedDateTime", Never),
    (Opportunity, "ContactId", OnCreation),
    (Opportunity, "IsClosed", Never),
    (Opportunity, "IsWon", Never),
    (OpportunityContactRole, "OpportunityId", OnCreation),
];

/// What every object has.
pub(super) const COMMON: &[(&str, &str, Type)] = &[
    ("Id", "Record ID", Type::Id),
    ("IsDeleted", "Deleted", Flag),
    ("CreatedDate", "Created Date", Instant),
    ("CreatedById", "Created By ID", Reference(&[User])),
    ("LastModifiedDate", "Last Modified Date", Instant),
    ("SystemModstamp", "System Modstamp", Instant),
];
