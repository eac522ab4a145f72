//! What readings of reference data have in common, whatever the CRM: what becomes of an answer that isn't the page.
//!
//! Each CRM's own answers (its refusals, throttling, lock-outs) mean the same to a page of reference data as to a page of
//! contacts, so the interpreter of that decides. Only a permission that lacks is different: nothing else depends on it, and
//! so the account isn't paused for it.

use callflume_core::effect::{Field, Object};
use callflume_core::reference::{Named, Naming, Page, PageOutcome, PageReading, ReferenceRecord};
use callflume_core::vendor::{AccountSignal, Answer, Interpretation, ItemOutcome, Operation, Verb};
use serde_json::Value;

/// Longest id or label that is kept, bytes: CRMs have shorter ones.
const TEXT_MAX: usize = 512;

/// A page as it was read: what it said, and where it goes on within the same listing.
pub(crate) type Read = (ReferenceRecord, Option<String>);

/// What an answer means. `listed` is the CRM's interpreter of contact pages; `read` gives a page out of a body, or nothing of one that is no such page; `then` is what is to be
/// read after the last page of this listing.
pub(crate) fn interpret(
    listed: impl FnOnce(&Operation, &Answer) -> Interpretation,
    page: &Page,
    answer: &Answer,
    then: Option<Page>,
    read: impl FnOnce(&Value) -> Option<Read>,
) -> PageReading {
    let again = |account| PageReading {
        account,
        outcome: PageOutcome::NotExecuted,
    };
    if let Answer::Response {
        status: 200, body, ..
    } = answer
    {
        let document = serde_json::from_slice::<Value>(body).ok();
        if let Some((piece, mark)) = document.as_ref().and_then(read) {
            // A mark that leads back to itself would be read for ever.
            let next = match mark.filter(|mark| page.mark.as_ref() != Some(mark)) {
                Some(mark) => Some(Page {
                    what: page.what,
                    mark: Some(mark),
                }),
                None => then,
            };
            return PageReading {
                account: AccountSignal::Fine,
                outcome: PageOutcome::Read { piece, next },
            };
        }
    }
    let Interpretation { account, items, .. } = listed(&LISTING, answer);
    let given = match answer {
        Answer::Response { status: 200, .. } => None,
        Answer::Response { status, .. } => Some(*status),
        Answer::NotSent | Answer::Lost => None,
    };
    match (account, items.first(), given) {
        (AccountSignal::ScopeMissing, ..) | (_, _, Some(404 | 410)) => PageReading {
            account: AccountSignal::Fine,
            outcome: PageOutcome::Refused { next: then },
        },
        (AccountSignal::Fine, Some(ItemOutcome::Refused { .. } | ItemOutcome::Split), _) => {
            PageReading {
                account: AccountSignal::Fine,
                outcome: PageOutcome::Refused { next: then },
            }
        }
        // A success that isn't the page: a listing of contacts would be taken from it, this isn't.
        (AccountSignal::Fine, ..) => again(AccountSignal::Failing),
        (account, ..) => again(account),
    }
}

/// What the interpreter of contact pages is asked about.
const LISTING: Operation = Operation {
    verb: Verb::List,
    object: Object::Contact,
    items: Vec::new(),
    after: None,
};

/// A text, or a number as text; none when it is empty or longer than anything of the kind.
pub(crate) fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && text.len() <= TEXT_MAX).then_some(text)
}

/// The id and the label of an entry, under these names.
pub(crate) fn named(entry: &Value, id: &str, label: &str) -> Option<Named> {
    Some(Named {
        id: text(entry.get(id)?)?,
        label: entry.get(label).and_then(text).unwrap_or_default(),
    })
}

/// Whether a flag is set.
pub(crate) fn flag(entry: &Value, name: &str) -> bool {
    entry.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The naming of an owner, the same everywhere: an e-mail address is a name, anything else an id.
pub(crate) fn naming(field: &Field, text: &str, others: impl FnOnce(&str) -> Naming) -> Naming {
    match field {
        Field::Owner if text.contains('@') => Naming::Name,
        Field::Pipeline | Field::Stage => others(text),
        _ => Naming::Id,
    }
}
