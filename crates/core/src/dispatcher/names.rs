//! Owners, pipelines and stages by name: what an event's effects name becomes ids.
//!
//! An event is resolved once, when it has been loaded. One that names something waits with its contact's lane until there
//! is data that can tell, and then goes on whatever came of the reading: until then it counts as not loaded, so that
//! nothing of it starts and nothing merges with it. How data is read: `reference`.
//!
//! Invariant: what names nothing never causes a reading.

use super::reference::{AGAIN_MS, STALE_MS};
use super::state::{EventRef, Stage};
use super::{Dispatcher, Output};
use crate::codes;
use crate::effect::{Field, Write};
use crate::lane::Lane;
use crate::reference::{Naming, ReferenceRecord, References, namings};
use crate::time::Now;

impl Dispatcher {
    /// Puts ids in the place of the names in an event's effects; `false` when it waits for reference data first.
    pub(super) fn names_resolved(&mut self, now: Now, lane: Lane, seq: u64) -> bool {
        let vendor = self.vendor.clone();
        let Some(references) = vendor.references() else {
            return true;
        };
        let Some(state) = self.lanes[lane as usize].events.get(&seq) else {
            return true;
        };
        let (mut any, mut names, mut unknown) = (false, false, false);
        let nothing = ReferenceRecord::default();
        let known = self.reference.record.as_ref().unwrap_or(&nothing);
        for work in &state.effects {
            if work.stage != Stage::Pending {
                continue;
            }
            let effect = &work.effect;
            let named = namings(effect.object, &effect.fields, references)
                .inspect(|naming| any |= *naming != Naming::Id)
                .any(|naming| naming == Naming::Name);
            if named {
                names = true;
                let mut fields = effect.fields.clone();
                unknown |= !known
                    .resolve(effect.object, &mut fields, references)
                    .is_whole();
            }
        }
        if !any {
            return true;
        }
        if names && self.reading_would_help(now, unknown) {
            if let Some(state) = self.lane(lane).events.get_mut(&seq) {
                state.loaded = false;
            }
            self.reference.waiting.push((lane, seq));
            self.read_reference(now, lane);
            return false;
        }
        self.put_ids(now, (lane, seq), references);
        true
    }

    fn reading_would_help(&self, now: Now, unknown: bool) -> bool {
        let reference = &self.reference;
        let age_ms = reference.age_ms(now.wall);
        let stale = age_ms.is_none_or(|age_ms| age_ms >= STALE_MS);
        let old = age_ms.is_none_or(|age_ms| age_ms >= AGAIN_MS);
        if reference.reading.is_some() {
            return stale || unknown;
        }
        let rested = reference
            .ended_at
            .is_none_or(|at| now.tick.since_ms(at) >= AGAIN_MS);
        rested && (stale || (unknown && old))
    }

    pub(super) fn put_ids(&mut self, now: Now, (lane, seq): EventRef, references: &dyn References) {
        let known = self.reference.record.take();
        let nothing = ReferenceRecord::default();
        let (mut owners_named, mut owners_unknown) = (0, 0);
        if let Some(state) = self.lane(lane).events.get_mut(&seq) {
            for work in &mut state.effects {
                if work.stage != Stage::Pending {
                    continue;
                }
                let effect = &mut work.effect;
                let owner = effect.fields.get(&Field::Owner).cloned();
                let resolved = known.as_ref().unwrap_or(&nothing).resolve(
                    effect.object,
                    &mut effect.fields,
                    references,
                );
                if resolved.owner_unknown {
                    owners_unknown += 1;
                    // An update of nothing but the owner is not written without it: the CRM says no, with a reason.
                    if effect.write == Write::Update
                        && effect.fields.is_empty()
                        && let Some(owner) = owner
                    {
                        effect.fields.insert(Field::Owner, owner);
                    }
                } else if owner.is_some() && effect.fields.get(&Field::Owner) != owner.as_ref() {
                    owners_named += 1;
                }
            }
        }
        self.reference.record = known;
        self.counters.owners_unknown += owners_unknown;
        let told_ms = self
            .reference
            .unknown_told_at
            .map(|at| now.tick.since_ms(at));
        if owners_unknown > 0 {
            if told_ms.is_none_or(|ms| ms >= AGAIN_MS) {
                self.reference.unknown_told_at = Some(now.tick);
                self.alert(
                    codes::CRM_OWNER_UNKNOWN,
                    "an event names an owner that the CRM doesn't have; the record is written without one. \
                     `callflume reference` shows who is there",
                );
            }
        } else if owners_named > 0 && told_ms.is_some_and(|ms| ms >= AGAIN_MS) {
            self.reference.unknown_told_at = None;
            self.outputs.push_back(Output::AlertOver {
                code: codes::CRM_OWNER_UNKNOWN,
            });
        }
    }
}
