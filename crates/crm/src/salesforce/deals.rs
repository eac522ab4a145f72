//! Open opportunities of contacts, page by page.
//!
//! What links the two is a contact role; Salesforce makes one for the contact that a new opportunity names, as Callflume's
//! do, and people add others. A page holds 2,000 roles in the order of their ids and is one request; the next begins behind
//! the last id, whatever was made or closed meanwhile.

use callflume_core::vendor::{
    AccountSignal, FoundDeal, HttpRequest, Interpretation, ItemOutcome, Operation,
};
use serde_json::Value;

use super::build::get;
use super::paths::{base, is_id};
use super::soql::{PAGE, literal, path};
use crate::deals::made_at;
use crate::settings::Settings;

const SELECT: &str = "SELECT Id,ContactId,OpportunityId,Opportunity.CreatedDate FROM OpportunityContactRole \
                      WHERE Opportunity.IsClosed = false";

/// Stages in which a new org's opportunities are closed.
const CLOSED_STAGES: [&str; 2] = ["Closed Won", "Closed Lost"];

/// Whether a stage is one of those; none of any other, for orgs have their own.
pub(crate) fn is_closed(stage: &str) -> Option<bool> {
    CLOSED_STAGES.contains(&stage).then_some(true)
}

/// The request for a page.
pub(crate) fn request(settings: &Settings, operation: &Operation) -> HttpRequest {
    let after = operation.after.as_deref().filter(|mark| is_id(mark));
    let condition = after
        .map(|mark| format!(" AND Id > {}", literal(mark)))
        .unwrap_or_default();
    get(path(
        &base(settings),
        &format!("{SELECT}{condition} ORDER BY Id LIMIT {PAGE}"),
    ))
}

/// A page; none if a body isn't one.
pub(crate) fn read(body: &Value) -> Option<Interpretation> {
    let records = body.get("records")?.as_array()?;
    let done = body.get("done")?.as_bool()?;
    let id = |record: &Value, name: &str| {
        let id = record.get(name)?.as_str()?;
        is_id(id).then(|| id.to_owned())
    };
    let found: Option<Vec<FoundDeal>> = records
        .iter()
        .map(|record| {
            let opportunity = record.get("Opportunity");
            Some(FoundDeal {
                crm_id: id(record, "OpportunityId")?,
                contact: Some(id(record, "ContactId")?),
                open: true,
                created: opportunity.and_then(|it| made_at(it, "CreatedDate")),
            })
        })
        .collect();
    let more = !done || records.len() >= PAGE;
    let next_page = match records.last() {
        Some(last) if more => Some(id(last, "Id")?),
        _ => None,
    };
    Some(Interpretation {
        account: AccountSignal::Fine,
        items: vec![ItemOutcome::Deals(found?)],
        next_page,
    })
}
