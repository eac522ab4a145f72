//! What is asked of Close.

use callflume_core::effect::Object;
use callflume_core::vendor::Verb;
use callflume_crm::close::setup;
use callflume_crm::setup::Finding;

use super::crm::Crm;
use crate::failure::Failure;

/// Most pages of custom fields that are read: far more than an organisation may have.
const PAGES_MAX: usize = 50;

impl Crm {
    pub(super) async fn close_findings(&mut self) -> Result<Vec<Finding>, Failure> {
        let answer = self
            .first("credential", &setup::credential_request())
            .await?;
        let mut findings = vec![setup::credential(&answer)];
        // Each group of endpoints has a limit of its own; these two are the ones that profiles tell apart.
        for verb in [Verb::ReadByEmail, Verb::List] {
            self.sample(verb).await;
        }
        for object in [Object::Contact, Object::Deal] {
            let mut pages = Vec::new();
            let mut skip = Some(0);
            while let Some(skipped) = skip.filter(|_| pages.len() < PAGES_MAX) {
                let request = setup::fields_request(object, skipped);
                let answer = self.send("custom fields", &request).await;
                skip = setup::more_fields(skipped, &answer);
                pages.push(answer);
            }
            findings.extend(setup::fields(&self.settings, object, &pages));
        }
        Ok(findings)
    }
}
