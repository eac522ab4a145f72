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
use callflume_crm::oauth::TokenRequest;
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::Error;
use crate::setup::vendor_of;

/// A request needs at least this much of the lease: less would end before any CRM answers.
pub(crate) const SHORTEST: Duration = Duration::from_millis(500);
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
    /// None until a CRM that has an address per account has told it with a token.
    base_url: Option<String>,
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
            .map(|url| url.trim_end_matches('/').to_owned());
        if base_url.is_none() && config.oauth.renewed().is_none() {
            return Err(Error::Http(format!(
                "{} has an address of its own per account: set `base_url`",
                config.crm
            )));
        }
        let vendor = vendor_of(config).map_err(|error| Error::Http(error.to_string()))?;
        Ok(Self {
            client,
            base_url,
            scheme: vendor.authorization(),
        })
    }

    /// The same, at the address that came with a token; where the configuration or the CRM has one, that stays.
    #[must_use]
    pub fn at(&self, base_url: Option<&str>) -> Self {
        Self {
            base_url: self
                .base_url
                .clone()
                .or_else(|| base_url.map(|url| url.trim_end_matches('/').to_owned())),
            ..self.clone()
        }
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
        let Some(base_url) = &self.base_url else {
            tracing::error!(
                "the CRM told no address with its token; set `base_url` of the account"
            );
            return Answer::NotSent;
        };
        let builder = self
            .client
            .request(method, format!("{base_url}{}", request.path));
        let Some(mut builder) = authorized(builder, self.scheme, token) else {
            tracing::error!(
                "the token holds characters that no HTTP header takes; nothing is sent"
            );
            return Answer::NotSent;
        };
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, request.content.media_type())
                .body(body.clone());
        }
        exchange(builder, timeout, lease_until).await
    }
}

/// Where access tokens are renewed.
#[derive(Debug, Clone)]
pub(crate) struct TokenEndpoint {
    client: Arc<reqwest::Client>,
}

impl TokenEndpoint {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            client: shared_client()?,
        })
    }

    /// Whether enough of the lease is left to ask.
    pub(crate) fn has_time(lease_until: Instant) -> bool {
        left(lease_until).is_some()
    }

    /// Asks within `timeout`, and only while the lease stands.
    pub(crate) async fn ask(
        &self,
        url: &str,
        request: &TokenRequest,
        timeout: Duration,
        lease_until: Instant,
    ) -> Answer {
        let mut builder = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(request.form.clone());
        if let Some((user, password)) = &request.basic {
            // Marked as sensitive by the client library.
            builder = builder.basic_auth(user, Some(password));
        }
        exchange(builder, timeout, lease_until).await
    }
}

/// What a request may still take of the lease; none if that is too little.
fn left(lease_until: Instant) -> Option<Duration> {
    let left = lease_until
        .saturating_duration_since(Instant::now())
        .saturating_sub(MARGIN);
    (left >= SHORTEST).then_some(left)
}

/// One exchange. The lease is looked at right before it begins.
async fn exchange(builder: RequestBuilder, timeout: Duration, lease_until: Instant) -> Answer {
    let Some(left) = left(lease_until) else {
        return Answer::NotSent;
    };
    match builder.timeout(timeout.min(left)).send().await {
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
