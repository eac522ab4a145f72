//! How a publisher reaches the broker and how patient it is.

use std::path::PathBuf;

use callflume_core::event::ContentType;
use callflume_jetstream::connect::{self, Credentials, TlsClient};

/// Settings of a [`Publisher`](crate::Publisher).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses of all servers, `nats://host:port` or `tls://host:port`.
    pub urls: Vec<String>,
    /// Shown on the server beside the role, for example the host's name.
    pub name: String,
    /// Who we are.
    pub credentials: Credentials,
    /// Trust only this authority (PEM) instead of the system's; makes TLS required.
    pub tls_ca_file: Option<PathBuf>,
    /// Client certificate and its key (PEM), for mutual TLS; makes TLS required.
    pub tls_client: Option<TlsClient>,
    /// Prefix of reply subjects, where permissions allow only one; default `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// How long one attempt waits for the broker's answer, milliseconds. An attempt in flight through a change of
    /// leaders gets none at all, so it is short.
    pub ack_timeout_ms: u64,
    /// How many events may wait for their answer at a time, those that wait for their turn included.
    pub in_flight_max: u32,
    /// When and how long to repeat.
    pub retry: Retry,
    /// How bodies are encoded.
    pub content_type: ContentType,
}

impl Settings {
    /// Defaults for these addresses.
    pub fn at<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// The part that is about the connection.
    pub(crate) fn connection(&self) -> connect::Settings {
        connect::Settings {
            urls: self.urls.clone(),
            name: self.name.clone(),
            credentials: self.credentials.clone(),
            tls_ca_file: self.tls_ca_file.clone(),
            tls_client: self.tls_client.clone(),
            inbox_prefix: self.inbox_prefix.clone(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            name: String::new(),
            credentials: Credentials::None,
            tls_ca_file: None,
            tls_client: None,
            inbox_prefix: None,
            ack_timeout_ms: 250,
            in_flight_max: 1024,
            retry: Retry::default(),
            content_type: ContentType::MessagePack,
        }
    }
}

/// When an attempt is repeated: after a wait that doubles from `first_ms` to `longest_ms`, with chance in it, until
/// `give_up_ms` after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Longest first wait, milliseconds.
    pub first_ms: u64,
    /// Longest wait, milliseconds.
    pub longest_ms: u64,
    /// Time from the call until it is given up, milliseconds. The default outlasts the election of a leader (4 to
    /// 9 s).
    pub give_up_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first_ms: 5,
            longest_ms: 200,
            give_up_ms: 10_000,
        }
    }
}

impl Retry {
    /// The wait after this many failures: between half and all of the doubled step; `chance` picks where.
    pub(crate) fn wait_ms(&self, failures: u32, chance: u64) -> u64 {
        let doublings = failures.saturating_sub(1).min(20);
        let step = self
            .first_ms
            .saturating_mul(1 << doublings)
            .clamp(1, self.longest_ms.max(1));
        let half = step / 2;
        half + chance % (step - half + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_first_to_longest_and_keep_at_least_half() {
        let retry = Retry::default();
        for (failures, step) in [(1, 5), (2, 10), (3, 20), (6, 160), (7, 200), (1000, 200)] {
            for chance in [0, 1, 77, u64::MAX] {
                let wait = retry.wait_ms(failures, chance);
                assert!(
                    (step / 2..=step).contains(&wait),
                    "{failures} {chance} {wait}"
                );
            }
        }
        let none = Retry {
            first_ms: 0,
            longest_ms: 0,
            give_up_ms: 0,
        };
        assert!(none.wait_ms(3, 9) <= 1);
    }
}
