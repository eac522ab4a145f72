//! What can happen, and to whom.
//!
//! Whatever is on its way when a process ends names the process's task, so that an answer reaches nobody else.

use callflume_core::dispatcher::{Input, RequestId};
use callflume_core::lane::Lane;
use callflume_core::quota::Advice;
use callflume_core::vendor::HttpRequest;

use super::broker::PullNews;
use super::shell::Work;
use super::task::TaskId;
use super::worker::WorkerNumber;

/// Something that happens.
#[derive(Debug)]
pub(super) enum Happening {
    /// Everything that waits is published.
    Backlog { account: usize },
    /// The next call event of an account.
    Publish { account: usize },
    /// So many workers are to run.
    Scale { count: u32 },
    /// The first account's owner is killed, or told to stop, and another process started.
    Replace { killed: bool },
    /// Settled events are purged.
    Purge,
    /// A worker looks at who owns what.
    Look { worker: WorkerNumber },
    /// A worker says that it lives.
    Heartbeat { worker: WorkerNumber },
    /// A heartbeat arrives at the broker.
    HeartbeatArrives { worker: WorkerNumber, id: String },
    /// A worker's question who has the lease is answered.
    ClaimAsked {
        worker: WorkerNumber,
        account: usize,
    },
    /// A claim arrives at the broker.
    ClaimArrives {
        worker: WorkerNumber,
        id: String,
        account: usize,
        revision: u64,
        held_until_ms: u64,
    },
    /// An owner has read what its predecessor left.
    Begin { task: TaskId },
    /// A lease is to be renewed.
    Renew { task: TaskId },
    /// A renewal arrives at the broker.
    RenewalArrives {
        task: TaskId,
        account: usize,
        owner: String,
        revision: u64,
        held_until_ms: u64,
    },
    /// An owner that has finished gives its lease back.
    Release { task: TaskId },
    /// A dispatcher's own alarm.
    Wake { task: TaskId },
    /// Something is told to a dispatcher.
    Tell { task: TaskId, input: Input },
    /// What the broker sent for a pull arrives.
    Pulled {
        task: TaskId,
        lane: Lane,
        epoch: u64,
        news: PullNews,
    },
    /// An operation arrives at the broker.
    Arrive {
        task: TaskId,
        account: usize,
        work: Work,
    },
    /// A consumer does what has fallen due.
    Serve { account: usize, lane: Lane },
    /// A dialler hears advice.
    Advised { account: usize, advice: Advice },
    /// A request arrives at the CRM.
    AtCrm {
        task: TaskId,
        account: usize,
        request: RequestId,
        http: HttpRequest,
        deadline_ms: u64,
    },
}

/// Whose pull a token stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PullOf {
    pub(super) task: TaskId,
    pub(super) lane: Lane,
    pub(super) epoch: u64,
}
