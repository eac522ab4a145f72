//! What the organisation consists of besides records: users, the pipeline with its statuses, outcomes.
//!
//! Users come page by page, everything else at once.

use serde_json::{Value, json};

use super::Close;
use super::lists::{number, page};
use super::records::ObjectKind;
use super::replies::Refusal;
use super::route::Operation;
use crate::fakes::Request;

/// Most users of a page.
const PAGE_MAX: usize = 100;

impl Close {
    pub(super) fn directory(
        &self,
        operation: &Operation,
        request: &Request,
    ) -> Result<Value, Refusal> {
        let config = &self.config;
        Ok(match operation {
            Operation::Me => json!({
                "id": config.users.first(),
                "organizations": [{"id": config.organization_id}],
            }),
            Operation::Users => return self.users(request),
            Operation::Pipelines => page(vec![json!({
                "id": config.pipeline,
                "organization_id": config.organization_id,
                "name": self.label(&config.pipeline),
                "statuses": self.typed(&config.opportunity_statuses),
            })]),
            Operation::Statuses(ObjectKind::Opportunity) => {
                page(self.typed(&config.opportunity_statuses))
            }
            Operation::Statuses(kind) => page(self.named(self.statuses(*kind))),
            _ => page(self.named(&config.outcomes)),
        })
    }

    fn users(&self, request: &Request) -> Result<Value, Refusal> {
        let limit = number(request, "_limit", PAGE_MAX, PAGE_MAX)?;
        let skip = number(request, "_skip", 0, self.config.max_skip)?;
        let users = &self.config.users;
        let data: Vec<Value> = users
            .iter()
            .skip(skip)
            .take(limit)
            .map(|id| {
                json!({
                    "id": id,
                    "email": self.config.user_emails.get(id),
                    "first_name": self.label(id),
                    "last_name": "",
                    "organizations": [self.config.organization_id],
                })
            })
            .collect();
        let has_more = users.len() > skip + limit;
        Ok(json!({"data": data, "has_more": has_more, "total_results": users.len()}))
    }

    fn label<'a>(&'a self, id: &'a str) -> &'a str {
        self.config.labels.get(id).map_or(id, String::as_str)
    }

    /// Statuses of opportunities, with what each says of one.
    fn typed(&self, ids: &[String]) -> Vec<Value> {
        let mut statuses = self.named(ids);
        for (status, id) in statuses.iter_mut().zip(ids) {
            status["type"] = self.status_type(id).into();
        }
        statuses
    }

    /// `active`, `won` or `lost`.
    pub(super) fn status_type<'a>(&'a self, status: &str) -> &'a str {
        let types = &self.config.status_types;
        types.get(status).map_or("active", String::as_str)
    }

    fn named(&self, ids: &[String]) -> Vec<Value> {
        ids.iter()
            .map(|id| json!({"id": id, "label": self.label(id), "name": self.label(id)}))
            .collect()
    }
}
