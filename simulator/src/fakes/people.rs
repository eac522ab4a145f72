//! People who were in a CRM before anything else: typed by hand, without any key of ours.
//!
//! Numbers come from ranges set aside for fiction, so nobody's number can appear: +1 NXX 555-01xx in every area code and
//! +44 7700 900xxx. Each number is given once. What a person is called and how the number is spelled depends on the seed
//! and the vendor's lists only; the order of what is drawn is part of what a seed means and never changes.

use callflume_core::event::ContactRef;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Instant at which everything that was there before the first request was made: 2 January 2024, 00:00 UTC.
pub const SEEDED_AT_MS: i64 = 1_704_153_600_000;

/// Numbers there are in all.
pub const FICTIONAL_NUMBERS: u32 = UK_NUMBERS + US_AREAS * US_PER_AREA;

const UK_NUMBERS: u32 = 1_000;
const US_PER_AREA: u32 = 100;
/// Area codes N[0-8]X without those that end in 11.
const US_AREAS: u32 = 8 * 9 * 10 - 8;
/// Every eighth number is a British one while they last.
const UK_EVERY: u32 = 8;

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

/// More contacts than there are numbers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{asked} more contacts can't be seeded: {left} fictional numbers are left")]
pub struct NoMoreNumbers {
    pub asked: u32,
    pub left: u32,
}

/// A contact that was there before, as the call generator needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededContact<I> {
    pub id: I,
    /// The number the person calls from.
    pub e164: String,
    /// As a person typed it into the CRM.
    pub typed_phone: String,
    pub email: Option<String>,
    pub first_name: &'static str,
    pub last_name: &'static str,
}

impl<I> SeededContact<I> {
    /// First and last name.
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// The same with the CRM's id.
    pub(crate) fn with_id<J>(self, id: J) -> SeededContact<J> {
        SeededContact {
            id,
            e164: self.e164,
            typed_phone: self.typed_phone,
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
        }
    }

    /// How a publisher names them: always by number and name, one of three numbers also by e-mail address.
    pub(crate) fn named_as(&self, number: u64) -> ContactRef {
        ContactRef {
            phone: Some(self.e164.clone()),
            email: self.email.clone().filter(|_| number.is_multiple_of(3)),
            key: None,
            name: Some(self.name()),
        }
    }
}

impl SeededContact<u64> {
    /// How a publisher names them: always by number and name, every third one by e-mail address too.
    pub fn named(&self) -> ContactRef {
        self.named_as(self.id)
    }
}

/// How publishers name the contacts of a CRM whose ids are no numbers: every third one by e-mail address too.
pub(crate) fn named<I>(seeded: &[SeededContact<I>]) -> Vec<ContactRef> {
    let numbered = (0..).zip(seeded);
    numbered.map(|(number, it)| it.named_as(number)).collect()
}

/// How the people in a vendor's accounts are called and how they type numbers.
pub(crate) struct Habits {
    pub(crate) first_names: &'static [&'static str],
    pub(crate) last_names: &'static [&'static str],
    /// Spellings of a British number, of which `{rest}` are the last six digits.
    pub(crate) british: &'static [&'static str],
    /// Spellings of an American number, in `{area}`, `{office}` and `{line}`.
    pub(crate) american: &'static [&'static str],
    /// The chance of what the vendor has for some of them only; none is not drawn.
    pub(crate) peculiar: Option<f64>,
}

impl Habits {
    /// Draws people, each with the next number, and whether they are peculiar. About 3 of 5 have an e-mail address.
    pub(crate) fn people(
        &self,
        numbers_used: &mut u32,
        count: u32,
        seed: u64,
    ) -> Result<Vec<(SeededContact<()>, bool)>, NoMoreNumbers> {
        let left = FICTIONAL_NUMBERS - *numbers_used;
        if count > left {
            return Err(NoMoreNumbers { asked: count, left });
        }
        let first = *numbers_used;
        *numbers_used += count;
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let numbers =
            (first..*numbers_used).filter_map(|index| Some((index, fictional_e164(index)?)));
        Ok(numbers
            .map(|(index, e164)| self.person(index, e164, &mut draw))
            .collect())
    }

    fn person(&self, index: u32, e164: String, draw: &mut ChaCha8Rng) -> (SeededContact<()>, bool) {
        let first_name = self.first_names[draw.random_range(0..self.first_names.len())];
        let last_name = self.last_names[draw.random_range(0..self.last_names.len())];
        let email = draw.random_bool(0.6).then(|| {
            let name = format!("{first_name}.{last_name}").to_lowercase();
            format!("{name}.{index}@example.com")
        });
        let person = SeededContact {
            id: (),
            typed_phone: self.typed(&e164, draw.random()),
            e164,
            email,
            first_name,
            last_name,
        };
        let peculiar = self.peculiar.is_some_and(|chance| draw.random_bool(chance));
        (person, peculiar)
    }

    /// The same number as different people type it.
    fn typed(&self, e164: &str, spelling: u32) -> String {
        let of = |spellings: &[&'static str]| spellings[spelling as usize % spellings.len()];
        if let Some(rest) = e164.strip_prefix("+447700") {
            return of(self.british).replace("{rest}", rest);
        }
        let national = e164.strip_prefix("+1").unwrap_or(e164);
        let (area, rest) = national.split_at_checked(3).unwrap_or((national, ""));
        let (office, line) = rest.split_at_checked(3).unwrap_or((rest, ""));
        of(self.american)
            .replace("{area}", area)
            .replace("{office}", office)
            .replace("{line}", line)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use callflume_core::event::Phone;

    use super::*;
    use crate::{close, hubspot, pipedrive, salesforce};

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
    fn every_spelling_is_recognised_as_the_number() {
        for index in [0, 1, 8, 9, 7_999, 8_000] {
            let e164 = fictional_e164(index).unwrap();
            let phone = Phone::parse(&e164).unwrap();
            for habits in [
                hubspot::seed::HABITS,
                salesforce::seed::HABITS,
                close::seed::HABITS,
                pipedrive::seed::HABITS,
            ] {
                for spelling in 0..10 {
                    let typed = habits.typed(&e164, spelling);
                    assert!(phone.matches_typed(&typed), "{typed}");
                }
            }
        }
    }
}
