//! Reply bodies: the envelopes of both versions, the gateway's refusals, the page of a lock-out.
//!
//! Shapes are the vendor's documented ones and, for the gateway, published recordings; where neither says anything the text
//! is ours. Decides nothing: who is refused and why is decided by the caller.

use serde_json::{Value, json};

use super::limits::Policy;
use crate::fakes::{Deliver, Reply};

const INFO: &str = "Please check developers.pipedrive.com";

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    error: String,
    code: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: u16, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
            code: None,
        }
    }

    /// 400 for a field.
    pub(super) fn invalid(field: &str) -> Self {
        Self::new(400, format!("Validation failed: {field} is not valid"))
    }

    /// 404 for a record of this kind.
    pub(super) fn not_found(word: &str) -> Self {
        Self::new(404, format!("{word} not found"))
    }

    pub(super) const fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn reply(&self) -> Reply {
        let mut body = json!({"success": false, "error": self.error, "error_info": INFO, "data": null, "additional_data": null});
        if let Some(code) = self.code {
            body["code"] = code.into();
        }
        json_reply(self.status, &body)
    }
}

/// A success of either version.
pub(super) fn success(status: u16, data: &Value, additional: Option<Value>) -> Reply {
    let mut body = json!({"success": true, "data": data});
    if let Some(additional) = additional {
        body["additional_data"] = additional;
    }
    json_reply(status, &body)
}

/// 401 of the gateway.
pub(super) fn unauthorized() -> Reply {
    let mut reply = gateway(401, "unauthorized access");
    push_header(&mut reply, "x-401-by-gw", "true");
    reply
}

/// A request that met a full window. The burst's text is ours; its headers and the day's whole answer are the vendor's.
pub(super) fn throttled(policy: Policy) -> Reply {
    match policy {
        Policy::Burst | Policy::Search => gateway(429, "request over limit"),
        Policy::Daily => gateway(429, "daily request budget exceeded"),
        Policy::LockedOut => html(403, "Access denied"),
    }
}

/// A page of something in front of the vendor.
pub(super) fn html(status: u16, title: &str) -> Reply {
    let body =
        format!("<!DOCTYPE html><html><head><title>{title}</title></head><body></body></html>");
    let mut reply = bare(status, body.into_bytes());
    push_header(&mut reply, "Content-Type", "text/html; charset=UTF-8");
    push_header(&mut reply, "Server", "cloudflare");
    reply
}

/// A failure inside.
pub(super) fn failed(status: u16) -> Reply {
    match status {
        502 => html(502, "Bad Gateway"),
        503 => html(503, "Service Unavailable"),
        504 => html(504, "Gateway Timeout"),
        status => Refusal::new(status, "Internal server error").reply(),
    }
}

fn gateway(status: u16, error: &str) -> Reply {
    json_reply(
        status,
        &json!({"success": false, "error": error, "errorCode": status, "error_info": INFO}),
    )
}

pub(super) fn json_reply(status: u16, body: &Value) -> Reply {
    let mut reply = bare(status, body.to_string().into_bytes());
    push_header(&mut reply, "Content-Type", "application/json");
    reply
}

const fn bare(status: u16, body: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body,
        deliver: Deliver::Normal,
        extra_delay_ms: 0,
    }
}

pub(super) fn push_header(reply: &mut Reply, name: &str, value: impl ToString) {
    reply.headers.push((name.to_owned(), value.to_string()));
}
