//! What a scenario can do to the account besides requests, and what an oracle can read off it.
//!
//! Nothing here counts as a request. What an oracle reads is what was applied, never what somebody was told.

use std::collections::BTreeSet;

use super::audit::{Counters, RequestAudit, Write};
use super::config::{App, SetupError};
use super::faults::Fault;
use super::limits::Pool;
use super::records::{ObjectKind, Record, RecordId};
use super::{HubSpot, TokenState};
use crate::fakes::DayState;

impl HubSpot {
    /// Draws the service time of one request, milliseconds: uniform around the configured mean.
    pub fn service_time_ms(&mut self) -> u64 {
        self.service.draw_ms()
    }

    /// Adds credentials at run time (a rotated token of the same app shares its window).
    pub fn add_app(&mut self, app: App) -> Result<(), SetupError> {
        self.limits.add_app(&app)?;
        self.apps
            .insert(app.token.clone(), (app, TokenState::Valid));
        Ok(())
    }

    /// Refuses a token from now on, 401 `INVALID_AUTHENTICATION`. `false` when nobody has it.
    pub fn revoke(&mut self, token: &str) -> bool {
        self.set_token_state(token, TokenState::Revoked)
    }

    /// Makes a token good again.
    pub fn reinstate(&mut self, token: &str) -> bool {
        self.set_token_state(token, TokenState::Valid)
    }

    /// Lets an OAuth token end at an instant: 401 `EXPIRED_AUTHENTICATION` from then on.
    pub fn expire(&mut self, token: &str, at_ms: i64) -> bool {
        self.set_token_state(token, TokenState::ExpiresAt(at_ms))
    }

    fn set_token_state(&mut self, token: &str, state: TokenState) -> bool {
        self.apps.get_mut(token).is_some_and(|(_, present)| {
            *present = state;
            true
        })
    }

    /// Replaces the scopes of a token. `false` when nobody has it.
    pub fn set_scopes(&mut self, token: &str, scopes: BTreeSet<String>) -> bool {
        self.apps.get_mut(token).is_some_and(|(app, _)| {
            app.scopes = scopes;
            true
        })
    }

    /// Changes the window of a token's app; what stands in it stays.
    pub fn set_interval_limit(&mut self, token: &str, limit: u32) -> bool {
        match self.apps.get(token) {
            Some((app, _)) => self.limits.set_interval_limit(app.app_id, limit),
            None => false,
        }
    }

    /// Requests somebody else sends with the same token at one instant: they take places in the windows but don't appear as
    /// requests. Returns how many found a place.
    pub fn spend_elsewhere(&mut self, now_ms: i64, token: &str, pool: Pool, count: u64) -> u64 {
        self.now_ms = self.now_ms.max(now_ms);
        let Some((app, _)) = self.apps.get(token) else {
            return 0;
        };
        self.limits
            .spend(self.now_ms, app, pool, count, &mut self.audit.counters)
    }

    /// State of the account's day.
    pub fn day(&mut self, now_ms: i64) -> DayState {
        self.now_ms = self.now_ms.max(now_ms);
        self.limits.day(self.now_ms)
    }

    /// Adds a scripted fault; the first added wins when several hit one request.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Archives a record as a user of the CRM would. `false` when there is none.
    pub fn archive(&mut self, now_ms: i64, object: ObjectKind, id: RecordId) -> bool {
        self.now_ms = self.now_ms.max(now_ms);
        self.archive_record(self.now_ms, 0, object, id)
    }

    /// All records of an object, archived ones included, in id order.
    pub fn records(&self, object: ObjectKind) -> impl Iterator<Item = &Record> {
        self.store.all(object)
    }

    /// One record, also when archived.
    pub fn record(&self, object: ObjectKind, id: RecordId) -> Option<&Record> {
        self.store.any(object, id)
    }

    /// The living record that holds a unique value.
    pub fn holder(&self, object: ObjectKind, property: &str, value: &str) -> Option<&Record> {
        self.store
            .living(object, self.store.holder(object, property, value)?)
    }

    /// Every write of one record, in order.
    pub fn history(&self, object: ObjectKind, id: RecordId) -> impl Iterator<Item = &Write> {
        self.store
            .any(object, id)
            .into_iter()
            .flat_map(|record| &record.writes)
            .filter_map(|&write_no| self.audit.writes.get(write_no))
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
