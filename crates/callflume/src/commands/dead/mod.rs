//! `dead`: looking at dead letters, replaying and dropping them.

mod discard;
mod look;
mod replay;

use callflume_jetstream::dead::{DeadLetters, StoredDeadLetter};
use serde_json::{Value, json};

use super::Session;
use crate::cli::Dead;
use crate::failure::{Exit, Failure};

pub(super) async fn run(session: &Session, command: &Dead) -> anyhow::Result<Exit> {
    let configuration = session.configuration()?;
    let broker = session.broker(&configuration).await?;
    let letters = DeadLetters::new(&broker);
    match command {
        Dead::List(args) => look::list(session, &letters, args).await,
        Dead::Show(args) => look::show(session, &letters, args).await,
        Dead::Replay(args) => replay::run(session, &broker, args).await,
        Dead::Drop(args) => discard::run(session, &letters, args).await,
    }
}

/// What happened to a letter, for programs.
fn outcome(seq: u64, stored: Option<&StoredDeadLetter>, outcome: &str) -> Value {
    let letter = stored.map(|stored| &stored.letter);
    json!({
        "seq": seq,
        "outcome": outcome,
        "account": letter.map(|letter| &letter.account),
        "code": letter.map(|letter| &letter.code),
        "event_id": letter.and_then(|letter| letter.event_id.as_ref()),
        "effect": letter.and_then(|letter| letter.effect.as_ref()),
    })
}

/// Which letter it is, for people.
fn named(stored: &StoredDeadLetter) -> String {
    let letter = &stored.letter;
    format!(
        "{} ({}, {} of {})",
        stored.seq,
        letter.code,
        letter.effect.as_deref().unwrap_or("the whole"),
        letter.event_id.as_deref().unwrap_or("an event without id"),
    )
}

/// The error that letters are not there.
fn absent(seqs: &[u64]) -> Failure {
    let seqs: Vec<String> = seqs.iter().map(u64::to_string).collect();
    Failure::plain(
        Exit::Failed,
        format!("there is no dead letter {}", seqs.join(", ")),
        "see `callflume dead list` for those that are there",
    )
}
