//! Messages of processes that are not Callflume and work on the same credential: they ask the owner of the account for
//! permits, and say what came of them. The same text for everyone: `docs/contract.md`.
//!
//! A permit's times count from the instant at which the asker **sent** its ask. The grant comes later than that, so
//! whatever the way of an answer may take, the asker stops sooner than its owner reckons; no clocks are compared.
//!
//! Bodies are JSON. What isn't known is ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::AccountId;
use crate::codes::{self, Code};
use crate::lane::Lane;
use crate::quota::Settlement;

/// Longest body of an ask or a settlement, bytes; headers of an answer fit well.
pub const BODY_BYTES_MAX: usize = 16 << 10;
/// How long an ask may be held for a permit, milliseconds.
pub const ANSWER_WITHIN_MS: (u64, u64) = (100, 10_000);
/// How long it is held when it doesn't say, milliseconds.
const ANSWER_WITHIN_DEFAULT_MS: u64 = 1_000;
/// After its grant a request must have begun to leave within this time, milliseconds, or half the account's time-out if
/// that is shorter: a permit that lies about is taken from everybody.
const SEND_WITHIN_MS: u64 = 1_000;

/// What messages a permit service hears on, for an account: `svc.quota.v1.<what>.<account>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// [`PermitAsk`], answered by [`PermitReply`].
    Ask,
    /// [`PermitSettle`], not answered.
    Settle,
}

impl Subject {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ask, Self::Settle];

    /// The subject of this account.
    pub fn of(self, account: &AccountId) -> String {
        let what = match self {
            Self::Ask => "ask",
            Self::Settle => "settle",
        };
        format!("svc.quota.v1.{what}.{account}")
    }

    /// What both subjects of an account match.
    pub fn filter(account: &AccountId) -> String {
        format!("svc.quota.v1.*.{account}")
    }
}

/// The wish for one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitAsk {
    /// Its urgency.
    pub lane: Lane,
    /// The windows it counts in, by name, and what it costs there; 1 where requests are counted.
    pub windows: BTreeMap<String, u32>,
    /// The owner answers within this time, milliseconds: with a permit, or with how long to wait.
    #[serde(default = "answer_within_ms")]
    pub answer_within_ms: u64,
}

const fn answer_within_ms() -> u64 {
    ANSWER_WITHIN_DEFAULT_MS
}

impl PermitAsk {
    /// Reads an ask. What can't be known without the account (its windows) is checked by the owner's dispatcher.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let ask: Self = read(body)?;
        let (low, high) = ANSWER_WITHIN_MS;
        if !(low..=high).contains(&ask.answer_within_ms) {
            return Err(Refusal::new(format!(
                "`answer_within_ms` is {}; use {low} to {high}",
                ask.answer_within_ms
            )));
        }
        Ok(ask)
    }
}

/// The owner's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermitReply {
    /// One request may leave.
    Granted(Granted),
    /// None now.
    Wait(Wait),
    /// Never: the ask can't be used.
    Refused(Refusal),
}

/// The right to send one request. Both times count from the instant at which the ask was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Names it in [`PermitSettle`]; known to nobody else.
    pub permit: String,
    /// The request begins to leave within this time, milliseconds, or not at all.
    pub send_within_ms: u64,
    /// It is answered or given up within this time, milliseconds.
    pub end_within_ms: u64,
}

impl Granted {
    /// A permit granted `waited_ms` after its ask arrived, of an account with this time-out.
    pub fn new(permit: String, waited_ms: u64, request_timeout_ms: u64) -> Self {
        Self {
            permit,
            send_within_ms: waited_ms.saturating_add(SEND_WITHIN_MS.min(request_timeout_ms / 2)),
            end_within_ms: waited_ms.saturating_add(request_timeout_ms),
        }
    }
}

/// No permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Ask again after this time, milliseconds.
    pub wait_ms: u64,
    /// The window that is full; `pace` for enrichment's spacing, `pause` for a pause of the account, `permits` for too
    /// many permits that are not settled, `asks` for too many asks that wait, `journal` for an owner that can't store what it
    /// grants, `takeover` for one that is leaving.
    pub window: String,
}

/// An ask that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The code.
    pub code: Code,
    /// What is wrong, and what to write instead.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            code: codes::PERMIT_ASK,
            text: text.into(),
        }
    }
}

/// What came of a permit. One that nothing is said about counts as unanswered at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitSettle {
    /// [`Granted::permit`].
    pub permit: String,
    /// What came of it.
    pub outcome: Settlement,
    /// The CRM refused the request for a limit; only with [`Settlement::Answered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Throttled>,
    /// The answer's headers, those that speak of limits at least: they tell the owner what is left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// How the CRM refused a request for a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttled {
    /// The window's name, if the CRM's answer says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// The CRM's own hint how long to wait, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

impl PermitSettle {
    /// Reads a settlement.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        read(body)
    }
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Refusal::new(format!(
            "the body has {} bytes; up to {BODY_BYTES_MAX} are read",
            body.len()
        )));
    }
    serde_json::from_slice(body).map_err(|error| {
        // Positions and names of fields only: the library quotes values of a wrong type.
        let place = format!("line {}, column {}", error.line(), error.column());
        let fields = "docs/contract.md names the fields";
        Refusal::new(match error.classify() {
            serde_json::error::Category::Data => {
                let text = error.to_string();
                let named =
                    text.starts_with("missing field") || text.starts_with("unknown variant");
                if named {
                    format!("{text}; {fields}")
                } else {
                    format!("a field at {place} has a value that can't be used; {fields}")
                }
            }
            _ => format!("not JSON at {place}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_are_read_or_refused_naming_what_is_wrong() {
        let ask = PermitAsk::read(br#"{"lane":"op","windows":{"daily":1},"later":true}"#).unwrap();
        assert_eq!((ask.lane, ask.answer_within_ms), (Lane::Op, 1_000));
        let long = format!("{:width$}", "{", width = BODY_BYTES_MAX + 1);
        for (body, expect) in [
            ("lane=op", "not JSON at line 1"),
            (r#"{"windows":{}}"#, "missing field `lane`"),
            (r#"{"lane":"up","windows":{}}"#, "unknown variant `up`"),
            (r#"{"lane":"op"}"#, "missing field `windows`"),
            (
                r#"{"lane":"op","windows":{"daily":-1}}"#,
                "a field at line 1",
            ),
            (
                r#"{"lane":"op","windows":{"daily":1},"answer_within_ms":99}"#,
                "`answer_within_ms` is 99; use 100 to 10000",
            ),
            (&long, "the body has 16385 bytes"),
        ] {
            let refusal = PermitAsk::read(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, codes::PERMIT_ASK);
            assert!(refusal.text.contains(expect), "{body}: {}", refusal.text);
        }
    }

    #[test]
    fn replies_and_settlements_look_as_the_contract_says() {
        let granted = PermitReply::Granted(Granted::new("p".to_owned(), 12, 3_000));
        let wait = PermitReply::Wait(Wait {
            wait_ms: 480,
            window: "ten_secondly".to_owned(),
        });
        let refused = PermitReply::Refused(Refusal::new("x"));
        for (reply, json) in [
            (
                granted,
                r#"{"granted":{"permit":"p","send_within_ms":1012,"end_within_ms":3012}}"#,
            ),
            (wait, r#"{"wait":{"wait_ms":480,"window":"ten_secondly"}}"#),
            (refused, r#"{"refused":{"code":"CF1301","text":"x"}}"#),
        ] {
            assert_eq!(serde_json::to_string(&reply).unwrap(), json);
            assert_eq!(serde_json::from_str::<PermitReply>(json).unwrap(), reply);
        }
        for (json, outcome) in [
            (
                r#"{"permit":"p","outcome":"answered"}"#,
                Settlement::Answered,
            ),
            (
                r#"{"permit":"p","outcome":"unanswered"}"#,
                Settlement::Unanswered,
            ),
            (
                r#"{"permit":"p","outcome":"not_sent","throttled":{"window":"search","wait_ms":1000},"headers":{"a":"b"}}"#,
                Settlement::NotSent,
            ),
        ] {
            let settle = PermitSettle::read(json.as_bytes()).unwrap();
            assert_eq!(settle.outcome, outcome);
            assert_eq!(serde_json::to_string(&settle).unwrap(), json);
        }
        assert!(PermitSettle::read(br#"{"permit":"p","outcome":"maybe"}"#).is_err());
    }

    #[test]
    fn a_short_time_out_leaves_half_of_it_to_begin() {
        let granted = Granted::new("p".to_owned(), 0, 500);
        assert_eq!((granted.send_within_ms, granted.end_within_ms), (250, 500));
    }

    #[test]
    fn subjects_name_the_account() {
        let account: AccountId = "acme-1".parse().unwrap();
        let [ask, settle] = Subject::ALL.map(|subject| subject.of(&account));
        assert_eq!(ask, "svc.quota.v1.ask.acme-1");
        assert_eq!(settle, "svc.quota.v1.settle.acme-1");
        assert_eq!(Subject::filter(&account), "svc.quota.v1.*.acme-1");
    }
}
