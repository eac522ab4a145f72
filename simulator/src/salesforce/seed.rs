//! Contacts that were there before: typed by people, without any key of ours.
//!
//! Numbers are [`fictional_e164`]'s, each given once. Which spelling, which field and which name a contact's number has
//! depends on the seed only.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::Salesforce;
use super::config::SetupError;
use super::ids::RecordId;
use super::records::ObjectKind;
use super::writes::Hand;
use crate::hubspot::{FICTIONAL_NUMBERS, SEEDED_AT_MS, fictional_e164, typed};

/// A contact of [`Salesforce::seed_contacts`], as the call generator needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededContact {
    pub id: RecordId,
    /// The number the person calls from.
    pub e164: String,
    /// As a person typed it into the CRM, as the business or the mobile phone.
    pub typed_phone: String,
    pub email: Option<String>,
    pub first_name: String,
    pub last_name: String,
}

const FIRST_NAMES: [&str; 12] = [
    "Abril", "Bodil", "Cyril", "Dunja", "Elio", "Frida", "Gaspar", "Heli", "Ivo", "Jutta", "Kiran",
    "Lotta",
];
const LAST_NAMES: [&str; 12] = [
    "Acker", "Bisset", "Cordes", "Drago", "Eklund", "Faber", "Gyllen", "Hanke", "Isaksen", "Jovic",
    "Krall", "Lorenz",
];

impl Salesforce {
    /// Adds `count` contacts that were there before the first request, and returns them in id order. About 3 of 5 have an
    /// e-mail address. They are searchable at once and stand in the audit as [`super::WriteKind::Seeded`].
    pub fn seed_contacts(
        &mut self,
        count: u32,
        seed: u64,
    ) -> Result<Vec<SeededContact>, SetupError> {
        let left = FICTIONAL_NUMBERS - self.numbers_used;
        if count > left {
            return Err(SetupError::NoMoreNumbers { asked: count, left });
        }
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let hand = Hand {
            now_ms: SEEDED_AT_MS,
            ..self.outsider()
        };
        let mut seeded = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let index = self.numbers_used;
            self.numbers_used += 1;
            let Some(e164) = fictional_e164(index) else {
                continue;
            };
            let first_name = FIRST_NAMES[draw.random_range(0..FIRST_NAMES.len())];
            let last_name = LAST_NAMES[draw.random_range(0..LAST_NAMES.len())];
            let email = draw.random_bool(0.6).then(|| {
                format!(
                    "{}.{}.{index}@example.com",
                    first_name.to_lowercase(),
                    last_name.to_lowercase()
                )
            });
            let typed_phone = typed(&e164, draw.random());
            let place = if draw.random_bool(0.7) {
                "Phone"
            } else {
                "MobilePhone"
            };
            let mut fields: Map<String, Value> = Map::new();
            let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
            put("FirstName", first_name);
            put("LastName", last_name);
            put(place, &typed_phone);
            put("OwnerId", &hand.user);
            if let Some(email) = &email {
                put("Email", email);
            }
            for name in ["DoNotCall", "HasOptedOutOfEmail"] {
                fields.insert(name.to_owned(), false.into());
            }
            let id = self.apply(&hand, ObjectKind::Contact, None, fields);
            seeded.push(SeededContact {
                id,
                e164,
                typed_phone,
                email,
                first_name: first_name.to_owned(),
                last_name: last_name.to_owned(),
            });
        }
        self.store.commit();
        Ok(seeded)
    }
}
