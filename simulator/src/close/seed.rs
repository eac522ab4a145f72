//! Contacts that were there before: typed by people, without any key of ours, each on a lead of its own or with a colleague.
//!
//! Numbers come from ranges set aside for fiction (see [`fictional_e164`]). Each number is given once. Which spelling, which
//! name and which lead a contact has depends on the seed only.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::Close;
use super::audit::WriteKind;
use super::config::SetupError;
use super::records::ObjectKind;
use crate::hubspot::{FICTIONAL_NUMBERS, fictional_e164};

/// Instant at which everything that was there before the first request was made: 2 January 2024, 00:00 UTC.
pub const SEEDED_AT_MS: i64 = 1_704_153_600_000;

/// A contact of [`Close::seed_contacts`], as the call generator needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededContact {
    pub id: String,
    pub lead_id: String,
    /// The number the person calls from.
    pub e164: String,
    /// As a person typed it into the CRM.
    pub typed_phone: String,
    pub email: Option<String>,
    pub name: String,
}

const FIRST_NAMES: [&str; 8] = [
    "Asta", "Beno", "Cleo", "Dana", "Emre", "Fee", "Gion", "Hedda",
];
const LAST_NAMES: [&str; 8] = [
    "Amsel", "Birk", "Corvin", "Dachs", "Esche", "Fink", "Ginster", "Hasel",
];

/// A number as different people type it.
fn typed(e164: &str, spelling: u32) -> String {
    let national = e164.strip_prefix("+1").filter(|rest| rest.len() == 10);
    let parts = national.and_then(|rest| Some((rest.get(..3)?, rest.get(3..6)?, rest.get(6..)?)));
    let Some((area, office, line)) = parts else {
        let digits = e164.trim_start_matches('+');
        return match spelling % 3 {
            0 => format!("00{digits}"),
            1 => e164.to_owned(),
            _ => format!(
                "+{} {}",
                digits.get(..2).unwrap_or_default(),
                digits.get(2..).unwrap_or_default()
            ),
        };
    };
    match spelling % 7 {
        0 => format!("({area}) {office}-{line}"),
        1 => format!("{area}-{office}-{line}"),
        2 => format!("{area}.{office}.{line}"),
        3 => format!("+1 {area} {office} {line}"),
        4 => format!("1-{area}-{office}-{line}"),
        5 => format!("{area}{office}{line}"),
        _ => format!("({area}) {office}-{line} ext. 12"),
    }
}

impl Close {
    /// Adds `count` contacts that were there before the first request, and returns them in the order of creation. About 3
    /// of 5 have an e-mail address, about 1 of 4 shares the lead of the one before. They are searchable at once.
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
        let mut seeded: Vec<SeededContact> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let index = self.numbers_used;
            self.numbers_used += 1;
            let Some(e164) = fictional_e164(index) else {
                continue;
            };
            let first = FIRST_NAMES[draw.random_range(0..FIRST_NAMES.len())];
            let last = LAST_NAMES[draw.random_range(0..LAST_NAMES.len())];
            let name = format!("{first} {last}");
            let email = draw.random_bool(0.6).then(|| {
                format!(
                    "{}.{}.{index}@example.com",
                    first.to_lowercase(),
                    last.to_lowercase()
                )
            });
            let typed_phone = typed(&e164, draw.random());
            let colleague = draw.random_bool(0.25);
            let with = seeded.last().filter(|_| colleague);
            let lead_id = with.map_or_else(
                || {
                    let lead = Map::from_iter([("name".to_owned(), name.as_str().into())]);
                    let lead = self.complete_lead(lead);
                    self.make(SEEDED_AT_MS, 0, ObjectKind::Lead, lead, WriteKind::Seeded)
                },
                |other| other.lead_id.clone(),
            );
            let emails: Vec<Value> = email
                .iter()
                .map(|email| json!({"email": email, "type": "office"}))
                .collect();
            let contact = json!({
                "name": name,
                "lead_id": lead_id,
                "phones": [{"phone": typed_phone, "type": "office"}],
                "emails": emails,
            });
            let Value::Object(contact) = contact else {
                continue;
            };
            // Seeds are of the schema's form; one that weren't would be found missing by its test.
            let Ok(contact) = self.schema.kept(ObjectKind::Contact, &contact, self) else {
                continue;
            };
            let id = self.make(
                SEEDED_AT_MS,
                0,
                ObjectKind::Contact,
                contact,
                WriteKind::Seeded,
            );
            seeded.push(SeededContact {
                id,
                lead_id,
                e164,
                typed_phone,
                email,
                name,
            });
        }
        Ok(seeded)
    }
}
