//! What a scenario can do to the org besides requests, and what an oracle can read off it.
//!
//! Nothing here counts as a request. What an oracle reads is what was applied, never what somebody was told.

use serde_json::{Map, Value};

use super::Salesforce;
use super::access::Standing;
use super::audit::{Counters, RequestAudit, Write};
use super::config::{Session, SetupError};
use super::custom::FieldOwner;
use super::faults::Fault;
use super::ids;
use super::limits::DayState;
use super::records::{ObjectKind, Record};
use super::standard::Writing;
use super::writes::Hand;

impl Salesforce {
    /// Draws the service time of one request, milliseconds: uniform around the configured mean.
    pub fn service_time_ms(&mut self) -> u64 {
        self.service.draw_ms()
    }

    /// Lets time pass without a request: jobs run until then.
    pub fn advance(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.run_jobs(self.now_ms);
    }

    /// The hand of somebody who uses the CRM without our requests.
    pub(super) fn outsider(&self) -> Hand {
        Hand {
            now_ms: self.now_ms,
            request_no: 0,
            user: self.users.first().cloned().unwrap_or_default(),
            admin: true,
            version: *super::route::VERSIONS.end(),
            allow_duplicates: true,
        }
    }

    /// Adds a session at run time.
    pub fn add_session(&mut self, session: &Session) -> Result<(), SetupError> {
        let users = self.users.len();
        if session.user >= users {
            return Err(SetupError::UnknownUser(session.user, users));
        }
        let standing = Standing {
            user: session.user,
            until_ms: i64::MAX,
        };
        match self.access.set(&session.token, standing) {
            None => Ok(()),
            Some(_) => Err(SetupError::SharedToken(session.user)),
        }
    }

    /// Lets a session end at an instant. `false` when nobody has it.
    pub fn expire(&mut self, token: &str, at_ms: i64) -> bool {
        self.access.end(token, at_ms)
    }

    /// Ends a session now. `false` when nobody has it.
    pub fn revoke(&mut self, token: &str) -> bool {
        self.access.end(token, i64::MIN)
    }

    /// Ends every session now, as an administrator can.
    pub fn revoke_all(&mut self) {
        self.access.end_all(i64::MIN);
    }

    /// Makes a session good again. `false` when nobody has it.
    pub fn reinstate(&mut self, token: &str) -> bool {
        self.access.end(token, i64::MAX)
    }

    /// Changes the figure of the day; what stands in it stays.
    pub const fn set_daily_requests(&mut self, limit: u32) {
        self.limits.set_daily(limit);
    }

    /// Calls that other programs of the org make at an instant. Returns how many there were left to make.
    pub fn spend_elsewhere(&mut self, now_ms: i64, calls: u32) -> u32 {
        self.advance(now_ms);
        self.limits.spend(self.now_ms, calls)
    }

    /// Long requests that other programs of the org send at an instant; each lasts so long.
    pub fn occupy_elsewhere(&mut self, now_ms: i64, requests: u32, duration_ms: u64) {
        self.advance(now_ms);
        for _ in 0..requests {
            self.limits.lasts(self.now_ms, duration_ms);
        }
    }

    /// State of the 24 hours that end at an instant.
    pub fn day(&mut self, now_ms: i64) -> DayState {
        self.advance(now_ms);
        self.limits.day(self.now_ms)
    }

    /// Changes how far the search lags.
    pub const fn set_search_lag_ms(&mut self, lag_ms: i64) {
        self.index.set_lag_ms(lag_ms);
    }

    /// Adds a scripted fault; the first added wins when several hit one request.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Deletes a record as a user of the CRM would. `false` when there is none.
    pub fn delete_record(&mut self, now_ms: i64, id: &str) -> bool {
        self.advance(now_ms);
        let living = self.record(id).filter(|record| !record.deleted);
        let Some(id) = living.map(|record| record.id.clone()) else {
            return false;
        };
        self.mark_deleted(self.now_ms, 0, &id, None);
        self.store.commit();
        true
    }

    /// Changes a record as a user of the CRM would; names are the schema's, values are taken as they are. `false` when
    /// there is none.
    pub fn edit_record(&mut self, now_ms: i64, id: &str, mut fields: Map<String, Value>) -> bool {
        self.advance(now_ms);
        let living = self.record(id).filter(|record| !record.deleted);
        let Some((object, id)) = living.map(|record| (record.object, record.id.clone())) else {
            return false;
        };
        let hand = self.outsider();
        self.follow(&hand, object, &id, &mut fields);
        self.apply(&hand, object, Some(&id), fields);
        self.store.commit();
        true
    }

    /// Merges a contact into another as a user of the CRM would: what hung on it moves, fields that the other lacks come
    /// along (our key among them), the merged one is deleted and names its master. `false` when one of them isn't there.
    pub fn merge_contacts(&mut self, now_ms: i64, id: &str, into: &str) -> bool {
        self.advance(now_ms);
        let living = |id: &str| {
            let id = ids::canonical(id)?;
            self.store.living(ObjectKind::Contact, &id).cloned()
        };
        let (Some(gone), Some(kept)) = (living(id), living(into)) else {
            return false;
        };
        if gone.id == kept.id {
            return false;
        }
        let hand = self.outsider();
        self.mark_deleted(hand.now_ms, 0, &gone.id, Some(&kept.id));
        let mut fields = gone.fields;
        fields.retain(|name, _| !kept.fields.contains_key(name));
        self.apply(&hand, ObjectKind::Contact, Some(&kept.id), fields);
        for (object, link) in [
            (ObjectKind::Task, "WhoId"),
            (ObjectKind::Opportunity, "ContactId"),
            (ObjectKind::OpportunityContactRole, "ContactId"),
        ] {
            let linked: Vec<String> = self.store.with(object, link, &gone.id).cloned().collect();
            for id in linked {
                let moved = Map::from_iter([(link.to_owned(), kept.id.as_str().into())]);
                self.apply(&hand, object, Some(&id), moved);
            }
        }
        self.store.commit();
        true
    }

    /// Removes a custom field with everything in it, as an administrator would. `false` when there is none.
    pub fn remove_custom_field(&mut self, on: FieldOwner, name: &str) -> bool {
        let removed = self.schema.remove(on, name);
        if let Some(field) = &removed {
            self.store.drop_field(on.object(), &field.name);
        }
        removed.is_some()
    }

    /// Sets whether the integration sees a custom field and may write it. `false` when there is none.
    pub fn set_field_access(
        &mut self,
        on: FieldOwner,
        name: &str,
        visible: bool,
        writable: bool,
    ) -> bool {
        self.schema.change(on, name, |field| {
            field.visible = visible;
            field.writing = if writable {
                Writing::Always
            } else {
                Writing::Never
            };
        })
    }

    /// All records of an object, deleted ones included, in id order.
    pub fn records(&self, object: ObjectKind) -> impl Iterator<Item = &Record> {
        self.store.all(object)
    }

    /// One record by its id in either form, also when deleted.
    pub fn record(&self, id: &str) -> Option<&Record> {
        self.store.any(&ids::canonical(id)?)
    }

    /// Every write of one record, in order.
    pub fn history(&self, id: &str) -> impl Iterator<Item = &Write> {
        self.record(id)
            .into_iter()
            .flat_map(|record| &record.writes)
            .filter_map(|place| self.audit.writes.get(*place))
    }

    /// Every applied write, in order.
    pub fn writes(&self) -> &[Write] {
        &self.audit.writes
    }

    /// Every request, in order of arrival.
    pub fn requests(&self) -> &[RequestAudit] {
        &self.audit.requests
    }

    pub const fn counters(&self) -> &Counters {
        &self.audit.counters
    }
}
