//! Contacts that were there before: typed by people, without any key of ours, each on a lead of its own or with a colleague.

use serde_json::{Map, Value, json};

use super::Close;
use super::audit::WriteKind;
use super::config::SetupError;
use super::records::ObjectKind;
use crate::fakes::{Habits, SEEDED_AT_MS};

/// A contact of [`Close::seed_contacts`].
pub type SeededContact = crate::fakes::SeededContact<OnLead>;

/// A contact's id, and its lead's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnLead {
    pub contact: String,
    pub lead: String,
}

/// Some are colleagues of the one before.
pub(crate) const HABITS: Habits = Habits {
    first_names: &[
        "Asta", "Beno", "Cleo", "Dana", "Emre", "Fee", "Gion", "Hedda",
    ],
    last_names: &[
        "Amsel", "Birk", "Corvin", "Dachs", "Esche", "Fink", "Ginster", "Hasel",
    ],
    british: &["00447700{rest}", "+447700{rest}", "+44 7700{rest}"],
    american: &[
        "({area}) {office}-{line}",
        "{area}-{office}-{line}",
        "{area}.{office}.{line}",
        "+1 {area} {office} {line}",
        "1-{area}-{office}-{line}",
        "{area}{office}{line}",
        "({area}) {office}-{line} ext. 12",
    ],
    peculiar: Some(0.25),
};

impl Close {
    /// Adds `count` contacts that were there before the first request, and returns them in the order of creation. About 3
    /// of 5 have an e-mail address, about 1 of 4 shares the lead of the one before. They are searchable at once.
    pub fn seed_contacts(
        &mut self,
        count: u32,
        seed: u64,
    ) -> Result<Vec<SeededContact>, SetupError> {
        let people = HABITS.people(&mut self.numbers_used, count, seed)?;
        let mut seeded: Vec<SeededContact> = Vec::with_capacity(people.len());
        for (person, colleague) in people {
            let with = seeded.last().filter(|_| colleague);
            let lead = with.map_or_else(
                || {
                    let lead = Map::from_iter([("name".to_owned(), person.name().into())]);
                    let lead = self.complete_lead(lead);
                    self.make(SEEDED_AT_MS, 0, ObjectKind::Lead, lead, WriteKind::Seeded)
                },
                |other| other.id.lead.clone(),
            );
            let emails = person.email.iter();
            let emails: Vec<Value> = emails
                .map(|email| json!({"email": email, "type": "office"}))
                .collect();
            let contact = json!({
                "name": person.name(),
                "lead_id": lead,
                "phones": [{"phone": person.typed_phone, "type": "office"}],
                "emails": emails,
            });
            let Value::Object(contact) = contact else {
                continue;
            };
            // Seeds are of the schema's form; one that weren't would be found missing by its test.
            let Ok(fields) = self.schema.kept(ObjectKind::Contact, &contact, self) else {
                continue;
            };
            let kind = ObjectKind::Contact;
            let contact = self.make(SEEDED_AT_MS, 0, kind, fields, WriteKind::Seeded);
            seeded.push(person.with_id(OnLead { contact, lead }));
        }
        Ok(seeded)
    }
}
