//! CRMs as pure translations: operations to HTTP requests, answers to outcomes, published limits.
//!
//! Decides how an [`Operation`](callflume_core::vendor::Operation) is said in a CRM's own terms and what its answers
//! mean. Never in this crate: IO, a clock, randomness, maps with random iteration order, retries, quota decisions
//! (those are core's). Invariants: a request is a function of operation and settings alone; every answer, garbage
//! included, has exactly one outcome per item; no refusal reason repeats a value that was sent.

pub mod close;
mod cut;
mod deals;
mod headers;
pub mod hubspot;
mod instants;
pub mod oauth;
pub mod pipedrive;
mod reference;
mod refusal;
pub mod salesforce;
mod settings;
pub mod setup;
mod values;

use std::sync::Arc;

use callflume_core::codes::{self, Code};
use callflume_core::effect::{Field, Object};
use callflume_core::vendor::{Vendor, WindowSpec};

pub use settings::{ApiVersion, InvalidSetting, Settings};

/// Names of the CRMs that can be had from [`vendor`].
pub const VENDORS: &[&str] = &[
    hubspot::NAME,
    salesforce::NAME,
    close::NAME,
    pipedrive::NAME,
];

/// The configured CRM is none of [`VENDORS`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no CRM this version speaks to: use one of {}", VENDORS.join(", "))]
pub struct UnknownVendor {
    /// What was asked for, at most 80 characters of it.
    pub name: String,
}

impl UnknownVendor {
    /// The stable code of this error.
    pub const fn code(&self) -> Code {
        codes::CONFIG_VALUE
    }
}

/// The CRM of this name (lower case), speaking as the account's settings say.
pub fn vendor(name: &str, settings: &Settings) -> Result<Arc<dyn Vendor>, UnknownVendor> {
    match name {
        hubspot::NAME => Ok(Arc::new(hubspot::HubSpot::new(settings.clone()))),
        salesforce::NAME => Ok(Arc::new(salesforce::Salesforce::new(settings.clone()))),
        close::NAME => Ok(Arc::new(close::Close::new(settings.clone()))),
        pipedrive::NAME => Ok(Arc::new(pipedrive::Pipedrive::new(settings.clone()))),
        _ => Err(UnknownVendor {
            name: name.chars().take(80).collect(),
        }),
    }
}

/// The CRM's own address; none if it has one per account, or for an unknown CRM.
pub fn base_url(vendor: &str) -> Option<&'static str> {
    match vendor {
        hubspot::NAME => Some("https://api.hubapi.com"),
        close::NAME => Some("https://api.close.com"),
        _ => None,
    }
}

/// Whether this CRM has a place for a field of an object, so that a mapping may name it.
pub fn has_field(vendor: &str, object: Object, field: &Field) -> bool {
    match vendor {
        hubspot::NAME => hubspot::properties::property(object, field).is_some(),
        close::NAME => close::has_field(object, field),
        pipedrive::NAME => pipedrive::place(object, field).is_some(),
        salesforce::NAME => salesforce::place(object, field).is_some(),
        _ => false,
    }
}

/// The limit profiles of a CRM by their ids.
fn profiles(vendor: &str) -> &'static [(&'static str, &'static [WindowSpec])] {
    match vendor {
        hubspot::NAME => hubspot::limits::PROFILES,
        salesforce::NAME => salesforce::limits::PROFILES,
        close::NAME => close::limits::PROFILES,
        pipedrive::NAME => pipedrive::limits::PROFILES,
        _ => &[],
    }
}

/// The windows of a limit profile, in the order that [`Vendor::windows`] refers to; none for an unknown CRM or id.
pub fn limit_profile(vendor: &str, id: &str) -> Option<&'static [WindowSpec]> {
    profiles(vendor)
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, windows)| *windows)
}

/// Ids of a CRM's limit profiles, for messages and completion; empty for an unknown CRM.
pub fn limit_profile_ids(vendor: &str) -> Vec<&'static str> {
    profiles(vendor).iter().map(|(id, _)| *id).collect()
}

#[cfg(test)]
mod tests {
    use callflume_core::vendor::Span;

    use super::*;

    #[test]
    fn an_unknown_crm_is_named_with_what_could_be_used_instead() {
        let error = vendor("hubspoot", &Settings::default()).err().unwrap();
        let text = error.to_string();
        assert!(
            text.contains("hubspoot") && text.contains("hubspot"),
            "{text}"
        );
        assert_eq!(error.code().as_str(), "CF3102");
        assert_eq!(limit_profile("hubspoot", "public_oauth"), None);
        assert!(limit_profile_ids("hubspoot").is_empty());
    }

    #[test]
    fn every_profile_is_found_by_its_id_and_its_windows_have_names_of_their_own() {
        for vendor in ["hubspot", "salesforce", "close", "pipedrive"] {
            let ids = limit_profile_ids(vendor);
            assert!(!ids.is_empty(), "{vendor}");
            for id in ids {
                let windows = limit_profile(vendor, id).unwrap();
                let mut names: Vec<&str> = windows.iter().map(|window| window.name).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), windows.len(), "{vendor} {id}");
                assert!(windows.iter().all(|window| window.limit > 0));
                let days = windows.iter().filter(|window| window.span == Span::Day);
                assert!(days.count() <= 1, "{vendor} {id}: one day at most");
            }
        }
    }

    #[test]
    fn a_known_crm_says_its_name() {
        for name in VENDORS {
            assert_eq!(vendor(name, &Settings::default()).unwrap().name(), *name);
            assert!(has_field(name, Object::Call, &Field::Duration), "{name}");
            assert!(!has_field(name, Object::Note, &Field::Amount), "{name}");
        }
    }
}
