//! A CRM's door with nothing behind it: answers HubSpot's batch writes as fast as it can.
//!
//! For throughput, where the model of HubSpot would be measured instead of the product: every write is answered as done,
//! input by input, over connections that stay open; nothing is kept but two counts. It has no limits and no faults, holds
//! no records, and refuses what is no batch write (404): a bench that reads or searches needs the model.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Largest request that is taken, bytes: a batch of 100 events of the largest size stays far below.
const REQUEST_BYTES_MAX: usize = 32 << 20;

/// What was answered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answered {
    /// Requests.
    pub requests: u64,
    /// Inputs of batches: effects.
    pub effects: u64,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    effects: AtomicU64,
    next_id: AtomicU64,
}

/// A listening door; closed when dropped.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    counts: Arc<Counts>,
    listening: JoinHandle<()>,
}

impl Door {
    /// Listens on a free port of the loopback.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::<Counts>::default();
        let shared = counts.clone();
        let listening = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                // A connection that can't be accepted is its client's to repeat.
                if let Ok((stream, _)) = listener.accept().await {
                    let counts = shared.clone();
                    // A connection that breaks is its client's to notice.
                    connections.spawn(async move { drop(serve(stream, &counts).await) });
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            counts,
            listening,
        })
    }

    /// Base address, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was answered so far.
    pub fn answered(&self) -> Answered {
        Answered {
            requests: self.counts.requests.load(Ordering::Relaxed),
            effects: self.counts.effects.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Answers one connection's requests, one after the other, until it is closed.
async fn serve(mut stream: TcpStream, counts: &Counts) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received: Vec<u8> = Vec::with_capacity(64 << 10);
    loop {
        let Some(head) = Head::read(&received)? else {
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let end = head.bytes + head.body_bytes;
        while received.len() < end {
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        }
        let body = received.get(head.bytes..end).unwrap_or_default();
        let answer = answer(head.verb, body, counts);
        stream.write_all(&answer).await?;
        received.drain(..end);
    }
}

/// A batch write, by the last segment of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Upsert,
}

/// What matters of a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    verb: Option<Verb>,
    /// Length of the head with its empty line.
    bytes: usize,
    body_bytes: usize,
}

impl Head {
    /// The head at the start of what was received, once it is there as a whole.
    fn read(received: &[u8]) -> std::io::Result<Option<Self>> {
        let refuse = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
            if received.len() > REQUEST_BYTES_MAX {
                return Err(refuse("a request's head does not end"));
            }
            return Ok(None);
        };
        let text = received
            .get(..end)
            .and_then(|head| std::str::from_utf8(head).ok())
            .ok_or_else(|| refuse("a request's head is not text"))?;
        let mut lines = text.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, path) = (
            first.next().unwrap_or_default(),
            first.next().unwrap_or_default(),
        );
        let mut body_bytes = 0;
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = value
                    .trim()
                    .parse()
                    .map_err(|_| refuse("a request's length is no number"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(refuse("a request in chunks is not understood"));
            }
        }
        if body_bytes > REQUEST_BYTES_MAX {
            return Err(refuse("a request is too long"));
        }
        let verb = match path.rsplit_once("/batch/") {
            Some((_, "create")) => Some(Verb::Create),
            Some((_, "update")) => Some(Verb::Update),
            Some((_, "upsert")) => Some(Verb::Upsert),
            _ => None,
        };
        Ok(Some(Self {
            verb: verb.filter(|_| method == "POST"),
            bytes: end + 4,
            body_bytes,
        }))
    }
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    inputs: Vec<Input<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    /// The record's, of an update by id.
    id: Option<&'a str>,
    object_write_trace_id: Option<&'a str>,
}

/// The whole answer to a request.
fn answer(verb: Option<Verb>, body: &[u8], counts: &Counts) -> Vec<u8> {
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let Some(verb) = verb else {
        return response(
            404,
            br#"{"status":"error","message":"only batch writes","category":"OBJECT_NOT_FOUND"}"#,
        );
    };
    let Ok(batch) = serde_json::from_slice::<Batch<'_>>(body) else {
        return response(
            400,
            br#"{"status":"error","message":"Invalid JSON input","category":"VALIDATION_ERROR"}"#,
        );
    };
    let count = batch.inputs.len() as u64;
    let first_id = counts.next_id.fetch_add(count, Ordering::Relaxed) + 1;
    let mut text = String::with_capacity(64 + batch.inputs.len() * 80);
    text.push_str(r#"{"status":"COMPLETE","results":["#);
    for (place, input) in batch.inputs.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(r#"{"id":""#);
        match (verb, input.id) {
            (Verb::Update, Some(id)) => text.push_str(id),
            _ => text.push_str(&(first_id + place as u64).to_string()),
        }
        text.push_str(r#"","properties":{}"#);
        if let Some(trace) = input.object_write_trace_id {
            text.push_str(r#","objectWriteTraceId":""#);
            text.push_str(trace);
            text.push('"');
        }
        text.push('}');
    }
    text.push_str("]}");
    counts.effects.fetch_add(count, Ordering::Relaxed);
    let status = if verb == Verb::Update { 200 } else { 201 };
    response(status, text.as_bytes())
}

fn response(status: u16, body: &[u8]) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        _ => "Not Found",
    };
    let mut answer = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

#[cfg(test)]
mod tests {
    use callflume_core::effect::{Field, Fields, Object, Value};
    use callflume_core::vendor::{Answer, Item, ItemOutcome, Operation, Verb as Wanted};

    use super::*;

    fn operation(verb: Wanted, items: u64) -> Operation {
        let items = (1..=items)
            .map(|number| Item {
                trace: number,
                key: format!("e-{number}"),
                crm_id: Some(format!("4{number}")),
                fields: Fields::from([(Field::Text, Value::Text("A note".to_owned()))]),
                contact: Some("77".to_owned()),
                email: None,
                phone: None,
                stamp: false,
            })
            .collect();
        Operation {
            verb,
            object: Object::Note,
            items,
            after: None,
        }
    }

    async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Answer {
        stream.write_all(request).await.unwrap();
        let mut received = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "closed");
            let text = String::from_utf8(received.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .unwrap()
                .parse()
                .unwrap();
            if body.len() == length {
                return Answer::Response {
                    status: head.split(' ').nth(1).unwrap().parse().unwrap(),
                    headers: Vec::new(),
                    body: body.as_bytes().to_vec(),
                };
            }
        }
    }

    #[tokio::test]
    async fn every_item_of_a_batch_is_done_as_the_connector_reads_it_on_one_connection() {
        let door = Door::open().await.unwrap();
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        let vendor = callflume_crm::vendor("hubspot", &callflume_crm::Settings::default()).unwrap();
        let mut expected = Answered::default();
        for (verb, items) in [
            (Wanted::Create, 1),
            (Wanted::Create, 100),
            (Wanted::UpdateById, 7),
            (Wanted::UpsertByKey, 2),
            (Wanted::UpdateByKey, 3),
        ] {
            let operation = operation(verb, items);
            let http = vendor.request(&operation);
            let body = http.body.unwrap();
            let mut request = format!(
                "POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
                http.path,
                body.len()
            )
            .into_bytes();
            request.extend_from_slice(&body);
            let answer = exchange(&mut stream, &request).await;
            let meaning = vendor.interpret(&operation, &answer);
            assert_eq!(meaning.items.len() as u64, items);
            for (item, outcome) in operation.items.iter().zip(&meaning.items) {
                let ItemOutcome::Done { crm_id } = outcome else {
                    panic!("{verb:?}: {outcome:?}");
                };
                if verb == Wanted::UpdateById {
                    assert_eq!(Some(crm_id), item.crm_id.as_ref());
                }
            }
            expected.requests += 1;
            expected.effects += items;
            assert_eq!(door.answered(), expected);
        }
    }

    #[tokio::test]
    async fn what_is_no_batch_write_is_refused_and_no_effect() {
        let door = Door::open().await.unwrap();
        for (request, status) in [
            ("GET /crm/v3/objects/contacts HTTP/1.1\r\n\r\n", 404),
            (
                "POST /crm/v3/objects/contacts/search HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
                404,
            ),
            (
                "POST /crm/v3/objects/notes/batch/create HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
                400,
            ),
        ] {
            let mut stream = TcpStream::connect(door.address).await.unwrap();
            let Answer::Response { status: found, .. } =
                exchange(&mut stream, request.as_bytes()).await
            else {
                panic!("no answer");
            };
            assert_eq!(found, status, "{request}");
        }
        assert_eq!(door.answered().effects, 0);
    }
}
