//! Persons that were there before: typed by people, without any key of ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Pipedrive;
use super::config::SetupError;
use super::records::{Kind, RecordId};
use crate::fakes::{Habits, SEEDED_AT_MS};

/// A person of [`Pipedrive::seed_contacts`].
pub type SeededContact = crate::fakes::SeededContact<RecordId>;

pub(crate) const HABITS: Habits = Habits {
    first_names: &[
        "Anouk", "Bela", "Carla", "Dimo", "Eero", "Fenna", "Goran", "Hedda", "Imre", "Jolan",
        "Kerttu", "Liis",
    ],
    last_names: &[
        "Aalto", "Berger", "Caruso", "Dekker", "Engel", "Fabre", "Gallo", "Hirv", "Ilves",
        "Jurado", "Kask", "Lepik",
    ],
    british: &[
        "07700 {rest}",
        "+44 7700 {rest}",
        "0044 7700 {rest}",
        "+44 (0)7700 {rest}",
        "+447700{rest}",
    ],
    american: &[
        "({area}) {office}-{line}",
        "{area}.{office}.{line}",
        "+1 {area} {office} {line}",
        "1-{area}-{office}-{line}",
        "001 {area} {office} {line}",
        "{area}{office}{line}",
        "+1 ({area}) {office}-{line} ext. 7",
        "+1{area}{office}{line}",
    ],
    peculiar: None,
};

impl Pipedrive {
    /// Adds `count` persons that were there before the first request, and returns them in id order. About 3 of 5 have an
    /// e-mail address. They are searchable at once and stand in the audit as [`super::WriteKind::Seeded`].
    pub fn seed_contacts(
        &mut self,
        count: u32,
        seed: u64,
    ) -> Result<Vec<SeededContact>, SetupError> {
        let people = HABITS.people(&mut self.numbers_used, count, seed)?;
        let owner = self.users.first().map_or(0, |user| user.id);
        let seeded = people.into_iter().map(|(person, _)| {
            let entry = |value: &str| json!([{"value": value, "primary": true, "label": "work"}]);
            let mut fields: Map<String, Value> = Map::new();
            fields.insert("name".into(), person.name().into());
            fields.insert("owner_id".into(), owner.into());
            fields.insert("phones".into(), entry(&person.typed_phone));
            let mails = person.email.as_deref().map_or_else(|| json!([]), entry);
            fields.insert("emails".into(), mails);
            let parts = (fields, BTreeMap::new());
            let id = self.apply(SEEDED_AT_MS, 0, Kind::Person, None, parts);
            person.with_id(id)
        });
        Ok(seeded.collect())
    }
}
