//! Secrets by reference: read where they are used, never kept in configuration, never printed.

use callflume_core::codes::{self, Code};
use callflume_core::config::SecretRef;
use callflume_jetstream::tokens::{BadKey, KEY_VARIABLE, PREVIOUS_KEY_VARIABLE, TokenKeys};
use secrecy::SecretString;

/// A secret that isn't where the configuration says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingSecret {
    /// No such environment variable.
    #[error("environment variable `{0}` is not set or empty; set it for the worker")]
    Env(String),
    /// The file can't be read.
    #[error("secret file `{path}` can't be read ({cause}) or is empty; check path and permissions")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        cause: String,
    },
}

impl MissingSecret {
    /// The stable code.
    pub const fn code(&self) -> Code {
        codes::CONFIG_SECRET
    }
}

/// The secret.
pub fn resolve(reference: &SecretRef) -> Result<SecretString, MissingSecret> {
    let (text, missing) = match reference {
        SecretRef::Env(name) => (
            std::env::var(name).unwrap_or_default(),
            MissingSecret::Env(name.clone()),
        ),
        SecretRef::File(path) => {
            let read = std::fs::read_to_string(path);
            let cause = read
                .as_ref()
                .err()
                .map_or_else(|| "empty".to_owned(), ToString::to_string);
            (
                read.unwrap_or_default(),
                MissingSecret::File {
                    path: path.clone(),
                    cause,
                },
            )
        }
    };
    let text = text.trim();
    if text.is_empty() {
        Err(missing)
    } else {
        Ok(SecretString::from(text.to_owned()))
    }
}

/// The keys that encrypt stored tokens, from the environment; none when the variable is not set or empty.
pub fn token_keys() -> Result<Option<TokenKeys>, BadKey> {
    let from = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|text| !text.trim().is_empty())
            .map(SecretString::from)
    };
    from(KEY_VARIABLE)
        .map(|current| TokenKeys::parse(&current, from(PREVIOUS_KEY_VARIABLE).as_ref()))
        .transpose()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_missing_secret_names_where_it_should_be() {
        let error = resolve(&SecretRef::Env("CALLFLUME_NO_SUCH_SECRET".into())).unwrap_err();
        assert!(error.to_string().contains("CALLFLUME_NO_SUCH_SECRET"));
        let error = resolve(&SecretRef::File("/no/such/file".into())).unwrap_err();
        assert!(error.to_string().contains("/no/such/file"));
    }

    #[test]
    fn a_file_is_read_anew_and_trimmed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in ["one\n", " two "] {
            std::fs::write(file.path(), text).unwrap();
            let secret = resolve(&SecretRef::File(file.path().display().to_string())).unwrap();
            assert_eq!(secret.expose_secret(), text.trim());
            assert!(!format!("{secret:?}").contains(text.trim()));
        }
    }
}
