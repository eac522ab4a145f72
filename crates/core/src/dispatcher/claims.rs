//! Who resolves a person at the moment.
//!
//! Invariant: at most one contact at a time resolves a person under any of the names its event gives. Without that,
//! two events that name one person differently (by key and by phone) would create the person twice.

use std::collections::BTreeSet;

use super::Dispatcher;
use super::state::{Claim, JobId, Purpose};
use crate::event::Event;
use crate::lane::Lane;

impl Dispatcher {
    /// Takes the right to resolve a person under all names of this event; whoever doesn't get it is looked at again
    /// when it is free.
    pub(super) fn claim(&mut self, contact: &str, event: &Event, lane: Lane) -> bool {
        let aliases = event.contact.aliases();
        let mut holder = None;
        for alias in &aliases {
            if let Some(claim) = self.claims.get_mut(alias)
                && claim.holder != contact
            {
                claim.waiting.insert(contact.to_owned());
                holder = Some(claim.holder.clone());
            }
        }
        if let Some(holder) = holder {
            if lane == Lane::Op {
                self.hurry(&holder);
            }
            return false;
        }
        for alias in &aliases {
            self.claims.entry(alias.clone()).or_insert_with(|| Claim {
                holder: contact.to_owned(),
                waiting: BTreeSet::new(),
            });
        }
        if let Some(state) = self.contacts.get_mut(contact) {
            state.claimed.extend(aliases);
        }
        true
    }

    /// Gives up the right to resolve a person.
    pub(super) fn release(&mut self, contact: &str) {
        let Some(state) = self.contacts.get_mut(contact) else {
            return;
        };
        state.urgent = false;
        for alias in std::mem::take(&mut state.claimed) {
            if let Some(claim) = self.claims.remove(&alias) {
                self.changed.extend(claim.waiting);
            }
        }
    }

    /// An operational effect waits for this contact: what is under way for it becomes operational.
    pub(super) fn hurry(&mut self, contact: &str) {
        match self.contacts.get_mut(contact) {
            Some(state) if !state.urgent => state.urgent = true,
            _ => return,
        }
        let resolving: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, job)| {
                job.contact == contact
                    && matches!(
                        job.purpose,
                        Purpose::Lookup { .. } | Purpose::CreateContact { .. }
                    )
            })
            .map(|(id, _)| *id)
            .collect();
        for id in resolving {
            self.promote(id);
        }
    }

    pub(super) fn urgency(&self, contact: &str, lane: Lane) -> Lane {
        if self.contacts.get(contact).is_some_and(|state| state.urgent) {
            Lane::Op
        } else {
            lane
        }
    }
}
