//! Close's ids, and ours made of them.
//!
//! A person is a contact on a lead, and everything that is logged needs both, so a contact's id in our terms is
//! `<lead>/<contact>`. A call's is `<contact>/<call>`, for its sentiment may stand with the contact. Every id is checked
//! when it comes back: what isn't Close's own form never gets into a path.

use callflume_core::effect::Object;

/// Longest id believed; Close's own have 48 characters at most.
const LONGEST: usize = 100;

/// A contact with its lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person<'a> {
    pub(crate) lead: &'a str,
    pub(crate) contact: &'a str,
}

impl<'a> Person<'a> {
    /// A lead and a contact as an answer names them.
    pub(crate) fn new(lead: &'a str, contact: &'a str) -> Option<Self> {
        (is(lead, "lead_") && is(contact, "cont_")).then_some(Self { lead, contact })
    }

    /// Our id, read back.
    pub(crate) fn parse(crm_id: &'a str) -> Option<Self> {
        let (lead, contact) = crm_id.split_once('/')?;
        Self::new(lead, contact)
    }

    /// Our id.
    pub(crate) fn id(self) -> String {
        format!("{}/{}", self.lead, self.contact)
    }
}

/// A record on a lead: a call, note, task or opportunity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// The contact it is linked to; only calls carry it.
    pub(crate) contact: Option<&'a str>,
    pub(crate) id: &'a str,
}

impl<'a> Record<'a> {
    /// A record as an answer names it.
    pub(crate) fn new(object: Object, contact: Option<&'a str>, id: &'a str) -> Option<Self> {
        let contact = contact.filter(|contact| object == Object::Call && is(contact, "cont_"));
        is(id, prefix(object)?).then_some(Self { contact, id })
    }

    /// Our id, read back.
    pub(crate) fn parse(object: Object, crm_id: &'a str) -> Option<Self> {
        match crm_id.split_once('/') {
            Some((contact, id)) => {
                Self::new(object, Some(contact), id).filter(|record| record.contact.is_some())
            }
            None => Self::new(object, None, crm_id),
        }
    }

    /// Our id.
    pub(crate) fn crm_id(self) -> String {
        match self.contact {
            Some(contact) => format!("{contact}/{}", self.id),
            None => self.id.to_owned(),
        }
    }
}

const fn prefix(object: Object) -> Option<&'static str> {
    match object {
        Object::Contact => None,
        Object::Call | Object::Note => Some("acti_"),
        Object::Task => Some("task_"),
        Object::Deal => Some("oppo_"),
    }
}

/// Whether this is the id of a custom field.
pub(crate) fn is_custom_field(id: &str) -> bool {
    is(id, "cf_")
}

fn is(id: &str, prefix: &str) -> bool {
    id.len() <= LONGEST
        && id
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_a_contact_on_a_lead() {
        let id = "lead_9aB/cont_7Zq";
        assert_eq!(Person::parse(id).unwrap().id(), id);
        for other in [
            "",
            "cont_7Zq",
            "lead_9aB",
            "lead_9aB/",
            "/cont_7Zq",
            "cont_7Zq/lead_9aB",
            "lead_9aB/cont_7Zq/x",
            "lead_9aB/cont_../me",
            "lead_9aB/cont_7Zq?x=1",
            "9001",
        ] {
            assert_eq!(Person::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_record_has_its_own_kind_of_id_and_a_call_its_contact() {
        for (object, id) in [
            (Object::Call, "cont_7Zq/acti_1"),
            (Object::Call, "acti_1"),
            (Object::Note, "acti_1"),
            (Object::Task, "task_1"),
            (Object::Deal, "oppo_1"),
        ] {
            assert_eq!(Record::parse(object, id).unwrap().crm_id(), id);
        }
        for (object, id) in [
            (Object::Task, ""),
            (Object::Task, "task_"),
            (Object::Task, "acti_1"),
            (Object::Note, "cont_7Zq/acti_1"),
            (Object::Call, "lead_1/acti_1"),
            (Object::Contact, "cont_7Zq"),
        ] {
            assert_eq!(Record::parse(object, id), None, "{object} {id}");
        }
    }
}
