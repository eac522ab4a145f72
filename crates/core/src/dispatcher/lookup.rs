//! Contacts that voice services ask for and the cache doesn't know.
//!
//! Decides which of them are looked up, once each, and what is stored of the answer: the contact with its card, or for a
//! while that the CRM doesn't have it. One enrichment request each, shared with others of its kind; nobody waits for it.
//!
//! Bounded: [`WANTED_MAX`] at a time, those at rest included. One more is not taken: whoever asked asks again. Whoever is
//! being looked up isn't looked up a second time, until the answer is stored and [`REST_MS`] have passed. Nothing is promised: a look-up that is refused or given up, or
//! that a takeover forgets, begins anew with the next ask.

use std::collections::{BTreeMap, BTreeSet};

use super::contacts::{choose, read_record};
use super::state::{JobId, Purpose, Recorded};
use super::{ContactWrite, Dispatcher, Output};
use crate::card::News;
use crate::effect::Object;
use crate::lane::Lane;
use crate::lookup::Person;
use crate::record::ContactRecord;
use crate::time::{Now, Tick};
use crate::vendor::{Item, ItemOutcome, Verb};

/// Look-ups that are under way or at rest at most.
pub(super) const WANTED_MAX: usize = 256;

/// For so long after its end a look-up isn't begun again, milliseconds: others may not have heard of its end yet, and one
/// that is refused would be refused again.
const REST_MS: u64 = 5_000;

/// The look-ups that are under way, and those that ended lately with the end of their rest, by alias.
#[derive(Debug, Default)]
pub(super) struct Wanted(BTreeMap<String, Option<Tick>>);

impl Wanted {
    /// Whether this one begins now.
    fn begin(&mut self, now: Tick, alias: &str) -> bool {
        let over = |rest: &Option<Tick>| rest.is_some_and(|rest| rest <= now);
        if self.0.len() >= WANTED_MAX {
            self.0.retain(|_, rest| !over(rest));
        }
        let free = match self.0.get(alias) {
            Some(rest) => over(rest),
            None => self.0.len() < WANTED_MAX,
        };
        if free {
            self.0.insert(alias.to_owned(), None);
        }
        free
    }

    /// One is over for good, after many attempts: it may begin again at once.
    pub(super) fn given_up(&mut self, alias: &str) {
        self.0.remove(alias);
    }

    /// One is over.
    pub(super) fn done(&mut self, now: Tick, alias: &str) {
        if let Some(rest) = self.0.get_mut(alias) {
            *rest = Some(now.plus_ms(REST_MS));
        }
    }
}

impl Dispatcher {
    /// Looks somebody up, unless that is under way.
    pub(super) fn want(&mut self, now: Now, person: &Person) {
        let alias = person.alias();
        if self.stopping || !self.wanted.begin(now.tick, &alias) {
            return;
        }
        if self.store_known(&alias) {
            return;
        }
        let mut item = Item {
            key: alias.clone(),
            ..Item::default()
        };
        let verb = match person {
            Person::Phone(phone) => {
                item.phone = Some(phone.clone());
                Verb::SearchByPhone
            }
            Person::Email(email) => {
                item.email = Some(email.clone());
                Verb::ReadByEmail
            }
        };
        let contact = alias.clone();
        let purpose = Purpose::Wanted { alias };
        self.enqueue(
            now,
            Lane::En,
            verb,
            Object::Contact,
            item,
            &contact,
            purpose,
            None,
        );
    }

    /// The CRM's answer.
    pub(super) fn wanted_answered(
        &mut self,
        now: Now,
        id: JobId,
        alias: &str,
        outcome: &ItemOutcome,
    ) {
        self.finish_job(id);
        match outcome {
            ItemOutcome::Matches(found) => match choose(found, alias) {
                Some(best) => {
                    let news = read_record(best);
                    let record = if let Some(known) = self.cache.by_id(&best.crm_id) {
                        news.onto(known, News::Read)
                    } else {
                        // The bucket may know when which of its fields was written.
                        self.glimpsed.insert(best.crm_id.clone());
                        news
                    };
                    self.cache.insert(record.clone(), &[alias.to_owned()]);
                    self.store_wanted(alias, Some(record));
                }
                // A contact created meanwhile may not be found by a search yet.
                None if self.store_known(alias) => {}
                None => self.store_wanted(alias, None),
            },
            ItemOutcome::Gone => self.store_wanted(alias, None),
            // Whether the CRM has such a contact stays unknown.
            _ => self.wanted.done(now.tick, alias),
        }
    }

    /// Stores what memory knows of an alias: the bucket has lost it, or doesn't have it yet.
    fn store_known(&mut self, alias: &str) -> bool {
        let Some(record) = self.cache.find(&[alias.to_owned()]) else {
            return false;
        };
        self.store_wanted(alias, Some(record));
        true
    }

    fn store_wanted(&mut self, alias: &str, found: Option<ContactRecord>) {
        let aliases = vec![alias.to_owned()];
        let (contacts, absent) = match found {
            Some(record) => {
                let write = ContactWrite {
                    record,
                    aliases,
                    only_if_absent: true,
                };
                (vec![write], Vec::new())
            }
            None => (Vec::new(), aliases),
        };
        let id = self.next_id();
        let output = Output::Record {
            id,
            ledger: Vec::new(),
            contacts,
            absent,
        };
        let what = Recorded::Wanted(alias.to_owned());
        self.record(id, output, what, BTreeSet::new());
    }
}
