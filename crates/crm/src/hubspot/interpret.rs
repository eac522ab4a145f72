//! HubSpot's answers as outcomes: a total function.
//!
//! Exactly one outcome per item (one for a listing), whatever comes. Reads have no effect, so a read without an
//! answer is *not executed*; a write without one is *unknown*. What isn't HubSpot's own envelope (a page of something
//! in between) never decides about a record: it neither says that a contact is absent nor kills an effect.
//!
//! | answer | account | items |
//! | --- | --- | --- |
//! | nothing left this process | failing | not executed |
//! | sent, no whole answer | failing | write: unknown; read: not executed |
//! | 200, 201, 207 of a write | fine, or what an item's error says | by trace: in `results` done; in `errors` by kind, below; in neither (or both) unknown, but *split* if an error names no item |
//! | 200, 207 of a read | fine | matches; keys and addresses that HubSpot reports as not found are empty |
//! | 200, 207 of a reading of open deals | fine | deals; see `deals` |
//! | 2xx that can't be read | failing | write: unknown; read: not executed |
//! | 400, 404, 409, 422 with an envelope | fine | several: split; one: by kind, below |
//! | 404 with an envelope, read by e-mail or key | fine | several: split; one: matches, empty |
//! | 413, 414 | fine | several: split; one: refused |
//! | 401 | credential refused | not executed |
//! | 403 with an envelope | scope missing | not executed |
//! | 400, 403, 404, 409, 422 without envelope | failing | several, write: split; one, write: unknown; read: not executed |
//! | 423 | busy, 2 s | not executed |
//! | 429, policy or message `daily` | day exhausted | not executed |
//! | 429, `ten_secondly` | throttled, `ten_secondly` | not executed |
//! | 429, `secondly`, of a search | throttled, `search` | not executed |
//! | 429, anything else | throttled, no window named | not executed |
//! | 477 | busy for `Retry-After`, at most 24 h, 5 min without | not executed |
//! | anything else: 3xx, 5xx, 52x, unknown | failing | write: unknown; read: not executed |
//!
//! | kind of error | outcome | account |
//! | --- | --- | --- |
//! | conflict, or a unique value that is taken | conflict, with the id if HubSpot names it | fine |
//! | not found | gone: the record, or the contact that a new record is linked to | fine |
//! | one of our own properties missing or not unique | not executed | scope missing, for the operator must act |
//! | missing scope | not executed | scope missing |
//! | rate limit of an item | not executed | throttled |
//! | internal, or an item's error without category | unknown | fine |
//! | anything else | refused, CF2101 | fine |
//!
//! A search that finds more than a page: those returned are matches; an item with none among them is *split* when it
//! shared the search, and when it was alone not executed, with the mark of the next page, for all of this one were
//! strangers with the same local number. A mark that is refused (400, 404, 409, 422 with an envelope) leaves the look-up
//! unknown.
//!
//! A read by e-mail may find a record by a secondary address of it and show it under its primary one, also when that
//! was asked for as well. A lone address has what was found. Of several, one that is neither in the answer nor named
//! as not found is *split*, unless nothing at all was found: taken for absent, it would make the person a second time.

use callflume_core::codes;
use callflume_core::vendor::{AccountSignal, Answer, Interpretation, ItemOutcome, Operation, Verb};
use serde_json::Value;

use super::build::lack;
use super::executed::executed;
use super::limits::{SEARCH_NAME, TEN_SECONDLY_NAME};
use super::refusal::{Kind, Refusal};
use crate::refusal::bare_reason;

/// HubSpot's locks last two seconds.
const LOCK_MS: u64 = 2_000;
/// Longest wait believed of a 429, milliseconds.
const THROTTLE_WAIT_MAX_MS: u64 = 3_600_000;
/// Longest wait believed of an account that moves between data centres, milliseconds: HubSpot says up to a day.
const MOVE_WAIT_MAX_MS: u64 = 86_400_000;
/// Wait for a moving account without a hint, milliseconds.
const MOVE_WAIT_MS: u64 = 300_000;

/// Whether an answer says that the access token has expired, so that refreshing it is worth while. Any other 401
/// means that the credential was never good or has been withdrawn.
pub fn token_expired(answer: &Answer) -> bool {
    let Answer::Response {
        status: 401, body, ..
    } = answer
    else {
        return false;
    };
    serde_json::from_slice::<Value>(body).is_ok_and(|document| {
        Refusal::of_body(&document)
            .is_some_and(|refusal| refusal.category() == "EXPIRED_AUTHENTICATION")
    })
}

/// What an answer means.
pub(crate) fn interpret(operation: &Operation, answer: &Answer) -> Interpretation {
    let mut meaning = match answer {
        Answer::NotSent => whole(operation, AccountSignal::Failing, ItemOutcome::NotExecuted),
        Answer::Lost => unsure(operation),
        Answer::Response {
            status,
            headers,
            body,
        } => response(operation, *status, headers, body),
    };
    // What was never sent has no part in the answer.
    for (item, outcome) in operation.items.iter().zip(&mut meaning.items) {
        if let Some(lack) = lack(operation.verb, item) {
            *outcome = ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: format!("not sent: {lack}"),
            };
        }
    }
    meaning
}

fn response(
    operation: &Operation,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> Interpretation {
    use AccountSignal as Signal;
    let not_executed = |signal| whole(operation, signal, ItemOutcome::NotExecuted);
    let document = serde_json::from_slice::<Value>(body).ok();
    let document = document.as_ref();
    let refusal = document.and_then(Refusal::of_body);
    match (status, refusal) {
        (200 | 201 | 207, _) => document
            .and_then(Value::as_object)
            .and_then(|document| executed(operation, document))
            .unwrap_or_else(|| unsure(operation)),
        (401, _) => not_executed(Signal::CredentialRefused),
        (403, Some(_)) => not_executed(Signal::ScopeMissing),
        (413 | 414, _) => {
            let reason = refusal.map_or_else(|| bare_reason(status), |r| r.reason(status));
            refused(
                operation,
                ItemOutcome::Refused {
                    code: codes::CRM_REFUSED,
                    reason,
                },
            )
        }
        (400 | 404 | 409 | 422, Some(refusal)) => refused_with(operation, status, refusal),
        (400 | 403 | 404 | 409 | 422, None) => {
            let mut meaning = unsure(operation);
            if !reads(operation.verb) && operation.items.len() > 1 {
                meaning.items.fill(ItemOutcome::Split);
            }
            meaning
        }
        (423, _) => not_executed(Signal::Busy { wait_ms: LOCK_MS }),
        (429, _) => {
            let wait_ms = retry_after_ms(headers, THROTTLE_WAIT_MAX_MS);
            not_executed(throttled(operation.verb, document, wait_ms))
        }
        (477, _) => {
            let wait_ms = retry_after_ms(headers, MOVE_WAIT_MAX_MS).unwrap_or(MOVE_WAIT_MS);
            not_executed(Signal::Busy { wait_ms })
        }
        _ => unsure(operation),
    }
}

/// Whether a verb only reads.
const fn reads(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::List | Verb::Probe
    )
}

/// The same outcome for every item.
pub(crate) fn whole(
    operation: &Operation,
    account: AccountSignal,
    outcome: ItemOutcome,
) -> Interpretation {
    let count = if operation.verb == Verb::List {
        1
    } else {
        operation.items.len()
    };
    Interpretation {
        account,
        items: vec![outcome; count],
        next_page: None,
    }
}

fn unsure(operation: &Operation) -> Interpretation {
    let outcome = if reads(operation.verb) {
        ItemOutcome::NotExecuted
    } else {
        ItemOutcome::Unknown
    };
    whole(operation, AccountSignal::Failing, outcome)
}

/// A refusal of the whole request: of its only item, or of one that it doesn't name.
fn refused(operation: &Operation, single: ItemOutcome) -> Interpretation {
    let outcome = if operation.items.len() > 1 {
        ItemOutcome::Split
    } else {
        single
    };
    whole(operation, AccountSignal::Fine, outcome)
}

fn refused_with(operation: &Operation, status: u16, refusal: Refusal<'_>) -> Interpretation {
    let kind = refusal.kind(status);
    match (kind, operation.verb) {
        (Kind::Unprepared | Kind::Scope | Kind::Throttled, _) => {
            whole(operation, signal(kind), ItemOutcome::NotExecuted)
        }
        // Of several it doesn't say who is absent.
        (Kind::NotFound, Verb::ReadByEmail | Verb::ReadByKey) => {
            refused(operation, ItemOutcome::Matches(Vec::new()))
        }
        (Kind::NotFound, Verb::Probe) => refused(operation, ItemOutcome::Gone),
        (Kind::NotFound | Kind::Invalid, Verb::SearchByPhone) if operation.after.is_some() => {
            whole(operation, AccountSignal::Fine, ItemOutcome::Unknown)
        }
        // No path for a search or listing: the address isn't HubSpot's.
        (Kind::NotFound, Verb::SearchByPhone | Verb::List) => unsure(operation),
        _ => refused(operation, refusal.outcome(status)),
    }
}

/// What a kind of error says about the account.
pub(crate) const fn signal(kind: Kind) -> AccountSignal {
    match kind {
        Kind::Unprepared | Kind::Scope => AccountSignal::ScopeMissing,
        Kind::Throttled => AccountSignal::Throttled {
            window: "",
            wait_ms: None,
        },
        Kind::Conflict | Kind::NotFound | Kind::Internal | Kind::Invalid => AccountSignal::Fine,
    }
}

fn throttled(verb: Verb, document: Option<&Value>, wait_ms: Option<u64>) -> AccountSignal {
    let said = |name: &str| {
        document
            .and_then(|document| document.get(name))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    // A search's answer has no policy, only a message; both name the window in the same words.
    let words = format!("{} {}", said("policyName"), said("message"));
    let window = if words.contains("daily") {
        return AccountSignal::DayExhausted;
    } else if words.contains("ten_secondly") {
        TEN_SECONDLY_NAME
    } else if words.contains("secondly") && verb == Verb::SearchByPhone {
        SEARCH_NAME
    } else {
        ""
    };
    AccountSignal::Throttled { window, wait_ms }
}

/// `Retry-After` in milliseconds, at most `max_ms`. A date is not understood: there is no clock here.
fn retry_after_ms(headers: &[(String, String)], max_ms: u64) -> Option<u64> {
    let (_, value) = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    let seconds: f64 = value.trim().parse().ok()?;
    // The cast saturates, also for infinity.
    (seconds >= 0.0).then(|| ((seconds * 1_000.0).ceil() as u64).min(max_ms))
}
