//! Talking to the CRM about its setup: slowly, and on the account's own credential.
//!
//! At most two requests per second, since a worker may be spending the same quota. What is asked can be asked again
//! without harm, so passing trouble is tried again before it is reported. What is asked of which CRM: modules of their names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callflume_core::codes;
use callflume_core::config::AccountConfig;
use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, HttpRequest, Item, Observation, Operation, Vendor, Verb};
use callflume_crm::setup::Finding;
use callflume_crm::{Settings, close, hubspot, pipedrive, salesforce};
use callflume_worker::{Sender, settings_of, vendor_of};
use secrecy::SecretString;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::limits;
use crate::failure::Failure;
use crate::progress::Progress;

/// Between the beginnings of two requests.
const PACE: Duration = Duration::from_millis(500);
/// An operator waits longer than a call does.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Waits before passing trouble is tried again.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// An address that nobody has: set aside by RFC 2606.
const NOBODY: &str = "nobody@callflume.invalid";

/// What requests are authorized with.
pub(super) struct Credential {
    pub(super) token: SecretString,
    /// Base address that came with it.
    pub(super) base_url: Option<String>,
    /// Its scopes in the CRM's words, where the CRM told them with it.
    pub(super) scope: Option<String>,
}

/// An account's CRM.
pub(super) struct Crm {
    sender: Sender,
    pub(super) settings: Settings,
    pub(super) token: SecretString,
    pub(super) scope: Option<String>,
    /// Whether Callflume renews the token itself.
    renewed: bool,
    vendor: Arc<dyn Vendor>,
    /// What answers told of the CRM's limits.
    told: Vec<Observation>,
    pace: Interval,
    progress: Progress,
}

impl Crm {
    /// For the account with this credential.
    pub(super) fn new(config: &AccountConfig, credential: Credential) -> anyhow::Result<Self> {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            sender: Sender::new(config)?.at(credential.base_url.as_deref()),
            vendor: vendor_of(config)?,
            told: Vec::new(),
            settings: settings_of(config)?,
            token: credential.token,
            scope: credential.scope,
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
        let mut findings = match config.crm.as_str() {
            close::NAME => self.close_findings().await?,
            pipedrive::NAME => self.pipedrive_findings(prepare).await?,
            salesforce::NAME => self.salesforce_findings(config).await?,
            // Another one has no translation, without which nothing gets here.
            _ => self.hubspot_findings(config, prepare).await?,
        };
        findings.extend(limits::findings(config, self.told.drain(..)));
        Ok(findings)
    }

    /// Reads one page of contacts, or searches for somebody, as a worker does: for what the answer tells of limits.
    pub(super) async fn sample(&mut self, verb: Verb) -> Answer {
        let operation = Operation {
            verb,
            object: Object::Contact,
            items: vec![Item {
                email: Some(NOBODY.to_owned()),
                ..Item::default()
            }],
            after: None,
        };
        let request = self.vendor.request(&operation);
        let answer = self.send("limits", &request).await;
        self.heed(verb, &answer);
        answer
    }

    /// Notes what an answer tells of limits; `verb` is that of an operation on contacts with the same.
    pub(super) fn heed(&mut self, verb: Verb, answer: &Answer) {
        if let Answer::Response { headers, .. } = answer {
            let told = self.vendor.observe(verb, Object::Contact, headers);
            self.told.extend(told);
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
