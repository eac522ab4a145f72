//! Salesforce's answers as outcomes: a total function.
//!
//! Exactly one outcome per item (one for a listing), whatever comes. Reads have no effect, so a read without an answer is
//! *not executed*; a write without one is *unknown*. What isn't Salesforce's own (a page of something in between) never
//! decides about a record. Kinds of errors are those of `kinds`.
//!
//! | answer | account | items |
//! | --- | --- | --- |
//! | nothing left this process | failing | not executed |
//! | sent, no whole answer | failing | write: unknown; read: not executed |
//! | 200 of a write | fine, or what an item's error says | each by its result, as in `settled` |
//! | 200 of a query | fine | matches; see below |
//! | 200 of a listing of open deals | fine | deals; see `deals` |
//! | 2xx that can't be read, or with another number of results | failing | write: unknown; read: not executed |
//! | 401 | credential refused | not executed |
//! | any below 500 of kind session, day, concurrent, limit, locked or account; 5xx of kind day, concurrent or limit | by kind, as in `settled` | not executed |
//! | any below 500 of kind internal | failing | write: unknown; read: not executed, several: split, for fewer may be quicker |
//! | 403 with an envelope | scope missing | not executed |
//! | 400, 404 `NOT_FOUND` of an upsert | scope missing: the key field isn't there, or isn't an external id | not executed |
//! | 410 with an envelope | scope missing: the API version was withdrawn | not executed |
//! | 300, 400, 405, 409, 412, 413, 414, 415, 428, 431 with an envelope; 300, 413, 414, 431 without | fine | several: split; one: by kind, as in `settled` |
//! | 429, which Salesforce doesn't send but what is in between may | busy, 10 s | not executed |
//! | 400 and the like without an envelope | failing | several, write: split; one, write: unknown; read: not executed |
//! | anything else: 3xx, 404, 420, 5xx, unknown | failing | write: unknown; read: not executed |
//!
//! An item that was never sent is refused; one looked for by an e-mail address longer than Salesforce's has no matches.
//!
//! **Queries**: a lone key or address has all that was found; of several, each has those whose value is its own, in any
//! case; a number has those who have it. An item with none is absent if the page holds everything and everybody on it was
//! somebody's; else it is *split* when it shared the query. Alone with a whole page of strangers, who have the same last
//! digits, it is not executed, with the mark of the next page. A record in the recycle bin, such as one that was merged into another, is never found.

use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, Answer, Interpretation, Item, ItemOutcome, Operation, Verb,
};
use serde_json::Value;

use super::build::{is_nowhere, lack, sent};
use super::deals;
use super::found::Page;
use super::kinds::Kind;
use super::refusal::Refusal;
use super::settled::{Settled, signal};
use crate::refusal::{bare_reason, refused};
use crate::settings::Settings;

/// Wait for something in between that throttles, milliseconds.
const GATEWAY_MS: u64 = 10_000;

/// Whether an answer says that the access token isn't good any more, so that fetching another is worth while.
pub fn token_expired(answer: &Answer) -> bool {
    let Answer::Response {
        status: 401, body, ..
    } = answer
    else {
        return false;
    };
    serde_json::from_slice::<Value>(body).is_ok_and(|body| {
        body.as_array().is_some_and(|errors| {
            errors.iter().any(|error| {
                error.get("errorCode").and_then(Value::as_str) == Some("INVALID_SESSION_ID")
            })
        })
    })
}

/// What an answer means.
pub(crate) fn interpret(
    settings: &Settings,
    operation: &Operation,
    answer: &Answer,
) -> Interpretation {
    let items = sent(settings, operation);
    let asked = Asked {
        settings,
        operation,
        items: &items,
    };
    let meaning = match answer {
        Answer::NotSent => asked.whole(AccountSignal::Failing, ItemOutcome::NotExecuted),
        Answer::Lost => asked.unsure(),
        Answer::Response { status, body, .. } => asked.response(*status, body),
    };
    if operation.verb == Verb::List {
        return meaning;
    }
    // What was never sent has no part in the answer.
    let mut outcomes = meaning.items.into_iter();
    let items = operation
        .items
        .iter()
        .map(|item| match lack(settings, operation, item) {
            Some(lack) => refused(format!("not sent: {lack}")),
            None if is_nowhere(operation, item) => ItemOutcome::Matches(Vec::new()),
            None => outcomes.next().unwrap_or(ItemOutcome::Unknown),
        })
        .collect();
    Interpretation { items, ..meaning }
}

/// What errors of a record mean for it, given as an answer's body would have them.
pub(crate) fn outcome_of_errors(
    settings: &Settings,
    operation: &Operation,
    item: &Item,
    errors: &Value,
) -> ItemOutcome {
    let asked = Asked {
        settings,
        operation,
        items: &[],
    };
    Refusal::of_body(errors).map_or(ItemOutcome::Unknown, |refusal| {
        asked.refused(item, 0, refusal).outcome
    })
}

/// What was asked, as far as it was sent.
pub(super) struct Asked<'a> {
    pub(super) settings: &'a Settings,
    pub(super) operation: &'a Operation,
    items: &'a [&'a Item],
}

impl Asked<'_> {
    fn reads(&self) -> bool {
        matches!(
            self.operation.verb,
            Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::List | Verb::Probe
        )
    }

    /// The same outcome for every item that was sent.
    fn whole(&self, account: AccountSignal, outcome: ItemOutcome) -> Interpretation {
        let count = if self.operation.verb == Verb::List {
            1
        } else {
            self.items.len()
        };
        Interpretation {
            account,
            items: vec![outcome; count],
            next_page: None,
        }
    }

    fn unsure(&self) -> Interpretation {
        let outcome = if self.reads() {
            ItemOutcome::NotExecuted
        } else {
            ItemOutcome::Unknown
        };
        self.whole(AccountSignal::Failing, outcome)
    }

    fn response(&self, status: u16, body: &[u8]) -> Interpretation {
        let body = serde_json::from_slice::<Value>(body).ok();
        if let 200..=299 = status {
            return body
                .as_ref()
                .and_then(|body| self.executed(body))
                .unwrap_or_else(|| self.unsure());
        }
        if status == 401 {
            return self.whole(AccountSignal::CredentialRefused, ItemOutcome::NotExecuted);
        }
        let refusal = body.as_ref().and_then(Refusal::of_body);
        let kind = refusal.map(|it| it.kind(self.settings, self.operation.object));
        let not_executed = |signal| self.whole(signal, ItemOutcome::NotExecuted);
        match (status, kind) {
            (_, Some(kind @ (Kind::Day | Kind::Concurrent | Kind::Limit))) => {
                not_executed(signal(kind))
            }
            (500.., _) => self.unsure(),
            (_, Some(kind @ (Kind::Session | Kind::Locked | Kind::Account))) => {
                not_executed(signal(kind))
            }
            (_, Some(Kind::Internal)) if self.reads() && self.items.len() > 1 => {
                self.whole(AccountSignal::Failing, ItemOutcome::Split)
            }
            (_, Some(Kind::Internal)) => self.unsure(),
            (403 | 410, Some(_)) => not_executed(AccountSignal::ScopeMissing),
            (400 | 404, Some(Kind::Absent))
                if self.operation.verb == Verb::UpsertByKey
                    && refusal.is_some_and(|it| it.has_code("NOT_FOUND")) =>
            {
                not_executed(AccountSignal::ScopeMissing)
            }
            (300 | 400 | 405 | 409 | 412 | 413 | 414 | 415 | 428 | 431, Some(kind)) => {
                let single = match (refusal, self.items.first()) {
                    (Some(refusal), Some(item)) => self.outcome(item, status, kind, refusal),
                    _ => refused(bare_reason(status)),
                };
                self.blamed(single)
            }
            (300 | 413 | 414 | 431, None) => self.blamed(refused(bare_reason(status))),
            (429, _) => not_executed(AccountSignal::Busy {
                wait_ms: GATEWAY_MS,
            }),
            (400 | 403 | 405 | 409 | 412 | 415 | 428, None)
                if !self.reads() && self.items.len() > 1 =>
            {
                self.whole(AccountSignal::Failing, ItemOutcome::Split)
            }
            _ => self.unsure(),
        }
    }

    /// A refusal of the whole request: of its only item, or of one that it doesn't name.
    fn blamed(&self, single: ItemOutcome) -> Interpretation {
        let outcome = if self.items.len() > 1 {
            ItemOutcome::Split
        } else {
            single
        };
        self.whole(AccountSignal::Fine, outcome)
    }

    /// The meaning of a 2xx body; none if it isn't of the shape that its verb has.
    fn executed(&self, body: &Value) -> Option<Interpretation> {
        let verb = self.operation.verb;
        if self.items.is_empty() && verb != Verb::List {
            // A question for the limits was all.
            return Some(self.whole(AccountSignal::Fine, ItemOutcome::NotExecuted));
        }
        if verb == Verb::List && self.operation.object == Object::Deal {
            return deals::read(body);
        }
        if self.reads() {
            let page = Page::of(self.settings, self.operation, body)?;
            let (items, next_page) = if verb == Verb::List {
                let (outcome, next_page) = page.listed();
                (vec![outcome], next_page)
            } else {
                page.looked_up(verb, self.items)
            };
            return Some(Interpretation {
                account: AccountSignal::Fine,
                items,
                next_page,
            });
        }
        let results: Vec<Settled> = if verb == Verb::UpdateByKey {
            let parts = body.get("compositeResponse")?.as_array()?;
            self.items
                .iter()
                .map(|item| self.part(item, parts))
                .collect()
        } else {
            let results = body.as_array()?;
            if results.len() != self.items.len() {
                return None;
            }
            self.items
                .iter()
                .zip(results)
                .map(|(item, result)| self.result(item, result))
                .collect()
        };
        let failed = results.iter().all(|it| it.kind == Some(Kind::Internal));
        let account = if failed && !results.is_empty() {
            AccountSignal::Failing
        } else {
            let heaviest = results.iter().filter_map(|it| it.kind).max();
            heaviest.map_or(AccountSignal::Fine, signal)
        };
        Some(Interpretation {
            account,
            items: results.into_iter().map(|it| it.outcome).collect(),
            next_page: None,
        })
    }
}
