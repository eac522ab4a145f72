//! The two lanes and the subjects and names that follow from them.
//!
//! A lane is the urgency of an event. `op` (operational): someone acts on it within the next minute; `en`
//! (enrichment): everything else. Each lane is a stream of its own, so that a flood of enrichment can't fill the
//! operational one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::account::AccountId;

/// Urgency of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Operational: someone acts on it within the next minute.
    Op,
    /// Enrichment: may wait.
    En,
}

impl Lane {
    /// Both lanes, the urgent one first.
    pub const ALL: [Self; 2] = [Self::Op, Self::En];

    /// The token used in subjects and keys: `op` or `en`.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Op => "op",
            Self::En => "en",
        }
    }

    /// The stream that holds this lane's events.
    pub const fn stream(self) -> &'static str {
        match self {
            Self::Op => "VOICE_OP",
            Self::En => "VOICE_EN",
        }
    }

    /// Subject of an event: `voice.v1.<lane>.<account>.<kind>`.
    pub fn subject(self, account: &AccountId, kind: &str) -> String {
        format!("voice.v1.{}.{account}.{kind}", self.token())
    }

    /// What this lane's consumer of an account filters on.
    pub fn filter(self, account: &AccountId) -> String {
        format!("voice.v1.{}.{account}.>", self.token())
    }

    /// Durable name of this lane's consumer of an account: `<lane>-<account>`.
    pub fn consumer(self, account: &AccountId) -> String {
        format!("{}-{account}", self.token())
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

impl FromStr for Lane {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "op" => Ok(Self::Op),
            "en" => Ok(Self::En),
            other => Err(format!(
                "`{other}` is no lane: use `op` (operational) or `en` (enrichment)"
            )),
        }
    }
}

/// The parts of an event's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectParts {
    /// The lane token.
    pub lane: Lane,
    /// The account token.
    pub account: AccountId,
    /// The kind token.
    pub kind: String,
}

impl SubjectParts {
    /// Reads `voice.v1.<lane>.<account>.<kind>`; `None` for anything else.
    pub fn parse(subject: &str) -> Option<Self> {
        let mut tokens = subject.split('.');
        if tokens.next()? != "voice" || tokens.next()? != "v1" {
            return None;
        }
        let lane = tokens.next()?.parse().ok()?;
        let account = tokens.next()?.parse().ok()?;
        let kind = tokens.next()?;
        if kind.is_empty() || tokens.next().is_some() {
            return None;
        }
        Some(Self {
            lane,
            account,
            kind: kind.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_back_what_they_were_made_of() {
        let account: AccountId = "acme-1".parse().unwrap();
        for lane in Lane::ALL {
            let parts = SubjectParts::parse(&lane.subject(&account, "call_ended")).unwrap();
            assert_eq!(
                (parts.lane, parts.account.as_str(), parts.kind.as_str()),
                (lane, "acme-1", "call_ended")
            );
        }
        for bad in [
            "voice.v1.op.acme",
            "voice.v2.op.acme.x",
            "voice.v1.up.acme.x",
            "voice.v1.op.AC ME.x",
            "voice.v1.op.acme.x.y",
        ] {
            assert_eq!(SubjectParts::parse(bad), None, "{bad}");
        }
    }
}
