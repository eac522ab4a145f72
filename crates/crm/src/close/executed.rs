//! Bodies of Close's successes: what was written. What was found is in `found`.
//!
//! A body that isn't of the shape its verb has yields nothing here, and the caller then treats the answer as none: a
//! record is never taken as done because an answer could not be read.

use callflume_core::effect::Object;
use callflume_core::vendor::{Interpretation, Item, ItemOutcome, Operation, Verb};
use serde_json::{Map, Value};

use super::fields::{KEY_FIELD, custom};
use super::found::{fine, listed, listed_deals, looked_up, probed, record_of};
use super::ids::{Person, Record};
use crate::settings::Settings;

/// The meaning of a 2xx body; none if it isn't of the expected shape.
pub(crate) fn executed(
    settings: &Settings,
    operation: &Operation,
    body: &Value,
) -> Option<Interpretation> {
    let document = body.as_object()?;
    match operation.verb {
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone => {
            looked_up(settings, operation, document)
        }
        Verb::List if operation.object == Object::Deal => listed_deals(operation, document),
        Verb::List => listed(settings, operation, document),
        Verb::Probe => probed(settings, operation, document),
        Verb::Create | Verb::UpsertByKey | Verb::UpdateById | Verb::UpdateByKey => {
            let item = operation.items.first()?;
            let crm_id = match (operation.verb, operation.object) {
                (Verb::UpdateById | Verb::UpdateByKey, object) => changed(object, item, document)?,
                (_, Object::Contact) => made_person(settings, item, document)?,
                (_, object) => record_of(object, body)?.crm_id(),
            };
            Some(fine(vec![ItemOutcome::Done { crm_id }], None))
        }
    }
}

/// The person in the answer to a new lead, or to a new contact.
fn made_person(settings: &Settings, item: &Item, document: &Map<String, Value>) -> Option<String> {
    let id = document.get("id")?.as_str()?;
    if let Some(lead) = document.get("lead_id").and_then(Value::as_str) {
        return Some(Person::new(lead, id)?.id());
    }
    let key = custom(settings, KEY_FIELD)?;
    let contacts = document.get("contacts")?.as_array()?;
    let ours = contacts
        .iter()
        .find(|contact| contact.get(&key).and_then(Value::as_str) == Some(&item.key))
        .or_else(|| contacts.first().filter(|_| contacts.len() == 1))?;
    Some(Person::new(id, ours.get("id")?.as_str()?)?.id())
}

/// The id of what was changed: of a contact with the lead it is on by now, for leads are merged.
fn changed(object: Object, item: &Item, document: &Map<String, Value>) -> Option<String> {
    let crm_id = item.crm_id.as_deref()?;
    let said = |name: &str| document.get(name).and_then(Value::as_str);
    let id = said("id")?;
    if object == Object::Contact {
        let person = Person::parse(crm_id).filter(|person| person.contact == id)?;
        let moved = said("lead_id").and_then(|lead| Person::new(lead, id));
        return Some(moved.unwrap_or(person).id());
    }
    // The sentiment of a call is written to its contact.
    Record::parse(object, crm_id)
        .filter(|record| record.id == id || record.contact == Some(id))
        .map(|_| crm_id.to_owned())
}
