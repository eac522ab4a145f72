//! What belongs to the account and not to a record: owners, pipelines, details, daily usage, tokens.
//!
//! The shape of the private app's token information is general knowledge (`{userId, hubId, appId, scopes}`), the OAuth one
//! is the SDK's.

use serde_json::{Value, json};

use super::config::{App, Owner, Pipeline};
use super::properties::Reference;
use super::replies::{Refusal, iso};
use crate::fakes::{DayState, Request, SEEDED_AT_MS};

#[derive(Debug)]
pub(super) struct Account {
    pub(super) portal_id: u64,
    pub(super) time_zone: String,
    pub(super) owners: Vec<Owner>,
    pub(super) pipelines: Vec<Pipeline>,
}

impl Reference for Account {
    fn owner_exists(&self, id: &str) -> bool {
        self.owners.iter().any(|owner| owner.id == id)
    }

    fn pipeline_exists(&self, id: &str) -> bool {
        self.pipelines.iter().any(|pipeline| pipeline.id == id)
    }

    fn stage_exists(&self, pipeline: &str, id: &str) -> bool {
        self.pipelines
            .iter()
            .find(|it| it.id == pipeline)
            .is_some_and(|it| it.stages.iter().any(|stage| stage.id == id))
    }
}

impl Account {
    /// One page of owners; `after` is a position.
    pub(super) fn owners(&self, request: &Request) -> Result<Value, Refusal> {
        let limit = positive(request, "limit", 100)?.min(500);
        let after = match request.parameter("after") {
            None => 0,
            Some(_) => positive(request, "after", 0)?,
        };
        let email = request.parameter("email");
        let found: Vec<&Owner> = self
            .owners
            .iter()
            .filter(|owner| email.is_none_or(|email| owner.email.eq_ignore_ascii_case(email)))
            .collect();
        let results: Vec<Value> = found
            .iter()
            .skip(after)
            .take(limit)
            .map(|owner| owner_body(owner))
            .collect();
        let mut body = json!({"results": results});
        if after + limit < found.len() {
            body["paging"] = json!({"next": {"after": (after + limit).to_string()}});
        }
        Ok(body)
    }

    pub(super) fn owner(&self, id: &str) -> Result<Value, Refusal> {
        self.owners
            .iter()
            .find(|owner| owner.id == id)
            .map(owner_body)
            .ok_or_else(Refusal::not_found)
    }

    /// Whether a deal in this stage of a pipeline is over.
    pub(super) fn closes(&self, pipeline: Option<&str>, stage: &str) -> bool {
        let mut pipelines = self.pipelines.iter();
        let within = pipelines.find(|it| pipeline.is_none_or(|id| it.id == id));
        within.is_some_and(|it| it.stages.iter().any(|it| it.id == stage && it.closed))
    }

    pub(super) fn pipelines(&self) -> Value {
        let at = iso(SEEDED_AT_MS);
        let results: Vec<Value> = self
            .pipelines
            .iter()
            .enumerate()
            .map(|(order, pipeline)| {
                let stages: Vec<Value> = pipeline
                    .stages
                    .iter()
                    .enumerate()
                    .map(|(order, stage)| {
                        json!({
                            "id": stage.id,
                            "label": stage.label,
                            "displayOrder": order,
                            "metadata": {
                                "isClosed": stage.closed.to_string(),
                                "probability": stage.probability,
                            },
                            "createdAt": at,
                            "updatedAt": at,
                            "archived": false,
                        })
                    })
                    .collect();
                json!({
                    "id": pipeline.id,
                    "label": pipeline.label,
                    "displayOrder": order,
                    "stages": stages,
                    "createdAt": at,
                    "updatedAt": at,
                    "archived": false,
                })
            })
            .collect();
        json!({"results": results})
    }

    pub(super) fn details(&self, utc_offset: String) -> Value {
        json!({
            "portalId": self.portal_id,
            "accountType": "STANDARD",
            "timeZone": self.time_zone,
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": utc_offset,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        })
    }

    pub(super) fn daily_usage(now_ms: i64, day: DayState) -> Value {
        json!({"results": [{
            "name": "private-apps-api-calls-daily",
            "usageLimit": day.limit,
            "currentUsage": day.used,
            "collectedAt": iso(now_ms),
            "fetchStatus": "SUCCESS",
            "resetsAt": iso(day.ends_ms),
        }]})
    }

    pub(super) fn private_app_token(&self, app: &App) -> Value {
        json!({
            "userId": 31_007,
            "hubId": self.portal_id,
            "appId": app.app_id,
            "scopes": app.scopes,
        })
    }

    pub(super) fn oauth_token(&self, app: &App, expires_in_s: i64) -> Value {
        json!({
            "token": app.token,
            "token_type": "access",
            "user": "integrations@example.com",
            "user_id": 31_007,
            "hub_id": self.portal_id,
            "hub_domain": "example.com",
            "app_id": app.app_id,
            "expires_in": expires_in_s,
            "scopes": app.scopes,
        })
    }
}

fn owner_body(owner: &Owner) -> Value {
    json!({
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": owner.id.parse::<u64>().unwrap_or(0),
        "createdAt": iso(SEEDED_AT_MS),
        "updatedAt": iso(SEEDED_AT_MS),
        "archived": false,
    })
}

/// A whole number in the query, above zero unless `default` is zero.
pub(super) fn positive(request: &Request, name: &str, default: usize) -> Result<usize, Refusal> {
    match request.parameter(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|&value: &usize| value > 0 || default == 0)
            .ok_or_else(|| Refusal::invalid(format!("{name} must be a whole number above zero"))),
    }
}
