//! Faults of the CRM as a scenario writes them.
//!
//! A fault hits either a span of the run (`from_s`, `until_s`) or a number of matching requests (`skip`, `times`), or
//! both: so many requests of a span. Times are seconds since the start of the run.

use serde::{Deserialize, Serialize};

use crate::fakes::{Fault, Method};

/// What goes wrong, and for which requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What goes wrong.
    pub kind: FaultAction,
    /// For `execute_then_status` and `status`: the status answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For `execute_slowly`: how much later the answer comes, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// For `migrating`: the answer's `Retry-After`, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    /// For `throttled`: which limit is said to be full; the ten-second one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ThrottlePolicy>,
    /// Only this method: `get`, `post`, `patch`, `put`, `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodName>,
    /// Only paths that contain this.
    #[serde(default)]
    pub path_contains: String,
    /// From this second on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_s: Option<f64>,
    /// Before this second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_s: Option<f64>,
    /// Matching requests let through first.
    #[serde(default)]
    pub skip: u64,
    /// Matching requests hit after that; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultAction {
    /// Carried out, answered with `status`.
    ExecuteThenStatus,
    /// Carried out, never answered.
    ExecuteThenDrop,
    /// Carried out, the answer stops half way.
    ExecuteThenTruncate,
    /// Carried out, the answer comes `delay_ms` later.
    ExecuteSlowly,
    /// Not carried out, never answered.
    Drop,
    /// Not carried out, answered with `status`.
    Status,
    /// Not carried out, a gateway's error page.
    Html502,
    /// Not carried out: the account is busy.
    Locked,
    /// Not carried out: the account is moving.
    Migrating,
    /// Not carried out, a 429 although no limit is full.
    Throttled,
}

/// The limit named by a `throttled` fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottlePolicy {
    /// The rolling ten seconds.
    #[default]
    TenSecondly,
    /// Searches per second.
    Secondly,
    /// The day.
    Daily,
}

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MethodName {
    /// GET
    Get,
    /// POST
    Post,
    /// PATCH
    Patch,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

impl FaultSpec {
    /// This kind of fault, for the requests that it hits in a run that starts at `start_ms`, epoch milliseconds.
    pub(crate) fn fault<K>(&self, kind: K, start_ms: i64) -> Fault<K> {
        let instant = |seconds: f64| start_ms + (seconds * 1_000.0).round() as i64;
        Fault {
            kind,
            method: self.method.map(|method| match method {
                MethodName::Get => Method::Get,
                MethodName::Post => Method::Post,
                MethodName::Patch => Method::Patch,
                MethodName::Put => Method::Put,
                MethodName::Delete => Method::Delete,
            }),
            path_contains: self.path_contains.clone(),
            from_ms: self.from_s.map(instant),
            until_ms: self.until_s.map(instant),
            skip: self.skip,
            times: self.times.unwrap_or(u64::MAX),
        }
    }

    /// The status answered; 500 when none is given.
    pub(crate) fn status(&self) -> u16 {
        self.status.unwrap_or(500)
    }

    /// How much later a slow answer comes, milliseconds; a second when nothing is given.
    pub(crate) fn delay_ms(&self) -> u64 {
        self.delay_ms.unwrap_or(1_000)
    }
}
