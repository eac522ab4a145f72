//! Arguments of `dead`.

use callflume_core::account::AccountId;
use callflume_core::codes::Code;
use callflume_core::lane::Lane;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  callflume dead list --account acme
  callflume dead show 17 --body
  callflume dead replay 17
  callflume dead drop 18")]
pub(crate) enum Dead {
    /// List dead letters, newest first.
    List(DeadList),
    /// Show one dead letter.
    Show(DeadShow),
    /// Send events of dead letters to their account once more.
    Replay(DeadReplay),
    /// Remove dead letters without replaying them.
    Drop(DeadDrop),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume dead list
  callflume dead list --account acme --code CF2101 --limit 10
  callflume dead list --from 1 --limit 1000 --json     oldest first, from sequence 1")]
pub(crate) struct DeadList {
    /// Only of this account.
    #[arg(long)]
    pub(crate) account: Option<AccountId>,
    /// Only of this lane: op or en.
    #[arg(long)]
    pub(crate) lane: Option<Lane>,
    /// Only with this code, such as CF2101.
    #[arg(long, value_parser = code)]
    pub(crate) code: Option<Code>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Oldest first, from this sequence on.
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume dead show 17
  callflume dead show 17 --body            with the event, readable
  callflume dead show 17 --raw > event.bin

The event may hold personal data: it is shown only when asked for.")]
pub(crate) struct DeadShow {
    /// Sequence, as listed.
    #[arg(value_name = "SEQ")]
    pub(crate) seq: u64,
    /// Also show the event as JSON. It may hold personal data.
    #[arg(long, conflicts_with = "raw")]
    pub(crate) body: bool,
    /// Write nothing but the event's bytes. They may hold personal data.
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume dead replay 17 18
  callflume dead replay --account acme --code CF2101
  callflume dead replay --account acme --limit 100     the oldest hundred

First end what the letter's code names (docs/errors.md): a property that is missing in the CRM, say, or a template. Only \
the effect that is dead is written; what the event has written already stays as it is, and no older value replaces a \
newer one. What is refused again becomes a new dead letter.
Safe to repeat, also after being killed: each letter is replayed once. Exit code 1 when some are left; each line says \
why.")]
pub(crate) struct DeadReplay {
    /// Sequences, as listed.
    #[arg(
        value_name = "SEQ",
        required_unless_present = "account",
        conflicts_with = "account"
    )]
    pub(crate) seqs: Vec<u64>,
    /// All that this account has now, oldest first.
    #[arg(long)]
    pub(crate) account: Option<AccountId>,
    /// Of these only those with this code.
    #[arg(long, value_parser = code, conflicts_with = "seqs")]
    pub(crate) code: Option<Code>,
    /// At most this many.
    #[arg(long, conflicts_with = "seqs", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume dead drop 17
  callflume dead show 17 --raw > event.bin && callflume dead drop 17     keep the event elsewhere

A dropped letter is gone for good, and its effect is never written. Exit code 1 when one is not there.")]
pub(crate) struct DeadDrop {
    /// Sequences, as listed.
    #[arg(value_name = "SEQ", required = true)]
    pub(crate) seqs: Vec<u64>,
}

fn code(text: &str) -> Result<Code, String> {
    Code::find(&text.to_ascii_uppercase())
        .ok_or_else(|| format!("`{text}` is no code of this version; docs/errors.md lists them"))
}
