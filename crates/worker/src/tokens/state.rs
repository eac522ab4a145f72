//! What is known of an account's tokens, and what that allows. Pure: time is an argument, nothing is read.
//!
//! | state | a request | renewal |
//! | --- | --- | --- |
//! | not read yet | waits | reads the bucket first |
//! | token lives, young | goes | – |
//! | token lives, near its end or refused trouble | goes | is due |
//! | token ended or refused | waits | is due |
//! | renewal failed in a passing way | goes while the token lives, else not yet | due after a growing wait |
//! | trouble | goes while the token lives, else the account pauses | due after a wait; after a refused refresh token only with a new one, or when resumed |

use callflume_core::codes::{self, Code};
use callflume_core::time::BrokerTime;
use callflume_crm::oauth::{again_after_ms, renew_after_ms};
use callflume_jetstream::kv::Expected;
use callflume_jetstream::tokens::{Access, Chain, Origin};

/// A token is not shown to the CRM in its last moments, milliseconds: it must live until it gets there.
const LAST_MOMENTS_MS: u64 = 10_000;
/// Renewals that a refusal asks for are at least this far apart, milliseconds: a CRM that refuses every token would
/// otherwise be asked for a new one with every request.
const FORCED_APART_MS: u64 = 60_000;
/// After a consent has ended, the configuration is looked at this often, milliseconds.
const LOOK_APART_MS: u64 = 1_000;
/// Wait after a renewal that could not begin or met another's record, milliseconds.
const SHORTLY_MS: i64 = 200;

/// Why an account's tokens can't be used, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The stable code.
    pub(crate) code: Code,
    /// For people.
    pub(crate) text: String,
    /// The origin whose refresh token is no good any more; none when trying again can help.
    pub(crate) ended: Option<Origin>,
}

impl Trouble {
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            ended: None,
        }
    }
}

/// How a renewal failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// Somebody has to act.
    Trouble(Trouble),
    /// The CRM does not renew at the moment.
    Crm {
        wait_ms: Option<u64>,
        reason: String,
    },
    /// The broker does not answer.
    Broker(String),
    /// It could not begin, or somebody else's record stands: look again shortly.
    Shortly,
}

/// What a request may do.
#[derive(Debug)]
pub(super) enum Usable {
    Yes,
    NotYet,
    No(Trouble),
}

/// What is known.
#[derive(Debug)]
pub(super) struct State {
    /// What the broker holds.
    pub(super) chain: Option<Chain>,
    /// What the next write expects there.
    pub(super) expected: Expected,
    /// Whether it was read, and with the configuration in force.
    pub(super) read: bool,
    /// What the CRM answered and the broker has not confirmed: never used before it is stored.
    pub(super) unstored: Option<Chain>,
    /// Whether the chain is to be written again, under the key in force.
    pub(super) rewrap: bool,
    /// Tells access tokens apart.
    pub(super) generation: u64,
    /// Whether the CRM refused the access token.
    pub(super) refused: bool,
    pub(super) renewing: bool,
    /// Whether a renewal may have used the refresh token up without our having stored the next.
    pub(super) doubt: bool,
    /// Counts orders to begin anew, so that a renewal under way doesn't overlook one.
    pub(super) epoch: u64,
    failures: u32,
    again_at: BrokerTime,
    forced_at: Option<BrokerTime>,
    trouble: Option<Trouble>,
    crm_says: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            chain: None,
            expected: Expected::Absent,
            read: false,
            unstored: None,
            rewrap: false,
            generation: 0,
            refused: false,
            renewing: false,
            doubt: false,
            epoch: 0,
            failures: 0,
            again_at: BrokerTime(i64::MIN),
            forced_at: None,
            trouble: None,
            crm_says: None,
        }
    }
}

fn after(since: BrokerTime, ms: u64) -> BrokerTime {
    BrokerTime(
        since
            .0
            .saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)),
    )
}

/// Whether a token may be shown to the CRM now.
pub(super) fn lives(access: &Access, now: BrokerTime) -> bool {
    access.life_s.is_none_or(|life_s| {
        let life_ms = life_s.saturating_mul(1_000);
        now < after(access.since, life_ms.saturating_sub(LAST_MOMENTS_MS))
    })
}

/// Whether it is time to renew a token.
pub(super) fn is_old(access: &Access, now: BrokerTime) -> bool {
    access
        .life_s
        .is_some_and(|life_s| now >= after(access.since, renew_after_ms(life_s)))
}

impl State {
    /// The access token, if the CRM should take it now.
    pub(super) fn access(&self, now: BrokerTime) -> Option<&Access> {
        let access = self.chain.as_ref()?.access.as_ref()?;
        (self.read && !self.refused && lives(access, now)).then_some(access)
    }

    pub(super) fn usable(&self, now: BrokerTime) -> Usable {
        if self.access(now).is_some() {
            return Usable::Yes;
        }
        match &self.trouble {
            Some(trouble) if !self.renewing && !self.is_due(now) => Usable::No(trouble.clone()),
            _ => Usable::NotYet,
        }
    }

    /// Whether a renewal should begin.
    pub(super) fn is_due(&self, now: BrokerTime) -> bool {
        let ended = self
            .trouble
            .as_ref()
            .is_some_and(|trouble| trouble.ended.is_some());
        if self.renewing || ended || now < self.again_at {
            return false;
        }
        let access = self.chain.as_ref().and_then(|chain| chain.access.as_ref());
        !self.read
            || self.unstored.is_some()
            || self.rewrap
            || self.refused
            || access.is_none_or(|access| is_old(access, now) || !lives(access, now))
    }

    /// What an operator should know: trouble, or a token that ended because the CRM doesn't renew it.
    pub(super) fn standing(&self, now: BrokerTime) -> Option<Trouble> {
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        let reason = self.crm_says.as_ref()?;
        (self.failures > 0 && self.access(now).is_none()).then(|| {
            Trouble::new(
                codes::CRM_GRANT_LATE,
                format!(
                    "no access token: the CRM does not renew it at the moment ({reason}); tried again by itself"
                ),
            )
        })
    }

    /// The origin whose consent has ended, if it is time to see whether the configuration holds another.
    pub(super) fn look_for_another(&mut self, now: BrokerTime) -> Option<Origin> {
        let ended = self.trouble.as_ref()?.ended.clone()?;
        if now < self.again_at {
            return None;
        }
        self.again_at = after(now, LOOK_APART_MS);
        Some(ended)
    }

    /// Whether this consent has ended.
    pub(super) fn has_ended(&self, origin: &Origin) -> bool {
        self.trouble
            .as_ref()
            .is_some_and(|trouble| trouble.ended.as_ref() == Some(origin))
    }

    /// Takes over what the broker holds.
    pub(super) fn set_chain(&mut self, chain: Option<Chain>, expected: Expected) {
        let same = match (&self.chain, &chain) {
            (Some(old), Some(new)) => {
                use secrecy::ExposeSecret as _;
                let token = |chain: &Chain| {
                    chain
                        .access
                        .as_ref()
                        .map(|access| access.token.expose_secret().to_owned())
                };
                token(old) == token(new)
            }
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.generation += 1;
            self.refused = false;
        }
        self.chain = chain;
        self.expected = expected;
    }

    /// The CRM refused the access token of this generation. Answers whether another one is there or on its way; if not,
    /// the refusal stands.
    pub(super) fn refuse(&mut self, generation: u64, now: BrokerTime) -> bool {
        if generation != self.generation || self.refused {
            return true;
        }
        let apart = self
            .forced_at
            .is_none_or(|at| now >= after(at, FORCED_APART_MS));
        if !apart {
            return false;
        }
        self.refused = true;
        self.forced_at = Some(now);
        true
    }

    /// Reads everything anew, whatever went wrong before.
    pub(super) fn begin_anew(&mut self) {
        self.read = false;
        self.epoch += 1;
        self.failures = 0;
        self.again_at = BrokerTime(i64::MIN);
        self.forced_at = None;
        self.trouble = None;
        self.crm_says = None;
    }

    /// A renewal ended.
    pub(super) fn ended_with(&mut self, result: Result<(), Failed>, epoch: u64, now: BrokerTime) {
        self.renewing = false;
        // What it found out belongs to a configuration that is not in force any more.
        if epoch != self.epoch {
            return;
        }
        let wait = |failures: &mut u32, hint_ms| {
            *failures = failures.saturating_add(1);
            after(now, again_after_ms(*failures, hint_ms))
        };
        match result {
            Ok(()) => {
                self.failures = 0;
                self.again_at = BrokerTime(i64::MIN);
                self.trouble = None;
                self.crm_says = None;
            }
            Err(Failed::Trouble(trouble)) => {
                self.again_at = wait(&mut self.failures, None);
                self.trouble = Some(trouble);
                self.crm_says = None;
            }
            Err(Failed::Crm { wait_ms, reason }) => {
                self.again_at = wait(&mut self.failures, wait_ms);
                self.trouble = None;
                self.crm_says = Some(reason);
            }
            Err(Failed::Broker(_)) => {
                self.again_at = wait(&mut self.failures, None);
            }
            Err(Failed::Shortly) => self.again_at = BrokerTime(now.0.saturating_add(SHORTLY_MS)),
        }
    }
}

#[cfg(test)]
mod tests;
