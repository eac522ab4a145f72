//! HubSpot.
//!
//! Every record that Callflume writes carries its own key in a unique property ([`properties::KEY_PROPERTY`]), so
//! every write may be resent blindly: an upsert or update repeats itself, a create answers with a conflict.
//!
//! Searches by phone have pages (200 contacts, the first 10,000 of them). A page of strangers says nothing about who is
//! asked for, so the next is asked for, and a person is absent only after the last. Reads by key and by e-mail are batch
//! reads of unique properties: they answer for each value and have no pages.

mod build;
mod deals;
mod executed;
mod found;
mod interpret;
pub mod limits;
mod numbers;
mod observe;
mod paths;
pub mod properties;
mod reference;
mod refusal;
pub mod setup;

use callflume_core::effect::{Fields, Object};
use callflume_core::reference::References;
use callflume_core::vendor::{
    Answer, Charge, HttpRequest, Interpretation, Observation, OpenDeals, Operation, Vendor, Verb,
};

use crate::settings::Settings;
pub use interpret::token_expired;

/// Name of this CRM in configuration.
pub const NAME: &str = "hubspot";

/// HubSpot, as one account's settings want it spoken to.
#[derive(Debug, Clone, Default)]
pub struct HubSpot {
    settings: Settings,
}

impl HubSpot {
    /// HubSpot with these settings.
    pub const fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Vendor for HubSpot {
    fn name(&self) -> &'static str {
        NAME
    }

    /// 100 inputs for the batch endpoints, of reads too; 50 numbers for a search, whose body then stays within the 3,000
    /// characters that HubSpot's search guide allows, however long the numbers are; one page for a listing.
    fn batch_max(&self, verb: Verb, _object: Object) -> usize {
        match verb {
            Verb::ReadByKey
            | Verb::ReadByEmail
            | Verb::UpsertByKey
            | Verb::UpdateById
            | Verb::UpdateByKey
            | Verb::Create
            | Verb::Probe => 100,
            Verb::SearchByPhone => 50,
            Verb::List => 1,
        }
    }

    /// Searches have a window of their own and are exempt from the ten-second one; everything counts in the day.
    fn windows(&self, verb: Verb, _object: Object) -> &'static [Charge] {
        match verb {
            Verb::SearchByPhone => limits::SEARCH_CHARGES,
            _ => limits::CHARGES,
        }
    }

    fn observe(
        &self,
        verb: Verb,
        _object: Object,
        headers: &[(String, String)],
    ) -> Vec<Observation> {
        observe::observe(verb, headers)
    }

    fn references(&self) -> Option<&dyn References> {
        Some(self)
    }

    /// An upsert sets the properties it has, and no others.
    fn upserts_plainly(&self, object: Object, fields: &Fields) -> bool {
        object == Object::Contact && !fields.is_empty()
    }

    fn open_deals(&self) -> OpenDeals {
        OpenDeals::OfContacts {
            contacts: deals::CONTACTS_MAX,
            deals: deals::DEALS_MAX,
        }
    }

    fn request(&self, operation: &Operation) -> HttpRequest {
        build::request(&self.settings, operation)
    }

    fn interpret(&self, operation: &Operation, answer: &Answer) -> Interpretation {
        interpret::interpret(operation, answer)
    }
}
