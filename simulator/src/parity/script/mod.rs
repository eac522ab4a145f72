//! The script: behaviours of the broker that Callflume rests on, each told in lines.
//!
//! Never says how long something took; only that it did not come before its time, with [`EARLY_MS`] for the rounding of
//! two clocks. Each behaviour has streams of its own, so that none depends on another.

mod delivering;
mod keys;
mod storing;

use super::{BrokerLike, Failure, Holds, Outgoing, Pulled, Refused};
use crate::virtual_time::broker::{
    ConsumerConfig, Pull, PullEnd, Stored, StreamConfig, Watched, header,
};

/// How much earlier than its time something may seem to come, milliseconds: both clocks are read in whole ones.
pub const EARLY_MS: u64 = 2;
/// How long a pull that will be filled may wait, milliseconds: longer than any machine stands still.
const LONG_MS: u64 = 20_000;
/// How long a pull waits that gets what there is and no more, milliseconds.
const SOME_MS: u64 = 1_000;
/// How long a pull waits that gets nothing, milliseconds.
const SHORT_MS: u64 = 200;

/// What a broker did, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The lines.
    pub lines: Vec<String>,
    /// How many behaviours they are about.
    pub behaviours: usize,
}

/// Runs all behaviours on a broker that has no streams.
pub async fn run(broker: &mut impl BrokerLike) -> Result<Told, Failure> {
    let mut script = Script {
        broker,
        told: Told::default(),
    };
    storing::run(&mut script).await?;
    delivering::run(&mut script).await?;
    keys::run(&mut script).await?;
    Ok(script.told)
}

struct Script<'a, B> {
    broker: &'a mut B,
    told: Told,
}

/// A stream with nothing special about it.
fn plain(name: &str) -> StreamConfig {
    StreamConfig {
        name: name.to_owned(),
        subjects: vec![format!("{name}.>")],
        max_bytes: None,
        max_message_bytes: None,
        per_subject: None,
        duplicate_window_ms: 60_000,
        allow_ttl: false,
        marker_ttl_ms: None,
    }
}

/// The consumer `c` of a stream's messages under `filter`; nothing comes again by itself within the script.
fn patient(filter: &str) -> ConsumerConfig {
    ConsumerConfig {
        name: "c".to_owned(),
        filter: filter.to_owned(),
        ack_wait_ms: 600_000,
        max_ack_pending: 1_000,
    }
}

/// A pull of so many messages that will come.
const fn sure(messages: usize) -> Pull {
    Pull {
        messages,
        bytes: None,
        expires_ms: LONG_MS,
    }
}

/// A pull that gets what there is and then waits in vain.
const fn some(messages: usize) -> Pull {
    Pull {
        messages,
        bytes: None,
        expires_ms: SOME_MS,
    }
}

/// A pull that gets nothing.
const fn brief(messages: usize) -> Pull {
    Pull {
        messages,
        bytes: None,
        expires_ms: SHORT_MS,
    }
}

fn message(subject: &str, body: &str) -> Outgoing {
    Outgoing {
        subject: subject.to_owned(),
        body: body.to_owned(),
        headers: Vec::new(),
    }
}

fn with(mut message: Outgoing, name: &'static str, value: impl ToString) -> Outgoing {
    message.headers.push((name, value.to_string()));
    message
}

fn stored(answer: &Result<Stored, Refused>) -> String {
    match answer {
        Ok(Stored {
            seq,
            duplicate: false,
        }) => format!("stored as {seq}"),
        Ok(Stored { seq, .. }) => format!("duplicate of {seq}"),
        Err(number) => format!("refused {number}"),
    }
}

fn pulled(pulled: &Pulled) -> String {
    let messages: Vec<String> = pulled
        .messages
        .iter()
        .map(|came| {
            format!(
                "{} (message {}, delivery {}, time {}, {} to come)",
                came.body, came.seq, came.consumer_seq, came.count, came.pending
            )
        })
        .collect();
    let end = match pulled.end {
        PullEnd::Full => "full",
        PullEnd::Expired => "expired",
        PullEnd::Bytes => "out of bytes",
    };
    format!("[{}] {end}", messages.join(", "))
}

fn holds(holds: &Holds) -> String {
    match holds {
        Holds::Never => "never".to_owned(),
        Holds::Marker(revision) => format!("marker {revision}"),
        Holds::Value(value, revision) => format!("{value} {revision}"),
    }
}

fn written(answer: &Result<u64, Refused>) -> String {
    match answer {
        Ok(revision) => format!("revision {revision}"),
        Err(number) => format!("refused {number}"),
    }
}

fn watched(told: &Watched) -> String {
    match told {
        Watched::UpToDate => "up to date".to_owned(),
        Watched::Change(change) => {
            let value = change
                .value
                .as_ref()
                .map_or("-".into(), |value| String::from_utf8_lossy(value));
            format!("{} = {value} ({})", change.key, change.revision)
        }
    }
}

impl<B: BrokerLike> Script<'_, B> {
    fn behaviour(&mut self, name: &str) {
        self.told.behaviours += 1;
        self.told.lines.push(format!("# {name}"));
    }

    fn say(&mut self, line: impl Into<String>) {
        self.told.lines.push(line.into());
    }

    /// Says whether something came before its time. Only ever "no" on a broker that keeps its word.
    fn not_before(&mut self, what: &str, since_ms: u64, at_ms: u64, least_ms: u64) {
        let kept = at_ms.saturating_sub(since_ms) + EARLY_MS >= least_ms;
        let word = if kept {
            "not before".to_owned()
        } else {
            // The number makes the lines differ, and says by how much.
            format!("already {} ms, before", at_ms.saturating_sub(since_ms))
        };
        self.say(format!("{what}: {word} {least_ms} ms"));
    }

    async fn publish(&mut self, outgoing: &Outgoing) -> Result<(), Failure> {
        let answer = self.broker.publish(outgoing).await?;
        self.say(format!("publish {}: {}", outgoing.body, stored(&answer)));
        Ok(())
    }

    /// Publishes `<prefix>1`, `<prefix>2` … without a word.
    async fn publish_many(
        &mut self,
        subject: &str,
        prefix: &str,
        count: usize,
    ) -> Result<(), Failure> {
        for number in 1..=count {
            let outgoing = message(subject, &format!("{prefix}{number}"));
            self.broker
                .publish(&outgoing)
                .await?
                .map_err(|number| Failure::new("publishing", number))?;
        }
        Ok(())
    }

    /// Publishes without a word.
    async fn deliver(&mut self, outgoing: &Outgoing) -> Result<(), Failure> {
        self.broker
            .publish(outgoing)
            .await?
            .map(drop)
            .map_err(|number| Failure::new(format!("publishing {}", outgoing.body), number))
    }

    async fn pull(&mut self, stream: &str, pull: Pull) -> Result<Pulled, Failure> {
        let came = self.broker.pull(stream, "c", pull, &[]).await?;
        self.say(format!("pull: {}", pulled(&came)));
        Ok(came)
    }

    async fn ack(&mut self, stream: &str, came: &Pulled, place: usize) -> Result<(), Failure> {
        let message = came
            .messages
            .get(place)
            .ok_or_else(|| Failure::new("an acknowledgement", "there is no such message"))?;
        self.broker.ack(stream, "c", message).await?;
        let line = format!("ack {}: confirmed", message.body);
        self.say(line);
        Ok(())
    }

    async fn consumer(&mut self, stream: &str) -> Result<(), Failure> {
        let state = self.broker.consumer_state(stream, "c").await?;
        self.say(format!(
            "consumer: {} to come, {} out, floor {}",
            state.pending, state.ack_pending, state.ack_floor
        ));
        Ok(())
    }

    async fn stream(&mut self, stream: &str) -> Result<(), Failure> {
        let state = self.broker.stream_state(stream).await?;
        self.say(format!(
            "stream: {} messages, {} bytes, {} to {}",
            state.messages, state.bytes, state.first_seq, state.last_seq
        ));
        Ok(())
    }

    async fn purge(&mut self, stream: &str, filter: &str, below: u64) -> Result<(), Failure> {
        let purged = self.broker.purge(stream, filter, below).await?;
        self.say(format!("purge {filter} below {below}: {purged}"));
        Ok(())
    }
}

/// A message with an id.
fn identified(subject: &str, body: &str, id: &str) -> Outgoing {
    with(message(subject, body), header::MESSAGE_ID, id)
}
