//! What the CRM holds, found again by number and by mark, with every write in its place.

use std::collections::BTreeMap;

use callflume_core::effect::Object;
use callflume_core::event::EventId;

use super::findings::{Defect, Findings};
use crate::holdings::{Deed, HeldRecord, HeldWrite, Holdings};
use crate::phone::national_number;
use crate::traffic::{Expectation, Plan, mark_in};

/// Which record or person an effect is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// The person with this national number.
    Person(String),
    /// The record with this mark.
    Marked(Object, String),
}

impl Target {
    /// What an effect of an event from this number is about; `None` without a number.
    pub(super) fn of(expectation: &Expectation, number: &str) -> Option<Self> {
        match expectation {
            Expectation::Person | Expectation::PersonFields(_) => {
                Some(Self::Person(national_number(number)?))
            }
            Expectation::Record { object, mark, .. }
            | Expectation::RecordFields { object, mark, .. } => {
                Some(Self::Marked(*object, mark.clone()))
            }
        }
    }
}

/// The CRM, indexed.
pub(super) struct CrmState<'a> {
    pub(super) crm: &'a dyn Holdings,
    /// Every record.
    records: Vec<HeldRecord>,
    /// Every write, in order.
    pub(super) all_writes: Vec<HeldWrite>,
    /// Places in `records` of each target's living records, in the order of their making.
    holders: BTreeMap<Target, Vec<usize>>,
    /// Places in `records` by kind and id.
    places: BTreeMap<(Object, String), usize>,
    /// Places in `all_writes` of the writes of each place in `records`.
    writes: Vec<Vec<usize>>,
}

impl<'a> CrmState<'a> {
    pub(super) fn read(crm: &'a dyn Holdings) -> Self {
        let records = crm.records();
        let mut holders: BTreeMap<Target, Vec<usize>> = BTreeMap::new();
        let mut places = BTreeMap::new();
        for (place, record) in records.iter().enumerate() {
            places.insert((record.object, record.id.clone()), place);
            if !record.alive {
                continue;
            }
            for number in &record.numbers {
                holders
                    .entry(Target::Person(number.clone()))
                    .or_default()
                    .push(place);
            }
            if let Some(mark) = record.label.as_deref().and_then(mark_in) {
                let target = Target::Marked(record.object, mark.to_owned());
                holders.entry(target).or_default().push(place);
            }
        }
        let all_writes = crm.writes();
        let mut writes = vec![Vec::new(); records.len()];
        for (place, write) in all_writes.iter().enumerate() {
            if let Some(record) = places.get(&(write.object, write.id.clone())) {
                writes[*record].push(place);
            }
        }
        Self {
            crm,
            records,
            all_writes,
            holders,
            places,
            writes,
        }
    }

    /// Living records of a target, as places for [`Self::record`].
    pub(super) fn holders(&self, target: &Target) -> &[usize] {
        self.holders.get(target).map_or(&[], Vec::as_slice)
    }

    pub(super) fn record(&self, place: usize) -> &HeldRecord {
        &self.records[place]
    }

    /// The record that a write was about.
    pub(super) fn written(&self, write: &HeldWrite) -> Option<&HeldRecord> {
        let place = self.places.get(&(write.object, write.id.clone()))?;
        Some(&self.records[*place])
    }

    /// Writes of a record with their places, in order.
    pub(super) fn writes_of(&self, record: usize) -> impl Iterator<Item = (usize, &HeldWrite)> {
        self.writes[record]
            .iter()
            .map(|place| (*place, &self.all_writes[*place]))
    }

    /// The write that made a record during the run, with its place.
    pub(super) fn making(&self, record: usize) -> Option<(usize, &HeldWrite)> {
        self.writes_of(record)
            .find(|(_, write)| write.deed == Deed::Made)
    }

    /// Whether a record hangs on one of the contacts with this number.
    pub(super) fn linked(&self, record: usize, person: &Target) -> bool {
        let contacts = self.holders(person);
        let hangs_on = &self.records[record].contacts;
        contacts
            .iter()
            .any(|contact| hangs_on.contains(&self.records[*contact].id))
    }

    /// Further records with a mark of the plan, counted once per record.
    pub(super) fn doubled(&self, plan: &Plan, findings: &mut Findings) -> u64 {
        let mut owners: BTreeMap<(Object, &str), &EventId> = BTreeMap::new();
        for event in plan.all() {
            for expectation in &event.expect {
                if let Expectation::Record { object, mark, .. } = expectation {
                    owners.entry((*object, mark)).or_insert(&event.event.id);
                }
            }
        }
        let mut doubled = 0;
        for (target, records) in &self.holders {
            let Target::Marked(object, mark) = target else {
                continue;
            };
            let Some(event) = owners.get(&(*object, mark.as_str())) else {
                continue;
            };
            let Some((first, further)) = records.split_first() else {
                continue;
            };
            for record in further {
                doubled += 1;
                let (first, record) = (&self.records[*first].id, &self.records[*record].id);
                findings.add(
                    Defect::Doubled,
                    Some(event),
                    format!("{object} {first} is there as {record} too"),
                );
            }
        }
        doubled
    }

    /// Further contacts with the same number, counted once per contact.
    pub(super) fn persons_doubled(&self, findings: &mut Findings) -> u64 {
        let mut doubled = 0;
        for (target, contacts) in &self.holders {
            if !matches!(target, Target::Person(_)) {
                continue;
            }
            let Some((first, further)) = contacts.split_first() else {
                continue;
            };
            let there = if self
                .writes_of(*first)
                .any(|(_, write)| write.deed == Deed::Seeded)
            {
                "which was there before the run"
            } else {
                "which the run made"
            };
            let first = &self.records[*first].id;
            for contact in further {
                doubled += 1;
                let contact = &self.records[*contact].id;
                findings.add(
                    Defect::PersonDoubled,
                    None,
                    format!("contact {contact} has the number of contact {first}, {there}"),
                );
            }
        }
        doubled
    }
}
