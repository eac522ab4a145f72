//! OAuth tokens in their bucket, encrypted: `token.<account>`, written by compare-and-set only.
//!
//! Decides how a record is sealed and which of them this process can open. AES-256-GCM under a key from the environment,
//! a random nonce per record (96 bits: safe for 2³² records per key, more than a thousand accounts write in a century);
//! account and origin are bound to the text, so that a record moved to another account opens nothing. In the clear stand
//! only the key's name, the nonce and the origin, a digest.
//!
//! Never here: a token in an error, in a log, in `Debug`; a record that replaces one of another revision.

mod key;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callflume_core::account::AccountId;
use callflume_core::codes::{self, Code};
use callflume_core::record::{SCHEMA, bucket, key as record_key};
use callflume_core::time::BrokerTime;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::broker::Broker;
use crate::error::{Error, SwapError};
use crate::kv::{Bucket, Expected};
use crate::records;

pub use key::{BadKey, KEY_VARIABLE, PREVIOUS_KEY_VARIABLE, TokenKeys};

/// Which consent a chain of tokens comes from: a digest of what the configuration held when it began. A refresh token
/// has far too many values to be guessed from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(String);

impl Origin {
    /// The origin of an account's configured refresh token.
    pub fn of_refresh_token(account: &AccountId, token: &SecretString) -> Self {
        Self::of(account, &["refresh_token", token.expose_secret()])
    }

    /// The origin of an app that is its own user.
    pub fn of_client(account: &AccountId, id: &SecretString, secret: &SecretString) -> Self {
        let parts = ["client", id.expose_secret(), secret.expose_secret()];
        Self::of(account, &parts)
    }

    fn of(account: &AccountId, parts: &[&str]) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(b"callflume token origin\0");
        for part in std::iter::once(&account.as_str()).chain(parts) {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let mut text = hex(digest.finish().as_ref());
        text.truncate(32);
        Self(text)
    }
}

/// An access token with its life.
#[derive(Clone)]
pub struct Access {
    /// The token.
    pub token: SecretString,
    /// From when on it lives: the broker's time before it was asked for.
    pub since: BrokerTime,
    /// How long, seconds; none: until a request is refused.
    pub life_s: Option<u64>,
}

/// What an account's tokens are at the moment: the latest link of a chain of renewals.
#[derive(Clone)]
pub struct Chain {
    /// Where the chain began.
    pub origin: Origin,
    /// The refresh token to use next; none where the app is its own user.
    pub refresh_token: Option<SecretString>,
    /// The access token; none before the first renewal.
    pub access: Option<Access>,
    /// Base address of the account's API, if the CRM told one.
    pub base_url: Option<String>,
    /// The scopes of the access token, in the CRM's words, if it told them.
    pub scope: Option<String>,
    /// Since when a renewal has been under way whose end isn't stored, where that may have used the refresh token up.
    pub begun: Option<BrokerTime>,
}

impl fmt::Debug for Chain {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = self.access.as_ref();
        f.debug_struct("Chain")
            .field("origin", &self.origin)
            .field("since", &access.map(|access| access.since))
            .field("life_s", &access.and_then(|access| access.life_s))
            .field("base_url", &self.base_url)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Whether both hold the same tokens, from the same renewal.
    pub fn is_same(&self, other: &Self) -> bool {
        let text = |secret: &Option<SecretString>| {
            secret
                .as_ref()
                .map(|secret| secret.expose_secret().to_owned())
        };
        let access = |chain: &Self| {
            chain
                .access
                .as_ref()
                .map(|access| (access.token.expose_secret().to_owned(), access.since))
        };
        self.origin == other.origin
            && self.begun == other.begun
            && text(&self.refresh_token) == text(&other.refresh_token)
            && access(self) == access(other)
    }
}

/// A chain as it is stored.
#[derive(Debug, Clone)]
pub struct StoredChain {
    /// The chain.
    pub chain: Chain,
    /// Its revision, for a compare-and-set.
    pub revision: u64,
    /// Whether it is encrypted with the key before: it is to be written again.
    pub with_previous_key: bool,
}

/// A record that none of the keys opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Where the chain began.
    pub origin: Origin,
    /// Its revision: a new chain may replace it.
    pub revision: u64,
    /// Name of the key it was encrypted with.
    pub key_id: String,
    /// Name of ours.
    pub own_key_id: String,
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key_id == self.own_key_id {
            return f.write_str(
                "the stored token can't be opened, although the key is the one it names: the record was damaged or \
                 moved; configure a new refresh token",
            );
        }
        write!(
            f,
            "the stored token is encrypted with key {}, and {KEY_VARIABLE} holds key {}: put the former key into \
             {PREVIOUS_KEY_VARIABLE}, or configure a new refresh token",
            self.key_id, self.own_key_id
        )
    }
}

/// What stands for an account.
#[derive(Debug, Clone)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// A chain.
    Chain(StoredChain),
    /// A record that can't be opened.
    Locked(Locked),
}

impl Locked {
    /// The stable code.
    pub const fn code(&self) -> Code {
        codes::TOKEN_KEY
    }
}

/// As it lies in the bucket.
#[derive(Serialize, Deserialize)]
struct Sealed {
    schema: u32,
    key_id: String,
    origin: Origin,
    nonce: String,
    text: String,
}

/// What is encrypted.
#[derive(Serialize, Deserialize)]
struct Plain {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<BrokerTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    life_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<BrokerTime>,
}

/// The bucket with the keys to it.
#[derive(Debug, Clone)]
pub struct Tokens {
    bucket: Bucket,
    keys: TokenKeys,
}

impl Tokens {
    /// Opens the bucket.
    pub async fn open(broker: &Broker, keys: TokenKeys) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::TOKENS).await?;
        Ok(Self { bucket, keys })
    }

    /// What stands for an account, answered by the leader.
    pub async fn read(&self, account: &AccountId) -> Result<Kept, Error> {
        let stored = records::read::<Sealed>(&self.bucket, &record_key::token(account)).await?;
        let Some(stored) = stored else {
            return Ok(Kept::Nothing);
        };
        let (sealed, revision) = (stored.record, stored.revision);
        Ok(match open(&self.keys, account, &sealed) {
            Some(chain) => Kept::Chain(StoredChain {
                chain,
                revision,
                with_previous_key: sealed.key_id != self.keys.id(),
            }),
            None => Kept::Locked(Locked {
                origin: sealed.origin,
                revision,
                key_id: sealed.key_id.chars().take(40).collect(),
                own_key_id: self.keys.id().to_owned(),
            }),
        })
    }

    /// Replaces what has the expected revision; gives the new one.
    pub async fn write(
        &self,
        account: &AccountId,
        chain: &Chain,
        expected: Expected,
    ) -> Result<u64, SwapError> {
        let key = record_key::token(account);
        let sealed = seal(&self.keys, account, chain).ok_or_else(|| Error::MalformedRecord {
            bucket: self.bucket.name().to_owned(),
            key: key.clone(),
            cause: "it could not be encrypted: the system gives no random numbers".to_owned(),
        })?;
        records::swap(&self.bucket, &key, &sealed, expected, None).await
    }
}

/// What the encrypted text is bound to.
fn bound_to(account: &AccountId, origin: &Origin) -> Vec<u8> {
    // Account ids hold no zero.
    format!("callflume token v1\0{account}\0{}", origin.0).into_bytes()
}

fn seal(keys: &TokenKeys, account: &AccountId, chain: &Chain) -> Option<Sealed> {
    let text =
        |secret: &Option<SecretString>| secret.as_ref().map(|s| s.expose_secret().to_owned());
    let access = chain.access.as_ref();
    let plain = Plain {
        refresh_token: text(&chain.refresh_token),
        access_token: access.map(|access| access.token.expose_secret().to_owned()),
        since: access.map(|access| access.since),
        life_s: access.and_then(|access| access.life_s),
        base_url: chain.base_url.clone(),
        scope: chain.scope.clone(),
        begun: chain.begun,
    };
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut text = serde_json::to_vec(&plain).ok()?;
    keys.current()
        .cipher
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound_to(account, &chain.origin)),
            &mut text,
        )
        .ok()?;
    Some(Sealed {
        schema: SCHEMA,
        key_id: keys.id().to_owned(),
        origin: chain.origin.clone(),
        nonce: STANDARD.encode(nonce),
        text: STANDARD.encode(text),
    })
}

fn open(keys: &TokenKeys, account: &AccountId, sealed: &Sealed) -> Option<Chain> {
    let key = keys.find(&sealed.key_id)?;
    let nonce = STANDARD.decode(&sealed.nonce).ok()?;
    let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
    let mut text = STANDARD.decode(&sealed.text).ok()?;
    let bound = Aad::from(bound_to(account, &sealed.origin));
    let plain = key.cipher.open_in_place(nonce, bound, &mut text).ok()?;
    let plain: Plain = serde_json::from_slice(plain).ok()?;
    Some(Chain {
        origin: sealed.origin.clone(),
        refresh_token: plain.refresh_token.map(SecretString::from),
        access: plain
            .access_token
            .zip(plain.since)
            .map(|(token, since)| Access {
                token: token.into(),
                since,
                life_s: plain.life_s,
            }),
        base_url: plain.base_url,
        scope: plain.scope,
        begun: plain.begun,
    })
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            write!(text, "{byte:02x}").map_or_else(|_| String::new(), |()| text)
        })
}

#[cfg(test)]
mod tests;
