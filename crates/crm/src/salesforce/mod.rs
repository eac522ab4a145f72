//! Salesforce: contacts, and what hangs on them: tasks (calls, notes and things to do) and opportunities.
//!
//! Decides how each operation is said in Salesforce's REST interface and what the answers mean. Class A throughout: every
//! record carries our own key in an external id whose values are unique, which `account prepare` makes, so every write may
//! be repeated blindly: an upsert or an update sets absolute values, a creation that meets its own record is a conflict
//! with it.
//!
//! | record | is | our key is on |
//! | --- | --- | --- |
//! | contact | Contact | Contact |
//! | call | completed Task of subtype `Call` | Activity |
//! | note | completed Task of subtype `Task` | Activity |
//! | task | Task that isn't started, of subtype `Task` | Activity |
//! | deal | Opportunity | Opportunity |
//!
//! **A note is a completed task**, not Salesforce's own kind of note: that one (ContentNote) can carry no field of ours, so
//! after a lost answer it could not be told whether it was made; and it takes two records, the note and its link.
//!
//! **One request carries up to 200 records and counts once.** Only updates by our key, which must not make what is gone,
//! are 25 to a request. With a warm cache a call of the load tests' mix (1 call, 0.28 tasks, 0.15 deals, 1.1 notes and
//! transcripts, 0.9 sentiments and recordings, 1.17 updates of the person) needs at most one request of its own, the
//! call's, when nothing waits with it.
//!
//! **A search by phone has pages** of 2,000 contacts in the order of their ids. One of strangers says nothing about who is
//! asked for, so those after its last id are asked for, and a person is absent only after the last page. What is read by key
//! or e-mail address alone is all the person's, so there is nothing to look for on a further page.
//!
//! Never: a description replaced by an update without text, an instant or length that isn't given, a value in a refusal's
//! reason, an id that isn't one of Salesforce's in a query or address.

mod bodies;
mod build;
pub mod bulk;
mod bundle;
mod deals;
mod fields;
mod found;
mod interpret;
mod kinds;
pub mod limits;
pub mod observe;
mod paths;
mod reference;
mod refusal;
mod required;
mod settled;
pub mod setup;
mod soql;
mod texts;

use callflume_core::bulk::Bulk;
use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::reference::References;
use callflume_core::vendor::{
    Answer, Charge, HttpRequest, Interpretation, Observation, OpenDeals, Operation, Vendor, Verb,
};

use crate::settings::Settings;
pub use bodies::CLOSE_DATE;
pub use build::URI_MAX;
pub use fields::{
    ACTIVITY_KEY, CALL_RECORDING, CALL_SENTIMENT, CONTACT_KEY, DEAL_KEY, KEY_FIELD,
    RECORDING_FIELD, SENTIMENT_FIELD, place,
};
pub use interpret::token_expired;
pub use paths::sobject;

/// Name of this CRM in configuration.
pub const NAME: &str = "salesforce";

/// Salesforce, as one account's settings want it spoken to.
#[derive(Debug, Clone, Default)]
pub struct Salesforce {
    settings: Settings,
}

impl Salesforce {
    /// Salesforce with these settings.
    pub const fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Vendor for Salesforce {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Records of a collection, parts of a composite request, and of reads as many as an address holds: see `build`.
    fn batch_max(&self, verb: Verb, _object: Object) -> usize {
        match verb {
            Verb::UpsertByKey | Verb::Create | Verb::UpdateById => 200,
            Verb::ReadByKey | Verb::Probe => 150,
            Verb::ReadByEmail => 80,
            Verb::SearchByPhone => 50,
            Verb::UpdateByKey => 25,
            Verb::List => 1,
        }
    }

    /// Every request counts once in 24 hours, and may turn out to be a long one.
    fn windows(&self, _verb: Verb, _object: Object) -> &'static [Charge] {
        limits::CHARGES
    }

    fn observe(
        &self,
        _verb: Verb,
        _object: Object,
        headers: &[(String, String)],
    ) -> Vec<Observation> {
        observe::observe(headers)
    }

    /// Only the day's number of requests counts, so half a second is worth a shared one.
    fn op_batch_wait_ms(&self) -> u64 {
        500
    }

    fn room(&self, operations: &[Operation], verb: Verb, object: Object) -> usize {
        bundle::room(operations, verb, self.batch_max(verb, object))
    }

    fn references(&self) -> Option<&dyn References> {
        Some(self)
    }

    /// An upsert by our key makes up a last name, which a contact can't do without, if it is given none.
    fn upserts_plainly(&self, object: Object, fields: &Fields) -> bool {
        let last = match fields.get(&Field::LastName) {
            Some(Value::Text(last)) => last.trim(),
            _ => "",
        };
        object == Object::Contact && !last.is_empty()
    }

    fn bulk(&self) -> Option<&dyn Bulk> {
        Some(self)
    }

    fn open_deals(&self) -> OpenDeals {
        OpenDeals::Listed
    }

    fn request(&self, operation: &Operation) -> HttpRequest {
        build::request(&self.settings, operation)
    }

    fn bundle(&self, operations: &[Operation]) -> HttpRequest {
        bundle::request(&self.settings, operations)
    }

    fn unbundle(&self, operations: &[Operation], answer: &Answer) -> Option<Vec<Answer>> {
        bundle::answers(&self.settings, operations, answer)
    }

    fn interpret(&self, operation: &Operation, answer: &Answer) -> Interpretation {
        interpret::interpret(&self.settings, operation, answer)
    }
}
