//! How what a CRM account needs is told: checked, missing, wrong, and what makes it right.
//!
//! The checks themselves are each CRM's own (`setup` of its module); what they do alike with an answer is here
//! (`Reader`). No finding holds a value or the credential.

use callflume_core::vendor::{Answer, HttpRequest};
use serde_json::Value;

use crate::refusal::bare_reason;

/// Makes what is missing. `<account>` stands for the account's id, which is not known here.
pub(crate) const PREPARE: &str = "run `callflume account prepare <account> --apply`";

/// How a required thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As it must be.
    Ok,
    /// Not there.
    Missing,
    /// There but not as it must be, or not to be told; with the reason.
    Wrong(String),
}

/// The result of checking or making one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, such as `property contacts.callflume_key`.
    pub what: String,
    /// How it stands.
    pub state: State,
    /// What to do; empty if it is as it must be.
    pub remedy: String,
    /// The request that makes what is missing, where one can.
    pub repair: Option<HttpRequest>,
}

impl Finding {
    /// It is as it must be.
    pub const fn ok(what: String) -> Self {
        Self {
            what,
            state: State::Ok,
            remedy: String::new(),
            repair: None,
        }
    }

    /// It isn't, for this reason.
    pub fn wrong(what: String, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Wrong(reason.into()),
            remedy: remedy.into(),
            repair: None,
        }
    }

    /// It isn't there, and nothing made here brings it.
    pub(crate) fn missing(what: String, remedy: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Missing,
            remedy: remedy.into(),
            repair: None,
        }
    }

    /// It isn't there; this request makes it.
    pub(crate) fn to_make(what: String, repair: HttpRequest) -> Self {
        Self {
            repair: Some(repair),
            ..Self::missing(what, PREPARE)
        }
    }
}

/// Which of these scopes the credential has.
pub(crate) fn scopes<'a>(
    needed: impl Iterator<Item = &'a &'static str>,
    has: impl Fn(&str) -> bool,
    remedy: impl Fn(&str) -> String,
) -> Vec<Finding> {
    let finding = |scope: &&'static str| {
        let what = format!("scope {scope}");
        if has(scope) {
            Finding::ok(what)
        } else {
            Finding::missing(what, remedy(scope))
        }
    };
    needed.map(finding).collect()
}

/// What a refusal says of itself.
#[derive(Default)]
pub(crate) struct Said {
    /// None: no more than its status does.
    pub(crate) reason: Option<String>,
    /// None: the same as for every CRM.
    pub(crate) remedy: Option<&'static str>,
}

/// How the answers of one CRM are read.
pub(crate) struct Reader {
    /// The CRM.
    pub(crate) name: &'static str,
    /// What the account's base address must be.
    pub(crate) address: &'static str,
    /// Reads a refusal: its status, and its body, null if that is no JSON.
    pub(crate) said: fn(u16, &Value) -> Said,
}

impl Reader {
    /// The object in the body of a success.
    pub(crate) fn document(&self, what: &str, answer: &Answer) -> Result<Value, Box<Finding>> {
        match answer {
            Answer::Response {
                status: 200 | 201,
                body,
                ..
            } => match serde_json::from_slice(body) {
                Ok(document @ Value::Object(_)) => Ok(document),
                _ => Err(Box::new(self.unreadable(what))),
            },
            _ => Err(Box::new(self.trouble(what, answer))),
        }
    }

    /// The array of this name in the body of a success.
    pub(crate) fn list(
        &self,
        what: &str,
        answer: &Answer,
        name: &str,
    ) -> Result<Vec<Value>, Box<Finding>> {
        let mut document = self.document(what, answer)?;
        match document.get_mut(name).map(Value::take) {
            Some(Value::Array(entries)) => Ok(entries),
            _ => Err(Box::new(self.unreadable(what))),
        }
    }

    /// An answer that isn't what was asked for.
    pub(crate) fn unreadable(&self, what: &str) -> Finding {
        Finding::wrong(
            what.to_owned(),
            "the answer could not be understood",
            format!("check that the account's base address is {}", self.address),
        )
    }

    /// A request that didn't succeed, with what to do about it.
    pub(crate) fn trouble(&self, what: &str, answer: &Answer) -> Finding {
        let what = what.to_owned();
        let name = self.name;
        let Answer::Response { status, body, .. } = answer else {
            return Finding::wrong(
                what,
                format!("{name} did not answer"),
                "check the network and the account's base address, then try again",
            );
        };
        let body = serde_json::from_slice(body).unwrap_or_default();
        let said = (self.said)(*status, &body);
        let reason = said.reason.unwrap_or_else(|| bare_reason(*status));
        let remedy = match (said.remedy, status) {
            (Some(remedy), _) => remedy.to_owned(),
            (None, 401) => "the credential is refused: store a valid one".to_owned(),
            (None, 429) => "a limit is used up: wait and try again".to_owned(),
            (None, 500..) => format!("{name} is failing: try again later"),
            (None, _) => "see the reason".to_owned(),
        };
        Finding::wrong(what, reason, remedy)
    }
}
