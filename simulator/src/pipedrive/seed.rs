//! Persons that were there before: typed by people, without any key of ours.
//!
//! Numbers are [`fictional_e164`]'s, each given once. Which spelling and which name a person has depends on the seed only.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::Pipedrive;
use super::config::SetupError;
use super::records::Kind;
use crate::hubspot::{FICTIONAL_NUMBERS, SEEDED_AT_MS, SeededContact, fictional_e164};

const FIRST_NAMES: [&str; 12] = [
    "Anouk", "Bela", "Carla", "Dimo", "Eero", "Fenna", "Goran", "Hedda", "Imre", "Jolan", "Kerttu",
    "Liis",
];
const LAST_NAMES: [&str; 12] = [
    "Aalto", "Berger", "Caruso", "Dekker", "Engel", "Fabre", "Gallo", "Hirv", "Ilves", "Jurado",
    "Kask", "Lepik",
];

/// The same number as different people type it.
fn typed(e164: &str, spelling: u32) -> String {
    if let Some(rest) = e164.strip_prefix("+447700") {
        return match spelling % 5 {
            0 => format!("07700 {rest}"),
            1 => format!("+44 7700 {rest}"),
            2 => format!("0044 7700 {rest}"),
            3 => format!("+44 (0)7700 {rest}"),
            _ => e164.to_owned(),
        };
    }
    let national = e164.strip_prefix("+1").unwrap_or(e164);
    let (area, rest) = national.split_at_checked(3).unwrap_or((national, ""));
    let (office, line) = rest.split_at_checked(3).unwrap_or((rest, ""));
    match spelling % 8 {
        0 => format!("({area}) {office}-{line}"),
        1 => format!("{area}.{office}.{line}"),
        2 => format!("+1 {area} {office} {line}"),
        3 => format!("1-{area}-{office}-{line}"),
        4 => format!("001 {area} {office} {line}"),
        5 => national.to_owned(),
        6 => format!("+1 ({area}) {office}-{line} ext. 7"),
        _ => e164.to_owned(),
    }
}

impl Pipedrive {
    /// Adds `count` persons that were there before the first request, and returns them in id order. About 3 of 5 have an
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
        let owner = self.users.first().map_or(0, |user| user.id);
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
            let entry = |value: &str| json!([{"value": value, "primary": true, "label": "work"}]);
            let mut fields: Map<String, Value> = Map::new();
            fields.insert("name".into(), format!("{first_name} {last_name}").into());
            fields.insert("owner_id".into(), owner.into());
            fields.insert("phones".into(), entry(&typed_phone));
            let mails = email.as_deref().map_or_else(|| json!([]), entry);
            fields.insert("emails".into(), mails);
            let parts = (fields, BTreeMap::new());
            let id = self.apply(SEEDED_AT_MS, 0, Kind::Person, None, parts);
            seeded.push(SeededContact {
                id,
                e164,
                typed_phone,
                email,
                first_name: first_name.to_owned(),
                last_name: last_name.to_owned(),
            });
        }
        Ok(seeded)
    }
}

#[cfg(test)]
mod tests {
    use callflume_core::event::Phone;

    use super::*;

    #[test]
    fn every_spelling_is_recognised_as_the_number() {
        for index in [0, 1, 8, 9, 7_999, 8_000] {
            let e164 = fictional_e164(index).unwrap();
            let phone = Phone::parse(&e164).unwrap();
            for spelling in 0..8 {
                let typed = typed(&e164, spelling);
                assert!(phone.matches_typed(&typed), "{typed}");
            }
        }
    }
}
