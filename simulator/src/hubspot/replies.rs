//! Reply bodies: the error envelopes, the two shapes of 429, instants and correlation ids.
//!
//! Shapes were taken from the vendor's documentation and published recordings; where neither says anything the text is ours
//! and says so. Decides nothing: who is refused and why is decided by the caller.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::limits::Policy;
use super::records::RecordId;
use crate::fakes::Reply;

/// An instant as the vendor writes it: UTC with milliseconds.
pub(super) fn iso(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(
        |_| at_ms.to_string(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    )
}

/// An id in the form of a UUID that tells the request's number.
pub(super) fn correlation_id(request_no: u64) -> String {
    format!(
        "5c0ffee0-0000-4000-8000-{:012x}",
        request_no & 0xffff_ffff_ffff
    )
}

/// Why something was refused: the whole request, or one input of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) category: &'static str,
    pub(super) message: String,
    pub(super) errors: Vec<Value>,
    pub(super) context: Map<String, Value>,
}

impl Refusal {
    pub(super) fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            category,
            message: message.into(),
            errors: Vec::new(),
            context: Map::new(),
        }
    }

    /// 400 `VALIDATION_ERROR`.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// 404 for a path or a record.
    pub(super) fn not_found() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "resource not found")
    }

    pub(super) fn with_context(mut self, name: &str, values: Vec<String>) -> Self {
        self.context.insert(name.to_owned(), json!(values));
        self
    }

    /// The envelope of a refused request.
    pub(super) fn reply(&self, correlation: &str) -> Reply {
        let mut body = json!({
            "status": "error",
            "message": self.message,
            "correlationId": correlation,
            "category": self.category,
        });
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        if !self.context.is_empty() {
            body["context"] = json!(self.context);
        }
        Reply::json(self.status, &body)
    }

    /// The entry in `errors` of a 207.
    pub(super) fn item(&self, trace_id: &str) -> Value {
        let mut context = self.context.clone();
        context.insert("objectWriteTraceId".to_owned(), json!([trace_id]));
        json!({
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": context,
            "links": {},
            "errors": self.errors,
        })
    }
}

/// One property value that can't be stored, as embedded in the message.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BadValue {
    is_valid: bool,
    message: String,
    error: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    localized_error_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portal_id: Option<u64>,
}

impl BadValue {
    pub(super) fn new(name: &str, error: &'static str, message: String) -> Self {
        Self {
            is_valid: false,
            message,
            error,
            name: name.to_owned(),
            localized_error_message: None,
            portal_id: None,
        }
    }

    pub(super) fn unknown_property(name: &str, portal_id: u64) -> Self {
        let message = format!("Property \"{name}\" does not exist");
        Self {
            localized_error_message: Some(message.clone()),
            portal_id: Some(portal_id),
            ..Self::new(name, "PROPERTY_DOESNT_EXIST", message)
        }
    }

    /// One refusal for all bad values of a record: a list inside the message, and once more under `errors`.
    pub(super) fn refusal(values: &[Self]) -> Refusal {
        let list = serde_json::to_string(values).unwrap_or_default();
        let mut refusal = Refusal::invalid(format!("Property values were not valid: {list}"));
        refusal.errors = values
            .iter()
            .map(|bad| {
                json!({
                    "message": bad.message,
                    "code": bad.error,
                    "context": {"propertyName": [bad.name]},
                })
            })
            .collect();
        refusal
    }
}

/// The 429 of a full window. Searches have a shape of their own, without `policyName` and `errorType`.
pub(super) fn throttled(policy: Policy, correlation: &str) -> Reply {
    let body = match policy {
        Policy::TenSecondlyRolling => json!({
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": correlation,
            "policyName": "TEN_SECONDLY_ROLLING",
        }),
        Policy::Daily => json!({
            "status": "error",
            "message": "You have reached your daily limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": correlation,
            "policyName": "DAILY",
            "requestId": correlation,
        }),
        Policy::Secondly => json!({
            "status": "error",
            "message": "You have reached your secondly limit.",
            "correlationId": correlation,
            "category": "RATE_LIMITS",
        }),
    };
    Reply::json(429, &body)
}

/// 401 for a missing, wrong or revoked token.
pub(super) fn unauthenticated() -> Refusal {
    Refusal::new(
        401,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details \
         at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
    )
}

/// 401 for an OAuth token after its time.
pub(super) fn token_expired(expired_at_ms: i64, now_ms: i64) -> Refusal {
    let hours = (now_ms - expired_at_ms) / 3_600_000;
    Refusal::new(
        401,
        "EXPIRED_AUTHENTICATION",
        format!("The OAuth token used to make this call expired {hours} hour(s) ago."),
    )
    .with_context("expire time", vec![iso(expired_at_ms)])
}

/// 403 naming what the app lacks.
pub(super) fn missing_scopes(required: &[String]) -> Refusal {
    let mut refusal = Refusal::new(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call.",
    );
    refusal.errors.push(json!({
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": required},
    }));
    refusal
}

/// 404 of a batch read or update: ids nobody holds.
pub(super) fn missing_ids(label: &str, ids: Vec<String>) -> Refusal {
    Refusal::new(
        404,
        "OBJECT_NOT_FOUND",
        format!("Some {label} records could not be read: they were deleted or never existed."),
    )
    .with_context("ids", ids)
}

/// The answer to a batch.
pub(super) fn batch(
    status: u16,
    results: Vec<Value>,
    errors: Vec<Value>,
    started_ms: i64,
) -> Reply {
    let mut body = json!({
        "status": "COMPLETE",
        "startedAt": iso(started_ms),
        "completedAt": iso(started_ms),
        "results": results,
    });
    if errors.is_empty() {
        return Reply::json(status, &body);
    }
    body["numErrors"] = json!(errors.len());
    body["errors"] = json!(errors);
    Reply::json(207, &body)
}

/// A record as the API shows it. `None` values are shown as null (asked for, not set).
pub(super) fn object(
    id: RecordId,
    properties: BTreeMap<String, Option<String>>,
    created_ms: i64,
    updated_ms: i64,
    archived: bool,
) -> Value {
    json!({
        "id": id.to_string(),
        "properties": properties,
        "createdAt": iso(created_ms),
        "updatedAt": iso(updated_ms),
        "archived": archived,
    })
}

/// What stands in front of the API answers when it is itself out of reach.
pub(super) fn html(status: u16, title: &str) -> Reply {
    let mut reply = Reply::empty(status);
    reply.push_header("Content-Type", "text/html");
    reply.body = format!(
        "<html><head><title>{status} {title}</title></head><body><center>cloudflare</center></body></html>"
    )
    .into_bytes();
    reply
}
