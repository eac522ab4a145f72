//! Contacts that were there before: typed by people, without any key of ours.
//!
//! Numbers come from ranges set aside for fiction, so nobody's number can appear: +1 NXX 555-01xx in every area code and
//! +44 7700 900xxx. Each number is given once. Which spelling and which name a contact has depends on the seed only.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::HubSpot;
use super::account::SEEDED_AT_MS;
use super::audit::WriteKind;
use super::config::SetupError;
use super::records::{ObjectKind, Planned, RecordId};

/// A contact of [`HubSpot::seed_contacts`], as the call generator needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededContact {
    pub id: RecordId,
    /// The number the person calls from.
    pub e164: String,
    /// As a person typed it into the CRM.
    pub typed_phone: String,
    pub email: Option<String>,
    pub first_name: String,
    pub last_name: String,
}

/// Numbers there are in all.
pub const FICTIONAL_NUMBERS: u32 = UK_NUMBERS + US_AREAS * US_PER_AREA;

const UK_NUMBERS: u32 = 1_000;
const US_PER_AREA: u32 = 100;
/// Area codes N[0-8]X without those that end in 11.
const US_AREAS: u32 = 8 * 9 * 10 - 8;
/// Every eighth number is a British one while they last.
const UK_EVERY: u32 = 8;

const FIRST_NAMES: [&str; 16] = [
    "Alma", "Bruno", "Celia", "Dario", "Edda", "Farid", "Greta", "Hugo", "Ilse", "Jonas", "Kaya",
    "Leon", "Mira", "Nils", "Odile", "Pavel",
];
const LAST_NAMES: [&str; 16] = [
    "Abel",
    "Brandt",
    "Castell",
    "Doran",
    "Eriksen",
    "Falk",
    "Grimaldi",
    "Holm",
    "Ivers",
    "Jansen",
    "Kovac",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Oduya",
    "Petrov",
];

/// The number with this index in E.164, each another one; `None` from [`FICTIONAL_NUMBERS`] on. Seeding takes them in
/// order from 0, so a generator can give new callers the indexes that follow.
pub fn fictional_e164(index: u32) -> Option<String> {
    if index >= FICTIONAL_NUMBERS {
        return None;
    }
    let mixed = UK_NUMBERS * UK_EVERY;
    let (british, place) = match index {
        _ if index >= mixed => (false, index - UK_NUMBERS),
        _ if index.is_multiple_of(UK_EVERY) => (true, index / UK_EVERY),
        _ => (false, index - index / UK_EVERY - 1),
    };
    if british {
        return Some(format!("+447700900{place:03}"));
    }
    // Neighbouring indexes lie in different area codes.
    let (area, line) = (place % US_AREAS, place / US_AREAS);
    let area = (200..990)
        .filter(|code| code / 10 % 10 != 9 && code % 100 != 11)
        .nth(area as usize)?;
    Some(format!("+1{area}55501{line:02}"))
}

/// The same number as different people type it.
pub(crate) fn typed(e164: &str, spelling: u32) -> String {
    if let Some(rest) = e164.strip_prefix("+447700") {
        return match spelling % 6 {
            0 => format!("07700 {rest}"),
            1 => format!("+44 7700 {rest}"),
            2 => format!("+44 (0)7700 {rest}"),
            3 => format!("0044 7700 {rest}"),
            4 => format!("07700{rest}"),
            _ => e164.to_owned(),
        };
    }
    let national = e164.strip_prefix("+1").unwrap_or(e164);
    let (area, rest) = national.split_at_checked(3).unwrap_or((national, ""));
    let (office, line) = rest.split_at_checked(3).unwrap_or((rest, ""));
    match spelling % 10 {
        0 => format!("({area}) {office}-{line}"),
        1 => format!("{area}-{office}-{line}"),
        2 => format!("{area}.{office}.{line}"),
        3 => format!("+1 {area} {office} {line}"),
        4 => format!("1-{area}-{office}-{line}"),
        5 => format!("{area} {office} {line}"),
        6 => format!("001 {area} {office} {line}"),
        7 => national.to_owned(),
        8 => format!("+1 ({area}) {office}-{line}"),
        _ => e164.to_owned(),
    }
}

impl HubSpot {
    /// Adds `count` contacts that were there before the first request, and returns them in id order. About 3 of 5 have an
    /// e-mail address. They are searchable at once and stand in the audit as [`WriteKind::Seeded`].
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
            let mut properties = vec![
                ("firstname".into(), first_name.into()),
                ("lastname".into(), last_name.into()),
                ("phone".into(), typed_phone.as_str().into()),
            ];
            properties.extend(email.as_deref().map(|email| ("email".into(), email.into())));
            let id = self.store.new_id();
            let planned = Planned {
                object: ObjectKind::Contacts,
                id,
                creates: true,
                properties,
                associations: Vec::new(),
            };
            self.commit(SEEDED_AT_MS, 0, WriteKind::Seeded, planned);
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::phone::national_number;

    #[test]
    fn every_fictional_number_is_another_one() {
        let numbers: BTreeSet<String> = (0..FICTIONAL_NUMBERS).filter_map(fictional_e164).collect();
        assert_eq!(numbers.len(), FICTIONAL_NUMBERS as usize);
        assert_eq!(fictional_e164(FICTIONAL_NUMBERS), None);
        assert!(numbers.iter().all(|number| {
            (number.starts_with("+1") && number.len() == 12 && number.contains("55501"))
                || (number.starts_with("+447700900") && number.len() == 13)
        }));
    }

    #[test]
    fn every_spelling_has_the_same_national_number() {
        for index in [0, 1, 8, 9, 7_999, 8_000] {
            let e164 = fictional_e164(index).unwrap();
            let national = national_number(&e164).unwrap();
            assert_eq!(national.len(), 10, "{e164}");
            for spelling in 0..10 {
                let typed = typed(&e164, spelling);
                assert_eq!(national_number(&typed).as_ref(), Some(&national), "{typed}");
            }
        }
    }
}
