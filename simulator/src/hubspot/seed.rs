//! Contacts that were there before: typed by people, without any key of ours.

use super::HubSpot;
use super::audit::WriteKind;
use super::config::SetupError;
use super::records::{ObjectKind, Planned, RecordId};
use crate::fakes::{Habits, SEEDED_AT_MS};

/// A contact of [`HubSpot::seed_contacts`].
pub type SeededContact = crate::fakes::SeededContact<RecordId>;

pub(crate) const HABITS: Habits = Habits {
    first_names: &[
        "Alma", "Bruno", "Celia", "Dario", "Edda", "Farid", "Greta", "Hugo", "Ilse", "Jonas",
        "Kaya", "Leon", "Mira", "Nils", "Odile", "Pavel",
    ],
    last_names: &[
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
    ],
    british: &[
        "07700 {rest}",
        "+44 7700 {rest}",
        "+44 (0)7700 {rest}",
        "0044 7700 {rest}",
        "07700{rest}",
        "+447700{rest}",
    ],
    american: &[
        "({area}) {office}-{line}",
        "{area}-{office}-{line}",
        "{area}.{office}.{line}",
        "+1 {area} {office} {line}",
        "1-{area}-{office}-{line}",
        "{area} {office} {line}",
        "001 {area} {office} {line}",
        "{area}{office}{line}",
        "+1 ({area}) {office}-{line}",
        "+1{area}{office}{line}",
    ],
    peculiar: None,
};

impl HubSpot {
    /// Adds `count` contacts that were there before the first request, and returns them in id order. About 3 of 5 have an
    /// e-mail address. They are searchable at once and stand in the audit as [`WriteKind::Seeded`].
    pub fn seed_contacts(
        &mut self,
        count: u32,
        seed: u64,
    ) -> Result<Vec<SeededContact>, SetupError> {
        let people = HABITS.people(&mut self.numbers_used, count, seed)?;
        let seeded = people.into_iter().map(|(person, _)| {
            let mut properties = vec![
                ("firstname".into(), person.first_name.into()),
                ("lastname".into(), person.last_name.into()),
                ("phone".into(), person.typed_phone.as_str().into()),
            ];
            let email = person.email.as_deref();
            properties.extend(email.map(|email| ("email".into(), email.into())));
            let id = self.store.new_id();
            let planned = Planned {
                object: ObjectKind::Contacts,
                id,
                creates: true,
                properties,
                associations: Vec::new(),
            };
            self.commit(SEEDED_AT_MS, 0, WriteKind::Seeded, planned);
            person.with_id(id)
        });
        Ok(seeded.collect())
    }
}
