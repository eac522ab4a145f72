//! What an effect that has written a deal says of its contact's open deal.
//!
//! It is stored in the same step as the effect's end. Which of two things that are known stands is decided in
//! [`crate::deal`]; here, what is known:
//!
//! | effect | deal |
//! | --- | --- |
//! | made a deal, or changed its stage | the contact's open deal |
//! | the stage is one in which deals are over | none of the contact's, if it was this one |
//! | changed something else about a deal, or found that it was made before | says nothing |
//!
//! Whether a deal is over in a stage is what the reference data says, else the CRM's own words, else that it isn't: the next
//! reading of open deals corrects that.

use std::collections::BTreeMap;

use super::state::{EffectRef, JobId};
use super::{ContactWrite, Dispatcher};
use crate::card::News;
use crate::effect::{Field, Object, text_of};
use crate::record::{ContactRecord, SCHEMA};
use crate::time::WallTime;
use crate::vendor::Verb;

impl Dispatcher {
    /// The contact of a deal that has been written, with what that says; none when it says nothing.
    pub(super) fn deal_written(
        &mut self,
        id: JobId,
        effects: &[EffectRef],
        field_at: &BTreeMap<String, WallTime>,
        crm_id: &str,
    ) -> Option<ContactWrite> {
        let job = self.jobs.get(&id)?;
        if job.object != Object::Deal {
            return None;
        }
        let stage = text_of(&job.item.fields, &Field::Stage);
        if stage.is_none() && job.verb != Verb::Create {
            return None;
        }
        let over = stage.is_some_and(|stage| {
            let pipeline = text_of(&job.item.fields, &Field::Pipeline);
            self.is_over(stage, pipeline)
        });
        let linked_to = job.item.contact.clone();
        let (lane, seq, _) = *effects.first()?;
        let event_at = match field_at.get(&Field::Stage.name()) {
            Some(at) => *at,
            None => self.event_at(lane, seq),
        };
        let aliases = self.aliases_of((lane, seq));
        let known = match &linked_to {
            Some(contact) => self.cache.by_id(contact).cloned(),
            // Updated by its own id or key: the event says whose it is.
            None => self.cache.find(&aliases),
        };
        let now = self.wall;
        let says = |record: ContactRecord| record.deal_written(crm_id, over, event_at, now);
        let record = match (known, linked_to) {
            (Some(known), _) => {
                let record = says(known.clone());
                self.cache
                    .insert(record.onto(&known, News::Written), &aliases);
                record
            }
            // Memory has forgotten the contact: the bucket knows the rest.
            (None, Some(contact)) => says(ContactRecord {
                schema: SCHEMA,
                crm_id: contact,
                ..ContactRecord::default()
            }),
            (None, None) => return None,
        };
        Some(ContactWrite {
            record,
            aliases,
            only_if_absent: false,
        })
    }

    fn is_over(&self, stage: &str, pipeline: Option<&str>) -> bool {
        let known = self.reference.record.as_ref();
        let told = known.and_then(|record| record.is_over(stage, pipeline));
        let words = || self.vendor.references()?.is_over(stage);
        told.or_else(words).unwrap_or(false)
    }
}
