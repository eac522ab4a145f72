//! What can go wrong around a `nats-server`, and what to do about it.
//!
//! Every message names the thing (path, port, folder) and the remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::binary::{OLDEST_SERVER, Version};
use crate::wait::TimedOut;

/// Why a file was not taken as a server.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing under that path.
    #[error("there is no such file")]
    Missing,
    /// It could not be run at all.
    #[error("it cannot be run ({0})")]
    NotRunnable(#[source] io::Error),
    /// It ran, and is something else.
    #[error("it is not a nats-server: asked for --version it said {said:?} ({status})")]
    NotAServer {
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it printed.
        said: String,
    },
    /// It did not answer in time.
    #[error("it gave no version within {0:?}")]
    Silent(Duration),
    /// A server, but before the features Callflume rests on.
    #[error("it is version {0}, older than {OLDEST_SERVER}")]
    TooOld(Version),
}

/// One place that was searched in vain, and why.
#[derive(Debug)]
pub struct Attempt {
    /// The place, as a person would name it.
    pub place: String,
    /// What was wrong there.
    pub reason: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

fn one_per_line(attempts: &[Attempt]) -> String {
    attempts.iter().fold(String::new(), |text, attempt| {
        text + "\n  - " + &attempt.to_string()
    })
}

/// Failures of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `CALLFLUME_NATS_SERVER` is set, and to something unusable. Nothing else is tried: silently running another
    /// server than the named one would mislead.
    #[error(
        "CALLFLUME_NATS_SERVER names {}: {refusal}; remedy: name a nats-server {OLDEST_SERVER} or newer there, or unset the variable",
        path.display()
    )]
    NamedServer {
        /// The value of the variable.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        refusal: Refusal,
    },
    /// No place had a usable server.
    #[error(
        "no usable nats-server ({OLDEST_SERVER} or newer); tried:{}\nremedy: run `sh nats/install-server.sh` and mend what it says, or put a nats-server on PATH, or name one in CALLFLUME_NATS_SERVER",
        one_per_line(tried)
    )]
    NoServer {
        /// Each place and what was wrong, in the order tried.
        tried: Vec<Attempt>,
    },
    /// Another server (also one left by a killed process) works on this store.
    #[error(
        "the store {} is in use by another running server; remedy: stop that one, or choose another folder",
        .0.display()
    )]
    StoreInUse(PathBuf),
    /// A path that cannot be put into a configuration.
    #[error(
        "the path {} cannot be written into a server configuration (not UTF-8, or with a line break); remedy: choose another folder",
        .0.display()
    )]
    UnusablePath(PathBuf),
    /// A port it was given belongs to another program.
    #[error(
        "nats-server cannot listen on the port it was given; remedy: stop what listens there (an earlier server?), or choose another port; its words: {0}"
    )]
    PortTaken(String),
    /// The server did not come up.
    #[error("nats-server did not start: {reason}; its last words:\n{log}")]
    NotStarted {
        /// What was seen from outside.
        reason: String,
        /// The end of its log.
        log: String,
    },
    /// The server keeps its streams elsewhere than told, so a restart would not find them.
    #[error(
        "the server stores in {actual} and not in {}; remedy: an extra `jetstream` block replaces the one in nats/single.conf, so repeat `store_dir: $CALLFLUME_STORE_DIR` in it",
        wanted.display()
    )]
    WrongStore {
        /// The folder it was given.
        wanted: PathBuf,
        /// The folder it reports.
        actual: String,
    },
    /// The server had ended before it was told to.
    #[error("nats-server had already ended by itself ({status}); its last words:\n{log}")]
    EndedByItself {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// Told to stop, it went on, and was killed.
    #[error(
        "nats-server did not stop within {waited:?} of SIGTERM and was killed; its last words:\n{log}"
    )]
    NotStopped {
        /// How long it was given.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// It was asked for something that only a running server can do.
    #[error("the server is not running: start it again with restart()")]
    NotRunning,
    /// A condition did not come in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A file, process or socket failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, as it completes "cannot …".
        doing: String,
        /// The system's word.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: names what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
