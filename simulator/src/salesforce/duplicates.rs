//! The rule against contacts that are there already.

use serde_json::{Map, Value, json};

use super::Salesforce;
use super::config::DuplicateRule;
use super::ids::RecordId;
use super::records::ObjectKind;
use super::replies::{Duplicates, Failure};
use super::writes::Hand;

const SAID: &str =
    "You're creating a duplicate record. We recommend you use an existing record instead.";

impl Hand {
    /// Whether the rule isn't looked at: there is none, or the request passes it.
    pub(super) fn allow_duplicates_by(&self, rule: Option<DuplicateRule>) -> bool {
        rule.is_none_or(|rule| rule.allow_save && self.allow_duplicates)
    }
}

impl Salesforce {
    /// Refuses a new contact that seems to be there already.
    pub(super) fn look_for_duplicates(&self, fields: &Map<String, Value>) -> Result<(), Failure> {
        let Some(rule) = self.config.duplicate_rule else {
            return Ok(());
        };
        let found = self.alike(fields);
        if found.is_empty() {
            return Ok(());
        }
        let records: Vec<Value> = found
            .iter()
            .map(|id| {
                let url = format!("/services/data/v54.0/sobjects/Contact/{id}");
                json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
                    "record": {"attributes": {"type": "Contact", "url": url}, "Id": id}})
            })
            .collect();
        let result = json!({
            "allowSave": rule.allow_save,
            "duplicateRule": "Standard_Contact_Duplicate_Rule",
            "duplicateRuleEntityType": "Contact",
            "errorMessage": SAID,
            "matchResults": [{"entityType": "Contact", "errors": [], "matchEngine": "FuzzyMatchEngine",
                "matchRecords": records, "rule": "Standard_Contact_Match_Rule_v1_1", "size": found.len(),
                "success": true}],
        });
        let name = if rule.misspelt {
            "duplicateResut"
        } else {
            "duplicateResult"
        };
        let mut failure = Failure::request(400, "DUPLICATES_DETECTED", SAID);
        failure.duplicates = Some(Box::new(Duplicates {
            name,
            result,
            told_in_items: rule.told_in_items,
        }));
        Err(failure)
    }

    /// Contacts with the same e-mail address, or with the same last name and the same phone.
    fn alike(&self, fields: &Map<String, Value>) -> Vec<RecordId> {
        let text = |name: &str| {
            fields
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_lowercase)
        };
        let held = |field: &str| {
            let folded = text(field).unwrap_or_default();
            self.store.with(ObjectKind::Contact, field, &folded)
        };
        let last_name = text("LastName");
        let mut found: Vec<RecordId> = held("Email").cloned().collect();
        for field in ["Phone", "MobilePhone"] {
            found.extend(
                held(field)
                    .filter(|id| {
                        let other = self.store.any(id).and_then(|it| it.text("LastName"));
                        other.map(str::to_lowercase) == last_name
                    })
                    .cloned(),
            );
        }
        found.sort();
        found.dedup();
        found
    }
}
