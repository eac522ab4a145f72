//! Pipedrive's answers as outcomes: a total function.
//!
//! Exactly one outcome per item (one for a listing), whatever comes; only the first item was sent. Reads have no effect, so
//! a read without an answer is *not executed*; a write without one is *unknown*. What isn't Pipedrive's own envelope never
//! decides about a record.
//!
//! | answer | account | item |
//! | --- | --- | --- |
//! | nothing left this process | failing | not executed |
//! | sent, no whole answer | failing | write: unknown; read: not executed |
//! | 200, 201 with `success`, of a write | fine | done; gone if it is a deleted record that was updated |
//! | 200 with `success`, of a look-up | fine | matches; if a page of strangers isn't the last, not executed, with the mark of the next |
//! | 200 with `success`, of a listing of open deals | fine | deals, each with its person |
//! | 200 with `success`, of a probe | fine | done; gone if the page is the last, or the newest persons reach back 15 min; else unknown |
//! | 200, 201 with `success: false` | as the `errorCode` it names, else as 400 | same |
//! | 200, 201 that can't be read | failing | write: unknown; read: not executed |
//! | 400, 422 naming one of our custom fields | scope missing | not executed |
//! | 400, 422 of a creation, the person isn't there | fine | gone |
//! | 400, 404, 410, 422 of a look-up's further page: its mark is good no more | fine | unknown |
//! | 400, 413, 414, 422 else | fine | refused, CF2101 |
//! | 404, 410 of a creation or update, of a probe by parent | fine | gone |
//! | 404, 410 of a look-up, a listing, a probe of all | failing | not executed |
//! | 409 of a write | fine | conflict |
//! | 401 | credential refused | not executed |
//! | 402, 403, 415 | scope missing: a plan, a permission or a feature lacks | not executed |
//! | 403 that isn't JSON: the lock-out after ignored refusals | busy, 10 min | not executed |
//! | 429 about the day, without tokens left, or with more than a minute to wait | day exhausted | not executed |
//! | 429 else | throttled, `search` or `burst` | not executed |
//! | any other refusal without envelope, 3xx, 405, 5xx, unknown | failing | write: unknown; read: not executed |
//!
//! An item that was never sent ([`Obstacle`]) is refused, or, if the account's settings lack one of our custom fields, not
//! executed with *scope missing*.

use callflume_core::effect::Object;
use callflume_core::vendor::{AccountSignal, Answer, Interpretation, ItemOutcome, Operation, Verb};
use serde_json::Value;

use super::bodies::Obstacle;
use super::build::planned;
use super::found::{Success, read};
use super::limits::{BURST_NAME, SEARCH_NAME, searches};
use super::refusal::Refusal;
use crate::headers::{number, seconds_as_ms, value};
use crate::instants::http_date_ms;
use crate::refusal::{bare_reason, refused};
use crate::settings::Settings;

/// Pause after a lock-out, milliseconds. How long one lasts is not published; sending on is what brought it about.
pub(crate) const LOCK_OUT_MS: u64 = 600_000;
/// A burst is over in two seconds; whoever says to wait longer than this, milliseconds, means the day.
const BURST_WAIT_MAX_MS: u64 = 60_000;

/// Whether an answer says that the access token may have expired, so that refreshing it once is worth while. Pipedrive
/// doesn't tell an expired token from a revoked one; an API token can't be refreshed.
pub const fn token_expired(answer: &Answer) -> bool {
    matches!(answer, Answer::Response { status: 401, .. })
}

/// What an answer means.
pub(crate) fn interpret(
    settings: &Settings,
    operation: &Operation,
    answer: &Answer,
) -> Interpretation {
    let meaning = match planned(settings, operation) {
        Err(Obstacle::Item(lack)) => Meaning::fine(refused(format!("not sent: {lack}"))),
        Err(Obstacle::Unprepared(_)) => Meaning::account(AccountSignal::ScopeMissing),
        Ok(_) => sent(settings, operation, answer),
    };
    let count = if operation.verb == Verb::List {
        1
    } else {
        operation.items.len()
    };
    let mut items = vec![ItemOutcome::NotExecuted; count];
    if let Some(first) = items.first_mut() {
        *first = meaning.outcome;
    }
    Interpretation {
        account: meaning.account,
        items,
        next_page: meaning.next,
    }
}

/// What the answer to a listing means, whatever the account lacks.
pub(crate) fn of_listing(
    settings: &Settings,
    listing: &Operation,
    answer: &Answer,
) -> Interpretation {
    let meaning = sent(settings, listing, answer);
    Interpretation {
        account: meaning.account,
        items: vec![meaning.outcome],
        next_page: meaning.next,
    }
}

fn sent(settings: &Settings, operation: &Operation, answer: &Answer) -> Meaning {
    match answer {
        Answer::NotSent => Meaning::account(AccountSignal::Failing),
        Answer::Lost => unsure(operation.verb),
        Answer::Response {
            status,
            headers,
            body,
        } => response(settings, operation, *status, headers, body),
    }
}

/// What an answer means for the account and the item that was sent.
struct Meaning {
    account: AccountSignal,
    outcome: ItemOutcome,
    next: Option<String>,
}

impl Meaning {
    const fn of(account: AccountSignal, outcome: ItemOutcome) -> Self {
        Self {
            account,
            outcome,
            next: None,
        }
    }

    const fn fine(outcome: ItemOutcome) -> Self {
        Self::of(AccountSignal::Fine, outcome)
    }

    /// Certainly not executed, for a reason that is the account's.
    const fn account(account: AccountSignal) -> Self {
        Self::of(account, ItemOutcome::NotExecuted)
    }
}

const fn reads(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::List | Verb::Probe
    )
}

const fn unsure(verb: Verb) -> Meaning {
    let outcome = if reads(verb) {
        ItemOutcome::NotExecuted
    } else {
        ItemOutcome::Unknown
    };
    Meaning::of(AccountSignal::Failing, outcome)
}

fn response(
    settings: &Settings,
    operation: &Operation,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> Meaning {
    let document = serde_json::from_slice::<Value>(body).ok();
    let document = document.as_ref();
    let refusal = document.and_then(Refusal::of_body);
    match (status, refusal) {
        (200 | 201, None) => {
            let sent_at_ms = value(headers, "date").and_then(http_date_ms);
            document
                .and_then(Value::as_object)
                .filter(|document| document.get("success").and_then(Value::as_bool) == Some(true))
                .and_then(|document| read(settings, operation, document, sent_at_ms))
                .map_or_else(
                    || unsure(operation.verb),
                    |success| {
                        let Success { outcome, next } = success;
                        Meaning {
                            account: AccountSignal::Fine,
                            outcome,
                            next,
                        }
                    },
                )
        }
        (200 | 201, Some(said)) => {
            let status = said.own_status().unwrap_or(400);
            refusal_of(settings, operation, status, Some(said), headers)
        }
        _ => refusal_of(settings, operation, status, refusal, headers),
    }
}

fn refusal_of(
    settings: &Settings,
    operation: &Operation,
    status: u16,
    refusal: Option<Refusal<'_>>,
    headers: &[(String, String)],
) -> Meaning {
    let verb = operation.verb;
    match (status, refusal) {
        (401, _) => Meaning::account(AccountSignal::CredentialRefused),
        (402 | 403 | 415, Some(_)) => Meaning::account(AccountSignal::ScopeMissing),
        (403, None) => Meaning::account(AccountSignal::Busy {
            wait_ms: LOCK_OUT_MS,
        }),
        (429, _) => Meaning::account(throttled(operation, refusal, headers)),
        (400 | 422, Some(said)) if said.unprepared(settings) => {
            Meaning::account(AccountSignal::ScopeMissing)
        }
        (400 | 422, Some(said))
            if matches!(verb, Verb::Create | Verb::UpsertByKey) && said.person_missing() =>
        {
            Meaning::fine(ItemOutcome::Gone)
        }
        (400 | 404 | 410 | 422, Some(_)) if goes_on(operation) => {
            Meaning::fine(ItemOutcome::Unknown)
        }
        (400 | 422, Some(said)) => Meaning::fine(refused(said.reason(status))),
        (413 | 414, said) => Meaning::fine(refused(
            said.map_or_else(|| bare_reason(status), |said| said.reason(status)),
        )),
        (404 | 410, Some(_)) if !reads(verb) || probes_parent(operation) => {
            Meaning::fine(ItemOutcome::Gone)
        }
        (409, Some(_)) if !reads(verb) => Meaning::fine(ItemOutcome::Conflict { existing: None }),
        _ => unsure(verb),
    }
}

/// Whether an operation asks for a further page of a look-up.
const fn goes_on(operation: &Operation) -> bool {
    searches(operation.verb, operation.object) && operation.after.is_some()
}

/// Whether an operation looks for a record among those of its contact.
fn probes_parent(operation: &Operation) -> bool {
    operation.verb == Verb::Probe
        && operation.object != Object::Contact
        && operation
            .items
            .first()
            .is_some_and(|item| item.contact.is_some())
}

fn throttled(
    operation: &Operation,
    refusal: Option<Refusal<'_>>,
    headers: &[(String, String)],
) -> AccountSignal {
    let wait_ms = value(headers, "retry-after").and_then(seconds_as_ms);
    let day = refusal.is_some_and(Refusal::about_the_day)
        || number(headers, "x-daily-ratelimit-token-remaining") == Some(0)
        || wait_ms.is_some_and(|wait_ms| wait_ms > BURST_WAIT_MAX_MS);
    if day {
        return AccountSignal::DayExhausted;
    }
    let reset_ms = value(headers, "x-ratelimit-reset").and_then(seconds_as_ms);
    AccountSignal::Throttled {
        window: if searches(operation.verb, operation.object) {
            SEARCH_NAME
        } else {
            BURST_NAME
        },
        wait_ms: wait_ms.or(reset_ms),
    }
}
