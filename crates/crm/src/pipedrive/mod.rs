//! Pipedrive: persons, and what hangs on them: activities (calls and tasks), notes, deals.
//!
//! Decides how each operation is said in Pipedrive's two API versions and what the answers mean. Nothing is unique there
//! and nothing is an upsert, so a creation whose answer was lost is repeated only after a look (class B): every record
//! carries our own key, and [`Verb::Probe`] looks for it where a new record shows at once, in a listing, never in the
//! search, which lags. Updates by id set absolute values and are repeated blindly (class A).
//!
//! | record | is | our key is in | probed by | tokens: create, update, probe |
//! | --- | --- | --- | --- | --- |
//! | contact | person, v2 | the custom field `contact_key` | the 500 newest persons | 5, 5, 10 |
//! | call | done activity of type `call`, v2 | the last line of its note | the person's activities | 5, 5, 10 |
//! | task | open activity of type `task`, v2 | the last line of its note | the person's activities | 5, 5, 10 |
//! | note | note, v1 | the last line of its content | the person's notes | 10, 10, 20 |
//! | deal | deal, v2 | the custom field `deal_key` | the person's deals | 5, 5, 10 |
//!
//! **Searches have pages** (500 persons, a cursor). One of strangers says nothing about who is asked for, so the next is
//! asked for with the cursor, for another 20 tokens, and a person is absent only after the last.
//!
//! **A call costs 5 tokens.** Pipedrive's own way is an activity (5), turned into a call log (10) with a note (10): after
//! a search (20) and a new person (5) that is 50 tokens a call. A call log adds outcome, seconds and numbers in fields of
//! their own, but can be neither searched nor changed, and lists its owner's calls only. An activity's note says the same,
//! can be found by its person and changed by its id. So a call is one activity, its note holds summary, direction,
//! outcome, seconds, numbers and the call's id. With a warm cache the mix of the load tests (per call: 1 call, 0.28 tasks,
//! 0.15 deals, 1.1 notes and transcripts, 0.9 sentiments and recordings, 1.17 updates of the person) costs
//! 5 + 1.4 + 0.75 + 11 + 4.5 + 5.85 = 28.5 tokens, before pending updates of one record are merged; provided that the id
//! of a record that was made is remembered, for looking for it costs another 10.
//!
//! **What comes after the call has a place of its own on the activity**, for a note is replaced as a whole, and replacing
//! it would drop the summary: the link to the recording is the activity's public description, which takes links of any
//! length, the sentiment its location, which people can filter by. No attendee is ever sent, so there is no guest to read
//! either. As notes of their own they would cost 10 tokens each and 33 a call, and could not be repeated blindly.
//!
//! Never: a list of phone numbers or e-mail addresses for a person who is there (it would replace what people typed), a
//! `marketing_status` (it is about mail, costs an add-on and can't be taken back), a value in a refusal's reason.

mod bodies;
mod build;
mod fields;
mod found;
mod interpret;
pub mod limits;
pub mod observe;
pub(crate) mod paths;
mod reference;
mod refusal;
pub mod setup;
mod texts;

use callflume_core::effect::Object;
use callflume_core::reference::References;
use callflume_core::vendor::{
    Answer, Charge, HttpRequest, Interpretation, Observation, OpenDeals, Operation, Repeat, Scheme,
    Vendor, Verb,
};

use crate::settings::Settings;
pub use fields::{CONTACT_KEY, DEAL_KEY, OPTED_OUT, place};
pub use interpret::token_expired;

/// Name of this CRM in configuration.
pub const NAME: &str = "pipedrive";

/// Header that takes an API token. An OAuth access token goes as a bearer instead.
pub const TOKEN_HEADER: &str = "x-api-token";

/// Pipedrive, as one account's settings want it spoken to.
#[derive(Debug, Clone, Default)]
pub struct Pipedrive {
    settings: Settings,
}

impl Pipedrive {
    /// Pipedrive with these settings.
    pub const fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Vendor for Pipedrive {
    fn name(&self) -> &'static str {
        NAME
    }

    /// An API token goes in a header of its own; an OAuth token is a bearer.
    fn authorization(&self) -> Scheme {
        if self.settings.oauth() {
            Scheme::Bearer
        } else {
            Scheme::Header(TOKEN_HEADER)
        }
    }

    /// One: there are no batches.
    fn batch_max(&self, _verb: Verb, _object: Object) -> usize {
        1
    }

    /// Searches have a window of their own; everything costs tokens of the day.
    fn windows(&self, verb: Verb, object: Object) -> &'static [Charge] {
        limits::charges(verb, object)
    }

    fn observe(
        &self,
        verb: Verb,
        object: Object,
        headers: &[(String, String)],
    ) -> Vec<Observation> {
        observe::observe(verb, object, headers)
    }

    /// Creations after a probe: nothing is unique. Updates by id are absolute.
    fn repeat(&self, verb: Verb, _object: Object) -> Repeat {
        match verb {
            Verb::UpsertByKey | Verb::Create => Repeat::AfterProbe,
            Verb::ReadByKey
            | Verb::ReadByEmail
            | Verb::SearchByPhone
            | Verb::UpdateById
            | Verb::UpdateByKey
            | Verb::List
            | Verb::Probe => Repeat::Blindly,
        }
    }

    fn updates_by_key(&self, _object: Object) -> bool {
        false
    }

    fn references(&self) -> Option<&dyn References> {
        Some(self)
    }

    fn open_deals(&self) -> OpenDeals {
        OpenDeals::Listed
    }

    fn request(&self, operation: &Operation) -> HttpRequest {
        build::request(&self.settings, operation)
    }

    fn interpret(&self, operation: &Operation, answer: &Answer) -> Interpretation {
        interpret::interpret(&self.settings, operation, answer)
    }
}
