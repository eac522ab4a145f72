//! The examples in Python and JavaScript do what the contract says: the same ids as this project, bytes that a worker
//! reads, and a second run stores nothing.
//!
//! Their libraries are installed into the cache folder once, never into the source tree.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use callflume_core::event::{ContentType, Event, decode};
use callflume_core::lane::Lane;
use callflume_testkit::Server;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
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

#[tokio::test]
async fn python() {
    let source = examples().join("python");
    let libraries = installed(&source, "python", &["requirements.txt"], async |folder| {
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
    .join("libraries");
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
