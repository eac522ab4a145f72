//! Arguments of `contact`.

use callflume_core::account::AccountId;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  callflume contact lookup acme --phone +12025550143")]
pub(crate) enum Contact {
    /// Ask as a voice service does: who is this?
    Lookup(ContactLookup),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume contact lookup acme --phone +12025550143
  callflume contact lookup acme --email ada@example.com --wait --json

Asks a worker over svc.contacts.v1.lookup (docs/contract.md). Whoever isn't known is looked up in the CRM by the account's \
worker. Exit code 1 unless the contact is known. For what the cache's own record holds, see `callflume cache lookup`.")]
pub(crate) struct ContactLookup {
    /// The account.
    pub(crate) account: AccountId,
    #[command(flatten)]
    pub(crate) by: PersonBy,
    /// Ask again until the CRM has answered, 60 s at most.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PersonBy {
    /// Phone number in E.164.
    #[arg(long)]
    pub(crate) phone: Option<String>,
    /// E-mail address.
    #[arg(long)]
    pub(crate) email: Option<String>,
}
