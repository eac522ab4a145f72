//! What is asked of Salesforce.

use callflume_core::config::AccountConfig;
use callflume_crm::salesforce::{limits, setup};
use callflume_crm::setup::Finding;

use super::crm::Crm;
use crate::failure::Failure;

impl Crm {
    pub(super) async fn salesforce_findings(
        &mut self,
        config: &AccountConfig,
    ) -> Result<Vec<Finding>, Failure> {
        let request = setup::limits_request(&self.settings);
        let answer = self.first("credential and limits", &request).await?;
        let mut findings = vec![match setup::org_limits(&answer) {
            Ok(org) => daily_limit(config, org.daily_api),
            Err(finding) => *finding,
        }];
        for object in setup::OBJECTS {
            let request = setup::describe_request(&self.settings, object);
            let answer = self.send("fields", &request).await;
            findings.extend(setup::fields(&self.settings, object, &answer));
        }
        Ok(findings)
    }
}

/// Whether the account counts on no more requests in 24 hours than the org has. Fewer are an operator's choice.
fn daily_limit(config: &AccountConfig, theirs: u32) -> Finding {
    let name = limits::DAILY_API_NAME;
    let windows = callflume_crm::limit_profile(&config.crm, &config.profile).unwrap_or_default();
    let published = windows.iter().find(|window| window.name == name);
    let ours = config
        .limits
        .get(name)
        .copied()
        .or(published.map(|window| window.limit));
    let what = format!("{theirs} requests in 24 hours");
    match ours {
        Some(ours) if ours > theirs => Finding::wrong(
            what,
            format!("the configuration counts on {ours}"),
            format!(
                "set limits = {{ {name} = {theirs} }} for the account, then run `callflume provision`"
            ),
        ),
        Some(ours) if ours < theirs => {
            Finding::ok(format!("{what}, of which the configuration has {ours}"))
        }
        _ => Finding::ok(what),
    }
}
