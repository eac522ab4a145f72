//! Talking to the CRM about its setup: slowly, and on the account's own credential.
//!
//! At most two requests per second, since a worker may be spending the same quota. What is asked can be asked again
//! without harm, so passing trouble is tried again before it is reported.

use std::time::{Duration, Instant};

use callflume_core::codes;
use callflume_core::config::AccountConfig;
use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, HttpRequest};
use callflume_crm::hubspot::setup::{self, Finding, State};
use callflume_crm::{ApiVersion, Settings};
use callflume_worker::Sender;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::failure::Failure;
use crate::progress::Progress;

/// Between the beginnings of two requests.
const PACE: Duration = Duration::from_millis(500);
/// An operator waits longer than a call does.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Waits before passing trouble is tried again.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// An account's CRM.
pub(super) struct Crm {
    sender: Sender,
    settings: Settings,
    token: SecretString,
    pace: Interval,
    progress: Progress,
}

impl Crm {
    /// Reads the credential.
    pub(super) fn new(config: &AccountConfig) -> anyhow::Result<Self> {
        let api = match &config.api_version {
            Some(text) => text.parse::<ApiVersion>()?,
            None => ApiVersion::default(),
        };
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            sender: Sender::new(config)?,
            settings: Settings::new(api, config.dispositions.clone())?
                .with_custom_fields(config.custom_fields.clone())?
                .with_oauth(config.oauth),
            token: callflume_worker::resolve_secret(&config.token)?,
            pace,
            progress: Progress::new(),
        })
    }

    /// Everything that must be as it must be, in the order to make what is missing. `prepare` asks for the scopes of
    /// that too.
    pub(super) async fn findings(
        &mut self,
        config: &AccountConfig,
        prepare: bool,
    ) -> Result<Vec<Finding>, Failure> {
        let request = setup::account_request(&self.settings);
        let answer = self.send("account details", &request).await;
        if let Answer::Response { status: 401, .. } = answer {
            return Err(Failure::coded(
                codes::CRM_CREDENTIAL,
                "the CRM refused the credential",
                "store a valid token where `token` of the account points to",
            ));
        }
        if matches!(answer, Answer::NotSent | Answer::Lost) {
            return Err(Failure::coded(
                codes::CRM_GAVE_UP,
                "the CRM did not answer",
                "check the network and the account's `base_url`, then try again",
            ));
        }
        let mut findings = vec![match setup::account(&answer) {
            Ok(details) => zone(config, &details.time_zone),
            Err(finding) => *finding,
        }];
        let request = setup::token_request(self.token.expose_secret());
        let answer = self.send("scopes of the credential", &request).await;
        findings.extend(setup::scopes(&answer, prepare));
        for object in Object::ALL {
            let request = setup::groups_request(&self.settings, object);
            let answer = self.send("property groups", &request).await;
            findings.push(setup::group(&self.settings, object, &answer));
            let request = setup::properties_request(&self.settings, object);
            let answer = self.send("properties", &request).await;
            findings.extend(setup::object_properties(&self.settings, object, &answer));
        }
        Ok(findings)
    }

    /// Makes what is missing.
    pub(super) async fn repair(&mut self, finding: &Finding, repair: &HttpRequest) -> Finding {
        let answer = self.send(&finding.what, repair).await;
        setup::repaired(finding, &answer)
    }

    /// Takes the progress away.
    pub(super) fn close(self) {
        drop(self.progress);
    }

    async fn send(&mut self, what: &str, request: &HttpRequest) -> Answer {
        let mut waits = AGAIN.iter();
        loop {
            self.progress.step(|| format!("asking the CRM: {what}"));
            self.pace.tick().await;
            let answer = self
                .sender
                .send(request, &self.token, TIMEOUT, Instant::now() + 2 * TIMEOUT)
                .await;
            let passing = match &answer {
                Answer::NotSent | Answer::Lost => true,
                Answer::Response { status, .. } => *status == 429 || *status >= 500,
            };
            match waits.next() {
                Some(wait) if passing => {
                    tracing::info!(what, ?wait, "passing trouble; trying again");
                    tokio::time::sleep(*wait).await;
                }
                _ => return answer,
            }
        }
    }
}

/// Whether the account's day ends when the configuration thinks.
fn zone(config: &AccountConfig, theirs: &str) -> Finding {
    let what = format!("time zone {theirs}");
    let same = config.time_zone == theirs;
    Finding {
        what,
        state: if same {
            State::Ok
        } else {
            State::Wrong(format!(
                "the configuration says {}: the day's quota would be counted to the wrong midnight",
                config.time_zone
            ))
        },
        remedy: if same {
            String::new()
        } else {
            format!("set time_zone = \"{theirs}\" for the account, then run `callflume provision`")
        },
        repair: None,
    }
}
