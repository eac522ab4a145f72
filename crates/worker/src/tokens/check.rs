//! An access token for a process that owns no account: `callflume account check`.
//!
//! Uses what the account's owner has stored. Without that it asks the CRM itself only where the refresh token is never
//! exchanged: it stores nothing, and must not use up a consent that the owner lives on.

use std::time::Instant;

use callflume_core::account::AccountId;
use callflume_core::codes::{self, Code};
use callflume_core::config::AccountConfig;
use callflume_core::time::BrokerTime;
use callflume_crm::oauth::{self, Rotation, TokenAnswer};
use callflume_jetstream::tokens::{Chain, KEY_VARIABLE, Kept, TokenKeys, Tokens as Bucket};
use callflume_jetstream::{Broker, Error as BrokerError};

use super::AccessToken;
use super::renew::{Secrets, TIMEOUT, dialect_of, token_url};
use super::state::lives;
use crate::http::TokenEndpoint;
use crate::secret::MissingSecret;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// A secret isn't where the configuration says.
    #[error(transparent)]
    Secret(#[from] MissingSecret),
    /// The account's settings don't fit its CRM.
    #[error("`{}`: {}", .0.field, .0.text)]
    Unfit(oauth::Unfit),
    /// The CRM refuses.
    #[error("the CRM does not renew the access token ({0})")]
    Refused(String),
    /// The CRM does not answer, or not usefully.
    #[error("the CRM did not renew the access token just now ({0})")]
    Passing(String),
    /// The stored token can't be read here.
    #[error("{0}")]
    Locked(String),
    /// Only the owner may renew, and it has not.
    #[error(
        "no access token is stored that lives, and only a worker may renew it: this CRM may exchange the refresh token, \
         which must be kept"
    )]
    OwnerOnly,
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// TLS or the HTTP client.
    #[error(transparent)]
    Http(#[from] crate::Error),
}

impl NoToken {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Secret(missing) => missing.code(),
            Self::Unfit(_) => codes::CONFIG_VALUE,
            Self::Refused(_) => codes::CRM_GRANT,
            Self::Passing(_) => codes::CRM_GRANT_LATE,
            Self::Locked(_) => codes::TOKEN_KEY,
            Self::OwnerOnly => codes::WORKER_ABSENT,
            Self::Broker(error) => error.code(),
            Self::Http(error) => error.code(),
        }
    }
}

/// A token of the account: the stored one if a broker is given, with the keys, and the token lives at `now`.
pub async fn access_token(
    stored: Option<(&Broker, &TokenKeys, BrokerTime)>,
    account: &AccountId,
    config: &AccountConfig,
) -> Result<AccessToken, NoToken> {
    let dialect = dialect_of(config).map_err(NoToken::Unfit)?;
    let secrets = Secrets::resolve(account, config)?;
    let alone = dialect.rotation == Rotation::Never || secrets.refresh_token.is_none();
    let mut refresh_token = secrets.refresh_token.clone();
    let mut locked = None;
    if let Some((broker, keys, now)) = stored {
        match kept(broker, keys.clone(), account).await? {
            Kept::Chain(stored) if stored.chain.origin == secrets.origin => {
                if let Some(token) = living(&stored.chain, now) {
                    return Ok(token);
                }
                refresh_token = stored.chain.refresh_token.or(refresh_token);
            }
            Kept::Chain(_) | Kept::Nothing => {}
            Kept::Locked(record) => locked = Some(record.to_string()),
        }
    } else if !alone {
        locked = Some(format!(
            "this CRM may exchange the refresh token, so the token that a worker has stored is needed: set \
             `{KEY_VARIABLE}` as for the workers, and reach the broker"
        ));
    }
    if !alone {
        return Err(locked.map_or(NoToken::OwnerOnly, NoToken::Locked));
    }
    let request = secrets.request(dialect, refresh_token.as_ref());
    let answer = TokenEndpoint::new()?
        .ask(
            token_url(config, dialect),
            &request,
            TIMEOUT,
            Instant::now() + 2 * TIMEOUT,
        )
        .await;
    match oauth::interpret(dialect, &answer) {
        TokenAnswer::Granted(granted) => Ok(AccessToken {
            token: granted.access_token.into(),
            base_url: granted.base_url,
            scope: granted.scope,
            generation: 0,
        }),
        TokenAnswer::Ended { reason } | TokenAnswer::Misconfigured { reason } => {
            Err(NoToken::Refused(reason))
        }
        TokenAnswer::Passing { reason, .. } => Err(NoToken::Passing(reason)),
    }
}

/// What is stored; nothing also where the bucket isn't made yet.
async fn kept(broker: &Broker, keys: TokenKeys, account: &AccountId) -> Result<Kept, BrokerError> {
    match Bucket::open(broker, keys).await {
        Ok(bucket) => bucket.read(account).await,
        Err(BrokerError::NotProvisioned { .. }) => Ok(Kept::Nothing),
        Err(error) => Err(error),
    }
}

fn living(chain: &Chain, now: BrokerTime) -> Option<AccessToken> {
    let access = chain.access.as_ref().filter(|access| lives(access, now))?;
    Some(AccessToken {
        token: access.token.clone(),
        base_url: chain.base_url.clone(),
        scope: chain.scope.clone(),
        generation: 0,
    })
}
