//! A real broker, a fake token address, a clock that is set, and workers' views of one account's tokens.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use callflume_core::account::AccountId;
use callflume_core::config::AccountConfig;
use callflume_core::time::BrokerTime;
use callflume_jetstream::provision::{self, ProvisionSettings};
use callflume_jetstream::tokens::TokenKeys;
use callflume_jetstream::{Broker, connect};
use callflume_testkit::Server;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::watch;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::super::{Obtained, Parts, Tokens};

pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// 32 bytes each.
pub(super) const KEY: &str = "a2V5IG9uZSBrZXkgb25lIGtleSBvbmUga2V5IG9uZSE=";
pub(super) const OTHER_KEY: &str = "a2V5IHR3byBrZXkgdHdvIGtleSB0d28ga2V5IHR3byE=";
const START_MS: i64 = 1_795_608_000_000;

/// The CRM's token address.
#[derive(Debug, Default)]
pub(super) struct Address {
    /// Refresh tokens that are good.
    pub(super) good: BTreeSet<String>,
    /// Whether a used refresh token is exchanged.
    pub(super) exchanges: bool,
    /// The life that is told, seconds.
    pub(super) life_s: Option<u64>,
    pub(super) base_url: Option<(&'static str, String)>,
    /// Answer this in place of a token.
    pub(super) refuse: Option<(u16, Value)>,
    /// Answers are held back this long, far beyond any time-out.
    pub(super) silent: bool,
    /// The next answer waits for this.
    pub(super) gate: Option<mpsc::Receiver<()>>,
    /// Forms that came in.
    pub(super) asked: Vec<String>,
}

struct Answers(Arc<Mutex<Address>>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let form = String::from_utf8(request.body.clone()).unwrap();
        let (number, gate) = {
            let mut address = self.0.lock().unwrap();
            address.asked.push(form.clone());
            (address.asked.len(), address.gate.take())
        };
        if let Some(gate) = gate {
            gate.recv().unwrap();
        }
        let mut address = self.0.lock().unwrap();
        if let Some((status, body)) = &address.refuse {
            return ResponseTemplate::new(*status).set_body_json(body);
        }
        let refresh = form
            .split('&')
            .find_map(|field| field.strip_prefix("refresh_token="))
            .map(str::to_owned);
        let mut body = json!({"access_token": format!("access-{number}"), "token_type": "bearer"});
        if let Some(refresh) = refresh {
            if !address.good.contains(&refresh) {
                return ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_grant"}));
            }
            let next = if address.exchanges {
                address.good.remove(&refresh);
                format!("refresh-after-{number}")
            } else {
                refresh
            };
            address.good.insert(next.clone());
            body["refresh_token"] = next.into();
        }
        if let Some(life_s) = address.life_s {
            body["expires_in"] = life_s.into();
        }
        if let Some((field, url)) = &address.base_url {
            body[field] = url.clone().into();
        }
        let template = ResponseTemplate::new(200).set_body_json(body);
        if address.silent {
            template.set_delay(Duration::from_secs(3600))
        } else {
            template
        }
    }
}

pub(super) struct World {
    pub(super) server: Server,
    pub(super) broker: Broker,
    pub(super) crm: MockServer,
    pub(super) address: Arc<Mutex<Address>>,
    pub(super) config: AccountConfig,
    now_ms: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

impl World {
    /// An account of this CRM whose refresh token is `refresh-0`; tokens live an hour.
    pub(super) async fn of(vendor: &str) -> Self {
        let server = Server::start().await.unwrap();
        let settings = connect::Settings {
            urls: vec![server.url().to_owned()],
            ..connect::Settings::default()
        };
        let broker = connect::connect(&settings, "test").await.unwrap();
        provision::apply(&broker, &ProvisionSettings::within(1 << 30))
            .await
            .unwrap();
        let address = Arc::new(Mutex::new(Address {
            good: ["refresh-0".to_owned()].into(),
            life_s: Some(3_600),
            ..Address::default()
        }));
        let crm = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/token"))
            .respond_with(Answers(address.clone()))
            .mount(&crm)
            .await;
        let folder = tempfile::tempdir().unwrap();
        let reference = |name: &str| folder.path().join(name).display().to_string();
        let config = serde_json::from_value(json!({
            "crm": vendor,
            "profile": "p",
            "oauth": {
                "client_id": {"file": reference("id")},
                "client_secret": {"file": reference("secret")},
                "refresh_token": {"file": reference("refresh")},
                "token_url": format!("{}/token", crm.uri()),
            },
        }))
        .unwrap();
        let world = Self {
            server,
            broker,
            crm,
            address,
            config,
            now_ms: Arc::new(AtomicI64::new(START_MS)),
            folder,
        };
        world.write("id", "app-id");
        world.write("secret", "app-secret");
        world.write("refresh", "refresh-0");
        world
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub(super) fn account() -> AccountId {
        "acme".parse().unwrap()
    }

    pub(super) fn keys(current: &str, previous: Option<&str>) -> TokenKeys {
        let previous = previous.map(SecretString::from);
        TokenKeys::parse(&current.into(), previous.as_ref()).unwrap()
    }

    pub(super) fn parts(&self, keys: Option<TokenKeys>) -> Parts {
        let now_ms = self.now_ms.clone();
        let (_, lease_until) = watch::channel(Instant::now() + Duration::from_secs(3_600));
        Parts {
            account: Self::account(),
            broker: self.broker.clone(),
            keys,
            clock: Arc::new(move || BrokerTime(now_ms.load(Ordering::SeqCst))),
            lease_until,
        }
    }

    /// A worker that has just taken the account over.
    pub(super) fn owner(&self) -> Tokens {
        self.owner_with(Some(Self::keys(KEY, None)))
    }

    pub(super) fn owner_with(&self, keys: Option<TokenKeys>) -> Tokens {
        Tokens::new(self.parts(keys), self.config.clone()).unwrap()
    }

    pub(super) fn address(&self) -> std::sync::MutexGuard<'_, Address> {
        self.address.lock().unwrap()
    }

    /// Requests at the token address.
    pub(super) fn asked(&self) -> usize {
        self.address().asked.len()
    }
}

/// The token that a request gets, or the code of what stands in its way; `-` for none yet.
pub(super) async fn token(tokens: &Tokens) -> String {
    match tokens.obtain(Instant::now() + DEADLINE).await {
        Obtained::Token(token) => token.token.expose_secret().to_owned(),
        Obtained::NotYet => "-".to_owned(),
        Obtained::Trouble(trouble) => trouble.code.as_str().to_owned(),
    }
}
