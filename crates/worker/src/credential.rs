//! The credential that an account's requests carry: as it stands in the configuration, or renewed by OAuth.
//!
//! Decides what the dispatcher is told when it isn't good: a request that could not be authorized was not executed, and
//! goes again with a permit of its own; it is never sent twice on one. Without a credential nothing leaves.

use std::time::{Duration, Instant};

use callflume_core::codes::Code;
use callflume_core::config::{AccountConfig, SecretRef};
use callflume_core::dispatcher::{Input, RequestId};
use callflume_core::vendor::{Answer, HttpRequest};
use tokio::sync::watch;

use crate::Error;
use crate::http::{SHORTEST, Sender};
use crate::secret;
use crate::tokens::{Obtained, Parts, Tokens, Trouble};

/// What the CRMs answer a credential that they don't take.
const UNAUTHORIZED: u16 = 401;

/// An account's credential.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Read anew for every request.
    Fixed(SecretRef),
    /// Renewed.
    Renewed(Tokens),
}

impl Credential {
    pub(crate) fn new(parts: Parts, config: &AccountConfig) -> Result<Self, Error> {
        match &config.token {
            Some(token) if config.oauth.renewed().is_none() => Ok(Self::Fixed(token.clone())),
            _ => Ok(Self::Renewed(Tokens::new(parts, config.clone())?)),
        }
    }

    /// Takes over another configuration; `false` when it is of another kind, so that it must be made anew.
    pub(crate) fn configure(&mut self, config: &AccountConfig) -> bool {
        match (&mut *self, &config.token, config.oauth.renewed()) {
            (Self::Fixed(own), Some(token), None) => {
                own.clone_from(token);
                true
            }
            (Self::Renewed(tokens), _, Some(_)) => {
                tokens.configure(config);
                true
            }
            _ => false,
        }
    }

    /// Renews what is to be renewed, also while no request is sent.
    pub(crate) fn tend(&self) {
        if let Self::Renewed(tokens) = self {
            tokens.tend();
        }
    }

    /// The operator says that the trouble is over.
    pub(crate) fn resume(&self) {
        if let Self::Renewed(tokens) = self {
            tokens.resume();
        }
    }

    /// What an operator should know.
    pub(crate) fn standing(&self) -> Option<(Code, String)> {
        match self {
            Self::Fixed(_) => None,
            Self::Renewed(tokens) => tokens.standing().map(told),
        }
    }

    /// Until nothing is under way that must not be cut off.
    pub(crate) async fn rest(&self) {
        if let Self::Renewed(tokens) = self {
            tokens.rest().await;
        }
    }

    /// One request with the credential, within `timeout` altogether; what the dispatcher is told of it.
    pub(crate) async fn send(
        &self,
        sender: &Sender,
        request: RequestId,
        http: &HttpRequest,
        timeout: Duration,
        lease_until: &watch::Receiver<Instant>,
    ) -> Input {
        let unauthorized = |left, trouble: Option<(Code, String)>| Input::Unauthorized {
            request,
            left,
            trouble,
        };
        let answered = |answer| Input::Answered { request, answer };
        match self {
            Self::Fixed(reference) => match secret::resolve(reference) {
                Ok(token) => {
                    let until = *lease_until.borrow();
                    answered(sender.send(http, &token, timeout, until).await)
                }
                Err(missing) => unauthorized(false, Some((missing.code(), missing.to_string()))),
            },
            Self::Renewed(tokens) => {
                // The permit was granted for this long: waiting for a token is part of it.
                let begun = Instant::now();
                let deadline = begun + timeout;
                let token = match tokens
                    .obtain(begun + timeout.saturating_sub(SHORTEST))
                    .await
                {
                    Obtained::Token(token) => token,
                    Obtained::NotYet => return answered(Answer::NotSent),
                    Obtained::Trouble(trouble) => return unauthorized(false, Some(told(trouble))),
                };
                let until = *lease_until.borrow();
                let left = deadline.saturating_duration_since(Instant::now());
                let answer = sender
                    .at(token.base_url.as_deref())
                    .send(http, &token.token, left, until)
                    .await;
                match &answer {
                    Answer::Response { status, .. }
                        if *status == UNAUTHORIZED && tokens.refused(&token) =>
                    {
                        unauthorized(true, None)
                    }
                    _ => answered(answer),
                }
            }
        }
    }
}

fn told(trouble: Trouble) -> (Code, String) {
    (trouble.code, trouble.text)
}
