//! One renewal: secrets, what the broker holds, the CRM's answer, the broker's confirmation; in this order.
//!
//! | killed after | the successor |
//! | --- | --- |
//! | reading | begins anew |
//! | marking (`begun`, only where the CRM may exchange the refresh token) | asks with the same refresh token |
//! | the CRM's answer | asks with the same refresh token: HubSpot and Pipedrive don't exchange it, so nothing is lost; where it was exchanged the CRM refuses, and the mark tells why (`CF2212`) |
//! | storing | uses what is stored |
//!
//! The configured refresh token counts for the beginning of a chain only: the stored one follows it, until the
//! configuration holds another.

use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_core::config::AccountConfig;
use callflume_core::time::BrokerTime;
use callflume_crm::oauth::{self, Dialect, Grant, Granted, Rotation, TokenAnswer};
use callflume_jetstream::kv::Expected;
use callflume_jetstream::tokens::{Access, Chain, KEY_VARIABLE, Kept, Origin, Tokens as Bucket};
use secrecy::{ExposeSecret as _, SecretString};

use super::state::{Failed, Trouble, is_old, lives};
use super::store::store;
use super::{Inner, Tokens};
use crate::http::TokenEndpoint;
use crate::secret::{MissingSecret, resolve};

/// The CRM has this long to answer, or what is left of the lease.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// What the configuration refers to, as it stands now.
pub(super) struct Secrets {
    pub(super) client_id: SecretString,
    pub(super) client_secret: SecretString,
    pub(super) refresh_token: Option<SecretString>,
    pub(super) origin: Origin,
}

impl Secrets {
    pub(super) fn resolve(
        account: &AccountId,
        config: &AccountConfig,
    ) -> Result<Self, MissingSecret> {
        let Some(given) = config.oauth.renewed() else {
            return Err(MissingSecret::Env("oauth".to_owned()));
        };
        let client_id = resolve(&given.client_id)?;
        let client_secret = resolve(&given.client_secret)?;
        let refresh_token = given.refresh_token.as_ref().map(resolve).transpose()?;
        let origin = match &refresh_token {
            Some(token) => Origin::of_refresh_token(account, token),
            None => Origin::of_client(account, &client_id, &client_secret),
        };
        Ok(Self {
            client_id,
            client_secret,
            refresh_token,
            origin,
        })
    }

    /// The request for an access token, with this refresh token where the account has one.
    pub(super) fn request(
        &self,
        dialect: &Dialect,
        refresh_token: Option<&SecretString>,
    ) -> oauth::TokenRequest {
        let grant = match refresh_token {
            Some(token) => Grant::Refresh(token.expose_secret()),
            None => Grant::ClientCredentials,
        };
        let (id, secret) = (&self.client_id, &self.client_secret);
        oauth::request(dialect, grant, id.expose_secret(), secret.expose_secret())
    }
}

/// A renewal that has begun: ends as a failure when it is dropped before its end.
struct Begun {
    tokens: Option<Tokens>,
    epoch: u64,
}

impl Begun {
    fn conclude(&mut self, result: Result<(), Failed>) {
        let Some(tokens) = self.tokens.take() else {
            return;
        };
        let inner = &tokens.0;
        tell(inner, &result);
        let now = (inner.parts.clock)();
        inner.state().ended_with(result, self.epoch, now);
        inner.ended.send_modify(|ended| *ended += 1);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.conclude(Err(Failed::Shortly));
    }
}

impl Tokens {
    /// A renewal, if one is due. It counts as begun, whether it is driven or not.
    pub(super) fn renewal(&self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let now = (self.0.parts.clock)();
        let mut state = self.0.state();
        if !state.is_due(now) {
            return None;
        }
        state.renewing = true;
        let tokens = self.clone();
        let mut begun = Begun {
            tokens: Some(tokens.clone()),
            epoch: state.epoch,
        };
        Some(async move {
            let result = renew(&tokens.0, begun.epoch).await;
            begun.conclude(result);
        })
    }
}

/// Says what came of it, trouble once.
fn tell(inner: &Inner, result: &Result<(), Failed>) {
    let account = &inner.parts.account;
    match result {
        Ok(()) => tracing::debug!(%account, "an access token stands"),
        Err(Failed::Shortly) => {}
        Err(Failed::Trouble(trouble)) => {
            let now = (inner.parts.clock)();
            if inner.state().standing(now).as_ref() != Some(trouble) {
                tracing::error!(%account, code = %trouble.code, "{}", trouble.text);
            }
        }
        Err(Failed::Crm { reason, .. }) => {
            tracing::warn!(%account, %reason, "the access token was not renewed; trying again");
        }
        Err(Failed::Broker(cause)) => {
            tracing::warn!(%account, %cause, "OAuth tokens could not be read or stored; trying again");
        }
    }
}

async fn renew(inner: &Inner, epoch: u64) -> Result<(), Failed> {
    let account = &inner.parts.account;
    let config = inner.config();
    let trouble = |code, text: String| Failed::Trouble(Trouble::new(code, text));
    let secrets = Secrets::resolve(account, &config)
        .map_err(|missing| trouble(missing.code(), missing.to_string()))?;
    let dialect = dialect_of(&config).map_err(|unfit| {
        trouble(
            codes::CONFIG_VALUE,
            format!("`{}`: {}", unfit.field, unfit.text),
        )
    })?;
    let bucket = open(inner).await?;
    let unstored = inner.state().unstored.clone();
    if let Some(chain) = unstored {
        store(inner, &bucket, &chain).await?;
        inner.state().unstored = None;
    }
    let read = inner.state().read;
    if !read {
        read_stored(inner, &bucket, &secrets, epoch).await?;
    }
    let chain = inner.state().chain.clone();
    let chain = chain.filter(|chain| chain.origin == secrets.origin);
    if let Some(chain) = &chain {
        let rewrap = inner.state().rewrap;
        if rewrap {
            store(inner, &bucket, chain).await?;
            inner.state().rewrap = false;
        }
        let now = (inner.parts.clock)();
        let access = chain.access.as_ref();
        let good = access.is_some_and(|access| lives(access, now) && !is_old(access, now));
        if good && !inner.state().refused {
            return Ok(());
        }
    }
    ask(inner, &bucket, &config, &secrets, dialect, chain).await
}

/// How this account's CRM speaks OAuth.
pub(super) fn dialect_of(config: &AccountConfig) -> Result<&'static Dialect, oauth::Unfit> {
    let given = config.oauth.renewed();
    oauth::fitting(
        &config.crm,
        given.is_some_and(|oauth| oauth.refresh_token.is_some()),
        given.is_some_and(|oauth| oauth.token_url.is_some()),
    )
}

/// Where this account's tokens are renewed.
pub(super) fn token_url<'a>(config: &'a AccountConfig, dialect: &'a Dialect) -> &'a str {
    config
        .oauth
        .renewed()
        .and_then(|oauth| oauth.token_url.as_deref())
        .unwrap_or(dialect.token_url)
}

async fn open(inner: &Inner) -> Result<Bucket, Failed> {
    let Some(keys) = inner.parts.keys.clone() else {
        return Err(Failed::Trouble(Trouble::new(
            codes::TOKEN_KEY,
            format!(
                "`{KEY_VARIABLE}` is not set: tokens can't be kept. Set it for every worker to the same 32 random bytes \
                 in base64 (`openssl rand -base64 32`) and start them again"
            ),
        )));
    };
    Bucket::open(&inner.parts.broker, keys)
        .await
        .map_err(|error| Failed::Broker(error.to_string()))
}

async fn read_stored(
    inner: &Inner,
    bucket: &Bucket,
    secrets: &Secrets,
    epoch: u64,
) -> Result<(), Failed> {
    let account = &inner.parts.account;
    let kept = bucket
        .read(account)
        .await
        .map_err(|error| Failed::Broker(error.to_string()))?;
    let mut state = inner.state();
    match kept {
        Kept::Nothing => {
            state.doubt = false;
            state.set_chain(None, Expected::Absent);
        }
        Kept::Chain(stored) if stored.chain.origin == secrets.origin => {
            state.doubt |= stored.chain.begun.is_some();
            state.rewrap = stored.with_previous_key;
            state.set_chain(Some(stored.chain), Expected::Revision(stored.revision));
        }
        Kept::Chain(stored) => {
            tracing::info!(%account, "another refresh token is configured: the stored tokens are replaced");
            state.doubt = false;
            state.set_chain(None, Expected::Revision(stored.revision));
        }
        // Nothing in it is of use: the configuration has another consent, or the app needs none.
        Kept::Locked(locked)
            if locked.origin != secrets.origin || secrets.refresh_token.is_none() =>
        {
            state.doubt = false;
            state.set_chain(None, Expected::Revision(locked.revision));
        }
        Kept::Locked(locked) => {
            return Err(Failed::Trouble(Trouble::new(
                locked.code(),
                locked.to_string(),
            )));
        }
    }
    state.read = state.epoch == epoch;
    Ok(())
}

/// Asks the CRM, and stores what it answers before anybody can use it.
async fn ask(
    inner: &Inner,
    bucket: &Bucket,
    config: &AccountConfig,
    secrets: &Secrets,
    dialect: &Dialect,
    chain: Option<Chain>,
) -> Result<(), Failed> {
    let refresh_token = chain
        .as_ref()
        .and_then(|chain| chain.refresh_token.clone())
        .or_else(|| secrets.refresh_token.clone());
    let exchanged = refresh_token.is_some() && dialect.rotation == Rotation::Possible;
    let marked = chain.as_ref().is_some_and(|chain| chain.begun.is_some());
    if exchanged && !marked {
        let begun = Some((inner.parts.clock)());
        let mark = match chain.clone() {
            Some(chain) => Chain { begun, ..chain },
            None => Chain {
                origin: secrets.origin.clone(),
                refresh_token: refresh_token.clone(),
                access: None,
                base_url: None,
                scope: None,
                begun,
            },
        };
        store(inner, bucket, &mark).await?;
    }
    let lease_until = *inner.parts.lease_until.borrow();
    if !TokenEndpoint::has_time(lease_until) {
        return Err(Failed::Shortly);
    }
    let since = (inner.parts.clock)();
    let request = secrets.request(dialect, refresh_token.as_ref());
    let answer = inner
        .endpoint
        .ask(token_url(config, dialect), &request, TIMEOUT, lease_until)
        .await;
    match oauth::interpret(dialect, &answer) {
        TokenAnswer::Granted(granted) => {
            let next = following(chain, secrets, refresh_token, granted, since);
            inner.state().unstored = Some(next.clone());
            store(inner, bucket, &next).await?;
            let mut state = inner.state();
            state.unstored = None;
            state.doubt = false;
            Ok(())
        }
        TokenAnswer::Ended { reason } => {
            let doubt = inner.state().doubt;
            Err(Failed::Trouble(ended(secrets, &reason, doubt)))
        }
        TokenAnswer::Misconfigured { reason } => Err(Failed::Trouble(Trouble::new(
            codes::CRM_GRANT,
            format!(
                "the CRM does not renew the access token for this app ({reason}): correct `client_id`, `client_secret` \
                 or `token_url` of the account's `oauth`, then `callflume account resume`"
            ),
        ))),
        TokenAnswer::Passing {
            wait_ms,
            in_doubt,
            reason,
        } => {
            inner.state().doubt |= in_doubt && exchanged;
            Err(Failed::Crm { wait_ms, reason })
        }
    }
}

/// The chain with what the CRM granted.
fn following(
    chain: Option<Chain>,
    secrets: &Secrets,
    used: Option<SecretString>,
    granted: Granted,
    since: BrokerTime,
) -> Chain {
    let (base_url, scope) = chain.map_or((None, None), |chain| (chain.base_url, chain.scope));
    Chain {
        origin: secrets.origin.clone(),
        refresh_token: match (used, granted.refresh_token) {
            // An app that is its own user has none, whatever the answer says.
            (None, _) => None,
            (Some(_), Some(next)) => Some(next.into()),
            (Some(same), None) => Some(same),
        },
        access: Some(Access {
            token: granted.access_token.into(),
            since,
            life_s: granted.life_s,
        }),
        base_url: granted.base_url.or(base_url),
        scope: granted.scope.or(scope),
        begun: None,
    }
}

/// A consent that the CRM takes no more.
fn ended(secrets: &Secrets, reason: &str, doubt: bool) -> Trouble {
    let remedy = "let the customer connect the app again, put the new refresh token where the account's \
                  `oauth.refresh_token` points, then `callflume account resume`";
    let (code, text) = if secrets.refresh_token.is_none() {
        (
            codes::CRM_GRANT,
            format!(
                "the CRM gives this app no access token ({reason}): allow client credentials for it, with a user to \
                 run as, then `callflume account resume`"
            ),
        )
    } else if doubt {
        (
            codes::CRM_GRANT_LOST,
            format!(
                "a renewal was cut off when the CRM may have exchanged the refresh token already, and now it refuses \
                 the one we know ({reason}): {remedy}"
            ),
        )
    } else {
        (
            codes::CRM_GRANT,
            format!("the CRM refuses the refresh token ({reason}): {remedy}"),
        )
    };
    Trouble {
        ended: Some(secrets.origin.clone()),
        ..Trouble::new(code, text)
    }
}
