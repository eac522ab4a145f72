//! The key that encrypts stored tokens, and the one before it.
//!
//! Decides which texts are keys and which of two keys opens a record. Never printed, also not by `Debug`; what names a key
//! is a digest of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use callflume_core::codes::{self, Code};
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::digest::{Context, SHA256};
use secrecy::{ExposeSecret as _, SecretString};

/// Environment variable with the key: 32 random bytes in base64 (`openssl rand -base64 32`).
pub const KEY_VARIABLE: &str = "CALLFLUME_TOKEN_KEY";
/// Environment variable with the key before it, while records encrypted with that may be left.
pub const PREVIOUS_KEY_VARIABLE: &str = "CALLFLUME_TOKEN_KEY_PREVIOUS";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Characters of a key's name.
const ID_CHARACTERS: usize = 12;

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "environment variable `{variable}` holds no key: write 32 random bytes in base64, as `openssl rand -base64 32` makes them"
)]
pub struct BadKey {
    /// The variable.
    pub variable: &'static str,
}

impl BadKey {
    /// The stable code.
    pub const fn code(&self) -> Code {
        codes::TOKEN_KEY
    }
}

/// The keys in force. Cheap to make, not to print.
#[derive(Clone)]
pub struct TokenKeys {
    current: Key,
    previous: Option<Key>,
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) cipher: LessSafeKey,
}

impl TokenKeys {
    /// The keys in these texts; white space at their ends doesn't count.
    pub fn parse(current: &SecretString, previous: Option<&SecretString>) -> Result<Self, BadKey> {
        Ok(Self {
            current: key(KEY_VARIABLE, current)?,
            previous: previous
                .map(|text| key(PREVIOUS_KEY_VARIABLE, text))
                .transpose()?,
        })
    }

    /// Name of the key that new records are encrypted with.
    pub fn id(&self) -> &str {
        &self.current.id
    }

    pub(super) const fn current(&self) -> &Key {
        &self.current
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| key.id == id)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys")
            .field("current", &self.current.id)
            .field("previous", &self.previous.as_ref().map(|key| &key.id))
            .finish()
    }
}

fn key(variable: &'static str, text: &SecretString) -> Result<Key, BadKey> {
    let text = text.expose_secret().trim();
    let bytes = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(text).ok())
        .filter(|bytes| bytes.len() == KEY_BYTES)
        .ok_or(BadKey { variable })?;
    let cipher = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| BadKey { variable })?;
    // Not the digest of the key alone: that might stand elsewhere for another purpose.
    let mut named = Context::new(&SHA256);
    named.update(b"callflume token key\0");
    named.update(&bytes);
    let mut id = super::hex(named.finish().as_ref());
    id.truncate(ID_CHARACTERS);
    Ok(Key {
        id,
        cipher: LessSafeKey::new(cipher),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        let bytes = [7_u8; KEY_BYTES];
        for (text, good) in [
            (STANDARD.encode(bytes), true),
            (format!(" {}\n", STANDARD.encode(bytes)), true),
            (URL_SAFE_NO_PAD.encode([251_u8; KEY_BYTES]), true),
            (STANDARD.encode([7_u8; 31]), false),
            (STANDARD.encode([7_u8; 33]), false),
            ("0".repeat(64), false),
            ("no key at all".to_owned(), false),
            (String::new(), false),
        ] {
            let parsed = TokenKeys::parse(&text.clone().into(), None);
            assert_eq!(parsed.is_ok(), good, "{text}");
            if let Err(error) = parsed {
                let said = error.to_string();
                assert!(
                    said.contains(KEY_VARIABLE) && said.contains("openssl"),
                    "{said}"
                );
                assert!(text.is_empty() || !said.contains(&text), "{said}");
            }
        }
    }

    #[test]
    fn keys_have_names_and_are_not_printed() {
        let text = |byte: u8| SecretString::from(STANDARD.encode([byte; KEY_BYTES]));
        let keys = TokenKeys::parse(&text(1), Some(&text(2))).unwrap();
        let other = TokenKeys::parse(&text(2), None).unwrap();
        assert_ne!(keys.id(), other.id());
        assert!(keys.find(other.id()).is_some());
        assert!(other.find(keys.id()).is_none());
        let shown = format!("{keys:?}");
        assert!(!shown.contains(text(1).expose_secret()), "{shown}");
        let bad = TokenKeys::parse(&text(1), Some(&"x".to_owned().into())).unwrap_err();
        assert_eq!(bad.variable, PREVIOUS_KEY_VARIABLE);
    }
}
