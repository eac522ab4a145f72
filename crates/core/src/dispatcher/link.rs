//! Links to recordings that expire before they can be written.
//!
//! Voice platforms sign links for minutes or hours; an account may be paused for longer. A link that leads nowhere any
//! more is left out, and an effect that was nothing but the link has ended ([`EffectState::Expired`]). What is in the air
//! at that instant is not called back.

use super::Dispatcher;
use super::state::{EffectRef, JobId, Learnt, Purpose};
use crate::effect::{Field, Write};
use crate::record::EffectState;
use crate::time::WallTime;

impl Dispatcher {
    /// Leaves out a link that leads nowhere any more. Answers whether that was all there was to write; then the effect
    /// has ended.
    pub(super) fn drop_link(&mut self, contact: &str, at: EffectRef) -> bool {
        let mut nothing_left = false;
        self.work(at, |work| {
            work.effect.fields.remove(&Field::RecordingUrl);
            nothing_left = work.effect.write == Write::Update && work.effect.fields.is_empty();
        });
        if nothing_left {
            let ends = vec![(at, EffectState::Expired)];
            self.record_ends(ends, None, Learnt::default(), contact);
        }
        nothing_left
    }

    /// When the first link among what a job writes expires.
    pub(super) fn link_expires_at(&self, purpose: &Purpose) -> Option<WallTime> {
        let Purpose::Write { effects, .. } = purpose else {
            return None;
        };
        effects
            .iter()
            .filter_map(|(lane, seq, index)| {
                let state = self.lanes[*lane as usize].events.get(seq)?;
                let effect = &state.effects.get(*index)?.effect;
                let has_link = effect.fields.contains_key(&Field::RecordingUrl);
                effect.url_expires_at.filter(|_| has_link)
            })
            .min()
    }

    /// Looks afresh at the effects of jobs that wait with a link that has expired.
    pub(super) fn drop_expired_links(&mut self) {
        let expired: Vec<JobId> = self
            .links
            .iter()
            .take_while(|(at, _)| *at <= self.wall)
            .map(|(_, id)| *id)
            .collect();
        for id in expired {
            if self.take_out(id) {
                self.drop_expired(id);
            }
        }
    }

    /// Ends a job whose link has expired; answers whether it did.
    pub(super) fn drop_expired(&mut self, id: JobId) -> bool {
        let Some(job) = self.jobs.get(&id) else {
            return false;
        };
        if job.url_expires_at.is_none_or(|at| at > self.wall) {
            return false;
        }
        let Purpose::Write { effects, .. } = job.purpose.clone() else {
            return false;
        };
        self.start_over(id, &effects);
        true
    }
}
