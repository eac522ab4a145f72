//! What the org holds, for the oracle: where Salesforce keeps a value and in which form, read from the vendor's
//! documents, not from the product.
//!
//! | record | is |
//! | --- | --- |
//! | contact | a contact |
//! | call | a task of subtype `Call` |
//! | note | any other task that was completed when it was made |
//! | task | any other task |
//! | deal | an opportunity |
//!
//! | field | is kept in |
//! | --- | --- |
//! | names, phone, e-mail address, opted out | fields of the contact with a name of Salesforce's, one each |
//! | a call's or note's text, a task's | `Description`; below a call's text stand the facts without a field ([`super::comments`]) |
//! | when, of a call | `ActivityDate`, to the second among the facts |
//! | when, of a note; due, of a task | `ActivityDate`, a date |
//! | a call's id, direction, length, outcome | `CallObject`, `CallType`, `CallDurationInSeconds`, `CallDisposition` |
//! | recording, sentiment, a property of the customer's own | custom fields, known by their labels |
//! | a deal's title, stage, amount | `Name`, `StageName`, `Amount` |
//!
//! No place: a deal's pipeline, which only its stages tell. Contact roles are links of deals, made with them.

use callflume_core::effect::{Field, Object, Value};
use serde_json::Value as Json;

use super::Salesforce;
use super::audit::{RequestAudit, Write, WriteKind};
use super::comments::{Comments, says};
use super::records::{ObjectKind, Record};
use super::route::data_path;
use crate::fakes::{Method, Request, first_writes};
use crate::holdings::{Arrival, Deed, Errand, HeldRecord, HeldWrite, Holdings, SetField};
use crate::phone::national_number;

/// Labels of the custom fields that an account is prepared with, beside our key.
pub(super) const SENTIMENT_LABEL: &str = "Call sentiment";
pub(super) const RECORDING_LABEL: &str = "Call recording";
/// Label of the custom fields with Callflume's own key.
pub(super) const KEY_LABEL: &str = "Callflume key";

/// Fields of Salesforce's own with a neutral name.
const FIELDS: &[(Object, Field, &str)] = &[
    (Object::Contact, Field::FirstName, "FirstName"),
    (Object::Contact, Field::LastName, "LastName"),
    (Object::Contact, Field::Phone, "Phone"),
    (Object::Contact, Field::Email, "Email"),
    (Object::Contact, Field::OptedOut, "DoNotCall"),
    (Object::Call, Field::CallId, "CallObject"),
    (Object::Call, Field::Direction, "CallType"),
    (Object::Call, Field::Duration, "CallDurationInSeconds"),
    (Object::Call, Field::Disposition, "CallDisposition"),
    (Object::Note, Field::At, "ActivityDate"),
    (Object::Note, Field::Text, "Description"),
    (Object::Task, Field::At, "ActivityDate"),
    (Object::Task, Field::Title, "Subject"),
    (Object::Task, Field::Text, "Description"),
    (Object::Task, Field::Priority, "Priority"),
    (Object::Deal, Field::Title, "Name"),
    (Object::Deal, Field::Stage, "StageName"),
    (Object::Deal, Field::Amount, "Amount"),
];

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

const fn deed(kind: WriteKind) -> Deed {
    match kind {
        WriteKind::Seeded => Deed::Seeded,
        WriteKind::Create => Deed::Made,
        WriteKind::Update => Deed::Changed,
        WriteKind::Delete | WriteKind::Merge => Deed::Removed,
    }
}

impl Salesforce {
    /// What a record is in neutral terms; users, stages and roles are nothing.
    fn meaning(&self, record: &Record) -> Option<Object> {
        Some(match record.object {
            ObjectKind::Contact => Object::Contact,
            ObjectKind::Opportunity => Object::Deal,
            ObjectKind::Task if record.value("TaskSubtype") == "Call" => Object::Call,
            ObjectKind::Task => {
                let made = record.writes.first().and_then(|at| self.writes().get(*at));
                let done = made.is_some_and(|write| {
                    write
                        .fields
                        .iter()
                        .any(|it| it.name == "Status" && it.value == "Completed")
                });
                if done { Object::Note } else { Object::Task }
            }
            ObjectKind::OpportunityContactRole
            | ObjectKind::OpportunityStage
            | ObjectKind::User => return None,
        })
    }

    fn held(&self, record: &Record) -> Option<HeldRecord> {
        let object = self.meaning(record)?;
        let mut numbers: Vec<String> = ["Phone", "MobilePhone", "HomePhone", "OtherPhone"]
            .into_iter()
            .filter_map(|name| national_number(record.text(name)?))
            .filter(|_| object == Object::Contact)
            .collect();
        numbers.sort();
        numbers.dedup();
        let (label, link) = match object {
            Object::Contact => (None, None),
            Object::Call => (Some("CallObject"), Some("WhoId")),
            Object::Note => (Some("Description"), Some("WhoId")),
            Object::Task => (Some("Subject"), Some("WhoId")),
            Object::Deal => (Some("Name"), Some("ContactId")),
        };
        let text = |name: Option<&str>| record.text(name?);
        Some(HeldRecord {
            object,
            id: record.id.clone(),
            alive: !record.deleted,
            numbers,
            contacts: text(link).map(ToOwned::to_owned).into_iter().collect(),
            label: text(label).map(Into::into),
        })
    }

    /// The field that a custom field is, by its label; none for our key and for Salesforce's own fields.
    fn custom_field(&self, kind: ObjectKind, name: &str) -> Option<Field> {
        let field = self.schema.all(kind).find(|it| it.name == name)?;
        if !field.custom {
            return None;
        }
        Some(match field.label.as_str() {
            KEY_LABEL => return None,
            SENTIMENT_LABEL => Field::Sentiment,
            RECORDING_LABEL => Field::RecordingUrl,
            own => Field::Custom(own.to_owned()),
        })
    }

    fn set_fields(&self, object: Object, write: &Write) -> Vec<SetField> {
        let mut set = Vec::new();
        let date = write.fields.iter().find(|it| it.name == "ActivityDate");
        for it in &write.fields {
            let text = shown(&it.value);
            let mut put = |field: Field, text: &str| {
                set.push(SetField {
                    field,
                    text: text.into(),
                    changed: it.changed,
                });
            };
            if object == Object::Call && it.name == "Description" {
                let comments = Comments::read(&text);
                put(Field::Text, comments.text);
                for (field, said) in comments.facts {
                    // A date without its time, or with another day's, says nothing.
                    let day = date.map(|it| shown(&it.value));
                    if field != Field::At || day.is_none_or(|day| said.starts_with(&day)) {
                        put(field, said);
                    }
                }
                continue;
            }
            let own = FIELDS
                .iter()
                .find(|(on, _, name)| *on == object && *name == it.name)
                .map(|(_, field, _)| field.clone());
            if let Some(field) = own.or_else(|| self.custom_field(write.object, &it.name)) {
                put(field, &text);
            }
        }
        set
    }

    /// What a request was about. Which kind of record a collection or a composite writes, only what was written tells;
    /// where nothing was, the kind says nothing.
    fn errand(request: &RequestAudit, written: Option<Object>) -> Errand {
        let asked = Request::new(request.method, &request.path);
        let segments = asked.segments();
        let path = data_path(&segments).map(|(_, path)| path);
        let parts = &request.parts;
        match (request.method, path.as_deref()) {
            (Method::Get, Some(["query" | "parameterizedSearch" | "sobjects", .., last]))
                if *last != "describe" =>
            {
                Errand::LookUp
            }
            (Method::Get, Some(["query" | "parameterizedSearch"])) => Errand::LookUp,
            (_, Some(["composite"])) if !parts.is_empty() => {
                if parts.iter().all(|method| *method == Method::Get) {
                    Errand::LookUp
                } else {
                    Errand::Write(written.unwrap_or(Object::Call))
                }
            }
            (Method::Post | Method::Patch | Method::Delete, Some(["sobjects", kind, ..]))
            | (Method::Patch, Some(["composite", "sobjects", kind, _])) => {
                Errand::Write(written.unwrap_or(match ObjectKind::named(kind) {
                    Some(ObjectKind::Contact) => Object::Contact,
                    Some(ObjectKind::Opportunity) => Object::Deal,
                    _ => Object::Call,
                }))
            }
            (Method::Post | Method::Patch, Some(["composite", "sobjects"]))
            | (Method::Patch, Some(["jobs", "ingest", _])) => {
                Errand::Write(written.unwrap_or(Object::Call))
            }
            _ => Errand::Other,
        }
    }
}

impl Holdings for Salesforce {
    fn vendor(&self) -> &'static str {
        "salesforce"
    }

    fn records(&self) -> Vec<HeldRecord> {
        let mut all: Vec<HeldRecord> = [
            ObjectKind::Contact,
            ObjectKind::Task,
            ObjectKind::Opportunity,
        ]
        .into_iter()
        .flat_map(|kind| self.records(kind))
        .filter_map(|record| self.held(record))
        .collect();
        all.sort_by_key(|record| record.object);
        all
    }

    fn writes(&self) -> Vec<HeldWrite> {
        self.writes()
            .iter()
            .filter_map(|write| {
                let object = self.meaning(self.record(&write.id)?)?;
                Some(HeldWrite {
                    at_ms: write.at_ms,
                    request_no: write.request_no,
                    object,
                    id: write.id.clone(),
                    deed: deed(write.kind),
                    fields: self.set_fields(object, write),
                })
            })
            .collect()
    }

    /// A composite counts as the one request that it is.
    fn arrivals(&self) -> Vec<Arrival> {
        let mut first_write = first_writes(self.writes(), |write| write.request_no);
        self.requests()
            .iter()
            .map(|request| {
                let written = first_write(request.request_no)
                    .and_then(|write| self.meaning(self.record(&write.id)?));
                let said = request.throttled;
                Arrival {
                    request_no: request.request_no,
                    at_ms: request.at_ms,
                    errand: Self::errand(request, written),
                    throttled: said.is_some(),
                    over_limit: said.is_some() && !request.faulted,
                    tokens: None,
                }
            })
            .collect()
    }

    fn keeps(&self, object: Object, field: &Field, _all: &[(Field, Value)]) -> bool {
        match (object, field) {
            (Object::Contact | Object::Deal, Field::Custom(_))
            | (
                Object::Call,
                Field::At
                | Field::Text
                | Field::From
                | Field::To
                | Field::RecordingUrl
                | Field::Sentiment,
            ) => true,
            _ => FIELDS
                .iter()
                .any(|(on, known, _)| *on == object && known == field),
        }
    }

    fn says(&self, object: Object, field: &Field, value: &Value, text: &str) -> bool {
        says(object, field, value, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_its_errand() {
        let base = "/services/data/v66.0";
        for (method, path, parts, expect) in [
            (Method::Get, "/query", vec![], Errand::LookUp),
            (Method::Get, "/query/01g0-2000", vec![], Errand::LookUp),
            (Method::Get, "/sobjects/Contact/003", vec![], Errand::LookUp),
            (
                Method::Get,
                "/sobjects/Contact/describe",
                vec![],
                Errand::Other,
            ),
            (Method::Get, "/limits", vec![], Errand::Other),
            (Method::Post, "/jobs/ingest", vec![], Errand::Other),
            (
                Method::Post,
                "/composite/sobjects",
                vec![],
                Errand::Write(Object::Call),
            ),
            (
                Method::Patch,
                "/composite/sobjects/Contact/K__c",
                vec![],
                Errand::Write(Object::Contact),
            ),
            (
                Method::Patch,
                "/sobjects/Opportunity/K__c/d-1",
                vec![],
                Errand::Write(Object::Deal),
            ),
            (
                Method::Post,
                "/composite",
                vec![Method::Get, Method::Get],
                Errand::LookUp,
            ),
            (
                Method::Post,
                "/composite",
                vec![Method::Get, Method::Patch],
                Errand::Write(Object::Call),
            ),
            (Method::Post, "/composite", vec![], Errand::Other),
        ] {
            let request = RequestAudit {
                request_no: 1,
                at_ms: 0,
                user: None,
                method,
                path: format!("{base}{path}"),
                parts: parts.clone(),
                calls: 1,
                throttled: None,
                executed: true,
                faulted: false,
                status: 200,
            };
            let errand = Salesforce::errand(&request, None);
            assert_eq!(errand, expect, "{path} {parts:?}");
        }
    }
}
