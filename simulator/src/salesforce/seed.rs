//! Contacts that were there before: typed by people, without any key of ours, as the business or the mobile phone.

use serde_json::{Map, Value};

use super::Salesforce;
use super::config::SetupError;
use super::ids::RecordId;
use super::records::ObjectKind;
use super::writes::Hand;
use crate::fakes::{Habits, SEEDED_AT_MS};

/// A contact of [`Salesforce::seed_contacts`].
pub type SeededContact = crate::fakes::SeededContact<RecordId>;

/// Most have a number at work.
pub(crate) const HABITS: Habits = Habits {
    first_names: &[
        "Abril", "Bodil", "Cyril", "Dunja", "Elio", "Frida", "Gaspar", "Heli", "Ivo", "Jutta",
        "Kiran", "Lotta",
    ],
    last_names: &[
        "Acker", "Bisset", "Cordes", "Drago", "Eklund", "Faber", "Gyllen", "Hanke", "Isaksen",
        "Jovic", "Krall", "Lorenz",
    ],
    peculiar: Some(0.7),
    ..crate::hubspot::seed::HABITS
};

impl Salesforce {
    /// Adds `count` contacts that were there before the first request, and returns them in id order. About 3 of 5 have an
    /// e-mail address. They are searchable at once and stand in the audit as [`super::WriteKind::Seeded`].
    pub fn seed_contacts(
        &mut self,
        count: u32,
        seed: u64,
    ) -> Result<Vec<SeededContact>, SetupError> {
        let people = HABITS.people(&mut self.numbers_used, count, seed)?;
        let hand = Hand {
            now_ms: SEEDED_AT_MS,
            ..self.outsider()
        };
        let mut seeded = Vec::with_capacity(people.len());
        for (person, at_work) in people {
            let place = if at_work { "Phone" } else { "MobilePhone" };
            let mut fields: Map<String, Value> = Map::new();
            let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
            put("FirstName", person.first_name);
            put("LastName", person.last_name);
            put(place, &person.typed_phone);
            put("OwnerId", &hand.user);
            if let Some(email) = &person.email {
                put("Email", email);
            }
            for name in ["DoNotCall", "HasOptedOutOfEmail"] {
                fields.insert(name.to_owned(), false.into());
            }
            let id = self.apply(&hand, ObjectKind::Contact, None, fields);
            seeded.push(person.with_id(id));
        }
        self.store.commit();
        Ok(seeded)
    }
}
