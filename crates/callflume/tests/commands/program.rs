//! Running the built program, and brokers for it.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use callflume_jetstream::{Broker, connect};
use callflume_testkit::Server;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A folder to run in, with or without a configuration, and the broker to talk to.
pub(crate) struct Program {
    pub(crate) folder: TempDir,
    broker: String,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The documents on stdout.
    pub(crate) fn documents(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    /// The only document on stdout.
    pub(crate) fn document(&self) -> Value {
        let mut all = self.documents();
        assert_eq!(all.len(), 1, "{self:?}");
        all.remove(0)
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "`{text}` is not in {self:#?}"
        );
        self
    }
}

impl Program {
    pub(crate) fn at(broker: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            broker: broker.to_owned(),
        }
    }

    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callflume"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CALLFLUME_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("CALLFLUME_BROKER", &self.broker)
            .env("TEST_CRM_TOKEN", "sim-token")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs to the end. Arguments are separated by spaces.
    pub(crate) async fn run(&self, arguments: &str) -> Ran {
        self.run_with(arguments, b"").await
    }

    /// The same with something on stdin.
    pub(crate) async fn run_with(&self, arguments: &str, stdin: &[u8]) -> Ran {
        let child = self
            .command(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        finish(child, stdin).await
    }
}

/// Waits for the end of a child that was given its input.
pub(crate) async fn finish(mut child: Child, stdin: &[u8]) -> Ran {
    if let Some(mut pipe) = child.stdin.take() {
        // A program that refuses its arguments does not read.
        if let Err(error) = pipe.write_all(stdin).await {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
    }
    let output = tokio::time::timeout(2 * DEADLINE, child.wait_with_output())
        .await
        .expect("the program ends")
        .unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sends a signal to a child that runs.
pub(crate) async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
}

/// A broker, and the program in front of it.
pub(crate) async fn with_broker() -> (Server, Program) {
    let server = Server::start().await.unwrap();
    let program = Program::at(server.url());
    (server, program)
}

/// The same with streams and buckets.
pub(crate) async fn provisioned() -> (Server, Program) {
    let (server, program) = with_broker().await;
    program.run("provision").await.expect(0);
    (server, program)
}

/// A connection of the test's own.
pub(crate) async fn connect(server: &Server) -> Broker {
    let settings = connect::Settings {
        urls: vec![server.url().to_owned()],
        ..connect::Settings::default()
    };
    connect::connect(&settings, "test").await.unwrap()
}

/// An address where nothing listens.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("nats://{}", listener.local_addr().unwrap())
}

/// An account of a CRM at `base_url`.
pub(crate) fn account(base_url: &str) -> String {
    format!(
        "[accounts.acme]\ncrm = \"hubspot\"\nprofile = \"private_professional\"\n\
         token = {{ env = \"TEST_CRM_TOKEN\" }}\nbase_url = \"{base_url}\"\n\
         time_zone = \"America/New_York\"\n"
    )
}
