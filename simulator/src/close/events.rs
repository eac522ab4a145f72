//! The event log: what was done to which record, newest first, for 30 days. It shows a write at once.
//!
//! Only certain filters go together, as documented. Chosen: the texts, and that an event is never merged with a later one
//! (Close may do that to quick successive changes of one record).

use serde_json::{Value, json};

use super::Close;
use super::audit::WriteKind;
use super::lists::number;
use super::records::{ObjectKind, Record};
use super::replies::{Refusal, iso};
use crate::fakes::Request;

/// Most events of a page, and as many as are given unless fewer are asked for.
const PAGE_MAX: usize = 50;
/// How far back the log goes.
const KEPT_MS: i64 = 30 * 86_400_000;

#[derive(Debug)]
struct Event {
    at_ms: i64,
    action: &'static str,
    record: Record,
}

/// Every event, oldest first.
#[derive(Debug, Default)]
pub(super) struct EventLog(Vec<Event>);

impl EventLog {
    pub(super) fn note(&mut self, at_ms: i64, kind: WriteKind, record: &Record) {
        let action = match kind {
            WriteKind::Seeded => return,
            WriteKind::Create => "created",
            WriteKind::Update | WriteKind::Move => "updated",
            WriteKind::Delete => "deleted",
        };
        self.0.push(Event {
            at_ms,
            action,
            record: record.clone(),
        });
    }
}

/// Which filters may stand together; each also alone or with a span of time.
const COMBINATIONS: &[&[&str]] = &[
    &[],
    &["object_type"],
    &["object_id"],
    &["action"],
    &["lead_id"],
    &["object_type", "object_id"],
    &["object_type", "action"],
    &["object_id", "action"],
    &["lead_id", "object_type"],
    &["lead_id", "object_type", "action"],
];

impl Close {
    /// One page of the event log.
    pub(super) fn list_events(&self, now_ms: i64, request: &Request) -> Result<Value, Refusal> {
        let limit = number(request, "_limit", PAGE_MAX, PAGE_MAX)?;
        let skip = match request.parameter("_cursor") {
            None | Some("") => 0,
            Some(cursor) => cursor
                .strip_prefix("e")
                .and_then(|rest| rest.parse::<usize>().ok())
                .ok_or_else(|| Refusal::field("_cursor", "No cursor of this log."))?,
        };
        let names = ["object_type", "object_id", "action", "lead_id"];
        let given: Vec<&str> = names
            .into_iter()
            .filter(|name| request.parameter(name).is_some())
            .collect();
        let allowed = COMBINATIONS.iter().any(|combination| {
            combination.len() == given.len() && combination.iter().all(|name| given.contains(name))
        });
        if !allowed {
            return Err(Refusal::Plain(400, "These filters don't go together."));
        }
        let wants = |name: &str, value: Option<&str>| {
            let wanted = request.parameter(name);
            wanted.is_none_or(|wanted| value == Some(wanted))
        };
        // One more than the page, to know whether there is another.
        let mut found: Vec<&Event> = self
            .events
            .0
            .iter()
            .rev()
            .take_while(|event| event.at_ms > now_ms - KEPT_MS)
            .filter(|event| {
                wants("object_type", Some(event.record.kind.event_name()))
                    && wants("object_id", Some(&event.record.id))
                    && wants("action", Some(event.action))
                    && wants("lead_id", event.record.lead_id())
            })
            .skip(skip)
            .take(limit + 1)
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let data: Vec<Value> = found.iter().map(|event| self.event(event)).collect();
        let next = more.then(|| format!("e{}", skip + limit));
        let previous = (skip > 0).then(|| format!("e{}", skip.saturating_sub(limit)));
        Ok(json!({"data": data, "cursor_next": next, "cursor_previous": previous}))
    }

    fn event(&self, event: &Event) -> Value {
        let record = &event.record;
        let mut data = record.fields.clone();
        data.insert("id".to_owned(), record.id.clone().into());
        json!({
            "object_type": record.kind.event_name(),
            "object_id": record.id,
            "lead_id": record.lead_id(),
            "action": event.action,
            "date_created": iso(event.at_ms),
            "date_updated": iso(event.at_ms),
            "organization_id": self.config.organization_id,
            "data": data,
            "previous_data": {},
            "changed_fields": [],
            "contact_id": (record.kind == ObjectKind::Contact).then_some(&record.id),
        })
    }
}
