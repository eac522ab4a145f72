//! From method and path to the operation and its endpoint group (method and path template).
//!
//! Everything lies below `/api/v1`, paths end in `/`; one without is served too. What isn't listed is unknown: 404, or
//! 405 when the path is known under another method.

use super::records::ObjectKind;
use crate::fakes::{Method, Request};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Create(ObjectKind),
    List(ObjectKind),
    Read(ObjectKind, String),
    Update(ObjectKind, String),
    /// `PUT /task/`: all tasks that the query matches.
    UpdateTasks,
    Delete(ObjectKind, String),
    MergeLeads,
    Search,
    Events,
    Me,
    Users,
    Pipelines,
    Statuses(ObjectKind),
    Outcomes,
    CustomFields(ObjectKind),
    CreateCustomField(ObjectKind),
    /// Needs no credential.
    Token,
}

/// An operation and the group it counts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) operation: Operation,
    pub(super) group: &'static str,
}

/// Groups of one kind: create, list, read, update, delete.
const fn groups(kind: ObjectKind) -> [&'static str; 5] {
    match kind {
        ObjectKind::Lead => [
            "POST /lead/",
            "GET /lead/",
            "GET /lead/{id}/",
            "PUT /lead/{id}/",
            "DELETE /lead/{id}/",
        ],
        ObjectKind::Contact => [
            "POST /contact/",
            "GET /contact/",
            "GET /contact/{id}/",
            "PUT /contact/{id}/",
            "DELETE /contact/{id}/",
        ],
        ObjectKind::Call => [
            "POST /activity/call/",
            "GET /activity/call/",
            "GET /activity/call/{id}/",
            "PUT /activity/call/{id}/",
            "DELETE /activity/call/{id}/",
        ],
        ObjectKind::Note => [
            "POST /activity/note/",
            "GET /activity/note/",
            "GET /activity/note/{id}/",
            "PUT /activity/note/{id}/",
            "DELETE /activity/note/{id}/",
        ],
        ObjectKind::Task => [
            "POST /task/",
            "GET /task/",
            "GET /task/{id}/",
            "PUT /task/{id}/",
            "DELETE /task/{id}/",
        ],
        ObjectKind::Opportunity => [
            "POST /opportunity/",
            "GET /opportunity/",
            "GET /opportunity/{id}/",
            "PUT /opportunity/{id}/",
            "DELETE /opportunity/{id}/",
        ],
    }
}

impl Route {
    /// The operation of a request: `Err(true)` when the path is known under another method.
    pub(super) fn of(request: &Request) -> Result<Self, bool> {
        let segments = request.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        // The token endpoint stands beside the API, not in it.
        if parts == ["oauth2", "token"] {
            let token = Self {
                operation: Operation::Token,
                group: "POST /oauth2/token/",
            };
            return (request.method == Method::Post)
                .then_some(token)
                .ok_or(true);
        }
        let Some((["api", "v1"], tail)) = parts.split_at_checked(2) else {
            return Err(false);
        };
        Self::find(request.method, tail).ok_or_else(|| {
            [Method::Get, Method::Post, Method::Put, Method::Delete]
                .into_iter()
                .any(|method| Self::find(method, tail).is_some())
        })
    }

    fn find(method: Method, tail: &[&str]) -> Option<Self> {
        use ObjectKind::{Call, Contact, Lead, Note, Opportunity, Task};
        let route = |operation, group| Some(Self { operation, group });
        let record = |kind, rest: &[&str]| Self::record(method, kind, rest);
        match (method, tail) {
            (Method::Post, ["lead", "merge"]) => route(Operation::MergeLeads, "POST /lead/merge/"),
            (Method::Put, ["task"]) => route(Operation::UpdateTasks, "PUT /task/"),
            (_, ["lead", rest @ ..]) => record(Lead, rest),
            (_, ["contact", rest @ ..]) => record(Contact, rest),
            (_, ["activity", "call", rest @ ..]) => record(Call, rest),
            (_, ["activity", "note", rest @ ..]) => record(Note, rest),
            (_, ["task", rest @ ..]) => record(Task, rest),
            (_, ["opportunity", rest @ ..]) => record(Opportunity, rest),
            (Method::Post, ["data", "search"]) => route(Operation::Search, "POST /data/search/"),
            (Method::Get, ["event"]) => route(Operation::Events, "GET /event/"),
            (Method::Get, ["me"]) => route(Operation::Me, "GET /me/"),
            (Method::Get, ["user"]) => route(Operation::Users, "GET /user/"),
            (Method::Get, ["pipeline"]) => route(Operation::Pipelines, "GET /pipeline/"),
            (Method::Get, ["status", "lead"]) => {
                route(Operation::Statuses(Lead), "GET /status/lead/")
            }
            (Method::Get, ["status", "opportunity"]) => {
                route(Operation::Statuses(Opportunity), "GET /status/opportunity/")
            }
            (Method::Get, ["outcome"]) => route(Operation::Outcomes, "GET /outcome/"),
            (Method::Get | Method::Post, ["custom_field", object]) => {
                let (kind, groups) = match *object {
                    "lead" => (
                        Lead,
                        ["GET /custom_field/lead/", "POST /custom_field/lead/"],
                    ),
                    "contact" => (
                        Contact,
                        ["GET /custom_field/contact/", "POST /custom_field/contact/"],
                    ),
                    "opportunity" => (
                        Opportunity,
                        [
                            "GET /custom_field/opportunity/",
                            "POST /custom_field/opportunity/",
                        ],
                    ),
                    _ => return None,
                };
                if method == Method::Get {
                    route(Operation::CustomFields(kind), groups[0])
                } else {
                    route(Operation::CreateCustomField(kind), groups[1])
                }
            }
            _ => None,
        }
    }

    fn record(method: Method, kind: ObjectKind, rest: &[&str]) -> Option<Self> {
        let [create, list, read, update, delete] = groups(kind);
        let (operation, group) = match (method, rest) {
            (Method::Post, []) => (Operation::Create(kind), create),
            (Method::Get, []) => (Operation::List(kind), list),
            (Method::Get, [id]) => (Operation::Read(kind, (*id).to_owned()), read),
            (Method::Put, [id]) => (Operation::Update(kind, (*id).to_owned()), update),
            (Method::Delete, [id]) => (Operation::Delete(kind, (*id).to_owned()), delete),
            _ => return None,
        };
        Some(Self { operation, group })
    }
}
