//! Which deals of contacts are open.
//!
//! | asked for | request | answer |
//! | --- | --- | --- |
//! | contacts, up to [`CONTACTS_MAX`] | `POST …/associations/contacts/deals/batch/read` | the deals each is linked to |
//! | deals, up to [`DEALS_MAX`] | `POST …/deals/batch/read` | of each whether it is closed, and when it was made |
//!
//! A contact without any deal, or one that is gone, is named among the errors of a 207, and so is a deal that is gone: both
//! are told of nothing. Any other error means that the answer is incomplete, and it is asked for again. A contact with more
//! deals than one answer holds gives a mark of its own; the next request asks for just those, each from its mark on.
//!
//! HubSpot counts a deal closed (`hs_is_closed`) when its stage is; without that, the ids of the first pipeline's closed stages
//! tell.

use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, FoundDeal, HttpRequest, Interpretation, Item, ItemOutcome, Operation, Verb,
};
use serde_json::{Map, Value, json};

use super::build::post;
use super::executed::{errors, results};
use super::found::trouble;
use super::interpret::whole;
use super::paths::{associations, objects, percent_encoded};
use super::refusal::{Kind, text};
use crate::deals::made_at;
use crate::settings::Settings;

/// Contacts whose associations one request reads (HubSpot's associations guide).
pub(crate) const CONTACTS_MAX: usize = 1_000;
/// Deals of one batch read, as of any object.
pub(crate) const DEALS_MAX: usize = 100;

/// What of a deal is read.
const PROPERTIES: [&str; 3] = ["hs_is_closed", "dealstage", "createdate"];
/// Stages of HubSpot's first pipeline in which a deal is closed.
const CLOSED_STAGES: [&str; 2] = ["closedwon", "closedlost"];

/// Whether an operation asks about deals of contacts, or about deals.
pub(crate) fn is_asked(operation: &Operation) -> bool {
    operation.verb == Verb::List && operation.object == Object::Deal && !operation.items.is_empty()
}

/// Whether a stage is one of HubSpot's own closed ones.
pub(crate) fn is_closed(stage: &str) -> bool {
    CLOSED_STAGES.contains(&stage)
}

/// The request for [`is_asked`].
pub(crate) fn request(settings: &Settings, operation: &Operation) -> HttpRequest {
    if of_contacts(operation) {
        let marked = operation.after.as_deref().map(from_mark);
        let inputs = marked.unwrap_or_else(|| {
            let contacts = operation.items.iter().filter_map(|it| it.contact.as_ref());
            contacts.map(|id| json!({"id": id})).collect()
        });
        let base = associations(settings.api(), Object::Contact, Object::Deal);
        return post(format!("{base}/batch/read"), &json!({"inputs": inputs}));
    }
    let deals = operation
        .items
        .iter()
        .filter_map(|item| item.crm_id.as_ref())
        .filter(|id| !id.is_empty());
    let inputs: Vec<Value> = deals.map(|id| json!({"id": id})).collect();
    let base = objects(settings.api(), Object::Deal);
    post(
        format!("{base}/batch/read"),
        &json!({"properties": PROPERTIES, "propertiesWithHistory": [], "inputs": inputs}),
    )
}

/// The meaning of a 2xx body; none if it isn't of the expected shape.
pub(crate) fn read(operation: &Operation, document: &Map<String, Value>) -> Option<Interpretation> {
    let results = results(document)?;
    for refusal in errors(document) {
        let kind = refusal.kind(0);
        if kind != Kind::NotFound {
            return Some(whole(operation, trouble(kind), ItemOutcome::NotExecuted));
        }
    }
    let mut found = Vec::new();
    let mut marks = Vec::new();
    for result in results {
        if of_contacts(operation) {
            let contact = text(result.get("from")?.get("id")?)?;
            for link in result.get("to")?.as_array()? {
                found.push(FoundDeal {
                    crm_id: text(link.get("toObjectId")?)?,
                    contact: Some(contact.clone()),
                    open: true,
                    created: None,
                });
            }
            if let Some(after) = result.pointer("/paging/next/after").and_then(text) {
                marks.push(format!("{contact}:{}", percent_encoded(&after)));
            }
        } else {
            found.push(deal(result)?);
        }
    }
    Some(Interpretation {
        account: AccountSignal::Fine,
        items: vec![ItemOutcome::Deals(found)],
        next_page: (!marks.is_empty()).then(|| marks.join(",")),
    })
}

fn of_contacts(operation: &Operation) -> bool {
    let asks = |item: &Item| item.contact.is_some();
    operation.items.first().is_some_and(asks)
}

fn deal(record: &Value) -> Option<FoundDeal> {
    let crm_id = record.get("id").and_then(text)?;
    let properties = record.get("properties")?;
    let said = |name: &str| properties.get(name).and_then(Value::as_str);
    let closed = match said("hs_is_closed") {
        Some(closed) if !closed.is_empty() => closed == "true",
        _ => said("dealstage").is_some_and(is_closed),
    };
    Some(FoundDeal {
        crm_id,
        contact: None,
        open: !closed,
        created: made_at(properties, "createdate").or_else(|| made_at(record, "createdAt")),
    })
}

/// The inputs that a mark stands for.
fn from_mark(mark: &str) -> Vec<Value> {
    let pairs = mark.split(',').filter_map(|pair| pair.split_once(':'));
    pairs
        .filter(|(contact, after)| !contact.is_empty() && !after.is_empty())
        .map(|(contact, after)| json!({"id": contact, "after": decoded(after)}))
        .collect()
}

/// Undoes [`percent_encoded`].
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits: Vec<u8> = if byte == b'%' {
            rest.by_ref().take(2).collect()
        } else {
            Vec::new()
        };
        let code = std::str::from_utf8(&digits).ok();
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_for_contacts_with_the_place_where_their_deals_go_on() {
        let mark = format!("101:{},102:{}", percent_encoded("9,8:7%"), "NTI1");
        assert_eq!(
            from_mark(&mark),
            [
                json!({"id": "101", "after": "9,8:7%"}),
                json!({"id": "102", "after": "NTI1"})
            ]
        );
    }
}
