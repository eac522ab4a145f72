//! `dead list` and `dead show`: what could not be written, and why.
//!
//! Shows what is said about a letter freely; the event in it only on request, since it may hold personal data.

use std::io::Write as _;

use callflume_core::event::ContentType;
use callflume_core::lane::SubjectParts;
use callflume_jetstream::dead::{DeadFilter, DeadLetters, ListFrom, StoredDeadLetter};
use serde_json::{Value, json};

use super::absent;
use crate::cli::{DeadList, DeadShow};
use crate::commands::Session;
use crate::failure::Exit;
use crate::output::{instant, row, table};
use crate::progress::Progress;

pub(super) async fn list(
    session: &Session,
    letters: &DeadLetters,
    args: &DeadList,
) -> anyhow::Result<Exit> {
    let filter = DeadFilter {
        lane: args.lane,
        account: args.account.clone(),
        code: args.code,
    };
    let from = args.from.map_or(ListFrom::Newest, ListFrom::Sequence);
    let found = Progress::new()
        .during(
            "reading dead letters",
            letters.list(&filter, from, args.limit as usize),
        )
        .await?;
    if session.output.json() {
        for letter in &found {
            session.output.data(&about(letter), String::new)?;
        }
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        session.output.say("no dead letters")?;
        return Ok(Exit::Done);
    }
    let mut rows = vec![row([
        "SEQ", "SINCE", "LANE", "ACCOUNT", "KIND", "CODE", "TRIES", "CAUSE",
    ])];
    rows.extend(found.iter().map(|stored| {
        let letter = &stored.letter;
        row([
            &stored.seq.to_string(),
            &instant(letter.at.0),
            letter.lane.token(),
            letter.account.as_str(),
            &kind(stored),
            &letter.code,
            &letter.attempts.to_string(),
            &letter.cause,
        ])
    }));
    session.output.say(&table(&rows))?;
    Ok(Exit::Done)
}

pub(super) async fn show(
    session: &Session,
    letters: &DeadLetters,
    args: &DeadShow,
) -> anyhow::Result<Exit> {
    let Some(stored) = letters.show(args.seq).await? else {
        return Err(absent(&[args.seq]).into());
    };
    if args.raw {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&stored.letter.payload)?;
        stdout.flush()?;
        return Ok(Exit::Done);
    }
    let mut data = about(&stored);
    if args.body {
        data["body"] = readable(&stored);
    }
    session.output.data(&data, || {
        let letter = &stored.letter;
        let mut rows = vec![
            row(["sequence", &stored.seq.to_string()]),
            row(["code", &titled(&letter.code)]),
            row(["cause", &letter.cause]),
            row(["since", &instant(letter.at.0)]),
            row(["account", letter.account.as_str()]),
            row(["lane", letter.lane.token()]),
            row(["kind", &kind(&stored)]),
            row([
                "effect",
                letter.effect.as_deref().unwrap_or("the whole event"),
            ]),
            row(["attempts", &letter.attempts.to_string()]),
            row(["event id", letter.event_id.as_deref().unwrap_or("-")]),
            row(["subject", &letter.subject]),
            row(["stream sequence", &letter.stream_seq.to_string()]),
            row([
                "content type",
                letter.content_type.as_deref().unwrap_or("MessagePack"),
            ]),
            row(["traceparent", letter.traceparent.as_deref().unwrap_or("-")]),
            row(["body", &format!("{} bytes", letter.payload.len())]),
        ];
        rows.retain(|row| row.last().is_some_and(|cell| !cell.is_empty()));
        let text = table(&rows);
        if args.body {
            format!("{text}\n{:#}", data["body"])
        } else {
            text
        }
    })?;
    Ok(Exit::Done)
}

fn about(stored: &StoredDeadLetter) -> Value {
    let letter = &stored.letter;
    json!({
        "seq": stored.seq,
        "code": letter.code,
        "cause": letter.cause,
        "at": instant(letter.at.0),
        "stored": instant(stored.stored.0),
        "account": letter.account,
        "lane": letter.lane,
        "kind": kind(stored),
        "effect": letter.effect,
        "attempts": letter.attempts,
        "event_id": letter.event_id,
        "subject": letter.subject,
        "stream_seq": letter.stream_seq,
        "content_type": letter.content_type,
        "traceparent": letter.traceparent,
        "body_bytes": letter.payload.len(),
    })
}

fn kind(stored: &StoredDeadLetter) -> String {
    SubjectParts::parse(&stored.letter.subject).map_or_else(|| "-".to_owned(), |parts| parts.kind)
}

fn titled(code: &str) -> String {
    match callflume_core::codes::Code::find(code) {
        Some(known) => format!("{code}, {}", known.title()),
        None => code.to_owned(),
    }
}

/// The event as JSON; what is neither JSON nor MessagePack as hex digits.
fn readable(stored: &StoredDeadLetter) -> Value {
    let bytes = &stored.letter.payload;
    let parsed = match ContentType::of_header(stored.letter.content_type.as_deref()) {
        ContentType::Json => serde_json::from_slice(bytes).ok(),
        // Any text is a MessagePack number as well: only a map is taken for an event.
        ContentType::MessagePack => rmp_serde::from_slice::<Value>(bytes)
            .ok()
            .filter(Value::is_object),
    };
    parsed.unwrap_or_else(|| {
        let digits = bytes
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(digit.into(), 16));
        json!({ "hex": digits.collect::<String>() })
    })
}
