//! What is asked of HubSpot.

use callflume_core::config::AccountConfig;
use callflume_core::effect::Object;
use callflume_core::vendor::Verb;
use callflume_crm::hubspot::setup;
use callflume_crm::setup::{Finding, State};
use secrecy::ExposeSecret as _;

use super::crm::Crm;
use crate::failure::Failure;

impl Crm {
    pub(super) async fn hubspot_findings(
        &mut self,
        config: &AccountConfig,
        prepare: bool,
    ) -> Result<Vec<Finding>, Failure> {
        let request = setup::account_request(&self.settings);
        let answer = self.first("account details", &request).await?;
        self.heed(Verb::List, &answer);
        let mut findings = vec![match setup::account(&answer) {
            Ok(details) => zone(config, &details.time_zone),
            Err(finding) => *finding,
        }];
        let request = if config.oauth.is_on() {
            setup::oauth_token_request(self.token.expose_secret())
        } else {
            setup::token_request(self.token.expose_secret())
        };
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
