//! Close.
//!
//! Close makes nothing once by itself: no field is unique, nothing is upserted. So every record that Callflume makes
//! carries a marker of its key (a custom field of contacts and opportunities, the end of the text of calls, notes and
//! tasks), and after an unknown outcome [`Verb::Probe`] finds what may be there before anything is made again. What is
//! changed is changed by id to absolute values, which may be repeated.
//!
//! Searches have pages (100 contacts, a cursor). A page of strangers says nothing about who is asked for, so the next is
//! asked for with the cursor, and a person is absent only after the last.
//!
//! A person is a contact on a lead of its own, made by one request; a contact found on a lead of somebody else stays
//! there. What is logged hangs on both, so a contact's id in our terms holds both (`ids`).

mod build;
mod executed;
mod fields;
mod found;
mod ids;
mod interpret;
mod lack;
pub mod limits;
pub mod observe;
mod reference;
mod refusal;
mod search;
pub mod setup;
mod text;
mod when;

use callflume_core::effect::Object;
use callflume_core::reference::References;
use callflume_core::vendor::{
    Answer, Charge, HttpRequest, Interpretation, Observation, OpenDeals, Operation, Repeat, Scheme,
    Vendor, Verb,
};

use crate::settings::Settings;
pub use fields::{DEAL_KEY_FIELD, KEY_FIELD, OPTED_OUT_FIELD, SENTIMENT_FIELD, has_field};
pub use interpret::token_expired;

/// Name of this CRM in configuration.
pub const NAME: &str = "close";

/// Close, as one account's settings want it spoken to.
#[derive(Debug, Clone, Default)]
pub struct Close {
    settings: Settings,
}

impl Close {
    /// Close with these settings.
    pub const fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Vendor for Close {
    fn name(&self) -> &'static str {
        NAME
    }

    /// An API key is a user name without password; an OAuth token a bearer.
    fn authorization(&self) -> Scheme {
        if self.settings.oauth() {
            Scheme::Bearer
        } else {
            Scheme::BasicUser
        }
    }

    /// Look-ups share a search: 20 keys or addresses, 10 numbers in their several spellings. Close publishes no bound
    /// for a query; these are ours. Everything else is one record a request.
    fn batch_max(&self, verb: Verb, _object: Object) -> usize {
        match verb {
            Verb::ReadByKey | Verb::ReadByEmail => 20,
            Verb::SearchByPhone => 10,
            _ => 1,
        }
    }

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

    fn repeat(&self, verb: Verb, _object: Object) -> Repeat {
        match verb {
            Verb::Create | Verb::UpsertByKey => Repeat::AfterProbe,
            _ => Repeat::Blindly,
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
