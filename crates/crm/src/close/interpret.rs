//! Close's answers as outcomes: a total function.
//!
//! Exactly one outcome per item (one for a listing), whatever comes. Reads have no effect, so a read without an answer
//! is *not executed*; a write without one is *unknown*, and since Close makes nothing once by itself, what may have been
//! made is probed for before it is made again. What isn't Close's own error body (a page of something in between) never
//! decides about a record: it neither says that it is gone nor kills an effect.
//!
//! | answer | account | item |
//! | --- | --- | --- |
//! | nothing left this process | failing | not executed |
//! | sent, no whole answer | failing | write: unknown; read: not executed |
//! | 200, 201 of a write, with its id | fine | done |
//! | 204 of an update | fine | done |
//! | 200 of a look-up | fine | matches; without one on a page that isn't the last: shared by several, split; alone, not executed, with the mark of the next |
//! | 200 of a probe | fine | done or gone; if the page can't say, not executed, with the mark to go on with |
//! | 2xx that can't be read | failing | write: unknown; read: not executed |
//! | 200 of a listing of open deals | fine | deals, each with its contact |
//! | 400 of a further page of contacts | fine | matches, empty, and no further page: Close skips no further |
//! | 400, 404, 410, 422 of a look-up's further page: its mark is good no more | fine | unknown |
//! | 400 that blames one of our custom fields | scope missing | not executed: the operator must act |
//! | 400 that blames nothing but lead or contact, and not for being left out, of a creation or probe | fine | gone |
//! | 400, 405, 409, 415, 422 otherwise | fine | look-up of several: split; else refused, CF2101 |
//! | 413, 414 | fine | look-up of several: split; else refused, CF2101 |
//! | 401 | credential refused | not executed |
//! | 402 (plan or payment), 403 with an error body | scope missing | not executed |
//! | 404 with an error body: update, creation on a lead, probe among a lead's records | fine | gone |
//! | 429 | throttled, the endpoint group asked | not executed |
//! | anything else: 3xx, 5xx, 404 otherwise, unknown | failing | write: unknown; read: not executed |
//!
//! 503 is taken as unknown, though Close's own client sends again after it: probing costs one request, a double stays.
//!
//! An item that couldn't be sent has no part in the answer: it is refused, gone, or waits for the operator (see `lack`).

use callflume_core::effect::Object;
use callflume_core::vendor::{AccountSignal, Answer, Interpretation, ItemOutcome, Operation, Verb};
use serde_json::Value;

use super::build::{Plan, is_listed, is_look_up, planned};
use super::executed::executed;
use super::found::fine;
use super::lack::Lack;
use super::limits::{group, name};
use super::observe::wait_ms;
use super::refusal::Refusal;
use crate::refusal::{bare_reason, refused};
use crate::settings::Settings;

/// Whether an answer may say that an OAuth access token has expired, so that refreshing it once is worth while. Close
/// doesn't say why it refuses a credential.
pub const fn token_expired(answer: &Answer) -> bool {
    matches!(answer, Answer::Response { status: 401, .. })
}

/// What an answer means.
pub(crate) fn interpret(
    settings: &Settings,
    operation: &Operation,
    answer: &Answer,
) -> Interpretation {
    if operation.verb == Verb::List {
        return if is_listed(operation) {
            let group = group(operation.verb, operation.object);
            answered(settings, operation, group, answer)
        } else {
            let reason = "not sent: Close is listed for contacts and open deals only".to_owned();
            fine(vec![refused(reason)], None)
        };
    }
    let plans: Vec<Result<Plan, Lack>> = operation
        .items
        .iter()
        .map(|item| planned(settings, operation, item))
        .collect();
    let mut meaning = match plans.iter().flatten().next() {
        Some(plan) => {
            let asked = asked(operation, &plans);
            answered(settings, &asked, plan.group, answer)
        }
        None => fine(Vec::new(), None),
    };
    let mut outcomes = std::mem::take(&mut meaning.items).into_iter();
    let mut unprepared = false;
    for plan in &plans {
        meaning.items.push(match plan {
            // Beyond the one that was sent there is nothing: no more than one is ever asked for.
            Ok(_) => outcomes.next().unwrap_or(ItemOutcome::NotExecuted),
            Err(lack) => {
                unprepared |= *lack == Lack::Unprepared;
                lack.outcome()
            }
        });
    }
    if unprepared && meaning.account == AccountSignal::Fine {
        meaning.account = AccountSignal::ScopeMissing;
    }
    meaning
}

/// The operation with the items that were sent.
fn asked(operation: &Operation, plans: &[Result<Plan, Lack>]) -> Operation {
    let most = if is_look_up(operation.verb) {
        usize::MAX
    } else {
        1
    };
    let items = operation.items.iter().zip(plans);
    Operation {
        items: items
            .filter(|(_, plan)| plan.is_ok())
            .map(|(item, _)| item.clone())
            .take(most)
            .collect(),
        ..operation.clone()
    }
}

fn answered(
    settings: &Settings,
    operation: &Operation,
    group: usize,
    answer: &Answer,
) -> Interpretation {
    match answer {
        Answer::NotSent => whole(operation, AccountSignal::Failing, ItemOutcome::NotExecuted),
        Answer::Lost => unsure(operation),
        Answer::Response {
            status: 429,
            headers,
            ..
        } => {
            let throttled = AccountSignal::Throttled {
                window: name(group),
                wait_ms: wait_ms(headers),
            };
            whole(operation, throttled, ItemOutcome::NotExecuted)
        }
        Answer::Response { status, body, .. } => response(settings, operation, *status, body),
    }
}

fn response(
    settings: &Settings,
    operation: &Operation,
    status: u16,
    body: &[u8],
) -> Interpretation {
    let not_executed = |signal| whole(operation, signal, ItemOutcome::NotExecuted);
    let document = serde_json::from_slice::<Value>(body).ok();
    let refusal = document.as_ref().and_then(Refusal::of_body);
    match (status, refusal) {
        (200 | 201, _) => document
            .and_then(|document| executed(settings, operation, &document))
            .unwrap_or_else(|| unsure(operation)),
        (204, _) => unchanged_id(operation).unwrap_or_else(|| unsure(operation)),
        (401, _) => not_executed(AccountSignal::CredentialRefused),
        (402, _) | (403, Some(_)) => not_executed(AccountSignal::ScopeMissing),
        (413 | 414, None) => blamed(operation, refused(bare_reason(status))),
        (400 | 405 | 409 | 413 | 414 | 415 | 422, Some(refusal)) => {
            let further = operation.verb == Verb::List && operation.after.is_some();
            if status == 400 && further && operation.object == Object::Contact {
                return fine(vec![ItemOutcome::Matches(Vec::new())], None);
            }
            if refusal.unprepared(settings) {
                return not_executed(AccountSignal::ScopeMissing);
            }
            if matches!(status, 400 | 422) && goes_on(operation) {
                return whole(operation, AccountSignal::Fine, ItemOutcome::Unknown);
            }
            if on_a_lead(operation) && refusal.without_person() {
                return blamed(operation, ItemOutcome::Gone);
            }
            blamed(operation, refusal.outcome(status))
        }
        (404 | 410, Some(_)) if goes_on(operation) => {
            whole(operation, AccountSignal::Fine, ItemOutcome::Unknown)
        }
        (404, Some(_)) if on_a_lead(operation) || operation.verb == Verb::UpdateById => {
            blamed(operation, ItemOutcome::Gone)
        }
        _ => unsure(operation),
    }
}

/// Whether an operation asks for a further page of a look-up.
const fn goes_on(operation: &Operation) -> bool {
    is_look_up(operation.verb) && operation.after.is_some()
}

/// Whether the request names the lead of a person whom it doesn't write.
fn on_a_lead(operation: &Operation) -> bool {
    operation.object != Object::Contact
        && matches!(
            operation.verb,
            Verb::Create | Verb::UpsertByKey | Verb::Probe
        )
}

/// Done without a body that would say the id.
fn unchanged_id(operation: &Operation) -> Option<Interpretation> {
    let crm_id = operation.items.first()?.crm_id.clone()?;
    (operation.verb == Verb::UpdateById).then(|| fine(vec![ItemOutcome::Done { crm_id }], None))
}

/// Whether a verb only reads.
const fn reads(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::List | Verb::Probe
    )
}

/// The same outcome for every item.
fn whole(operation: &Operation, account: AccountSignal, outcome: ItemOutcome) -> Interpretation {
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

/// What the only item is to blame for; of several that shared a look-up it is found by halves.
fn blamed(operation: &Operation, single: ItemOutcome) -> Interpretation {
    let outcome = if operation.items.len() > 1 {
        ItemOutcome::Split
    } else {
        single
    };
    whole(operation, AccountSignal::Fine, outcome)
}
