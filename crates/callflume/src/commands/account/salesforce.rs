//! What is asked of Salesforce.

use callflume_core::config::AccountConfig;
use callflume_crm::salesforce::{limits, setup};
use callflume_crm::setup::Finding;

use super::crm::Crm;
use super::limits::limit;
use crate::failure::Failure;

impl Crm {
    pub(super) async fn salesforce_findings(
        &mut self,
        config: &AccountConfig,
    ) -> Result<Vec<Finding>, Failure> {
        let request = setup::limits_request(&self.settings);
        let answer = self.first("credential and limits", &request).await?;
        let mut findings = vec![match setup::org_limits(&answer) {
            Ok(org) => limit(config, limits::DAILY_API_NAME, org.daily_api),
            Err(finding) => *finding,
        }];
        if let Some(scope) = &self.scope {
            findings.push(setup::scopes(scope));
        }
        for object in setup::OBJECTS {
            let request = setup::describe_request(&self.settings, object);
            let answer = self.send("fields", &request).await;
            findings.extend(setup::fields(&self.settings, object, &answer));
        }
        Ok(findings)
    }
}
