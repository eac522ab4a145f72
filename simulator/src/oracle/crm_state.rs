//! What the CRM holds, found again by number and by mark, with every write in its place.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::effect::Object;
use callflume_core::event::EventId;

use super::findings::{Defect, Findings};
use super::stored::{kind, property};
use crate::hubspot::{
    HubSpot, ObjectKind, Record, RecordId, SeededContact, Write, national_number,
};
use crate::traffic::{Expectation, Plan, mark_field, mark_in};

/// Which record or person an effect is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// The person with this national number.
    Person(String),
    /// The record with this mark.
    Marked(ObjectKind, String),
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
                Some(Self::Marked(kind(*object), mark.clone()))
            }
        }
    }

    fn kind(&self) -> ObjectKind {
        match self {
            Self::Person(_) => ObjectKind::Contacts,
            Self::Marked(kind, _) => *kind,
        }
    }
}

/// The CRM, indexed.
#[derive(Debug)]
pub(super) struct CrmState<'a> {
    crm: &'a HubSpot,
    /// Living records of each target, in id order.
    holders: BTreeMap<Target, Vec<RecordId>>,
    /// Places in [`HubSpot::writes`] of each record's writes.
    writes: BTreeMap<(ObjectKind, RecordId), Vec<usize>>,
}

impl<'a> CrmState<'a> {
    pub(super) fn read(crm: &'a HubSpot) -> Self {
        let mut holders: BTreeMap<Target, Vec<RecordId>> = BTreeMap::new();
        for contact in living(crm, ObjectKind::Contacts) {
            let numbers: BTreeSet<String> = ["phone", "mobilephone"]
                .into_iter()
                .filter_map(|name| national_number(contact.property(name)?))
                .collect();
            for number in numbers {
                holders
                    .entry(Target::Person(number))
                    .or_default()
                    .push(contact.id);
            }
        }
        for object in [Object::Call, Object::Note, Object::Task, Object::Deal] {
            let field = mark_field(object);
            let Some(name) = property(object, &field) else {
                continue;
            };
            for record in living(crm, kind(object)) {
                if let Some(mark) = record.property(name).and_then(mark_in) {
                    let target = Target::Marked(kind(object), mark.to_owned());
                    holders.entry(target).or_default().push(record.id);
                }
            }
        }
        let mut writes: BTreeMap<(ObjectKind, RecordId), Vec<usize>> = BTreeMap::new();
        for (place, write) in crm.writes().iter().enumerate() {
            writes
                .entry((write.object, write.id))
                .or_default()
                .push(place);
        }
        Self {
            crm,
            holders,
            writes,
        }
    }

    /// Living records of a target.
    pub(super) fn records(&self, target: &Target) -> impl Iterator<Item = &'a Record> {
        let object = target.kind();
        self.holders
            .get(target)
            .into_iter()
            .flatten()
            .filter_map(move |id| self.crm.record(object, *id))
    }

    /// Writes of a record with their places, in order.
    pub(super) fn writes_of(&self, record: &Record) -> impl Iterator<Item = (usize, &'a Write)> {
        self.writes
            .get(&(record.object, record.id))
            .into_iter()
            .flatten()
            .map(|place| (*place, &self.crm.writes()[*place]))
    }

    /// Whether a record is linked to one of the contacts with this number.
    pub(super) fn linked(&self, record: &Record, person: &Target) -> bool {
        let contacts = self.holders.get(person).map_or(&[][..], Vec::as_slice);
        record
            .associations
            .iter()
            .any(|link| link.to == ObjectKind::Contacts && contacts.contains(&link.id))
    }

    /// Further records with a mark of the plan, counted once per record.
    pub(super) fn doubled(&self, plan: &Plan, findings: &mut Findings) -> u64 {
        let mut owners: BTreeMap<(ObjectKind, &str), &EventId> = BTreeMap::new();
        for event in plan.all() {
            for expectation in &event.expect {
                if let Expectation::Record { object, mark, .. } = expectation {
                    owners
                        .entry((kind(*object), mark))
                        .or_insert(&event.event.id);
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
            for id in records.iter().skip(1) {
                doubled += 1;
                findings.add(
                    Defect::Doubled,
                    Some(event),
                    format!("{} {} is there as {id} too", object.singular(), records[0]),
                );
            }
        }
        doubled
    }

    /// Further contacts with the same number, counted once per contact.
    pub(super) fn persons_doubled(&self, seeded: &[SeededContact], findings: &mut Findings) -> u64 {
        let before: BTreeSet<RecordId> = seeded.iter().map(|contact| contact.id).collect();
        let mut doubled = 0;
        for (target, contacts) in &self.holders {
            if !matches!(target, Target::Person(_)) {
                continue;
            }
            for id in contacts.iter().skip(1) {
                doubled += 1;
                let there = if before.contains(&contacts[0]) {
                    "which was there before the run"
                } else {
                    "which the run made"
                };
                findings.add(
                    Defect::PersonDoubled,
                    None,
                    format!(
                        "contact {id} has the number of contact {}, {there}",
                        contacts[0]
                    ),
                );
            }
        }
        doubled
    }
}

fn living(crm: &HubSpot, object: ObjectKind) -> impl Iterator<Item = &Record> {
    crm.records(object).filter(|record| !record.archived)
}
