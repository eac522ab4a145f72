//! What the dispatcher needs of a CRM: operations to requests, answers to outcomes.
//!
//! The dispatcher thinks in [`Operation`]s over neutral fields; a [`Vendor`] (crate `crm`) is a pure translation in
//! both directions. Retry, order and quota are decided by the dispatcher from what the vendor says happened.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bulk::Bulk;
use crate::codes::Code;
use crate::effect::{Fields, Object};
use crate::event::Phone;
use crate::reference::References;
use crate::time::WallTime;

/// What one request does. All items of an operation share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Find contacts by our own key.
    ReadByKey,
    /// Find contacts by e-mail address.
    ReadByEmail,
    /// Find contacts by phone number.
    SearchByPhone,
    /// Create or update contacts by our own key.
    UpsertByKey,
    /// Update records by their id in the CRM.
    UpdateById,
    /// Update records by our own key; a record that isn't there is [`ItemOutcome::Gone`].
    UpdateByKey,
    /// Create records with our own key and their links; one that is there already is [`ItemOutcome::Conflict`].
    Create,
    /// One page of all contacts; of deals: see [`OpenDeals`].
    List,
    /// Find a record that an answer we never got may have left, by our marker on it: [`ItemOutcome::Done`] when it is
    /// there, [`ItemOutcome::Gone`] when it surely isn't. Sees what was written a moment ago.
    Probe,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 9] = [
        Self::ReadByKey,
        Self::ReadByEmail,
        Self::SearchByPhone,
        Self::UpsertByKey,
        Self::UpdateById,
        Self::UpdateByKey,
        Self::Create,
        Self::List,
        Self::Probe,
    ];
}

/// What may be done after a write whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Send it again: the CRM itself makes it happen once (class A).
    Blindly,
    /// Send it again only after a [`Verb::Probe`] has found nothing (class B).
    AfterProbe,
}

/// How a CRM wants the credential shown. The shell adds it; a request never carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Bearer <credential>`.
    Bearer,
    /// `Authorization: Basic`, the credential as user name with an empty password.
    BasicUser,
    /// The bare credential in a header of this lower-case name.
    Header(&'static str),
}

/// One unit of an operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item {
    /// Tells the items of a request apart in its answer; unique within the process.
    pub trace: u64,
    /// Our own key of the record.
    pub key: String,
    /// The record's id in the CRM, for [`Verb::UpdateById`]. Opaque here: a CRM that needs two ids to name a record
    /// (its parent's too) puts both in.
    pub crm_id: Option<String>,
    /// Fields to write.
    pub fields: Fields,
    /// CRM id of the contact the record is linked to, for [`Verb::Create`]; where to look, for [`Verb::Probe`]; whose deals
    /// are asked for, for [`OpenDeals::OfContacts`].
    pub contact: Option<String>,
    /// For [`Verb::ReadByEmail`].
    pub email: Option<String>,
    /// For [`Verb::SearchByPhone`].
    pub phone: Option<Phone>,
    /// Also write our own key onto the record (an existing contact that didn't carry it).
    pub stamp: bool,
}

/// One request, in the dispatcher's terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What to do.
    pub verb: Verb,
    /// With which kind of record.
    pub object: Object,
    /// To which records; 1 to [`Vendor::batch_max`]. Empty only for [`Verb::List`], where it isn't [`OpenDeals::OfContacts`].
    pub items: Vec<Item>,
    /// For [`Verb::List`], [`Verb::Probe`] and a look-up of one item: the page after this mark, none for the first.
    pub after: Option<String>,
}

/// HTTP methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PATCH.
    Patch,
    /// PUT.
    Put,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
        })
    }
}

/// An HTTP request without base address and credential, which the shell adds.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Path and query, starting with `/`.
    pub path: String,
    /// Body, if any.
    pub body: Option<Vec<u8>>,
    /// What the body is.
    pub content: Content,
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// `application/json`.
    #[default]
    Json,
    /// `text/csv`.
    Csv,
}

impl Content {
    /// Value of the `Content-Type` header.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
        }
    }
}

impl fmt::Debug for HttpRequest {
    /// The path without its query and the body's size: both may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ({} bytes)",
            self.method,
            self.path.split('?').next().unwrap_or(""),
            self.body.as_ref().map_or(0, Vec::len)
        )
    }
}

/// What came of sending a request.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// The CRM answered.
    Response {
        /// HTTP status.
        status: u16,
        /// Header names in lower case, and values.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Nothing left this process (no connection, lease too short): certainly not executed.
    NotSent,
    /// Sent, but no whole answer came (time-out, reset, truncated): may have been executed.
    Lost,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { status, body, .. } => {
                write!(f, "Response({status}, {} bytes)", body.len())
            }
            Self::NotSent => f.write_str("NotSent"),
            Self::Lost => f.write_str("Lost"),
        }
    }
}

/// A contact found in the CRM.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Id in the CRM.
    pub crm_id: String,
    /// Our own key on it, if it has one.
    pub own_key: Option<String>,
    /// Phone numbers as stored there.
    pub phones: Vec<String>,
    /// E-mail address as stored there.
    pub email: Option<String>,
    /// First name, if asked for and given.
    pub first_name: Option<String>,
    /// Last name, if asked for and given.
    pub last_name: Option<String>,
    /// Owner's id in the CRM, if asked for and given.
    pub owner: Option<String>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found({})", self.crm_id)
    }
}

/// A deal found in the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundDeal {
    /// Id in the CRM.
    pub crm_id: String,
    /// CRM id of the contact it belongs to, as far as the answer says.
    pub contact: Option<String>,
    /// Whether it is open: neither won nor lost. True where the answer says only that it is linked.
    pub open: bool,
    /// When it was made in the CRM, if told.
    pub created: Option<WallTime>,
}

/// How a CRM tells which contacts have open deals. Either way it is [`Verb::List`] of [`Object::Deal`], answered by one
/// [`ItemOutcome::Deals`]; a mark in [`Interpretation::next_page`] goes on with the same items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenDeals {
    /// Not at all.
    Untold,
    /// Page by page, each of them with its contact; no items.
    Listed,
    /// Asked for contacts ([`Item::contact`]), which deals they are linked to; then asked for deals ([`Item::crm_id`]),
    /// which of them are open.
    OfContacts {
        /// Contacts in one request at most.
        contacts: usize,
        /// Deals in one request at most.
        deals: usize,
    },
}

/// What happened to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemOutcome {
    /// The record holds what it should.
    Done {
        /// The record's id in the CRM.
        crm_id: String,
    },
    /// Contacts that match (reads and searches); empty when there are none.
    Matches(Vec<Found>),
    /// Deals of a page, or of those asked for ([`OpenDeals`]).
    Deals(Vec<FoundDeal>),
    /// Certainly not executed; try again (throttled, locked, credential to refresh).
    NotExecuted,
    /// May have been executed.
    Unknown,
    /// A record with this key (or e-mail address) is there already.
    Conflict {
        /// Its id, when the CRM says so.
        existing: Option<String>,
    },
    /// The record to update doesn't exist (any more).
    Gone,
    /// Refused for good.
    Refused {
        /// Code of the dead letter.
        code: Code,
        /// The CRM's category or code, without values.
        reason: String,
    },
    /// The whole batch was refused without saying which item is to blame: it is found by halves.
    Split,
}

/// What an answer says about the account as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountSignal {
    /// Nothing in particular.
    Fine,
    /// A short window is full at the CRM.
    Throttled {
        /// Name of the window, as in the limit profile; empty when the CRM doesn't say.
        window: &'static str,
        /// The CRM's own hint, milliseconds.
        wait_ms: Option<u64>,
    },
    /// The day's quota is used up.
    DayExhausted,
    /// The credential is refused: pause until the operator has acted.
    CredentialRefused,
    /// The credential lacks a scope: pause until the operator has acted.
    ScopeMissing,
    /// The CRM is failing (5xx, no connection): back off.
    Failing,
    /// Record or account locked for a moment or moving: wait this long, milliseconds.
    Busy {
        /// How long.
        wait_ms: u64,
    },
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpretation {
    /// For the account.
    pub account: AccountSignal,
    /// For each item, in the operation's order; for [`Verb::List`] one [`ItemOutcome::Matches`], of deals
    /// [`ItemOutcome::Deals`], or a failure.
    pub items: Vec<ItemOutcome>,
    /// For [`Verb::List`]: the mark of the next page. For [`Verb::Probe`] and a look-up of one item: the mark to ask
    /// again with, when this page can't say yet whether the record or person is there ([`ItemOutcome::NotExecuted`]). A
    /// look-up whose mark is refused is [`ItemOutcome::Unknown`], and begins anew.
    pub next_page: Option<String>,
}

/// One limit of a CRM account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSpec {
    /// Name, unique in its profile: `ten_secondly`, `search`, `daily`.
    pub name: &'static str,
    /// The published limit, in [`WindowSpec::unit`]s.
    pub limit: u32,
    /// Its span.
    pub span: Span,
    /// What it counts.
    pub unit: Unit,
}

impl WindowSpec {
    /// So many requests in any stretch of `span_ms` milliseconds.
    pub const fn rolling(name: &'static str, limit: u32, span_ms: u64) -> Self {
        Self {
            name,
            limit,
            span: Span::RollingMs(span_ms),
            unit: Unit::Request,
        }
    }

    /// So many requests in a calendar day.
    pub const fn day(name: &'static str, limit: u32) -> Self {
        Self {
            name,
            limit,
            span: Span::Day,
            unit: Unit::Request,
        }
    }

    /// So many requests under way at the same time.
    pub const fn slots(name: &'static str, limit: u32) -> Self {
        Self {
            name,
            limit,
            span: Span::Slots,
            unit: Unit::Request,
        }
    }

    /// The same window counting tokens, the CRM's own price of an operation.
    #[must_use]
    pub const fn in_tokens(mut self) -> Self {
        self.unit = Unit::Token;
        self
    }
}

/// Over what a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Any stretch of this many milliseconds.
    RollingMs(u64),
    /// A calendar day in the account's time zone.
    Day,
    /// Whatever is under way at the moment.
    Slots,
}

/// What a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Requests, whatever they do.
    Request,
    /// Tokens: each operation has its own price.
    Token,
}

/// What one request costs in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Index of the window in the limit profile.
    pub window: usize,
    /// How much of it one request takes, in its unit; 1 where requests are counted.
    pub cost: u32,
}

impl Charge {
    /// One request in this window.
    pub const fn one(window: usize) -> Self {
        Self { window, cost: 1 }
    }
}

/// What the headers of an answer say about one window, as the CRM saw it when it took the request in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Index of the window in the limit profile.
    pub window: usize,
    /// The whole limit, if told.
    pub limit: Option<u32>,
    /// What is left of it, this request counted, if told.
    pub remaining: Option<u32>,
    /// Until the CRM's own clock frees the window, milliseconds, if told.
    pub resets_in_ms: Option<u64>,
}

/// A CRM, as the dispatcher sees it. Implementations are pure.
pub trait Vendor: Send + Sync {
    /// Name of the CRM, lower case.
    fn name(&self) -> &'static str;

    /// How the credential is shown to this CRM.
    fn authorization(&self) -> Scheme {
        Scheme::Bearer
    }

    /// Most items in one request of this verb.
    fn batch_max(&self, verb: Verb, object: Object) -> usize;

    /// Which windows a request of this verb counts in, and how much it costs there.
    fn windows(&self, verb: Verb, object: Object) -> &'static [Charge];

    /// What the headers of an answer to this verb say about the windows; nothing for a CRM that tells nothing.
    /// Header names come in any case. Garbage is not an observation.
    fn observe(
        &self,
        _verb: Verb,
        _object: Object,
        _headers: &[(String, String)],
    ) -> Vec<Observation> {
        Vec::new()
    }

    /// What may be done after a write of this verb whose outcome is unknown.
    fn repeat(&self, _verb: Verb, _object: Object) -> Repeat {
        Repeat::Blindly
    }

    /// Whether records of this kind can be updated by our own key ([`Verb::UpdateByKey`]). Where they can't, their id
    /// in the CRM is found with [`Verb::Probe`] first.
    fn updates_by_key(&self, _object: Object) -> bool {
        true
    }

    /// Whether an upsert by our key with these fields writes nothing beyond them onto a record that is there already, so
    /// that a person who is named by our key alone needn't be looked for.
    fn upserts_plainly(&self, _object: Object, _fields: &Fields) -> bool {
        false
    }

    /// How many items of this kind may join a request that carries these operations already, 0 for none. In a CRM whose
    /// requests carry one operation each: none beside another.
    fn room(&self, operations: &[Operation], verb: Verb, object: Object) -> usize {
        if operations.is_empty() {
            self.batch_max(verb, object)
        } else {
            0
        }
    }

    /// How long an operational effect waits for others to share its request, milliseconds, unless the account says
    /// otherwise: 0 where requests are plentiful and latency is all, more where only a day's number of them counts.
    fn op_batch_wait_ms(&self) -> u64 {
        0
    }

    /// How its owners, pipelines and stages are read; none for a CRM that is spoken to in ids only.
    fn references(&self) -> Option<&dyn References> {
        None
    }

    /// How it tells which contacts have open deals.
    fn open_deals(&self) -> OpenDeals {
        OpenDeals::Untold
    }

    /// The request for an operation.
    fn request(&self, operation: &Operation) -> HttpRequest;

    /// One request for several operations, as many as [`Vendor::room`] let in.
    fn bundle(&self, operations: &[Operation]) -> HttpRequest {
        debug_assert!(operations.len() == 1, "{} bundles nothing", self.name());
        self.request(&operations[0])
    }

    /// The answer to [`Vendor::bundle`], taken apart: one for each operation, in their order. None when the request as such
    /// was refused, which says nothing about what it carried: each operation is then sent for itself.
    fn unbundle(&self, operations: &[Operation], answer: &Answer) -> Option<Vec<Answer>> {
        Some(vec![answer.clone(); operations.len()])
    }

    /// Writing by jobs, in a CRM that has them.
    fn bulk(&self) -> Option<&dyn Bulk> {
        None
    }

    /// What an answer to it means. Total: every status, body and failure has a meaning.
    fn interpret(&self, operation: &Operation, answer: &Answer) -> Interpretation;
}
