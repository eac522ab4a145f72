//! `dead replay`: events of dead letters go to their account once more.
//!
//! What makes it safe to be killed and to be repeated is in [`callflume_jetstream::replay`]. Here: which letters, oldest
//! first, and what is said about each. Those that arrive during the run are not touched, so that a letter which dies at
//! once again does not go round in circles.

use std::collections::BTreeSet;
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_jetstream::dead::{DeadFilter, DeadLetters, ListFrom, StoredDeadLetter};
use callflume_jetstream::replay::{Replayed, Replays};
use callflume_jetstream::{Broker, Error};
use serde_json::json;
use tokio::time::Instant;

use super::{named, outcome};
use crate::cli::DeadReplay;
use crate::commands::{Session, unknown_account};
use crate::failure::{Exit, Failure};
use crate::output::mark;
use crate::progress::Progress;

/// Letters read at a time; each may be as large as an event.
const PAGE: usize = 32;
/// How long a run waits in all for events that end just now: their floor is saved once a second.
const SETTLE_WITHIN: Duration = Duration::from_secs(3);
/// Between two looks at such an event.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(
    session: &Session,
    broker: &Broker,
    args: &DeadReplay,
) -> anyhow::Result<Exit> {
    let configured: BTreeSet<AccountId> = callflume_worker::read_configs(broker)
        .await?
        .into_keys()
        .collect();
    let mut run = Run {
        session,
        letters: DeadLetters::new(broker),
        replays: Replays::open(broker).await?,
        configured,
        settle_until: Instant::now() + SETTLE_WITHIN,
        progress: Progress::beside_lines(),
        replayed: 0,
        left: 0,
    };
    match &args.account {
        Some(account) => run.all_of(account, args).await?,
        None => {
            for &seq in &args.seqs {
                match run.letters.show(seq).await? {
                    Some(stored) => run.one(&stored).await?,
                    None => run.leave(seq, None, "not_there", "it is not there")?,
                }
            }
        }
    }
    run.end()
}

struct Run<'a> {
    session: &'a Session,
    letters: DeadLetters,
    replays: Replays,
    configured: BTreeSet<AccountId>,
    settle_until: Instant,
    progress: Progress,
    replayed: u64,
    left: u64,
}

impl Run<'_> {
    /// The letters of an account that are there now.
    async fn all_of(&mut self, account: &AccountId, args: &DeadReplay) -> anyhow::Result<()> {
        if !self.configured.contains(account) {
            return Err(unknown_account(account).into());
        }
        let filter = DeadFilter {
            account: Some(account.clone()),
            code: args.code,
            lane: None,
        };
        let newest = self.letters.list(&filter, ListFrom::Newest, 1).await?;
        let Some(last) = newest.first().map(|stored| stored.seq) else {
            return self.session.output.say("no dead letters");
        };
        let mut from = 1;
        let mut wanted = args.limit.map_or(usize::MAX, |limit| limit as usize);
        while from <= last && wanted > 0 {
            let page = self
                .letters
                .list(&filter, ListFrom::Sequence(from), PAGE.min(wanted))
                .await?;
            let Some(end) = page.last().map(|stored| stored.seq) else {
                break;
            };
            for stored in page.iter().filter(|stored| stored.seq <= last) {
                self.one(stored).await?;
                wanted -= 1;
            }
            from = end + 1;
        }
        Ok(())
    }

    async fn one(&mut self, stored: &StoredDeadLetter) -> anyhow::Result<()> {
        let seq = stored.seq;
        let account = &stored.letter.account;
        let done = self.replayed;
        self.progress.step(|| format!("{done} replayed"));
        // Nobody would take it, and it would be dead again within the hour.
        if !self.configured.contains(account) {
            let why = format!("no account `{account}` is configured: add it, then replay");
            return self.leave(seq, Some(stored), "not_configured", &why);
        }
        let replayed = match self.settled(stored).await {
            Err(error @ Error::TooLarge { .. }) => {
                return self.leave(seq, Some(stored), "too_large", &error.to_string());
            }
            other => other?,
        };
        let (data, text) = match replayed {
            Replayed::Published {
                message_id,
                stream_seq,
                repeated,
            } => {
                let mut data = outcome(seq, Some(stored), "replayed");
                data["message_id"] = json!(message_id);
                data["stream_seq"] = json!(stream_seq);
                data["repeated"] = json!(repeated);
                let earlier = if repeated { " by an earlier run" } else { "" };
                (data, format!("replayed{earlier}"))
            }
            Replayed::AlreadyWritten => (
                outcome(seq, Some(stored), "already_written"),
                "written by now; the letter is removed".to_owned(),
            ),
            Replayed::Unsettled => {
                let why = "its event, or one before it, is still being worked on: replay it later";
                return self.leave(seq, Some(stored), "not_settled", why);
            }
            Replayed::NoSubject => {
                let why = "it came on no subject of events: see `dead show --raw` and `publish`";
                return self.leave(seq, Some(stored), "no_subject", why);
            }
        };
        self.replayed += 1;
        self.session
            .output
            .data(&data, || format!("{} {} {text}", mark('✓'), named(stored)))
    }

    /// Replays, with patience for an event that ends just now.
    async fn settled(&self, stored: &StoredDeadLetter) -> Result<Replayed, Error> {
        loop {
            let replayed = self.replays.replay(stored).await?;
            if replayed != Replayed::Unsettled || Instant::now() >= self.settle_until {
                return Ok(replayed);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn leave(
        &mut self,
        seq: u64,
        stored: Option<&StoredDeadLetter>,
        what: &str,
        why: &str,
    ) -> anyhow::Result<()> {
        self.left += 1;
        self.session.output.data(&outcome(seq, stored, what), || {
            let name = stored.map_or_else(|| seq.to_string(), named);
            format!("{} {name} left: {why}", mark('✗'))
        })
    }

    fn end(self) -> anyhow::Result<Exit> {
        drop(self.progress);
        if self.left == 0 {
            return Ok(Exit::Done);
        }
        Err(Failure::plain(
            Exit::Failed,
            format!("{} replayed, {} left", self.replayed, self.left),
            "see the lines marked ✗ (`outcome` with --json); running it again is safe",
        )
        .into())
    }
}
