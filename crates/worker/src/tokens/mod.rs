//! The access token of an account that renews it by OAuth.
//!
//! Decides when it is renewed (before its end, or when the CRM refuses it), one renewal at a time, and what a request
//! does meanwhile. Invariants: a new access token is used only after the broker has confirmed the record with its refresh
//! token; the record is replaced only at the revision it was read at; a renewal begins and ends within the lease; nobody
//! waits for a token longer than the request's permit lasts. Never here: a token or secret in a log, an error or `Debug`.
//!
//! | module | subject |
//! | --- | --- |
//! | `state` | what is known, and what that allows; pure |
//! | `renew` | one renewal: read, ask, store |
//! | `store` | until the broker confirms |
//! | `check` | a token for a process that owns no account |

mod check;
mod renew;
mod state;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use callflume_core::account::AccountId;
use callflume_core::config::AccountConfig;
use callflume_core::time::BrokerTime;
use callflume_jetstream::Broker;
use callflume_jetstream::tokens::TokenKeys;
use secrecy::SecretString;
use tokio::sync::watch;

use self::state::{State, Usable};
use crate::http::TokenEndpoint;

pub use check::{NoToken, access_token};
pub(crate) use state::Trouble;

/// An access token, to be shown with one request.
#[derive(Clone)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// Base address of the account's API, if the CRM told one.
    pub base_url: Option<String>,
    /// The scopes that it has, in the CRM's words, if it told them.
    pub scope: Option<String>,
    generation: u64,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// What a request gets.
#[derive(Debug)]
pub(crate) enum Obtained {
    Token(AccessToken),
    /// None within the time given.
    NotYet,
    /// None until somebody acts.
    Trouble(Trouble),
}

/// The broker's time.
pub(crate) type Clock = Arc<dyn Fn() -> BrokerTime + Send + Sync>;

/// What the tokens of an account are made of.
pub(crate) struct Parts {
    pub(crate) account: AccountId,
    pub(crate) broker: Broker,
    pub(crate) keys: Option<TokenKeys>,
    pub(crate) clock: Clock,
    /// When the account's lease ends.
    pub(crate) lease_until: watch::Receiver<Instant>,
}

/// An account's tokens. Clones share them.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    parts: Parts,
    endpoint: TokenEndpoint,
    config: Mutex<AccountConfig>,
    state: Mutex<State>,
    /// Counts renewals that ended.
    ended: watch::Sender<u64>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("account", &self.0.parts.account)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    pub(crate) fn new(parts: Parts, config: AccountConfig) -> Result<Self, crate::Error> {
        Ok(Self(Arc::new(Inner {
            parts,
            endpoint: TokenEndpoint::new()?,
            config: Mutex::new(config),
            state: Mutex::new(State::default()),
            ended: watch::Sender::new(0),
        })))
    }

    /// Begins a renewal if one is due.
    pub(crate) fn tend(&self) {
        self.forget_ended_consent();
        if let Some(renewal) = self.renewal() {
            // On its own: it must store what the CRM answers even when the request that wanted it is given up.
            tokio::spawn(renewal);
        }
    }

    /// A token, waiting for a renewal until `deadline` at most.
    pub(crate) async fn obtain(&self, deadline: Instant) -> Obtained {
        let mut ended = self.0.ended.subscribe();
        loop {
            ended.mark_unchanged();
            self.tend();
            let now = (self.0.parts.clock)();
            {
                let state = self.0.state();
                match state.usable(now) {
                    Usable::Yes => {
                        if let (Some(access), Some(chain)) = (state.access(now), &state.chain) {
                            return Obtained::Token(AccessToken {
                                token: access.token.clone(),
                                base_url: chain.base_url.clone(),
                                scope: chain.scope.clone(),
                                generation: state.generation,
                            });
                        }
                        return Obtained::NotYet;
                    }
                    Usable::No(trouble) => return Obtained::Trouble(trouble),
                    Usable::NotYet if !state.renewing => return Obtained::NotYet,
                    Usable::NotYet => {}
                }
            }
            let waited = tokio::time::timeout_at(deadline.into(), ended.changed()).await;
            if waited.is_err() {
                return Obtained::NotYet;
            }
        }
    }

    /// The CRM refused this token. Answers whether another one is there or on its way.
    pub(crate) fn refused(&self, token: &AccessToken) -> bool {
        let now = (self.0.parts.clock)();
        let renewed = self.0.state().refuse(token.generation, now);
        self.tend();
        renewed
    }

    /// The operator says that the trouble is over: everything is read anew.
    pub(crate) fn resume(&self) {
        self.0.state().begin_anew();
        self.tend();
    }

    /// Another configuration is in force.
    pub(crate) fn configure(&self, config: &AccountConfig) {
        {
            let mut own = self.0.config.lock().unwrap_or_else(PoisonError::into_inner);
            let same = own.crm == config.crm && own.oauth == config.oauth;
            *own = config.clone();
            if same {
                return;
            }
        }
        self.resume();
    }

    /// What an operator should know.
    pub(crate) fn standing(&self) -> Option<Trouble> {
        let now = (self.0.parts.clock)();
        self.0.state().standing(now)
    }

    /// Until no renewal is under way: what the CRM has answered is stored then, or can't be.
    pub(crate) async fn rest(&self) {
        let mut ended = self.0.ended.subscribe();
        loop {
            ended.mark_unchanged();
            if !self.0.state().renewing {
                return;
            }
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    /// A consent that was refused is not tried again, unless the configuration holds another one by now.
    fn forget_ended_consent(&self) {
        let now = (self.0.parts.clock)();
        let Some(ended) = self.0.state().look_for_another(now) else {
            return;
        };
        let config = self.0.config();
        let other = renew::Secrets::resolve(&self.0.parts.account, &config)
            .is_ok_and(|secrets| secrets.origin != ended);
        let mut state = self.0.state();
        if other && state.has_ended(&ended) {
            state.begin_anew();
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> AccountConfig {
        self.config
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
