//! Listings: what lives, newest first, page by page. They show a write at once.

use serde_json::{Value, json};

use super::Close;
use super::records::{ObjectKind, Record};
use super::replies::{Refusal, instant};
use super::search::chosen;
use crate::fakes::Request;

/// Most records of a page, and as many as are given unless fewer are asked for.
const PAGE_MAX: usize = 100;

/// A whole number in the query, at most `max`.
pub(super) fn number(
    request: &Request,
    name: &str,
    default: usize,
    max: usize,
) -> Result<usize, Refusal> {
    match request.parameter(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| *number <= max)
            .ok_or_else(|| Refusal::field(name, format!("A whole number up to {max} is needed."))),
    }
}

impl Close {
    /// One page of records of a kind.
    pub(super) fn list(&self, kind: ObjectKind, request: &Request) -> Result<Value, Refusal> {
        let limit = number(request, "_limit", PAGE_MAX, PAGE_MAX)?;
        let skip = number(request, "_skip", 0, self.config.max_skip)?;
        let mut found: Vec<&Record> = match request.parameter("lead_id") {
            Some(lead) => self.store.on_lead(lead, kind),
            None => self.store.all(kind).filter(|it| !it.deleted).collect(),
        };
        let since = match request.parameter("date_created__gte") {
            None => i64::MIN,
            Some(text) => {
                instant(text).ok_or_else(|| Refusal::field("date_created__gte", "No time."))?
            }
        };
        found.retain(|record| {
            record.created_ms >= since
                && ["contact_id", "user_id", "assigned_to", "_type"]
                    .iter()
                    .all(|name| {
                        let wanted = request.parameter(name);
                        wanted.is_none_or(|wanted| record.text(name) == Some(wanted))
                    })
        });
        if let Some(wanted) = request.parameter("status_type") {
            found.retain(|record| {
                let status = record.text("status_id");
                kind == ObjectKind::Opportunity
                    && status.is_some_and(|status| self.status_type(status) == wanted)
            });
        }
        found.sort_by_key(|record| std::cmp::Reverse((record.created_ms, record.number)));
        let wanted = request.list_parameter("_fields");
        let wanted: Option<Vec<&str>> = wanted
            .as_ref()
            .map(|fields| fields.iter().map(String::as_str).collect());
        let has_more = found.len() > skip + limit;
        let data: Vec<Value> = found
            .into_iter()
            .skip(skip)
            .take(limit)
            .map(|record| chosen(self.view(record), wanted.as_deref()))
            .collect();
        Ok(json!({"data": data, "has_more": has_more}))
    }

    /// One record.
    pub(super) fn read(
        &self,
        kind: ObjectKind,
        id: &str,
        request: &Request,
    ) -> Result<Value, Refusal> {
        let record = self.store.living(kind, id).ok_or_else(Refusal::not_found)?;
        let wanted = request.list_parameter("_fields");
        let wanted: Option<Vec<&str>> = wanted
            .as_ref()
            .map(|fields| fields.iter().map(String::as_str).collect());
        Ok(chosen(self.view(record), wanted.as_deref()))
    }
}

/// A short listing on one page.
pub(super) fn page(data: Vec<Value>) -> Value {
    json!({"data": data, "has_more": false})
}
