//! Talking to the CRM about its setup: slowly, and on the account's own credential.
//!
//! At most two requests per second, since a worker may be spending the same quota. What is asked can be asked again
//! without harm, so passing trouble is tried again before it is reported. What is asked of which CRM: modules of their names.

use std::time::{Duration, Instant};

use callflume_core::codes;
use callflume_core::config::AccountConfig;
use callflume_core::vendor::{Answer, HttpRequest};
use callflume_crm::setup::Finding;
use callflume_crm::{ApiVersion, Settings, close, hubspot, pipedrive, salesforce};
use callflume_worker::Sender;
use secrecy::SecretString;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::failure::Failure;
use crate::progress::Progress;

/// Between the beginnings of two requests.
const PACE: Duration = Duration::from_millis(500);
/// An operator waits longer than a call does.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Waits before passing trouble is tried again.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// What requests are authorized with.
pub(super) struct Credential {
    pub(super) token: SecretString,
    /// Base address that came with it.
    pub(super) base_url: Option<String>,
}

/// An account's CRM.
pub(super) struct Crm {
    sender: Sender,
    pub(super) settings: Settings,
    pub(super) token: SecretString,
    /// Whether Callflume renews the token itself.
    renewed: bool,
    pace: Interval,
    progress: Progress,
}

impl Crm {
    /// For the account with this credential.
    pub(super) fn new(config: &AccountConfig, credential: Credential) -> anyhow::Result<Self> {
        let api = match &config.api_version {
            Some(text) => text.parse::<ApiVersion>()?,
            None => ApiVersion::default(),
        };
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            sender: Sender::new(config)?.at(credential.base_url.as_deref()),
            settings: Settings::new(api, config.dispositions.clone())?
                .with_custom_fields(config.custom_fields.clone())?
                .with_oauth(config.oauth.is_on()),
            token: credential.token,
            renewed: config.oauth.renewed().is_some(),
            pace,
            progress: Progress::new(),
        })
    }

    /// Everything that must be as it must be, in the order to make what is missing. `prepare` asks for what making it
    /// needs too.
    pub(super) async fn findings(
        &mut self,
        config: &AccountConfig,
        prepare: bool,
    ) -> Result<Vec<Finding>, Failure> {
        match config.crm.as_str() {
            hubspot::NAME => self.hubspot_findings(config, prepare).await,
            close::NAME => self.close_findings().await,
            pipedrive::NAME => self.pipedrive_findings(prepare).await,
            salesforce::NAME => self.salesforce_findings(config).await,
            other => Err(Failure::coded(
                codes::CONFIG_VALUE,
                format!("an account of `{other}` can't be checked: there is no such CRM"),
                "set `crm` of the account to one of hubspot, salesforce, close, pipedrive",
            )),
        }
    }

    /// Makes what is missing.
    pub(super) async fn repair(
        &mut self,
        config: &AccountConfig,
        finding: &Finding,
        repair: &HttpRequest,
    ) -> Finding {
        let answer = self.send(&finding.what, repair).await;
        match config.crm.as_str() {
            close::NAME => close::setup::repaired(finding, &answer),
            pipedrive::NAME => pipedrive::setup::repaired(finding, &answer),
            salesforce::NAME => salesforce::setup::repaired(finding, &answer),
            _ => hubspot::setup::repaired(finding, &answer),
        }
    }

    /// Sends the first request of a check, which shows whether the CRM can be reached and takes the credential.
    pub(super) async fn first(
        &mut self,
        what: &str,
        request: &HttpRequest,
    ) -> Result<Answer, Failure> {
        let answer = self.send(what, request).await;
        match answer {
            Answer::Response { status: 401, .. } => Err(Failure::coded(
                codes::CRM_CREDENTIAL,
                "the CRM refused the credential",
                if self.renewed {
                    "let the customer connect the app again, and put the new refresh token where `oauth.refresh_token` points to"
                } else {
                    "store a valid token where `token` of the account points to"
                },
            )),
            Answer::NotSent | Answer::Lost => Err(Failure::coded(
                codes::CRM_GAVE_UP,
                "the CRM did not answer",
                "check the network and the account's `base_url`, then try again",
            )),
            Answer::Response { .. } => Ok(answer),
        }
    }

    /// Takes the progress away.
    pub(super) fn close(self) {
        drop(self.progress);
    }

    pub(super) async fn send(&mut self, what: &str, request: &HttpRequest) -> Answer {
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
