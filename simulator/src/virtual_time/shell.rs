//! What a dispatcher asks for, carried out on broker and CRM, with the latencies that the seed has.
//!
//! Exactly what the real worker's shell does, its last look at the lease before a request leaves included.

use callflume_core::dispatcher::{ContactWrite, DeadLetter, Input, Output, RecordingId, RequestId};
use callflume_core::lane::Lane;
use callflume_core::record::{BulkRecord, JournalRecord, LedgerRecord};
use callflume_core::reference::ReferenceRecord;
use callflume_core::vendor::{Answer, HttpRequest};

use super::broker::Pull;
use super::crm::Crm;
use super::happening::{Happening, PullOf};
use super::task::TaskId;
use super::world::{TRIP_MS, World};

/// How long one pull stands, milliseconds.
const PULL_MS: u64 = 2_500;
/// A pull asks for at least one event's worth of bytes.
const PULL_BYTES_MIN: usize = (256 + 16) * 1024;
/// A request needs this much of the lease at least, and ends this long before it, milliseconds.
const SHORTEST_MS: u64 = 500;
const MARGIN_MS: u64 = 250;

/// An operation on its way to the broker.
#[derive(Debug)]
pub(super) enum Work {
    Pull {
        lane: Lane,
        epoch: u64,
        pull: Pull,
    },
    Load {
        lane: Lane,
        seq: u64,
        effects: Vec<String>,
        aliases: Vec<String>,
    },
    Record {
        id: RecordingId,
        ledger: Vec<(String, LedgerRecord)>,
        contacts: Vec<ContactWrite>,
        absent: Vec<String>,
    },
    Bury {
        letter: DeadLetter,
        payload: bytes::Bytes,
    },
    Ack {
        lane: Lane,
        seq: u64,
    },
    Floor {
        lane: Lane,
        seq: u64,
    },
    Journal {
        record: JournalRecord,
        revision: Option<u64>,
    },
    Reference(Box<ReferenceRecord>),
    Bulk {
        id: RecordingId,
        record: Option<BulkRecord>,
        revision: Option<u64>,
    },
    Resync {
        lane: Lane,
        epoch: u64,
        floor: u64,
    },
}

impl<C: Crm> World<'_, '_, C> {
    pub(super) fn carry_out(&mut self, id: TaskId, output: Output) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let account = task.account;
        let work = match output {
            Output::Pull { lane, count, bytes } => Work::Pull {
                lane,
                epoch: task.lanes[lane as usize].epoch,
                pull: Pull {
                    messages: count,
                    bytes: Some(bytes.max(PULL_BYTES_MIN)),
                    expires_ms: PULL_MS,
                },
            },
            Output::Resync { lane, floor } => {
                let shell = &mut task.lanes[lane as usize];
                shell.epoch += 1;
                let epoch = shell.epoch;
                if let Some(token) = shell.pull.take() {
                    self.withdraw(account, lane, token);
                }
                Work::Resync { lane, epoch, floor }
            }
            Output::Load {
                lane,
                seq,
                effects,
                aliases,
            } => Work::Load {
                lane,
                seq,
                effects,
                aliases,
            },
            Output::Record {
                id,
                ledger,
                contacts,
                absent,
            } => Work::Record {
                id,
                ledger,
                contacts,
                absent,
            },
            Output::DeadLetter(letter) => {
                let held = &task.lanes[letter.lane as usize].held;
                let payload = held
                    .get(&letter.seq)
                    .map(|message| message.payload.clone())
                    .unwrap_or_default();
                Work::Bury { letter, payload }
            }
            Output::Ack { lane, seq } => {
                task.lanes[lane as usize].held.remove(&seq);
                Work::Ack { lane, seq }
            }
            Output::SaveFloor { lane, seq } => {
                let shell = &mut task.lanes[lane as usize];
                shell.floor = seq;
                if shell.saving {
                    return;
                }
                shell.saving = true;
                Work::Floor { lane, seq }
            }
            Output::SaveReference(record) => Work::Reference(record),
            Output::WriteJournal(record) => Work::Journal {
                record,
                revision: task.journal_revision,
            },
            Output::SaveBulk { id, record } => Work::Bulk {
                id,
                record,
                revision: task.bulk_revision,
            },
            Output::Send {
                request,
                lane,
                http,
                timeout_ms,
            } => {
                self.send(id, request, lane, http, timeout_ms);
                return;
            }
            Output::Advice(advised) => {
                let name = self.accounts[account].id.clone();
                self.note(format_args!(
                    "{name} says {:?}",
                    Output::Advice(advised.clone())
                ));
                self.advise(account, advised.advice);
                return;
            }
            // Alerts: nobody in a world acts on them, the reader of a trace may.
            other => {
                let name = self.accounts[account].id.clone();
                self.note(format_args!("{name} says {other:?}"));
                return;
            }
        };
        let at_ms = self.soon();
        self.timeline.plan(
            at_ms,
            Happening::Arrive {
                task: id,
                account,
                work,
            },
        );
    }

    fn send(
        &mut self,
        id: TaskId,
        request: RequestId,
        lane: Lane,
        http: HttpRequest,
        timeout_ms: u64,
    ) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let number = task.account;
        let left_ms = task
            .held_until_ms
            .saturating_sub(self.now_ms)
            .saturating_sub(MARGIN_MS);
        let account = self.accounts[number].id.clone();
        if left_ms < SHORTEST_MS {
            self.note(format_args!("{account} withheld {request}"));
            let input = Input::Answered {
                request,
                answer: Answer::NotSent,
            };
            self.timeline
                .plan(self.now_ms + 1, Happening::Tell { task: id, input });
            return;
        }
        self.note(format_args!("{account} send {request} {lane} {http:?}"));
        if lane == Lane::Op
            && let Some(killed_ms) = self.accounts[number].killed_ms.take()
        {
            let took = self.now_ms - killed_ms;
            self.takeover_ms_max = Some(self.takeover_ms_max.map_or(took, |worst| worst.max(took)));
        }
        let deadline_ms = self.now_ms + timeout_ms.min(left_ms);
        self.timeline.plan(
            self.now_ms + TRIP_MS,
            Happening::AtCrm {
                task: id,
                account: number,
                request,
                http,
                deadline_ms,
            },
        );
    }

    /// A request arrives at the CRM, whatever has become of who sent it.
    pub(super) fn at_crm(
        &mut self,
        id: TaskId,
        number: usize,
        request: RequestId,
        http: &HttpRequest,
        deadline_ms: u64,
    ) {
        let clock_ms = self.clock_ms();
        let answered = self.accounts[number].crm.arrive(clock_ms, http);
        let account = self.accounts[number].id.clone();
        self.note(format_args!(
            "{account} crm {request} {} {}",
            answered.status, answered.after_ms
        ));
        let answered_ms = self.now_ms + answered.after_ms + TRIP_MS;
        let (at_ms, answer) = match answered.answer {
            Answer::Lost => (deadline_ms, Answer::Lost),
            _ if answered_ms > deadline_ms => (deadline_ms, Answer::Lost),
            answer => (answered_ms, answer),
        };
        let input = Input::Answered { request, answer };
        self.timeline.plan(
            at_ms.max(self.now_ms + 1),
            Happening::Tell { task: id, input },
        );
    }

    /// An operation arrives at the broker. Of a process that is gone, it may have left or not.
    pub(super) fn arrive(&mut self, id: TaskId, number: usize, work: Work) {
        let lives = self.tasks.contains_key(&id);
        if !lives && self.seed.below(2) == 0 {
            return;
        }
        let account = self.accounts[number].id.clone();
        let input = match work {
            Work::Pull { lane, epoch, pull } => {
                self.pull(id, number, lane, epoch, pull);
                None
            }
            Work::Load {
                lane,
                seq,
                effects,
                aliases,
            } => {
                let mut store = self.store();
                let ledger = effects
                    .iter()
                    .map(|effect| store.ledger(&account, effect))
                    .collect();
                let contact = store.contact(&account, &aliases);
                Some(Input::Loaded {
                    lane,
                    seq,
                    ledger,
                    contact,
                })
            }
            Work::Record {
                id: recording,
                ledger,
                contacts,
                absent,
            } => {
                for (effect, record) in &ledger {
                    let state = record.state;
                    self.note(format_args!("{account} record {effect} {state:?}"));
                }
                let stored = self.store().record(&account, ledger, contacts, &absent);
                Some(Input::Recorded {
                    id: recording,
                    stored,
                })
            }
            Work::Bury { letter, payload } => {
                self.note(format_args!(
                    "{account} dead {} {} {} {}",
                    letter.lane, letter.seq, letter.code, letter.cause
                ));
                let (stored, new) = self.store().bury(&account, &letter, payload);
                if new {
                    self.accounts[number].dead.extend(letter.event_id);
                }
                Some(Input::Recorded {
                    id: letter.id,
                    stored,
                })
            }
            Work::Ack { lane, seq } => {
                self.note(format_args!("{account} ack {lane} {seq}"));
                self.acked = true;
                let clock_ms = self.clock_ms();
                let (stream, consumer) = self.accounts[number].consumer(lane);
                let acked = self.broker.ack(clock_ms, stream, consumer, seq);
                debug_assert!(acked.is_ok(), "an owned account has its consumers");
                None
            }
            Work::Floor { lane, seq } => {
                let saved = self.store().save_floor(lane, &account, seq);
                debug_assert!(saved, "the ledger takes every floor");
                self.floor_saved(id, number, lane, seq);
                None
            }
            Work::Reference(record) => {
                let saved = self.store().save_reference(&account, &record);
                debug_assert!(saved, "the bucket takes every record");
                None
            }
            Work::Bulk {
                id: recording,
                record,
                revision,
            } => self.save_bulk(id, number, recording, record.as_ref(), revision),
            Work::Journal { record, revision } => self.write_journal(id, number, &record, revision),
            Work::Resync { lane, epoch, floor } => {
                let current = self
                    .tasks
                    .get(&id)
                    .is_some_and(|task| task.lanes[lane as usize].epoch == epoch);
                if !current {
                    return;
                }
                self.reset_consumer(number, lane, floor);
                Some(Input::Resynced(lane))
            }
        };
        if let Some(input) = input {
            self.tell(id, input);
        }
    }

    fn pull(&mut self, id: TaskId, number: usize, lane: Lane, epoch: u64, pull: Pull) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let shell = &mut task.lanes[lane as usize];
        if shell.epoch != epoch {
            return;
        }
        let token = self.next_pull;
        self.next_pull += 1;
        shell.pull = Some(token);
        self.pulls.insert(
            token,
            PullOf {
                task: id,
                lane,
                epoch,
            },
        );
        let clock_ms = self.clock_ms();
        let (stream, consumer) = self.accounts[number].consumer(lane);
        let asked = self.broker.pull(clock_ms, stream, consumer, token, pull);
        debug_assert!(asked.is_ok(), "an owned account has its consumers");
    }

    /// One floor is written at a time, so that an older one never overtakes a newer.
    fn floor_saved(&mut self, id: TaskId, number: usize, lane: Lane, saved: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let shell = &mut task.lanes[lane as usize];
        let seq = shell.floor;
        shell.saving = seq > saved;
        if shell.saving {
            let at_ms = self.soon();
            let work = Work::Floor { lane, seq };
            self.timeline.plan(
                at_ms,
                Happening::Arrive {
                    task: id,
                    account: number,
                    work,
                },
            );
        }
    }

    /// Compares and sets the record of a bulk job, as the journal.
    fn save_bulk(
        &mut self,
        id: TaskId,
        number: usize,
        recording: RecordingId,
        record: Option<&BulkRecord>,
        revision: Option<u64>,
    ) -> Option<Input> {
        let account = self.accounts[number].id.clone();
        let saved = self.store().swap_bulk(&account, record, revision);
        let found = self.store().bulk(&account);
        self.note(format_args!(
            "{account} bulk {} rows {}",
            record.map_or(0, |record| record.rows.len()),
            if saved.is_ok() { "stored" } else { "refused" }
        ));
        let task = self.tasks.get_mut(&id)?;
        let ours = found.as_ref().map(|known| &known.record) == record;
        if saved.is_ok() || ours {
            task.bulk_revision = found.map(|known| known.revision);
            let stored = true;
            return Some(Input::Recorded {
                id: recording,
                stored,
            });
        }
        self.end_task(id, true);
        None
    }

    /// Compares and sets the journal; who finds another's there owns the account no more.
    fn write_journal(
        &mut self,
        id: TaskId,
        number: usize,
        record: &JournalRecord,
        revision: Option<u64>,
    ) -> Option<Input> {
        let account = self.accounts[number].id.clone();
        let mut store = self.store();
        let written = store.swap_journal(&account, record, revision);
        let found = match written {
            Some(_) => None,
            None => store.journal(&account),
        };
        let task = self.tasks.get_mut(&id)?;
        if let Some(revision) = written {
            task.journal_revision = Some(revision);
            return Some(Input::Journaled { stored: true });
        }
        match found {
            Some(found) if found.record == *record => {
                task.journal_revision = Some(found.revision);
                Some(Input::Journaled { stored: true })
            }
            Some(found) if revision.is_none_or(|known| found.revision > known) => {
                self.end_task(id, true);
                None
            }
            _ => Some(Input::Journaled { stored: false }),
        }
    }
}
