//! The examples in Python and JavaScript do what the contract says: the same ids as this project, bytes that a worker
//! reads, and a second run stores nothing.
//!
//! Their libraries are installed into the cache folder once, never into the source tree.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use callflume_core::account::AccountId;
use callflume_core::event::{ContentType, Event, decode};
use callflume_core::foreign::{
    Granted, PermitAsk, PermitReply, PermitSettle, Subject, Throttled, Wait,
};
use callflume_core::lane::Lane;
use callflume_core::lookup::{
    Empty, KnownContact, LOOKUP_ACCOUNTS, LookupAsk, LookupReply, Person,
};
use callflume_core::quota::Settlement;
use callflume_testkit::Server;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

const INSTALLED_WITHIN: Duration = Duration::from_secs(300);
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Vectors {
    ids: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    account: String,
    event: Value,
    id: String,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    id: String,
    stream: String,
    sequence: u64,
    duplicate: bool,
    attempts: u32,
}

/// A program that publishes the event on its standard input, less the arguments that say where.
struct Example {
    program: &'static str,
    arguments: Vec<PathBuf>,
    /// Where Python looks for libraries.
    python_path: Option<PathBuf>,
    /// Holds the copy of the program that runs.
    _folder: tempfile::TempDir,
}

/// Where the Python examples' libraries are.
async fn python_libraries() -> PathBuf {
    let source = examples().join("python");
    installed(&source, "python", &["requirements.txt"], async |folder| {
        run(
            "python3",
            "install Python 3.8 or newer with pip (Debian: apt-get install python3 python3-pip)",
            Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--no-input"])
                .args(["--disable-pip-version-check", "--requirement"])
                .arg(folder.join("requirements.txt"))
                .arg("--target")
                .arg(folder.join("libraries")),
        )
        .await;
    })
    .await
    .join("libraries")
}

#[tokio::test]
async fn python() {
    let source = examples().join("python");
    let libraries = python_libraries().await;
    let folder = tempfile::tempdir().unwrap();
    let program = copied(&source.join("publish.py"), folder.path());
    follows_the_contract(&Example {
        program: "python3",
        arguments: vec![program],
        python_path: Some(libraries),
        _folder: folder,
    })
    .await;
}

/// An owner and a CRM that play their parts once: the ask has to wait, then a permit, a request, a refusal of the CRM.
#[tokio::test]
async fn python_asks_for_a_permit_before_it_sends_and_says_what_came_of_it() {
    let libraries = python_libraries().await;
    let server = Server::start().await.unwrap();
    let owner = async_nats::connect(server.url()).await.unwrap();
    let account: AccountId = "acme".parse().unwrap();
    let mut asks = owner.subscribe(Subject::Ask.of(&account)).await.unwrap();
    let mut settlements = owner.subscribe(Subject::Settle.of(&account)).await.unwrap();
    owner.flush().await.unwrap();
    let crm = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/contacts?limit=1", crm.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let example = Command::new("python3")
        .arg(copied(
            &examples().join("python/ask_permit.py"),
            folder.path(),
        ))
        .args([
            &url,
            "--account",
            "acme",
            "--lane",
            "op",
            "--window",
            "search",
        ])
        .args(["--window", "daily", "--server", server.url()])
        .env("PYTHONPATH", libraries)
        .env("CRM_TOKEN", "word")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();

    let story = async {
        let wait = Wait {
            wait_ms: 20,
            window: "search".to_owned(),
        };
        let granted = Granted::new("p-1".to_owned(), 0, 3_000);
        for reply in [PermitReply::Wait(wait), PermitReply::Granted(granted)] {
            let message = asks.next().await.unwrap();
            let ask = PermitAsk::read(&message.payload).unwrap();
            assert_eq!(ask.lane, Lane::Op);
            let price: Vec<(&str, u32)> = ask
                .windows
                .iter()
                .map(|(name, cost)| (name.as_str(), *cost))
                .collect();
            assert_eq!(price, [("daily", 1), ("search", 1)]);
            let body = serde_json::to_vec(&reply).unwrap();
            let to = message.reply.unwrap();
            owner.publish(to, body.into()).await.unwrap();
        }
        let (mut request, _) = crm.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(request.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("GET /contacts?limit=1 "), "{head}");
        assert!(head.contains("Authorization: Bearer word"), "{head}");
        let answer = "HTTP/1.1 429 Too Many\r\nX-Left: 0\r\nContent-Length: 0\r\n\r\n";
        request.write_all(answer.as_bytes()).await.unwrap();
        let settle = settlements.next().await.unwrap();
        PermitSettle::read(&settle.payload).unwrap()
    };
    let (output, settle) = timeout(PUBLISHED_WITHIN, async {
        tokio::join!(example.wait_with_output(), story)
    })
    .await
    .unwrap();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        (settle.permit.as_str(), settle.outcome),
        ("p-1", Settlement::Answered)
    );
    assert_eq!(settle.throttled, Some(Throttled::default()));
    assert_eq!(settle.headers.get("X-Left").map(String::as_str), Some("0"));
}

/// A worker that plays its part: unknown, then known.
#[tokio::test]
async fn python_asks_who_calls_and_says_what_it_heard() {
    let libraries = python_libraries().await;
    let server = Server::start().await.unwrap();
    let worker = async_nats::connect(server.url()).await.unwrap();
    let mut asks = worker.subscribe(LOOKUP_ACCOUNTS).await.unwrap();
    worker.flush().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let example = Command::new("python3")
        .arg(copied(
            &examples().join("python/who_calls.py"),
            folder.path(),
        ))
        .args(["--account", "acme", "--phone", "+12025550143"])
        .args(["--again", "0", "--within", "60", "--server", server.url()])
        .env("PYTHONPATH", libraries)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let known = LookupReply::Known(KnownContact {
        crm_id: "901".to_owned(),
        ..KnownContact::default()
    });
    let story = async {
        for reply in [LookupReply::Unknown(Empty {}), known.clone()] {
            let message = asks.next().await.unwrap();
            let account = message.subject.rsplit('.').next().unwrap().parse().unwrap();
            let (_, person) = LookupAsk::read(&message.payload, Some(account)).unwrap();
            assert_eq!(Some(person), Person::phone("+12025550143"));
            let body = serde_json::to_vec(&reply).unwrap();
            let to = message.reply.unwrap();
            worker.publish(to, body.into()).await.unwrap();
        }
    };
    let (output, ()) = timeout(PUBLISHED_WITHIN, async {
        tokio::join!(example.wait_with_output(), story)
    })
    .await
    .unwrap();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let told: LookupReply = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told, known);
}

#[tokio::test]
async fn javascript() {
    let source = examples().join("node");
    let files = ["package.json", "package-lock.json"];
    let libraries = installed(&source, "node", &files, async |folder| {
        run(
            "npm",
            "install Node.js 20 or newer with npm",
            Command::new("npm")
                .args(["ci", "--silent", "--no-audit", "--no-fund"])
                .current_dir(folder),
        )
        .await;
    })
    .await;
    // Node looks for libraries from the program's own place upwards.
    let folder = tempfile::Builder::new()
        .prefix("run-")
        .tempdir_in(&libraries)
        .unwrap();
    let program = copied(&source.join("publish.mjs"), folder.path());
    follows_the_contract(&Example {
        program: "node",
        arguments: vec![program],
        python_path: None,
        _folder: folder,
    })
    .await;
}

async fn follows_the_contract(example: &Example) {
    let server = Server::start().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    for lane in Lane::ALL {
        context
            .create_stream(stream::Config {
                name: lane.stream().to_owned(),
                subjects: vec![format!("voice.v1.{}.>", lane.token())],
                duplicate_window: Duration::from_secs(20 * 60),
                ..stream::Config::default()
            })
            .await
            .unwrap();
    }

    let mut first: Option<Receipt> = None;
    let vectors: Vectors =
        serde_json::from_str(include_str!("../../../docs/contract-vectors.json")).unwrap();
    for vector in &vectors.ids {
        let receipt = publish(example, &server, vector).await;
        assert_eq!(receipt.id, vector.id, "{}", vector.name);
        assert_eq!(receipt.attempts, 1, "{}", vector.name);
        // What is stored is the event of the vector, as a worker reads it.
        let stream = context.get_stream(&receipt.stream).await.unwrap();
        let message = stream.get_raw_message(receipt.sequence).await.unwrap();
        let header = |name: &str| {
            message
                .headers
                .get(name)
                .map(async_nats::HeaderValue::as_str)
        };
        assert_eq!(header("Nats-Msg-Id"), Some(vector.id.as_str()));
        assert_eq!(
            header("Nats-Expected-Stream"),
            Some(receipt.stream.as_str())
        );
        let content_type = ContentType::of_header(header("Content-Type"));
        let event = decode(&message.payload, content_type, header("Nats-Msg-Id")).unwrap();
        if receipt.duplicate {
            // Two of the vectors are the same piece of news; the first one stays.
            let original = first.as_ref().unwrap();
            assert_eq!(
                (&receipt.id, receipt.sequence),
                (&original.id, original.sequence)
            );
            continue;
        }
        assert_eq!(event, expected(vector), "{}", vector.name);
        first.get_or_insert(receipt);
    }
    let again = publish(example, &server, &vectors.ids[0]).await;
    assert!(again.duplicate);
    assert_eq!(Some(again.sequence), first.map(|receipt| receipt.sequence));
}

fn expected(vector: &Vector) -> Event {
    let mut event = vector.event.clone();
    event["v"] = 1.into();
    event["id"] = vector.id.as_str().into();
    serde_json::from_value(event).unwrap()
}

async fn publish(example: &Example, server: &Server, vector: &Vector) -> Receipt {
    let mut command = Command::new(example.program);
    command
        .args(&example.arguments)
        .args(["-", "--account", &vector.account, "--server", server.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(path) = &example.python_path {
        command.env("PYTHONPATH", path);
    }
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(vector.event.to_string().as_bytes())
        .await
        .unwrap();
    drop(input);
    let output = timeout(PUBLISHED_WITHIN, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("{} did not end: {}", example.program, vector.name))
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        vector.name,
        said(&output)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn copied(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(file.file_name().unwrap());
    std::fs::copy(file, &copy).unwrap();
    copy
}

/// The folder in the cache where an example's libraries are. Another choice of libraries (the content of `files`)
/// has another folder; `install` fills a new one, which then moves into place in one step, so that several runs at
/// once are safe.
async fn installed(
    source: &Path,
    language: &str,
    files: &[&str],
    install: impl AsyncFnOnce(&Path),
) -> PathBuf {
    let choice: String = files
        .iter()
        .map(|file| std::fs::read_to_string(source.join(file)).unwrap())
        .collect();
    let mut hasher = DefaultHasher::new();
    choice.hash(&mut hasher);
    let cache = cache_folder();
    let folder = cache.join(format!("examples-{language}-{:016x}", hasher.finish()));
    if folder.is_dir() {
        return folder;
    }
    std::fs::create_dir_all(&cache).unwrap_or_else(|error| {
        panic!(
            "cannot make {}: {error}; set CALLFLUME_CACHE_DIR",
            cache.display()
        )
    });
    let incoming = tempfile::Builder::new()
        .prefix("examples-incoming-")
        .tempdir_in(&cache)
        .unwrap();
    for file in files {
        copied(&source.join(file), incoming.path());
    }
    install(incoming.path()).await;
    match std::fs::rename(incoming.path(), &folder) {
        // Moved away: nothing is left to delete.
        Ok(()) => drop(incoming.keep()),
        // Another run was first; its folder is as good.
        Err(_) if folder.is_dir() => {}
        Err(error) => panic!("cannot make {}: {error}", folder.display()),
    }
    folder
}

fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("CALLFLUME_CACHE_DIR") {
        return std::path::absolute(PathBuf::from(folder)).unwrap();
    }
    if let Some(folder) = set("XDG_CACHE_HOME") {
        return PathBuf::from(folder).join("callflume");
    }
    let home = set("HOME").expect("no cache folder: set CALLFLUME_CACHE_DIR to a writable one");
    PathBuf::from(home).join(".cache/callflume")
}

async fn run(program: &str, remedy: &str, command: &mut Command) {
    let output = timeout(
        INSTALLED_WITHIN,
        command.stdin(Stdio::null()).kill_on_drop(true).output(),
    )
    .await
    .unwrap_or_else(|_| panic!("{program} did not end within {INSTALLED_WITHIN:?}"))
    .unwrap_or_else(|error| panic!("this test needs {program} ({error}); {remedy}"));
    assert!(
        output.status.success(),
        "{program} failed; {remedy}\n{}",
        said(&output)
    );
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
