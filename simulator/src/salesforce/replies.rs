//! What answers look like: errors as arrays, results, the texts the vendor uses.
//!
//! Codes are the vendor's; the wording follows what its answers are known to say, which is not documented for most.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::limits::Policy;
use crate::fakes::Reply;

/// Why a request, or one record of it, was refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Fields it is about; refusals of whole requests name none.
    pub(super) fields: Option<Vec<String>>,
    pub(super) duplicates: Option<Box<Duplicates>>,
}

/// What a duplicate rule found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Duplicates {
    /// Under which name the org tells it.
    pub(super) name: &'static str,
    pub(super) result: Value,
    /// Whether items of a collection tell it, too.
    pub(super) told_in_items: bool,
}

impl Failure {
    /// 400, of a record.
    pub(super) fn record(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        Self {
            fields: Some(fields.iter().map(|&name| name.to_owned()).collect()),
            ..Self::request(400, code, message)
        }
    }

    /// Of a whole request.
    pub(super) fn request(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: None,
            duplicates: None,
        }
    }

    pub(super) fn not_found() -> Self {
        Self::request(404, "NOT_FOUND", "The requested resource does not exist")
    }

    pub(super) fn no_such_key(field: &str) -> Self {
        Self::request(
            404,
            "NOT_FOUND",
            format!("Provided external ID field does not exist or is not accessible: {field}"),
        )
    }

    pub(super) fn unreadable(what: &str) -> Self {
        Self::request(
            400,
            "JSON_PARSER_ERROR",
            format!("{what} at [line:1, column:1]"),
        )
    }

    pub(super) fn halted(message: impl Into<String>) -> Self {
        Self::request(400, "PROCESSING_HALTED", message)
    }

    /// As the one entry of an error array.
    fn entry(&self) -> Value {
        let mut entry = json!({"message": self.message, "errorCode": self.code});
        if let Some(fields) = &self.fields {
            entry["fields"] = json!(fields);
        }
        if let Some(found) = &self.duplicates {
            entry[found.name] = found.result.clone();
        }
        entry
    }

    /// The body of an answer.
    pub(super) fn body(&self) -> Value {
        json!([self.entry()])
    }

    /// The result of an item of a collection.
    pub(super) fn item(&self) -> Value {
        let mut error = json!({"statusCode": self.code, "message": self.message,
            "fields": self.fields.clone().unwrap_or_default()});
        let told = self.duplicates.as_ref().filter(|it| it.told_in_items);
        if let Some(found) = told {
            error[found.name] = found.result.clone();
        }
        json!({"success": false, "errors": [error]})
    }

    /// The `sf__Error` of a row.
    pub(super) fn row(&self) -> String {
        let fields = self.fields.clone().unwrap_or_default().join(", ");
        format!("{}:{}:{fields} --", self.code, self.message)
    }
}

/// Body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Empty,
    Json(Value),
    Csv(String),
}

/// An answer to a request or to a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) location: Option<String>,
}

impl Answer {
    pub(super) const fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Body::Json(body),
            location: None,
        }
    }

    pub(super) const fn empty(status: u16) -> Self {
        Self {
            status,
            body: Body::Empty,
            location: None,
        }
    }

    pub(super) fn of(result: Result<Self, Failure>) -> Self {
        result.unwrap_or_else(|failure| Self::json(failure.status, failure.body()))
    }

    /// The body as a part of another answer shows it.
    pub(super) fn shown(&self) -> Value {
        match &self.body {
            Body::Json(body) => body.clone(),
            Body::Csv(text) => text.as_str().into(),
            Body::Empty => Value::Null,
        }
    }

    pub(super) fn reply(self) -> Reply {
        let mut reply = Reply::empty(self.status);
        let (kind, body) = match self.body {
            Body::Json(body) => ("application/json;charset=UTF-8", body.to_string()),
            Body::Csv(text) => ("text/csv", text),
            Body::Empty => ("application/json;charset=UTF-8", String::new()),
        };
        reply.push_header("Content-Type", kind);
        reply.body = body.into_bytes();
        if let Some(location) = self.location {
            reply.push_header("Location", location);
        }
        reply
    }
}

/// The answer to a request that met a full limit.
pub(super) fn throttled(policy: Policy) -> Failure {
    let message = match policy {
        Policy::Total => "TotalRequests Limit exceeded.",
        Policy::Concurrent => "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    };
    Failure::request(403, "REQUEST_LIMIT_EXCEEDED", message)
}

/// A page of something in between, not JSON.
pub(super) fn html(status: u16, said: &str) -> Reply {
    let mut reply = Reply::empty(status);
    reply.push_header("Content-Type", "text/html;charset=UTF-8");
    reply.body =
        format!("<html><head><title>{said}</title></head><body>{said}</body></html>").into_bytes();
    reply
}

/// An instant as answers show it.
pub(super) fn instant(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(
        |_| at_ms.to_string(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
    )
}
