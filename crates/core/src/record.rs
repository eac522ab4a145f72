//! The records Callflume keeps in KV buckets: their names, keys and formats.
//!
//! Each is JSON with a `schema` number; a reader takes the version before its own too. Keys and aliases are digests; of
//! all records here only those of contacts hold personal data, their [`Card`]. Reference data, which names a CRM's own
//! users, is a module of its own: [`crate::reference`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::AccountId;
use crate::card::Card;
use crate::codes::Code;
use crate::deal::DealFacts;
use crate::effect::Object;
use crate::lane::Lane;
use crate::lookup::UnreadNumbers;
use crate::time::{BrokerTime, WallTime};
use crate::vendor::Verb;

/// The buckets.
pub mod bucket {
    /// Accounts, hot settings.
    pub const CONFIG: &str = "callflume-config";
    /// Who owns an account, which workers live.
    pub const LEASES: &str = "callflume-leases";
    /// Quota journals.
    pub const QUOTAS: &str = "callflume-quotas";
    /// What has been written, and floors.
    pub const LEDGER: &str = "callflume-ledger";
    /// Contacts known in the CRMs.
    pub const CONTACTS: &str = "callflume-contacts";
    /// Owners, pipelines, dispositions.
    pub const REFERENCE: &str = "callflume-reference";
    /// OAuth tokens, encrypted.
    pub const TOKENS: &str = "callflume-tokens";
}

/// Schema number of every record in this file.
pub const SCHEMA: u32 = 1;

/// How long the ledger remembers an effect, hours.
pub const LEDGER_TTL_HOURS: u64 = 24;

/// State of an effect in the ledger, `<account>.<effect key>`. In a CRM that doesn't make a record once by itself also
/// the origin of a record, `<account>.<record key>`, and of a contact, `<account>.<alias>`: [`EffectState::Sent`] before
/// its creation leaves, [`EffectState::Done`] once its id is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// How far it is.
    pub state: EffectState,
    /// When it got there.
    pub at: WallTime,
    /// The record's id in the CRM, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_id: Option<String>,
    /// Code of the dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Of a contact's origin: our own key that the creation put on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_key: Option<String>,
}

impl LedgerRecord {
    /// This state since this instant, and nothing more.
    pub const fn new(state: EffectState, at: WallTime) -> Self {
        Self {
            schema: SCHEMA,
            state,
            at,
            crm_id: None,
            code: None,
            own_key: None,
        }
    }
}

/// How far an effect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// A request that can't simply be repeated may have left (class B).
    Sent,
    /// The CRM holds it.
    Done,
    /// A later update of the same record carried it along.
    Merged,
    /// A newer value was already there.
    Superseded,
    /// The link it was to write led nowhere any more.
    Expired,
    /// It is in the dead letters.
    Dead,
}

/// Everything of this account and lane below `seq` is settled; `floor.<lane>.<account>` in the ledger bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// First stream sequence that may be unsettled.
    pub seq: u64,
}

/// Owner of an account; `account.<account>` in the lease bucket. The KV revision is the fencing epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Worker id.
    pub owner: String,
}

/// A live worker; `worker.<worker id>` in the lease bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Worker id.
    pub worker: String,
    /// Version of the program.
    pub version: String,
}

/// Quota journal of an account; `journal.<account>` in the quota bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JournalRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Blocks of permits that still occupy a rolling window, oldest first.
    pub blocks: Vec<Block>,
    /// Requests per calendar day (`YYYY-MM-DD` in the account's zone) of the last two days, unsettled blocks included.
    pub days: BTreeMap<String, u32>,
    /// No request before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<BrokerTime>,
    /// What the autopilot of the daily window knows, if there is such a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autopilot: Option<AutopilotRecord>,
    /// What refusals have taught about windows, as far as it still binds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learned: Vec<LearnedRecord>,
}

/// What refusals have taught about one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedRecord {
    /// Its name in the limit profile.
    pub window: String,
    /// What we let ourselves occupy of it.
    pub level: u32,
    /// Until then it is not tried whether more is allowed.
    pub held_until: BrokerTime,
    /// Nothing that counts in it leaves before this instant, and then one request ahead of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<BrokerTime>,
}

/// What the autopilot of a daily window knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AutopilotRecord {
    /// First instant of the day it speaks of.
    pub start: WallTime,
    /// From when on that day was watched.
    pub since: WallTime,
    /// Operational requests by half hours, those after the last one left out.
    pub op: Vec<u32>,
    /// What other applications spent that day.
    #[serde(default)]
    pub others: u32,
    /// Days before: first instant and operational requests, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<(WallTime, u32)>,
    /// The learned shares of the half hours; absent while they are the default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<u32>,
}

/// Permits taken together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Number of the block, rising.
    pub id: u64,
    /// Permits per window, in the profile's order: taken at first, used once settled.
    pub counts: Vec<u32>,
    /// When it was written; its permits may be spent for [`BLOCK_VALID_MS`] from then.
    pub granted_at: BrokerTime,
    /// When the last answer came, once all have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<BrokerTime>,
}

/// How long the permits of a block may be spent, milliseconds. Short, so that what a killed owner leaves unsettled
/// soon stops to count.
pub const BLOCK_VALID_MS: u64 = 2_000;

/// A contact by its CRM id; `c.<account>.<crm id>` in the contact bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContactRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Id in the CRM.
    pub crm_id: String,
    /// Our own key on it, if it carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_key: Option<String>,
    /// Event time of the newest write per field name.
    #[serde(default)]
    pub field_at: BTreeMap<String, WallTime>,
    /// CRM id of the open deal, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deal: Option<String>,
    /// How that is known.
    #[serde(default, skip_serializing_if = "DealFacts::is_empty")]
    pub deal_facts: DealFacts,
    /// What is known of the person.
    #[serde(default, skip_serializing_if = "Card::is_empty")]
    pub card: Card,
    /// Every alias under which it is found: each of them carries the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

/// An alias of a contact, with all that a look-up answers: one read is enough; `a.<account>.<alias>` in the contact bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Id in the CRM; none when the CRM didn't know the person at [`Self::absent_at`]. Such a record expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_id: Option<String>,
    /// When the CRM was found not to know the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_at: Option<WallTime>,
    /// The contact's card.
    #[serde(default, skip_serializing_if = "Card::is_empty")]
    pub card: Card,
    /// The contact's open deal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deal: Option<String>,
    /// Of the record that says that all contacts were read ([`key::warmed`]): for whose numbers that doesn't hold.
    #[serde(default, skip_serializing_if = "UnreadNumbers::is_empty")]
    pub unread: UnreadNumbers,
    /// A listing of all open deals that began later and didn't find it ends it ([`crate::deal::open`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deal_stands: Option<WallTime>,
}

impl AliasRecord {
    /// An alias of this contact.
    pub fn of(contact: &ContactRecord) -> Self {
        Self {
            schema: SCHEMA,
            crm_id: Some(contact.crm_id.clone()),
            absent_at: None,
            card: contact.card.clone(),
            deal: contact.deal.clone(),
            unread: UnreadNumbers::default(),
            deal_stands: contact.deal.as_ref().and(contact.deal_facts.stands),
        }
    }

    /// An alias of nobody in the CRM.
    pub fn absent(at: WallTime) -> Self {
        Self {
            schema: SCHEMA,
            crm_id: None,
            absent_at: Some(at),
            card: Card::default(),
            deal: None,
            unread: UnreadNumbers::default(),
            deal_stands: None,
        }
    }
}

/// A bulk job whose rows may be written from now on; `bulk.job.<account>` in the ledger bucket. Stored before the job is
/// closed: until it is removed, the effects in it are the job's business and nobody else's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The CRM's id of the job.
    pub job: String,
    /// What it does.
    pub verb: Verb,
    /// With which kind of record.
    pub object: Object,
    /// All its events are below this sequence of the enrichment stream.
    pub below: u64,
    /// Its rows, in order.
    pub rows: Vec<BulkRow>,
}

/// A row of a bulk job. Short names: thousands of rows are one record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BulkRow {
    /// Keys of the effects that it carries; none for a contact that something else needed.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// Our own key of the record.
    #[serde(rename = "k")]
    pub key: String,
    /// The record's id in the CRM, if it is updated by that.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub crm_id: Option<String>,
    /// CRM id of the contact it is linked to.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Whether it also puts our own key on the record.
    #[serde(rename = "s", default, skip_serializing_if = "is_false")]
    pub stamp: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Keys within the buckets.
pub mod key {
    use super::{AccountId, Lane};

    /// An effect in the ledger.
    pub fn effect(account: &AccountId, effect_key: &str) -> String {
        format!("{account}.{effect_key}")
    }

    /// A floor in the ledger bucket. `floor` can't be an account here: account keys have two tokens, this has three.
    pub fn floor(lane: Lane, account: &AccountId) -> String {
        format!("floor.{}.{account}", lane.token())
    }

    /// An account's OAuth tokens.
    pub fn token(account: &AccountId) -> String {
        format!("token.{account}")
    }

    /// An account's bulk job in the ledger bucket. Three tokens, as a floor's, of which `bulk` is no lane.
    pub fn bulk(account: &AccountId) -> String {
        format!("bulk.job.{account}")
    }

    /// An account's lease.
    pub fn lease(account: &AccountId) -> String {
        format!("account.{account}")
    }

    /// A worker's heartbeat.
    pub fn worker(worker: &str) -> String {
        format!("worker.{worker}")
    }

    /// The janitor's lease.
    pub const JANITOR: &str = "janitor";

    /// An account's journal.
    pub fn journal(account: &AccountId) -> String {
        format!("journal.{account}")
    }

    /// An alias of a contact.
    pub fn alias(account: &AccountId, alias: &str) -> String {
        format!("a.{account}.{alias}")
    }

    /// That everybody who isn't here is absent, for those named by phone or those named by e-mail
    /// ([`crate::lookup::Person::kind`]); holds an [`super::AliasRecord`] of nobody, which expires.
    pub fn warmed(account: &AccountId, kind: &str) -> String {
        // Beside the aliases, which begin with another letter: one filter hears of both.
        alias(account, &format!("all-{kind}"))
    }

    /// Which listing of all open deals was complete last: what was known before it and not found again is over. Holds an
    /// [`super::AliasRecord`] of nobody, which doesn't expire.
    pub fn deals_read(account: &AccountId) -> String {
        warmed(account, crate::lookup::DEALS)
    }

    /// Whether it is the key of such a listing, of whichever account.
    pub fn is_deals_read(key: &str) -> bool {
        let last = key.rsplit('.').next();
        last.and_then(|name| name.strip_prefix("all-")) == Some(crate::lookup::DEALS)
    }

    /// A contact by CRM id.
    pub fn contact(account: &AccountId, crm_id: &str) -> String {
        format!("c.{account}.{crm_id}")
    }

    /// An account's reference data.
    pub fn reference(account: &AccountId) -> String {
        format!("reference.{account}")
    }

    /// An account's configuration.
    pub fn account(account: &AccountId) -> String {
        format!("account.{account}")
    }
}
