//! One request, one answer.
//!
//! Decides which failures mean "nothing left" and which mean "may have arrived": only a refused connection, or a
//! request that was never begun, is the former. Redirects are answers, nothing is retried here: one permit, one
//! exchange. The lease is looked at last, right before the request begins, and bounds its time. The credential is shown
//! the way the CRM wants it, and marked as sensitive.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use callflume_core::config::AccountConfig;
use callflume_core::vendor::{Answer, HttpRequest, Method, Scheme};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::Error;
use crate::setup::vendor_of;

/// A request needs at least this much of the lease: less would end before any CRM answers.
const SHORTEST: Duration = Duration::from_millis(500);
/// Between the end of a request's time and the lease's: room for the process to notice.
const MARGIN: Duration = Duration::from_millis(250);
/// A connection takes at most this long.
const CONNECT: Duration = Duration::from_secs(2);
/// Largest answer that is read, bytes: a page of 200 records with long texts stays below.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The HTTP client of this process, while any account uses it. One for all: each would read and keep the system's
/// authorities again, 2 ms and 0.1 MiB or more per account. Connections carry one request at a time (HTTP/1.1), so
/// accounts that share a CRM's address don't wait for each other.
static CLIENT: Mutex<Weak<reqwest::Client>> = Mutex::new(Weak::new());

/// Sends an account's requests.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Arc<reqwest::Client>,
    base_url: String,
    scheme: Scheme,
}

impl Sender {
    /// A sender for the account's CRM.
    pub fn new(config: &AccountConfig) -> Result<Self, Error> {
        let client = shared_client()?;
        let base_url = config
            .base_url
            .as_deref()
            .or_else(|| callflume_crm::base_url(&config.crm))
            .ok_or_else(|| {
                Error::Http(format!(
                    "{} has an address of its own per account: set `base_url`",
                    config.crm
                ))
            })?
            .trim_end_matches('/')
            .to_owned();
        let vendor = vendor_of(config).map_err(|error| Error::Http(error.to_string()))?;
        Ok(Self {
            client,
            base_url,
            scheme: vendor.authorization(),
        })
    }

    /// Sends within `timeout`, and only while the lease stands: `lease_until` is when it ends.
    pub async fn send(
        &self,
        request: &HttpRequest,
        token: &SecretString,
        timeout: Duration,
        lease_until: Instant,
    ) -> Answer {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
            Method::Put => reqwest::Method::PUT,
        };
        let builder = self
            .client
            .request(method, format!("{}{}", self.base_url, request.path));
        let Some(mut builder) = authorized(builder, self.scheme, token) else {
            tracing::error!(
                "the token holds characters that no HTTP header takes; nothing is sent"
            );
            return Answer::NotSent;
        };
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let left = lease_until
            .saturating_duration_since(Instant::now())
            .saturating_sub(MARGIN);
        if left < SHORTEST {
            return Answer::NotSent;
        }
        let timeout = timeout.min(left);
        match builder.timeout(timeout).send().await {
            Ok(response) => read(response).await,
            Err(error) if error.is_connect() || error.is_builder() => {
                tracing::debug!(error = %error.without_url(), "a request could not be sent");
                Answer::NotSent
            }
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "a request was not answered");
                Answer::Lost
            }
        }
    }
}

/// The request with the credential; none if no header can hold it.
fn authorized(
    builder: RequestBuilder,
    scheme: Scheme,
    token: &SecretString,
) -> Option<RequestBuilder> {
    let token = token.expose_secret();
    let sensitive = |text: &str| {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    };
    Some(match scheme {
        Scheme::Bearer => builder.header(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?),
        // Marked as sensitive by the client library.
        Scheme::BasicUser => builder.basic_auth(token, Some("")),
        Scheme::Header(name) => builder.header(name, sensitive(token)?),
    })
}

fn shared_client() -> Result<Arc<reqwest::Client>, Error> {
    let mut shared = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = shared.upgrade() {
        return Ok(client);
    }
    // Fails only when another part of the process has installed a provider before, which is as good.
    let installed = rustls::crypto::ring::default_provider().install_default();
    tracing::trace!(first = installed.is_ok(), "TLS provider");
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("callflume/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .build()
        .map_err(|error| Error::Http(error.to_string()))?;
    let client = Arc::new(client);
    *shared = Arc::downgrade(&client);
    Ok(client)
}

async fn read(mut response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => {
                return Answer::Response {
                    status,
                    headers,
                    body,
                };
            }
            Ok(Some(_)) | Err(_) => return Answer::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crm_is_shown_the_credential_its_own_way() {
        let installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().build().unwrap();
        for (scheme, name, value) in [
            (Scheme::Bearer, "authorization", "Bearer k1"),
            (Scheme::BasicUser, "authorization", "Basic azE6"),
            (Scheme::Header("x-api-token"), "x-api-token", "k1"),
        ] {
            let request = authorized(client.get("http://127.0.0.1/"), scheme, &"k1".into())
                .unwrap()
                .build()
                .unwrap();
            let header = &request.headers()[name];
            assert_eq!(header.to_str().unwrap(), value, "{installed:?}");
            assert!(header.is_sensitive(), "{scheme:?}");
        }
        let line_break = SecretString::from("k\n1");
        for scheme in [Scheme::Bearer, Scheme::Header("x-api-token")] {
            let builder = client.get("http://127.0.0.1/");
            assert!(authorized(builder, scheme, &line_break).is_none());
        }
    }
}
