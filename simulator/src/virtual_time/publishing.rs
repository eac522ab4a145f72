//! Voice services: events published at their instants, what publishers are told; outbound calls placed as advised.

use bytes::Bytes;
use callflume_core::event::{ContentType, encode};
use callflume_core::quota::Advice;

use super::broker::header;
use super::crm::Crm;
use super::happening::Happening;
use super::world::{TRIP_MS, World};
use crate::oracle::{PublishOutcome, Published};

impl<C: Crm> World<'_, '_, C> {
    pub(super) fn plan_publish(&mut self, number: usize) {
        let account = &self.accounts[number];
        if let Some(planned) = account.plan.events.get(account.next_event) {
            let at_ms = self.first_ms + planned.at_ms.max(0).cast_unsigned();
            self.timeline
                .plan(at_ms, Happening::Publish { account: number });
        }
    }

    pub(super) fn publish_backlog(&mut self, number: usize) {
        for place in 0..self.accounts[number].plan.backlog.len() {
            self.publish(number, place);
        }
    }

    pub(super) fn publish_next(&mut self, number: usize) {
        let account = &mut self.accounts[number];
        let place = account.plan.backlog.len() + account.next_event;
        account.next_event += 1;
        self.to_publish -= 1;
        if self.takes_place(number, place) {
            self.publish(number, place);
        }
        self.plan_publish(number);
    }

    /// Whether an event's call takes place; its dialler decides when the call begins.
    fn takes_place(&mut self, number: usize, index: usize) -> bool {
        let account = &mut self.accounts[number];
        let Some(call_index) = account.plan.get(index).and_then(|event| event.call_index) else {
            return true;
        };
        let placed = account.dialler.takes_place(call_index);
        if !placed {
            let id = account.id.clone();
            self.note(format_args!(
                "{id} call {call_index} was not dialled: no event {index}"
            ));
        }
        placed
    }

    /// A worker publishes advice: the account's dialler hears it when it has come to the broker and on from there.
    pub(super) fn advise(&mut self, number: usize, advice: Advice) {
        if self.scenario.calls.dialler {
            let advised = Happening::Advised {
                account: number,
                advice,
            };
            self.timeline.plan(self.now_ms + 2 * TRIP_MS, advised);
        }
    }

    pub(super) fn advised(&mut self, number: usize, advice: Advice) {
        self.accounts[number].dialler.hear(advice);
    }

    fn publish(&mut self, number: usize, index: usize) {
        let account = &self.accounts[number];
        let Some(planned) = account.plan.get(index) else {
            return;
        };
        let Ok(payload) = encode(&planned.event, ContentType::MessagePack) else {
            return;
        };
        let payload = Bytes::from(payload);
        let lane = planned.lane;
        let subject = lane.subject(&account.id, &planned.event.kind);
        let id = planned.event.id.as_str().to_owned();
        // A second copy meets the deduplication, and the publisher is told so.
        let copies = if self.scenario.publish_twice { 2 } else { 1 };
        for _ in 0..copies {
            let headers = vec![(header::MESSAGE_ID.into(), id.clone())];
            let now_ms = self.clock_ms();
            let answer = self
                .broker
                .publish(now_ms, &subject, headers, payload.clone());
            let outcome = match &answer {
                Ok(stored) if stored.duplicate => PublishOutcome::Duplicate,
                Ok(_) => PublishOutcome::Stored {
                    at_ms: self.run_ms(),
                },
                Err(_) => PublishOutcome::Failed,
            };
            self.note(format_args!("publish {lane} {id} {answer:?}"));
            self.accounts[number]
                .published
                .push(Published { index, outcome });
        }
    }
}
