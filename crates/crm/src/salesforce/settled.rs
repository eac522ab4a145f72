//! What became of each record of a write: results of a collection, parts of a composite request, errors.
//!
//! Kinds of errors are those of `kinds`; what they say about the account is [`signal`].
//!
//! | result of a record or part | outcome | account |
//! | --- | --- | --- |
//! | success with an id; of an update by id also without | done | fine |
//! | success without id, failure without errors, no result | unknown | fine |
//! | a part's 300, kind several | refused, CF2101 | fine |
//! | a part's 404, of an update by key | gone | fine |
//! | a part's 5xx, kind internal | unknown | failing if it is so for all |
//! | kind session | not executed | credential refused |
//! | kind day | not executed | day exhausted |
//! | kind concurrent | not executed | throttled, `long_running`, 5 s |
//! | kind limit | not executed | busy, 60 s |
//! | kind locked | not executed | busy, 1 s |
//! | kind account | not executed | scope missing |
//! | kind halted | not executed | fine |
//! | kind duplicate | conflict, with the first match if there is one | fine |
//! | kind taken, of an upsert | unknown: another made the record at the same moment. It is sent again after a pause, a limited number of times, for a record that this user may not see would be taken for ever | fine |
//! | kind taken, else | conflict, with the record if it is named | fine |
//! | kind absent, of an update, unless only other fields are named | gone | fine |
//! | kind absent or hidden, of a creation with a contact, unless only other fields are named | gone: the contact | fine |
//! | anything else | refused, CF2101 | fine |

use callflume_core::vendor::{AccountSignal, Item, ItemOutcome, Verb};
use serde_json::Value;

use super::build::reference;
use super::interpret::Asked;
use super::kinds::Kind;
use super::limits::LONG_RUNNING_NAME;
use super::paths::is_id;
use super::refusal::Refusal;
use crate::refusal::refused;

/// Wait for a lock, milliseconds: Salesforce has waited 10 s for it already.
const LOCK_MS: u64 = 1_000;
/// Wait when too many long requests are under way, milliseconds. Salesforce gives no hint.
const CONCURRENT_MS: u64 = 5_000;
/// Wait for a limit that isn't known here, milliseconds.
const LIMIT_MS: u64 = 60_000;

impl Asked<'_> {
    /// What became of a record of a collection.
    pub(super) fn result(&self, item: &Item, result: &Value) -> Settled {
        match result.get("success").and_then(Value::as_bool) {
            Some(true) => {
                let told = result.get("id").and_then(Value::as_str);
                let known = item
                    .crm_id
                    .as_deref()
                    .filter(|_| self.operation.verb == Verb::UpdateById);
                match told.filter(|id| is_id(id)).or(known) {
                    Some(id) => Settled::done(id),
                    None => Settled::unknown(None),
                }
            }
            Some(false) => Refusal::of_record(result)
                .map_or_else(|| Settled::unknown(None), |it| self.refused(item, 0, it)),
            None => Settled::unknown(None),
        }
    }

    /// What became of a part of a composite request.
    pub(super) fn part(&self, item: &Item, parts: &[Value]) -> Settled {
        let name = reference(item);
        let mut named = parts
            .iter()
            .filter(|part| part.get("referenceId").and_then(Value::as_str) == Some(&name));
        let (Some(part), None) = (named.next(), named.next()) else {
            return Settled::unknown(None);
        };
        let status = part
            .get("httpStatusCode")
            .and_then(Value::as_u64)
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or(0);
        let body = part.get("body");
        match status {
            200..=299 => {
                let id = body.and_then(|body| body.get("id")?.as_str());
                match id.filter(|id| is_id(id)) {
                    Some(id) => Settled::done(id),
                    None => Settled::unknown(None),
                }
            }
            300 => Settled {
                outcome: refused("several records have this key".to_owned()),
                kind: Some(Kind::Several),
            },
            404 => Settled {
                outcome: ItemOutcome::Gone,
                kind: Some(Kind::Absent),
            },
            400..=499 => match body.and_then(Refusal::of_body) {
                Some(refusal) => self.refused(item, status, refusal),
                None => Settled::unknown(None),
            },
            500.. => Settled::unknown(Some(Kind::Internal)),
            _ => Settled::unknown(None),
        }
    }

    pub(super) fn refused(&self, item: &Item, status: u16, refusal: Refusal<'_>) -> Settled {
        let kind = refusal.kind(self.settings, self.operation.object);
        Settled {
            outcome: self.outcome(item, status, kind, refusal),
            kind: Some(kind),
        }
    }

    /// What errors mean for the record that they are about. Status 0: of a collection's record.
    pub(super) fn outcome(
        &self,
        item: &Item,
        status: u16,
        kind: Kind,
        refusal: Refusal<'_>,
    ) -> ItemOutcome {
        use Verb::{Create, UpdateById, UpdateByKey, UpsertByKey};
        let verb = self.operation.verb;
        let conflict = || ItemOutcome::Conflict {
            existing: refusal.existing(),
        };
        match (kind, verb) {
            (
                Kind::Session
                | Kind::Day
                | Kind::Concurrent
                | Kind::Limit
                | Kind::Locked
                | Kind::Account
                | Kind::Halted,
                _,
            ) => ItemOutcome::NotExecuted,
            (Kind::Internal, _) => ItemOutcome::Unknown,
            (Kind::Duplicate, Create | UpsertByKey | UpdateById | UpdateByKey) => conflict(),
            (Kind::Taken, UpsertByKey) => ItemOutcome::Unknown,
            (Kind::Taken, Create | UpdateById | UpdateByKey) => conflict(),
            (Kind::Absent, UpdateById | UpdateByKey) if !refusal.only_about_others(&["Id"]) => {
                ItemOutcome::Gone
            }
            (Kind::Absent | Kind::Hidden, Create)
                if item.contact.is_some()
                    && !refusal.only_about_others(&["WhoId", "ContactId"]) =>
            {
                ItemOutcome::Gone
            }
            _ => refused(refusal.reason(status)),
        }
    }
}

/// What became of one item, and the kind of its error.
pub(super) struct Settled {
    pub(super) outcome: ItemOutcome,
    pub(super) kind: Option<Kind>,
}

impl Settled {
    fn done(id: &str) -> Self {
        Self {
            outcome: ItemOutcome::Done {
                crm_id: id.to_owned(),
            },
            kind: None,
        }
    }

    const fn unknown(kind: Option<Kind>) -> Self {
        Self {
            outcome: ItemOutcome::Unknown,
            kind,
        }
    }
}

/// What a kind of error says about the account.
pub(crate) const fn signal(kind: Kind) -> AccountSignal {
    match kind {
        Kind::Session => AccountSignal::CredentialRefused,
        Kind::Day => AccountSignal::DayExhausted,
        Kind::Account => AccountSignal::ScopeMissing,
        Kind::Limit => AccountSignal::Busy { wait_ms: LIMIT_MS },
        Kind::Concurrent => AccountSignal::Throttled {
            window: LONG_RUNNING_NAME,
            wait_ms: Some(CONCURRENT_MS),
        },
        Kind::Locked => AccountSignal::Busy { wait_ms: LOCK_MS },
        Kind::Internal
        | Kind::Taken
        | Kind::Duplicate
        | Kind::Absent
        | Kind::Hidden
        | Kind::Halted
        | Kind::Several
        | Kind::Invalid => AccountSignal::Fine,
    }
}
