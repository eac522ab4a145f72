//! Pulling from one consumer, and setting it back to its floor.
//!
//! One task per lane and account carries out pulls and resyncs one after the other, so that no delivery of a pull
//! from before a resync is taken for one after it. A pull that breaks asks the dispatcher to start over from the
//! floor: a delivery may have been lost on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callflume_core::dispatcher::{self, Input};
use callflume_core::event::ContentType;
use callflume_core::lane::{Lane, SubjectParts};
use callflume_jetstream::consumer::AccountConsumer;
use callflume_jetstream::delivery::{AckToken, Delivery};
use callflume_jetstream::floor::Floor;
use callflume_jetstream::pull::PullError;
use tokio::sync::mpsc;

/// How long one pull request stands. Shorter than any lease, so that what a frozen owner asked for is void before its
/// successor starts.
const PULL_EXPIRES: Duration = Duration::from_millis(2_500);
/// Pause after a pull that the broker did not serve, so that an election isn't met with a storm of requests.
const PAUSE: Duration = Duration::from_millis(500);

/// What a lane's task is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Pull { count: usize, bytes: usize },
    Resync { floor: u64 },
}

/// An unsettled message: what acknowledges it, and what a dead letter needs of it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) ack: AckToken,
    pub(crate) delivery: Arc<Delivery>,
}

/// The unsettled messages of a lane by sequence; as many as the dispatcher holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldMessages(Arc<Mutex<BTreeMap<u64, Held>>>);

impl HeldMessages {
    fn insert(&self, delivery: Delivery) {
        let held = Held {
            ack: delivery.ack.clone(),
            delivery: Arc::new(delivery),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(held.delivery.stream_seq, held);
    }

    pub(crate) fn find(&self, seq: u64) -> Option<Held> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&seq)
            .cloned()
    }

    pub(crate) fn remove(&self, seq: u64) -> Option<Held> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&seq)
    }
}

/// Runs until `commands` closes.
pub(crate) async fn run(
    lane: Lane,
    consumer: AccountConsumer,
    held: HeldMessages,
    mut commands: mpsc::UnboundedReceiver<Command>,
    inputs: mpsc::Sender<Input>,
) {
    let mut next = commands.recv().await;
    while let Some(command) = next.take() {
        let input = match command {
            Command::Resync { floor } => {
                if let Err(error) = consumer.reset(Floor::at(floor)).await {
                    tracing::warn!(%lane, account = %consumer.account(), %error, "a consumer could not be set back; trying again");
                    tokio::time::sleep(PAUSE).await;
                    next = Some(Command::Resync { floor });
                    continue;
                }
                Input::Resynced(lane)
            }
            Command::Pull { count, bytes } => tokio::select! {
                // A resync drops the pull: the broker withdraws what it hasn't sent.
                later = commands.recv() => {
                    next = later;
                    continue;
                }
                ended = pull(lane, &consumer, &held, &inputs, count, bytes) => match ended {
                    Ended::Whole => Input::PullEnded(lane),
                    Ended::Broken => Input::Reconnected,
                    Ended::Closed => return,
                },
            },
        };
        let broken = matches!(input, Input::Reconnected);
        if inputs.send(input).await.is_err() {
            return;
        }
        if broken && inputs.send(Input::PullEnded(lane)).await.is_err() {
            return;
        }
        next = commands.recv().await;
    }
}

enum Ended {
    Whole,
    Broken,
    Closed,
}

async fn pull(
    lane: Lane,
    consumer: &AccountConsumer,
    held: &HeldMessages,
    inputs: &mpsc::Sender<Input>,
    count: usize,
    bytes: usize,
) -> Ended {
    let failed = async |error: PullError| {
        tracing::debug!(%lane, account = %consumer.account(), %error, "a pull broke");
        tokio::time::sleep(PAUSE).await;
        match error {
            PullError::NoResponder | PullError::Interrupted(_) | PullError::Refused(_) => {
                Ended::Whole
            }
            PullError::Disconnected
            | PullError::Silent
            | PullError::ConsumerDeleted
            | PullError::Failed(_) => Ended::Broken,
        }
    };
    let mut pull = match consumer.pull(count, bytes, PULL_EXPIRES).await {
        Ok(pull) => pull,
        Err(error) => return failed(error).await,
    };
    while let Some(next) = pull.next().await {
        match next {
            Ok(delivery) => {
                let input = Input::Delivered(delivered(lane, &delivery));
                held.insert(delivery);
                if inputs.send(input).await.is_err() {
                    return Ended::Closed;
                }
            }
            Err(error) => return failed(error).await,
        }
    }
    Ended::Whole
}

fn delivered(lane: Lane, delivery: &Delivery) -> dispatcher::Delivery {
    dispatcher::Delivery {
        lane,
        seq: delivery.stream_seq,
        consumer_seq: delivery.consumer_seq,
        pending: delivery.pending,
        kind: SubjectParts::parse(&delivery.subject)
            .map(|parts| parts.kind)
            .unwrap_or_default(),
        // A replayed dead letter has a message id of its own; the event's is in a header.
        msg_id: delivery
            .replay_of
            .clone()
            .or_else(|| delivery.msg_id.clone()),
        content_type: ContentType::of_header(delivery.content_type.as_deref()),
        payload: delivery.payload.to_vec(),
    }
}
