//! What a scenario can do to the organisation besides requests, and what an oracle can read off it.
//!
//! Nothing here counts as a request. What an oracle reads is what was applied, never what somebody was told.

use super::Close;
use super::audit::{Counters, RequestAudit, Write};
use super::config::{ApiKey, SetupError};
use super::faults::Fault;
use super::records::{ObjectKind, Record};

impl Close {
    /// Draws the service time of one request, milliseconds: uniform around the configured mean.
    pub fn service_time_ms(&mut self) -> u64 {
        self.service.draw_ms()
    }

    /// Adds a credential at run time.
    pub fn add_key(&mut self, key: &ApiKey) -> Result<(), SetupError> {
        self.access.add(key, i64::MAX)
    }

    /// Refuses a credential from an instant on. `false` when nobody has it.
    pub fn expire(&mut self, secret: &str, at_ms: i64) -> bool {
        self.access.end(secret, at_ms)
    }

    /// Refuses a credential from now on. `false` when nobody has it.
    pub fn revoke(&mut self, secret: &str) -> bool {
        self.access.end(secret, i64::MIN)
    }

    /// Makes a credential good again.
    pub fn reinstate(&mut self, secret: &str) -> bool {
        self.access.end(secret, i64::MAX)
    }

    /// Changes the key's limit of a group (`POST /lead/`); what stands in the windows stays.
    pub fn set_limit(&mut self, group: &str, limit: u32) {
        self.limits.set(group, limit);
    }

    /// Requests that another key of the organisation sends to a group at one instant: they take places in the
    /// organisation's window. Returns how many found a place.
    pub fn spend_elsewhere(&mut self, now_ms: i64, group: &'static str, count: u32) -> u32 {
        self.now_ms = self.now_ms.max(now_ms);
        let mut unseen = Counters::default();
        // Keys that no credential has, one for each request: only the organisation's window can be full.
        (0..count)
            .take_while(|number| {
                let key = usize::MAX - *number as usize;
                self.limits
                    .admit(self.now_ms, key, group, &mut unseen)
                    .is_ok()
            })
            .count() as u32
    }

    /// Adds a scripted fault; the first added wins when several hit one request.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Merges a lead into another as a user of the CRM would. `false` when one of them isn't there.
    pub fn merge_leads(&mut self, now_ms: i64, source: &str, destination: &str) -> bool {
        self.now_ms = self.now_ms.max(now_ms);
        self.merge(self.now_ms, 0, source, destination).is_ok()
    }

    /// Deletes a record as a user of the CRM would. `false` when there is none.
    pub fn delete_record(&mut self, now_ms: i64, kind: ObjectKind, id: &str) -> bool {
        self.now_ms = self.now_ms.max(now_ms);
        self.delete(self.now_ms, 0, kind, id).is_ok()
    }

    /// Removes a custom field as a user of the CRM would.
    pub fn remove_custom_field(&mut self, id: &str) -> bool {
        self.schema.remove(id)
    }

    /// All records of a kind, deleted ones included, in id order.
    pub fn records(&self, kind: ObjectKind) -> impl Iterator<Item = &Record> {
        self.store.all(kind)
    }

    /// One record, also when deleted.
    pub fn record(&self, id: &str) -> Option<&Record> {
        self.store.any(id)
    }

    /// Every applied write, in order.
    pub fn writes(&self) -> &[Write] {
        &self.audit.writes
    }

    /// Every request, in order of arrival.
    pub fn requests(&self) -> &[RequestAudit] {
        &self.audit.requests
    }

    pub fn counters(&self) -> &Counters {
        &self.audit.counters
    }
}
