//! What went wrong, as people and programs are told it.
//!
//! Decides code, exit code, text and remedy of every error that ends a command. Each is said once: libraries' texts
//! that begin with their code lose it here, and a cause that its error's text repeats already is not shown again.

use std::fmt;
use std::process::ExitCode;

use callflume_client::{ConnectError, PublishError};
use callflume_core::codes::{self, Code};
use callflume_core::config::BadConfig;
use callflume_jetstream::tokens::BadKey;
use callflume_worker::{MissingSecret, NoToken};
use serde_json::json;

use crate::output;

/// How the process ends; the table in `callflume --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// All was done.
    Done,
    /// Something given was refused: an event, a setting that can't be changed in place.
    Refused,
    /// Failed, wholly or partly.
    Failed,
    /// Wrong arguments or configuration; nothing was tried.
    Usage,
    /// Something that should be there is not: broker, streams, worker, secret.
    Environment,
    /// An objective of the demo was missed.
    #[cfg(feature = "sim")]
    Missed,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    /// The number the shell sees.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Refused => 4,
            #[cfg(feature = "sim")]
            Self::Missed => 99,
            Self::Interrupted => 130,
        }
    }

    /// What an error with this code ends with.
    pub(crate) fn of(code: Code) -> Self {
        match code {
            codes::PUBLISH_NO_BROKER
            | codes::PUBLISH_NO_STREAM
            | codes::CONFIG_SECRET
            | codes::TOKEN_KEY
            | codes::BROKER_UNREACHABLE
            | codes::BROKER_TOO_OLD
            | codes::BROKER_NOT_PROVISIONED
            | codes::SERVER_BINARY
            | codes::SERVER_START
            | codes::WORKER_ABSENT => Self::Environment,
            codes::CONFIG_SYNTAX | codes::CONFIG_VALUE | codes::ACCOUNT_UNKNOWN => Self::Usage,
            codes::PUBLISH_UNKNOWN | codes::PUBLISH_STREAM_FULL | codes::PUBLISH_BUSY => {
                Self::Failed
            }
            codes::BROKER_NOT_CHANGEABLE | codes::BROKER_REFUSED => Self::Refused,
            other if other.as_str().starts_with("CF1") => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// An error of the command line itself, or a library's dressed for people.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The stable code, where there is one.
    pub(crate) code: Option<Code>,
    /// What is wrong; more lines may follow the first.
    pub(crate) text: String,
    /// What led to it, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) remedy: String,
    /// How the process ends.
    pub(crate) exit: Exit,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// An error with a code.
    pub(crate) fn coded(code: Code, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            text: text.into(),
            causes: Vec::new(),
            remedy: remedy.into(),
            exit: Exit::of(code),
        }
    }

    /// Arguments that don't go together, or name what isn't there.
    pub(crate) fn usage(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::plain(Exit::Usage, text, remedy)
    }

    /// The machine lacks something.
    pub(crate) fn environment(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::plain(Exit::Environment, text, remedy)
    }

    /// An error without a code.
    pub(crate) fn plain(exit: Exit, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code: None,
            text: text.into(),
            causes: Vec::new(),
            remedy: remedy.into(),
            exit,
        }
    }

    /// A signal ended the command.
    pub(crate) fn interrupted(remedy: impl Into<String>) -> Self {
        Self::plain(Exit::Interrupted, "interrupted", remedy)
    }

    /// What an error amounts to: the first link of its chain that is known here decides.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        for link in error.chain() {
            if let Some(failure) = link.downcast_ref::<Self>() {
                return Self {
                    code: failure.code,
                    text: failure.text.clone(),
                    causes: failure.causes.clone(),
                    remedy: failure.remedy.clone(),
                    exit: failure.exit,
                };
            }
        }
        let coded = error.chain().find_map(|link| Some((link, code_of(link)?)));
        let Some((link, code)) = coded else {
            let mut texts = error.chain().map(ToString::to_string);
            let mut failure = Self::plain(
                Exit::Failed,
                texts.next().unwrap_or_default(),
                "run the command again with -vv to see more",
            );
            failure.causes = said_once(&failure.text, texts);
            return failure;
        };
        let text = without_remedy(link).unwrap_or_else(|| without_code(code, &link.to_string()));
        let mut sources = Vec::new();
        let mut next = link.source();
        while let Some(source) = next {
            sources.push(source.to_string());
            next = source.source();
        }
        let remedy = match link.downcast_ref::<callflume_jetstream::Error>() {
            Some(unanswered) if unanswered.is_unknown() => {
                "run the command again; if that does not help, compare this user's permissions with nats/roles.conf"
                    .to_owned()
            }
            _ => remedy_of(code),
        };
        let mut failure = Self::coded(code, text, remedy);
        failure.causes = said_once(&failure.text, sources.into_iter());
        failure
    }

    /// To stderr: lines for people, or one JSON object.
    pub(crate) fn print(&self, json: bool) {
        if json {
            output::note(
                &json!({"error": {
                    "code": self.code,
                    "text": self.text,
                    "causes": self.causes,
                    "remedy": self.remedy,
                    "exit": self.exit.number(),
                }})
                .to_string(),
            );
            return;
        }
        let head = match self.code {
            Some(code) => format!("error {code}:"),
            None => "error:".to_owned(),
        };
        output::note(&format!("{} {}", output::red(&head), self.text));
        for cause in &self.causes {
            output::note(&format!("  cause: {cause}"));
        }
        if !self.remedy.is_empty() {
            output::note(&format!("  remedy: {}", self.remedy));
        }
    }
}

/// A text without the code it begins with, for where the code is shown beside it.
pub(crate) fn without_code(code: Code, text: &str) -> String {
    text.strip_prefix(code.as_str())
        .map_or(text, |rest| rest.trim_start_matches(": "))
        .to_owned()
}

/// The errors of libraries whose texts hold a remedy that [`remedy_of`] says better for the command line.
fn without_remedy(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    use callflume_jetstream::Error;
    let broker = match error.downcast_ref::<callflume_worker::Error>() {
        Some(callflume_worker::Error::Broker(broker)) => Some(broker),
        _ => error.downcast_ref::<Error>(),
    };
    match (broker, error.downcast_ref::<ConnectError>()) {
        (Some(Error::Unreachable { addresses, cause }), _)
        | (_, Some(ConnectError::Unreachable { addresses, cause })) => {
            Some(format!("no broker at {addresses} ({cause})"))
        }
        (Some(Error::NotProvisioned { missing }), _) => {
            Some(format!("the broker lacks {}", missing.join(", ")))
        }
        _ => None,
    }
}

/// Causes that no earlier text says already.
fn said_once(text: &str, causes: impl Iterator<Item = String>) -> Vec<String> {
    let mut said = text.to_owned();
    let mut kept = Vec::new();
    for cause in causes {
        if !said.contains(&cause) {
            said.push_str(&cause);
            kept.push(cause);
        }
    }
    kept
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<Code> {
    if let Some(error) = error.downcast_ref::<callflume_jetstream::Error>() {
        return Some(error.code());
    }
    if let Some(error) = error.downcast_ref::<callflume_worker::Error>() {
        return Some(error.code());
    }
    if let Some(error) = error.downcast_ref::<ConnectError>() {
        return Some(error.code());
    }
    if let Some(error) = error.downcast_ref::<PublishError>() {
        return Some(error.code());
    }
    if let Some(error) = error.downcast_ref::<MissingSecret>() {
        return Some(error.code());
    }
    if let Some(error) = error.downcast_ref::<NoToken>() {
        return Some(error.code());
    }
    if let Some(error) = error.downcast_ref::<BadKey>() {
        return Some(error.code());
    }
    error.downcast_ref::<BadConfig>().map(|error| error.code)
}

/// What to do at this command line about an error with this code.
pub(crate) fn remedy_of(code: Code) -> String {
    match code {
        codes::BROKER_UNREACHABLE | codes::PUBLISH_NO_BROKER => {
            "start nats-server there (docs/operations.md), or say where it is with --broker or `urls` in callflume.toml"
                .to_owned()
        }
        codes::BROKER_NOT_PROVISIONED | codes::PUBLISH_NO_STREAM => {
            "run `callflume provision` against this broker".to_owned()
        }
        codes::PUBLISH_NOT_ALLOWED => {
            "give this user the permissions of its role (docs/operations.md, Permissions), or use another credential".to_owned()
        }
        codes::PUBLISH_UNKNOWN => {
            "publish the same input again: what is stored already is recognised".to_owned()
        }
        codes::PUBLISH_TOO_LARGE => {
            "keep what is large in a store of its own and publish its address".to_owned()
        }
        codes::WORKER_ABSENT => {
            "start one with `callflume worker`, and see `callflume status` for who owns what".to_owned()
        }
        codes::CONFIG_SECRET => {
            "set the variable or file that the configuration names, readable for this user".to_owned()
        }
        codes::TOKEN_KEY => {
            "set CALLFLUME_TOKEN_KEY to the same key for every worker (docs/operations.md, OAuth)".to_owned()
        }
        codes::CRM_GRANT => {
            "let the customer connect the app again and put the new refresh token where the configuration points, or correct \
             client_id, client_secret and token_url; then run `callflume account resume`"
                .to_owned()
        }
        codes::CRM_GRANT_LATE => {
            "check the network and `token_url`, then try again".to_owned()
        }
        other => format!("see {other} in docs/errors.md"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_a_cause_are_said_once() {
        let error = anyhow::Error::from(ConnectError::Unreachable {
            addresses: "h:1".to_owned(),
            cause: "refused".to_owned(),
        })
        .context("publishing");
        let failure = Failure::of(&error);
        assert_eq!(failure.code, Some(codes::PUBLISH_NO_BROKER));
        assert_eq!(failure.exit, Exit::Environment);
        assert!(failure.text.starts_with("no broker at h:1"), "{failure}");
        assert!(failure.remedy.contains("--broker"));

        let failure = Failure::of(&anyhow::anyhow!("inner").context("outer: inner"));
        assert_eq!((failure.code, failure.causes.len()), (None, 0));
        let failure = Failure::of(&anyhow::anyhow!("inner").context("outer"));
        assert_eq!(failure.causes, ["inner"]);
    }

    #[test]
    fn every_code_has_an_exit_and_a_remedy() {
        for (code, _) in codes::ALL {
            assert_ne!(Exit::of(*code), Exit::Done, "{code}");
            assert!(!remedy_of(*code).is_empty(), "{code}");
        }
    }
}
