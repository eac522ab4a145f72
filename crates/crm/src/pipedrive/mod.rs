//! Pipedrive: its limits and what its headers show of them. Writing to it is not built yet.

pub mod limits;
pub mod observe;

/// Name of this CRM in configuration.
pub const NAME: &str = "pipedrive";
