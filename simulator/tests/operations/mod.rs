//! Operations of one item, in short, for the tests that drive a model by its vendor's translation.

use callflume_core::effect::{Field, Fields, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::vendor::{Item, Operation, Verb};

pub(crate) fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

pub(crate) fn write(
    verb: Verb,
    object: Object,
    key: &str,
    fields: &[(Field, FieldValue)],
) -> Operation {
    Operation {
        verb,
        object,
        items: vec![Item {
            trace: 1,
            key: key.to_owned(),
            fields: fields.iter().cloned().collect::<Fields>(),
            ..Item::default()
        }],
        after: None,
    }
}

/// On a contact.
pub(crate) fn on(mut operation: Operation, contact: &str) -> Operation {
    for item in &mut operation.items {
        item.contact = Some(contact.to_owned());
    }
    operation
}

/// Of a record.
pub(crate) fn of(mut operation: Operation, crm_id: &str) -> Operation {
    for item in &mut operation.items {
        item.crm_id = Some(crm_id.to_owned());
    }
    operation
}

pub(crate) fn by_phone(phone: &str) -> Operation {
    let mut operation = write(Verb::SearchByPhone, Object::Contact, "p-x", &[]);
    operation.items[0].phone = Phone::parse(phone);
    operation
}

pub(crate) fn by_email(email: &str) -> Operation {
    let mut operation = write(Verb::ReadByEmail, Object::Contact, "p-x", &[]);
    operation.items[0].email = Some(email.to_owned());
    operation
}
