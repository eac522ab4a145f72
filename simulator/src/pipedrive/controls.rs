//! What a scenario can do to the company besides requests, and what an oracle can read off it.
//!
//! Nothing here counts as a request. What an oracle reads is what was applied, never what somebody was told.

use super::Pipedrive;
use super::audit::{Counters, RequestAudit, Write, WriteKind};
use super::config::{SetupError, Token};
use super::faults::Fault;
use super::records::{Kind, Record, RecordId};
use crate::fakes::DayState;

impl Pipedrive {
    /// Draws the service time of one request, milliseconds: uniform around the configured mean.
    pub fn service_time_ms(&mut self) -> u64 {
        self.service.draw_ms()
    }

    /// Adds a credential at run time, such as a refreshed access token.
    pub fn add_token(&mut self, token: Token) -> Result<(), SetupError> {
        if self.users.iter().all(|user| user.id != token.user_id) {
            return Err(SetupError::UnknownUser(token.user_id));
        }
        if self.tokens.contains_key(&token.value) {
            return Err(SetupError::SharedToken(token.user_id));
        }
        self.tokens.insert(token.value.clone(), (token, i64::MAX));
        Ok(())
    }

    /// Refuses a token from now on. `false` when nobody has it.
    pub fn revoke(&mut self, token: &str) -> bool {
        self.end(token, i64::MIN)
    }

    /// Makes a token good again.
    pub fn reinstate(&mut self, token: &str) -> bool {
        self.end(token, i64::MAX)
    }

    /// Lets an access token end at an instant. The answer is the same as to one that never was.
    pub fn expire(&mut self, token: &str, at_ms: i64) -> bool {
        self.end(token, at_ms)
    }

    fn end(&mut self, token: &str, at_ms: i64) -> bool {
        let held = self.tokens.get_mut(token);
        held.map(|(_, until_ms)| *until_ms = at_ms).is_some()
    }

    /// Locks a token out until an instant, as for ignoring refusals.
    pub fn lock_out(&mut self, token: &str, until_ms: i64) {
        self.limits.lock_out(token, until_ms);
    }

    /// Changes the burst limit of all tokens; what stands in their windows stays.
    pub const fn set_burst_limit(&mut self, limit: u32) {
        self.limits.set_burst_limit(limit);
    }

    /// Changes how far the search lags, for what is written from now on.
    pub const fn set_search_lag_ms(&mut self, lag_ms: i64) {
        self.index.set_lag_ms(lag_ms);
    }

    /// Tokens of the day that other users and apps of the company spend. Returns how many there were left to spend.
    pub fn spend_elsewhere(&mut self, now_ms: i64, tokens: u64) -> u64 {
        self.now_ms = self.now_ms.max(now_ms);
        self.limits.spend(self.now_ms, tokens)
    }

    /// State of the company's day.
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

    /// Deletes a record as a user of the CRM would. `false` when there is none.
    pub fn remove(&mut self, now_ms: i64, kind: Kind, id: RecordId) -> bool {
        self.now_ms = self.now_ms.max(now_ms);
        self.delete_record(self.now_ms, 0, kind, id)
    }

    /// Merges a person into another as a user of the CRM would: what hung on it moves, phones and e-mails come along, the
    /// other's fields win, the merged one is gone. `false` when one of them isn't there.
    pub fn merge_persons(&mut self, now_ms: i64, id: RecordId, into: RecordId) -> bool {
        self.now_ms = self.now_ms.max(now_ms);
        let now_ms = self.now_ms;
        let (Some(gone), Some(kept)) = (
            self.store.living(Kind::Person, id).cloned(),
            self.store.living(Kind::Person, into).cloned(),
        ) else {
            return false;
        };
        if id == into {
            return false;
        }
        let mut fields = kept.fields.clone();
        for name in ["phones", "emails"] {
            let mut all = kept.field(name).as_array().cloned().unwrap_or_default();
            for mut entry in gone.field(name).as_array().cloned().unwrap_or_default() {
                if all.iter().all(|held| held["value"] != entry["value"]) {
                    entry["primary"] = all.is_empty().into();
                    all.push(entry);
                }
            }
            fields.insert(name.to_owned(), all.into());
        }
        let mut custom = gone.custom;
        custom.extend(
            kept.custom
                .into_iter()
                .filter(|(_, value)| !value.is_null()),
        );
        self.apply(now_ms, 0, Kind::Person, Some(into), (fields, custom));
        for kind in [Kind::Activity, Kind::Deal, Kind::Note, Kind::CallLog] {
            self.move_links(kind, id, into);
        }
        self.note_write(now_ms, 0, Kind::Person, id, WriteKind::Merge, Vec::new());
        self.delete_record(now_ms, 0, Kind::Person, id);
        if let Some(record) = self.store.any_mut(Kind::Person, id) {
            record.merged_into = Some(into);
        }
        true
    }

    fn move_links(&mut self, kind: Kind, from: RecordId, into: RecordId) {
        let ids: Vec<RecordId> = self
            .store
            .all(kind)
            .filter(|record| record.person() == Some(from))
            .map(|record| record.id)
            .collect();
        for id in ids {
            let Some(record) = self.store.any_mut(kind, id) else {
                continue;
            };
            if record.field("person_id") == from {
                record.fields.insert("person_id".into(), into.into());
            }
            let participants = record.fields.get_mut("participants");
            for one in participants
                .and_then(|all| all.as_array_mut())
                .into_iter()
                .flatten()
            {
                if one["person_id"] == from {
                    one["person_id"] = into.into();
                }
            }
        }
    }

    /// All records of a kind, deleted ones included, in id order.
    pub fn records(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.store.all(kind)
    }

    /// One record, also when deleted.
    pub fn record(&self, kind: Kind, id: RecordId) -> Option<&Record> {
        self.store.any(kind, id)
    }

    /// Every write of one record, in order.
    pub fn history(&self, kind: Kind, id: RecordId) -> impl Iterator<Item = &Write> {
        self.store
            .any(kind, id)
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
