//! Arguments of `reference`.

use callflume_core::account::AccountId;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callflume reference acme
  callflume reference acme --refresh      after somebody was added in the CRM
  callflume reference acme --json | jq '.owners[].email'

Events may name an owner by e-mail address, a pipeline or stage by its label. What is shown is what the account's worker \
knows; it reads the CRM when an event needs it, and what it knows is older than a day. Exit code 1 when nothing was read \
yet.")]
pub(crate) struct Reference {
    /// The account.
    pub(crate) account: AccountId,
    /// Have it read from the CRM now, and wait for that.
    #[arg(long)]
    pub(crate) refresh: bool,
}
