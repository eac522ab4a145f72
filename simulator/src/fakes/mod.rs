//! The fake CRMs by their vendors' names, each prepared the way an operator would leave an account.
//!
//! Also what they have in common: requests and replies (`http`), the front over real HTTP (`server`), scripts of faults
//! (`faults`), what limits (`limits`) and audits (`audit`) are made of, people who were there before (`people`).
//!
//! Decides which vendors a scenario may name and what an account of each is made of; how, is said beside each fake
//! (`prepared`). Never anything about what is published: that is [`crate::traffic`]'s.

mod audit;
mod faults;
mod http;
mod limits;
mod model;
mod people;
mod server;

use std::fmt::Debug;

use callflume_core::config::{AccountConfig, SecretRef};
use callflume_core::event::ContactRef;

use crate::holdings::Holdings;
use crate::scenario::{Crm, FaultAction, FaultSpec, Scenario};
use crate::virtual_time;
use crate::{close, hubspot, pipedrive, salesforce};

pub use audit::FieldWrite;
pub(crate) use audit::first_writes;
pub(crate) use faults::FaultScript;
pub use faults::{Fault, Struck};
pub use http::{Deliver, Method, Reply, Request};
pub use limits::DayState;
pub(crate) use limits::{Day, RollingLog};
pub(crate) use model::ServiceTime;
pub use model::{HttpModel, Tally};
pub use people::{FICTIONAL_NUMBERS, NoMoreNumbers, SEEDED_AT_MS, SeededContact, fictional_e164};
pub(crate) use people::{Habits, named};
pub use server::{FakeServer, ServerOptions};

/// Vendors with a fake, by the names of their configuration.
pub const VENDORS: [&str; 4] = ["hubspot", "salesforce", "close", "pipedrive"];

/// Environment variable that holds the fake CRMs' token; workers started by a run get it.
pub const TOKEN_VARIABLE: &str = "CALLFLUME_FAKE_HUBSPOT_TOKEN";

/// A fake CRM: requests go in, in-process or over HTTP, and the oracle looks at it.
pub trait FakeCrm: virtual_time::Crm + HttpModel + Holdings + Debug {}

impl<T: virtual_time::Crm + HttpModel + Holdings + Debug> FakeCrm for T {}

/// An account with its CRM, before the first request.
#[derive(Debug)]
pub struct Prepared {
    /// The fake, seeded.
    pub crm: Box<dyn FakeCrm>,
    /// The account's configuration, with the ids that preparing the account gives.
    pub config: AccountConfig,
    /// The contacts that are there already, as publishers name them.
    pub known: Vec<ContactRef>,
}

/// A fake that can't be set up as a scenario asks.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// HubSpot's.
    #[error(transparent)]
    HubSpot(#[from] hubspot::SetupError),
    /// Salesforce's.
    #[error(transparent)]
    Salesforce(#[from] salesforce::SetupError),
    /// Close's.
    #[error(transparent)]
    Close(#[from] close::SetupError),
    /// Pipedrive's.
    #[error(transparent)]
    Pipedrive(#[from] pipedrive::SetupError),
    /// No fake has this name.
    #[error("there is no fake CRM `{0}`; use one of {list}", list = VENDORS.join(", "))]
    Unknown(String),
}

/// Empties the first of these refresh tokens that is this one; `false` when none is.
pub(crate) fn withdrawn<'a>(
    mut held: impl Iterator<Item = &'a mut String>,
    refresh_token: &str,
) -> bool {
    let token = held.find(|token| !refresh_token.is_empty() && *token == refresh_token);
    token.map(String::clear).is_some()
}

/// The account of a scenario's `[crm]`, for a run that starts at `start_ms` (epoch milliseconds).
pub fn prepared(
    scenario: &Scenario,
    base_url: &str,
    start_ms: i64,
) -> Result<Prepared, SetupError> {
    let mut prepared = faultless(scenario, base_url)?;
    for fault in &scenario.crm.faults {
        prepared.crm.script(fault, start_ms);
    }
    Ok(prepared)
}

/// The same without the scenario's faults, for whoever doesn't know yet when the run starts.
pub fn faultless(scenario: &Scenario, base_url: &str) -> Result<Prepared, SetupError> {
    match scenario.crm.vendor.as_str() {
        "hubspot" => Ok(hubspot::prepared::account(scenario, base_url)?),
        "salesforce" => Ok(salesforce::prepared::account(scenario, base_url)?),
        "close" => Ok(close::prepared::account(scenario, base_url)?),
        "pipedrive" => Ok(pipedrive::prepared::account(scenario, base_url)?),
        other => Err(SetupError::Unknown(other.to_owned())),
    }
}

/// The configuration of an account but for what its vendor needs beyond.
pub(crate) fn configuration(
    vendor: &str,
    profile: &str,
    share_percent: u32,
    base_url: &str,
    time_zone: &str,
) -> AccountConfig {
    let token = SecretRef::Env(TOKEN_VARIABLE.to_owned());
    let mut config = AccountConfig::new(vendor, token, profile);
    config.base_url = Some(base_url.to_owned());
    config.share_percent = share_percent;
    time_zone.clone_into(&mut config.time_zone);
    config.default_country = Some("1".to_owned());
    config
}

impl Crm {
    /// The configuration of an account here but for what its vendor needs beyond.
    pub(crate) fn configuration(&self, base_url: &str, time_zone: &str) -> AccountConfig {
        let (vendor, profile) = (&self.vendor, &self.profile);
        let mut config = configuration(vendor, profile, self.share_percent, base_url, time_zone);
        config.batch_wait_ms = self.batch_wait_ms.unwrap_or(config.batch_wait_ms);
        config.op_batch_wait_ms = self.op_batch_wait_ms.or(config.op_batch_wait_ms);
        config
    }
}

/// The limit profile of an account that names none.
pub fn default_profile(vendor: &str) -> &'static str {
    match vendor {
        "salesforce" => "enterprise_100_seats",
        "close" => "strict_search",
        "pipedrive" => "growth_api_token",
        _ => "private_professional",
    }
}

/// Whether a vendor's plan has a limit per day.
pub fn has_day(vendor: &str) -> bool {
    vendor != "close"
}

/// Whether a vendor has a price per operation, in tokens.
pub fn has_price(vendor: &str) -> bool {
    vendor == "pipedrive"
}

/// Whether a fake can be struck by a fault.
pub fn can_fail(vendor: &str, fault: &FaultSpec) -> bool {
    match fault.kind {
        FaultAction::Locked => matches!(vendor, "hubspot" | "salesforce"),
        FaultAction::Migrating => vendor == "hubspot",
        FaultAction::Throttled => fault.policy.is_none() || vendor != "close",
        _ => true,
    }
}

/// Where a deal of a new account stands: the CRM's own ids, which publishers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DealStages {
    /// The pipeline, as publishers name it.
    pub pipeline: &'static str,
    /// The stage of a new deal.
    pub first: &'static str,
    /// The one after it.
    pub second: &'static str,
}

/// The stages of deals in a vendor's fake.
pub fn deal_stages(vendor: &str) -> DealStages {
    let (pipeline, first, second) = match vendor {
        // An org has no pipelines; a record type would stand for one.
        "salesforce" => ("standard", "Prospecting", "Qualification"),
        "close" => ("pipe_1", "stat_20", "stat_21"),
        "pipedrive" => ("1", "1", "2"),
        _ => ("default", "appointmentscheduled", "qualifiedtobuy"),
    };
    DealStages {
        pipeline,
        first,
        second,
    }
}
