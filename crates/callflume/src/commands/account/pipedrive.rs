//! What is asked of Pipedrive.

use callflume_core::vendor::Verb;
use callflume_crm::pipedrive::setup;
use callflume_crm::setup::Finding;

use super::crm::Crm;
use crate::failure::Failure;

impl Crm {
    pub(super) async fn pipedrive_findings(
        &mut self,
        prepare: bool,
    ) -> Result<Vec<Finding>, Failure> {
        let answer = self.first("credential", &setup::account_request()).await?;
        self.heed(Verb::List, &answer);
        let mut findings = match setup::account(&answer) {
            Ok(details) => {
                let mut findings = vec![Finding::ok("credential".to_owned())];
                // A token of OAuth has scopes in place of its user's permissions.
                if prepare && !self.settings.oauth() {
                    findings.push(setup::may_prepare(&details));
                }
                findings
            }
            Err(finding) => vec![*finding],
        };
        if let Some(scope) = &self.scope {
            findings.extend(setup::scopes(scope, prepare));
        }
        for object in setup::OBJECTS {
            if let Some(request) = setup::fields_request(object) {
                let answer = self.send("custom fields", &request).await;
                findings.extend(setup::fields(&self.settings, object, &answer));
            }
        }
        Ok(findings)
    }
}
