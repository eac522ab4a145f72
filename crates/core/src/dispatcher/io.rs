//! What goes into a dispatcher and what comes out of it: the contract with the shells.

use std::sync::Arc;

use crate::account::AccountId;
use crate::codes::Code;
use crate::config::AccountConfig;
use crate::event::ContentType;
use crate::foreign::{PermitAsk, PermitReply, PermitSettle};
use crate::lane::Lane;
use crate::lookup::{Person, UnreadNumbers};
use crate::quota::Advised;
use crate::record::{BulkRecord, ContactRecord, JournalRecord, LedgerRecord};
use crate::reference::ReferenceRecord;
use crate::time::WallTime;
use crate::vendor::{Answer, HttpRequest, Vendor, WindowSpec};

/// Bounds of one account's memory, per lane; more of enrichment while a back-fill is written by jobs (module `bulk`).
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Events pulled and not yet settled.
    pub events_max: usize,
    /// Their bytes, as delivered.
    pub bytes_max: usize,
}

impl Default for Bounds {
    /// Six full batches, or 8 MiB: more would only wait here instead of in the broker.
    fn default() -> Self {
        Self {
            events_max: 600,
            bytes_max: 8 << 20,
        }
    }
}

/// Names a recording or dead letter in the air.
pub type RecordingId = u64;
/// Names a request in flight.
pub type RequestId = u64;

/// Names an ask for a permit that waits for its answer.
pub type AskId = u64;

/// A message of an account's consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The lane it came on.
    pub lane: Lane,
    /// Its sequence in the stream: names the event from here on.
    pub seq: u64,
    /// The consumer's own delivery sequence, 1 for the first after [`Input::Resynced`] (and after the reset at a
    /// takeover): a gap means that a delivery was lost on the way.
    pub consumer_seq: u64,
    /// Events of this consumer that it had not delivered yet when it delivered this one.
    pub pending: u64,
    /// Kind token of the subject.
    pub kind: String,
    /// `Nats-Msg-Id`.
    pub msg_id: Option<String>,
    /// Whether `Content-Type` says JSON.
    pub content_type: ContentType,
    /// The body.
    pub payload: Vec<u8>,
}

/// What happened.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time is made, moved and taken apart; a box for each contact would cost more"
)]
pub enum Input {
    /// Nothing but time.
    Wake,
    /// A message arrived.
    Delivered(Delivery),
    /// A pull ended (full, expired or failed).
    PullEnded(Lane),
    /// The consumer stands at the floor again; everything unsettled comes again.
    Resynced(Lane),
    /// The connection to the broker was lost and is back: deliveries may be missing.
    Reconnected,
    /// What ledger and contact bucket say about an event.
    Loaded {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
        /// In the order asked for.
        ledger: Vec<Option<LedgerRecord>>,
        /// The contact, if the bucket knows it.
        contact: Option<ContactRecord>,
    },
    /// Ledger or contact bucket could not be read; it is asked for again.
    LoadFailed {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
    },
    /// A request ended.
    Answered {
        /// Which.
        request: RequestId,
        /// How.
        answer: Answer,
    },
    /// A request was surely not executed, for its credential's sake.
    Unauthorized {
        /// Which.
        request: RequestId,
        /// Whether it left, and so counts at the CRM.
        left: bool,
        /// Why the account must pause and what to do; none when the credential is being renewed: it is sent again with
        /// the next permit.
        trouble: Option<(Code, String)>,
    },
    /// A recording, dead letter or bulk job was written, or not (then it is tried again).
    Recorded {
        /// Which.
        id: RecordingId,
        /// Whether it is surely stored.
        stored: bool,
    },
    /// The journal was written, or not.
    Journaled {
        /// Whether it is surely stored.
        stored: bool,
    },
    /// A process that is not Callflume asks for a permit; answered with [`Output::PermitAnswered`].
    PermitAsked {
        /// The ask's name, the shell's own.
        ask: AskId,
        /// What is asked for.
        wish: PermitAsk,
    },
    /// It says what came of one.
    PermitSettled(PermitSettle),
    /// Read the CRM's contacts into the cache, and its reference data.
    Warm,
    /// A voice service asked for somebody the cache doesn't know: look them up. Answered by nothing but the cache.
    Wanted(Person),
    /// Read the CRM's owners, pipelines and stages.
    ReadReference,
    /// The operator says that the account's trouble is over.
    Resume,
    /// Finish what is under way, start nothing, then [`Output::Stopped`].
    Stop,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Pull up to this many messages and bytes; end with [`Input::PullEnded`].
    Pull {
        /// From the consumer of this lane.
        lane: Lane,
        /// Messages.
        count: usize,
        /// Bytes.
        bytes: usize,
    },
    /// Read ledger records and the contact; answer with [`Input::Loaded`].
    Load {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
        /// Keys of the effects.
        effects: Vec<String>,
        /// Aliases of the contact, empty when memory knows it.
        aliases: Vec<String>,
    },
    /// Send a request; answer with [`Input::Answered`] or [`Input::Unauthorized`].
    Send {
        /// Its name.
        request: RequestId,
        /// Whose urgency it has.
        lane: Lane,
        /// What to send.
        http: HttpRequest,
        /// Within this time, milliseconds.
        timeout_ms: u64,
    },
    /// Store; answer with [`Input::Recorded`].
    Record {
        /// Its name.
        id: RecordingId,
        /// Effect keys and their records, for the ledger.
        ledger: Vec<(String, LedgerRecord)>,
        /// For the contact bucket.
        contacts: Vec<ContactWrite>,
        /// Aliases of nobody in the CRM, for the contact bucket too, where nobody has them.
        absent: Vec<String>,
    },
    /// Store a dead letter with the event's original bytes; answer with [`Input::Recorded`].
    DeadLetter(DeadLetter),
    /// Store what bulk job is at work, with compare-and-set, or remove that; answer with [`Input::Recorded`].
    SaveBulk {
        /// Its name.
        id: RecordingId,
        /// The job; none: there is none any more.
        record: Option<BulkRecord>,
    },
    /// Acknowledge the message and forget it.
    Ack {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
    },
    /// Store the floor: everything below is settled.
    SaveFloor {
        /// Of this lane.
        lane: Lane,
        /// First sequence that may be unsettled.
        seq: u64,
    },
    /// Store the account's reference data. Nothing waits for it: what is not stored the next owner reads again.
    SaveReference(Box<ReferenceRecord>),
    /// Store the journal, with compare-and-set; answer with [`Input::Journaled`].
    WriteJournal(JournalRecord),
    /// Drop what is being pulled and set the consumer back to `floor`; answer with [`Input::Resynced`].
    Resync {
        /// Of this lane.
        lane: Lane,
        /// First sequence that may be unsettled.
        floor: u64,
    },
    /// The operator should know.
    Alert {
        /// What about.
        code: Code,
        /// In words, without personal data.
        text: String,
    },
    /// What alerts of this code were about is over.
    AlertOver {
        /// What about.
        code: Code,
    },
    /// What an outbound dialler is advised to do from now on. Until the first, that is to go on.
    Advice(Advised),
    /// The answer to a process that asked for a permit. A grant is told only while the lease stands; one that is not
    /// told is never used.
    PermitAnswered {
        /// The ask's name.
        ask: AskId,
        /// The answer.
        reply: PermitReply,
    },
    /// All contacts of the CRM have been read and are stored: whoever isn't there was absent at this instant. Store that, for a
    /// while; it is no loss if that fails.
    Warmed {
        /// When the reading began.
        as_of: WallTime,
        /// For whom that holds ([`crate::lookup::Person::kind`]): not for phones, when too many in the CRM could not be read. Or
        /// [`crate::lookup::DEALS`]: all open deals have been listed and are stored.
        kinds: Vec<&'static str>,
        /// The phones that could not be read.
        unread: UnreadNumbers,
    },
    /// Everything is finished, after [`Input::Stop`].
    Stopped,
}

/// A write to the contact bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactWrite {
    /// The contact.
    pub record: ContactRecord,
    /// Its aliases.
    pub aliases: Vec<String>,
    /// Whether it was read from the CRM: then what effects wrote stands against it ([`News`](crate::card::News)). Aliases
    /// are written all the same.
    pub only_if_absent: bool,
}

/// An effect or event that can't be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name.
    pub id: RecordingId,
    /// The event.
    pub lane: Lane,
    /// The event.
    pub seq: u64,
    /// Why, as a code.
    pub code: Code,
    /// Why, in words, without personal data.
    pub cause: String,
    /// Attempts made.
    pub attempts: u32,
    /// The effect; none when the event as a whole can't be used.
    pub effect: Option<String>,
    /// The event's id, if it could be read.
    pub event_id: Option<String>,
}

/// What an account counts, since this owner took it over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages delivered.
    pub delivered: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests the CRM throttled, those of foreign processes among them.
    pub throttled: u64,
    /// Permits granted to foreign processes.
    pub lent: u64,
    /// Effects done.
    pub done: u64,
    /// Effects merged into a later one.
    pub merged: u64,
    /// Effects superseded by a newer value.
    pub superseded: u64,
    /// Effects whose link had expired before it could be written.
    pub expired: u64,
    /// Owners named by an address that no active owner has, left out.
    pub owners_unknown: u64,
    /// Dead letters.
    pub dead: u64,
    /// Events settled.
    pub settled: u64,
    /// Contacts read by a warm-up.
    pub warmed: u64,
    /// Pages left unread by a warm-up: 0 when none runs.
    pub warming: u64,
}

/// What a dispatcher is made of.
#[derive(Clone)]
pub struct Setup {
    /// The account.
    pub account: AccountId,
    /// Its configuration, checked.
    pub config: AccountConfig,
    /// Its CRM.
    pub vendor: Arc<dyn Vendor>,
    /// The published limits of its profile.
    pub windows: Vec<WindowSpec>,
    /// Memory bounds.
    pub bounds: Bounds,
    /// Seed of its jitter and of the names of permits; another one, and nobody else's, in each term.
    pub seed: u64,
    /// Floors saved by the predecessor, per lane in [`Lane::ALL`]'s order; 0 for none.
    pub floors: [u64; 2],
    /// The predecessor's journal.
    pub journal: Option<JournalRecord>,
    /// The account's reference data, as far as it is stored.
    pub reference: Option<ReferenceRecord>,
    /// The bulk job that the predecessor left at work.
    pub bulk: Option<BulkRecord>,
}
