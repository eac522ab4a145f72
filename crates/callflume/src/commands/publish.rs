//! `publish`: documents to events, events to the broker, a receipt for each.
//!
//! Decides what of a document is an event, and what becomes of the neighbours of one that is none: they go on. Reading
//! stops only when the broker is the trouble: what comes after would fare no better. Order of input is order of
//! publishing within a call. No text printed here repeats a value of an event.

use std::fs::File;
use std::io::{self, BufReader};

use callflume_client::{PublishError, Publisher, Receipt};
use callflume_core::account::AccountId;
use callflume_core::codes::{self, Code};
use callflume_core::event::{BadEvent, ContentType, Draft, Event, EventId, decode, usual_lane};
use callflume_core::lane::Lane;
use callflume_core::voice::vapi;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};

use super::Session;
use crate::cli::{Format, Publish};
use crate::documents::{self, Document};
use crate::failure::{Exit, Failure, remedy_of, without_code};
use crate::output;
use crate::progress::Progress;
use crate::signals::Signals;

/// Documents under way at a time. A report has at most three events, each published at most twice, which together
/// stay below what the client lets wait.
const AT_A_TIME: usize = 128;

/// Documents read before they can be published.
const READ_AHEAD: usize = 16;

/// What became of one event, or of a document that gave none.
enum Outcome {
    Stored {
        lane: Lane,
        id: EventId,
        kind: String,
        receipt: Receipt,
    },
    /// Not stored; publishing it again as it is would end the same.
    Refused(Code, String),
    /// Not stored, or not known to be, because of the broker.
    Failed(PublishError),
    /// Nothing to publish, for this reason.
    Ignored(String),
}

pub(super) async fn run(session: &Session, args: &Publish) -> anyhow::Result<Exit> {
    if args.format == Format::Vapi && args.lane.is_some() {
        return Err(Failure::usage(
            "--lane can't be used with --format vapi",
            "leave it out: each event of a report has its lane",
        )
        .into());
    }
    let input = open(args)?;
    let configuration = session.configuration()?;
    let connecting = Publisher::connect(configuration.publisher()?);
    let publisher = Progress::new()
        .during("connecting to the broker", connecting)
        .await?;
    let mut signals = Signals::listen()?;

    let (send, mut read) = mpsc::channel::<io::Result<Document>>(READ_AHEAD);
    tokio::task::spawn_blocking(move || {
        let ended = documents::read(input, |document| send.blocking_send(Ok(document)).is_ok());
        if let Err(error) = ended
            && send.blocking_send(Err(error)).is_err()
        {
            tracing::debug!("nobody waits for the input any more");
        }
    });
    let (stop, mut stopped) = watch::channel(false);
    let documents = futures_util::stream::poll_fn(move |context| read.poll_recv(context));
    let outcomes = documents
        .take_until(async move { stopped.wait_for(|stop| *stop).await.is_ok() })
        .map(|document| treat(&publisher, args, document))
        .buffered(AT_A_TIME);
    tokio::pin!(outcomes);

    let mut tally = Tally::default();
    let mut progress = Progress::beside_lines();
    let mut interrupted = false;
    loop {
        tokio::select! {
            next = outcomes.next() => {
                let Some(treated) = next else { break };
                let (line, outcomes) = treated?;
                for outcome in outcomes {
                    show(session, line, &outcome)?;
                    if tally.count(line, &outcome) {
                        stop.send_replace(true);
                    }
                }
                progress.step(|| tally.text());
            }
            () = signals.next() => {
                if interrupted {
                    break;
                }
                // What is under way is waited for: its outcome would be unknown otherwise.
                interrupted = true;
                stop.send_replace(true);
            }
        }
    }
    drop(progress);
    tally.end(session, interrupted)
}

fn open(args: &Publish) -> Result<Box<dyn io::BufRead + Send>, Failure> {
    if args.file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    match File::open(&args.file) {
        Ok(file) => Ok(Box::new(BufReader::new(file))),
        Err(error) => Err(Failure::usage(
            format!("{}: {error}", args.file.display()),
            "name a readable file, or - for stdin",
        )),
    }
}

/// All outcomes of a document, in order.
async fn treat(
    publisher: &Publisher,
    args: &Publish,
    document: io::Result<Document>,
) -> anyhow::Result<(u64, Vec<Outcome>)> {
    let document = document.map_err(|error| {
        Failure::plain(
            Exit::Failed,
            format!("{} can't be read on: {error}", args.file.display()),
            "correct that and publish the same input again: what is stored already is recognised",
        )
    })?;
    let line = document.line;
    let events = match events(args, &document) {
        Ok(Ok(events)) => events,
        Ok(Err(reason)) => return Ok((line, vec![Outcome::Ignored(reason)])),
        Err(bad) => return Ok((line, vec![Outcome::Refused(bad.code, bad.text)])),
    };
    let times = if args.twice { 2 } else { 1 };
    // Begun in this order, and the client keeps the order within a call.
    let attempts = events
        .into_iter()
        .flat_map(|event| std::iter::repeat_n(event, times))
        .map(|(lane, event)| publish(publisher, &args.account, lane, event));
    Ok((line, join_all(attempts).await))
}

async fn publish(publisher: &Publisher, account: &AccountId, lane: Lane, event: Event) -> Outcome {
    match publisher.publish(account, lane, &event).await {
        Ok(receipt) => Outcome::Stored {
            lane,
            id: event.id,
            kind: event.kind,
            receipt,
        },
        Err(error) => match Exit::of(error.code()) {
            Exit::Refused => {
                let code = error.code();
                Outcome::Refused(code, without_code(code, &error.to_string()))
            }
            _ => Outcome::Failed(error),
        },
    }
}

type Events = Vec<(Lane, Event)>;

/// The events of a document, or why it has none.
fn events(args: &Publish, document: &Document) -> Result<Result<Events, String>, BadEvent> {
    let Some(bytes) = &document.bytes else {
        return Err(BadEvent {
            code: codes::PUBLISH_TOO_LARGE,
            text: format!("longer than {}", output::bytes(documents::BYTES_MAX as u64)),
        });
    };
    match args.format {
        Format::Event => {
            let event = event(&args.account, bytes)?;
            let lane = event
                .0
                .or(args.lane)
                .unwrap_or_else(|| usual_lane(&event.1.kind));
            Ok(Ok(vec![(lane, event.1)]))
        }
        Format::Vapi => {
            let mapped = vapi::read(bytes).map_err(|bad| BadEvent {
                code: bad.code,
                text: bad.text,
            })?;
            if let Some(reason) = mapped.ignored {
                return Ok(Err(reason));
            }
            let events = mapped.events.into_iter();
            Ok(Ok(events
                .map(|(lane, draft)| (lane, draft.into_event(&args.account)))
                .collect()))
        }
    }
}

/// An event with its lane, if the document names one; `v` and `id` are filled in.
fn event(account: &AccountId, bytes: &[u8]) -> Result<(Option<Lane>, Event), BadEvent> {
    let unreadable = |text: String| BadEvent {
        code: codes::EVENT_UNREADABLE,
        text,
    };
    let mut fields: Map<String, Value> = match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(unreadable("not a map of named fields".to_owned())),
        Err(error) => {
            return Err(unreadable(format!(
                "not JSON (line {} of the document, column {})",
                error.line(),
                error.column()
            )));
        }
    };
    let lane = match fields.remove("lane") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| BadEvent {
                    code: codes::EVENT_FIELD_INVALID,
                    text: "`lane` can't be used: `op` or `en`".to_owned(),
                })?,
        ),
    };
    fields
        .entry("v")
        .or_insert_with(|| callflume_core::event::VERSION.into());
    let computed = fields.get("id").is_none_or(Value::is_null);
    let bytes = Value::Object(fields).to_string().into_bytes();
    // Any id does for the reading; the real one follows from what was read.
    let event = decode(&bytes, ContentType::Json, computed.then_some("computed"))?;
    if !computed {
        return Ok((lane, event));
    }
    let draft = Draft {
        call_id: event.call_id,
        kind: event.kind,
        at: event.at,
        revision: event.revision,
        contact: event.contact,
        body: event.body,
    };
    Ok((lane, draft.into_event(account)))
}

fn show(session: &Session, line: u64, outcome: &Outcome) -> anyhow::Result<()> {
    let problem = |word: &str, code: Code, text: &str, may_be_stored: bool| {
        let data = json!({
            "line": line,
            "outcome": word,
            "may_be_stored": may_be_stored,
            "error": {"code": code, "text": text},
        });
        if session.output.json() {
            session.output.data(&data, String::new)
        } else {
            output::note(&format!(
                "line {line}: {} {text}",
                output::red(&format!("error {code}:"))
            ));
            Ok(())
        }
    };
    match outcome {
        Outcome::Stored {
            lane,
            id,
            kind,
            receipt,
        } => {
            let word = if receipt.duplicate {
                "duplicate"
            } else {
                "stored"
            };
            let data = json!({
                "line": line,
                "outcome": word,
                "stream": receipt.stream,
                "sequence": receipt.sequence,
                "id": id,
                "kind": kind,
                "lane": lane,
                "attempts": receipt.attempts,
            });
            session.output.data(&data, || {
                format!(
                    "{word:<9}  {} {}  {}  {}",
                    receipt.stream, receipt.sequence, id, kind
                )
            })
        }
        Outcome::Refused(code, text) => problem("refused", *code, text, false),
        Outcome::Failed(error) => {
            let text = without_code(error.code(), &error.to_string());
            problem("failed", error.code(), &text, error.may_be_stored())
        }
        Outcome::Ignored(reason) => {
            if session.output.json() {
                let data = json!({"line": line, "outcome": "ignored", "reason": reason});
                session.output.data(&data, String::new)
            } else {
                output::note(&format!("line {line}: ignored: {reason}"));
                Ok(())
            }
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    stored: u64,
    duplicates: u64,
    refused: u64,
    failed: u64,
    ignored: u64,
    last_line: u64,
    /// The broker's first trouble.
    trouble: Option<Code>,
}

impl Tally {
    /// Counts; says whether reading on makes no sense.
    fn count(&mut self, line: u64, outcome: &Outcome) -> bool {
        self.last_line = line;
        match outcome {
            Outcome::Stored { receipt, .. } if receipt.duplicate => self.duplicates += 1,
            Outcome::Stored { .. } => self.stored += 1,
            Outcome::Refused(..) => self.refused += 1,
            Outcome::Ignored(_) => self.ignored += 1,
            Outcome::Failed(error) => {
                self.failed += 1;
                self.trouble.get_or_insert(error.code());
                return true;
            }
        }
        false
    }

    fn text(&self) -> String {
        [
            (self.stored, "stored"),
            (self.duplicates, "stored before"),
            (self.refused, "refused"),
            (self.failed, "failed"),
            (self.ignored, "ignored"),
        ]
        .into_iter()
        .filter(|(count, word)| *count > 0 || *word == "stored")
        .map(|(count, word)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", ")
    }

    fn end(&self, session: &Session, interrupted: bool) -> anyhow::Result<Exit> {
        if !session.output.json() {
            output::note(&self.text());
        }
        let again = "publish the same input again: what is stored already is recognised";
        if interrupted {
            return Err(Failure::plain(
                Exit::Interrupted,
                format!("interrupted after line {}", self.last_line),
                again,
            )
            .into());
        }
        if let Some(code) = self.trouble {
            return Err(Failure::coded(
                code,
                format!(
                    "stopped after line {} because of the broker",
                    self.last_line
                ),
                format!("{}; then {again}", remedy_of(code)),
            )
            .into());
        }
        Ok(if self.refused > 0 {
            Exit::Refused
        } else {
            Exit::Done
        })
    }
}
