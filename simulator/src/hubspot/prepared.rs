//! A fake account as `callflume account prepare` leaves it, with the configuration that goes with it.

use callflume_core::config::AccountConfig;
use callflume_core::effect::Object;
use callflume_crm::hubspot::limits;
use callflume_crm::hubspot::setup::required_properties;

use super::{
    App, CustomProperty, Fault, FaultKind, HubSpot, HubSpotConfig, ObjectKind, Policy,
    SeededContact, SetupError,
};
use crate::fakes::Prepared;
use crate::scenario::{Crm, FaultAction, FaultSpec, Scenario, TOKEN, ThrottlePolicy};
use crate::traffic::CONTACT_PROPERTIES;

/// The account of a scenario, seeded; its faults are not in it.
pub(crate) fn account(scenario: &Scenario, base_url: &str) -> Result<Prepared, SetupError> {
    let hubspot = with_own_properties(scenario.hubspot_config());
    let mut config = scenario.crm.configuration(base_url, &hubspot.time_zone);
    limit_day(&mut config, scenario.crm.daily_limit);
    let mut crm = HubSpot::new(hubspot)?;
    let seeded = crm.seed_contacts(scenario.crm.contacts, scenario.seed)?;
    Ok(Prepared {
        crm: Box::new(crm),
        config,
        known: seeded.iter().map(SeededContact::named).collect(),
    })
}

/// The fake with Callflume's own properties and the token that workers use.
pub fn with_own_properties(mut hubspot: HubSpotConfig) -> HubSpotConfig {
    hubspot.properties.extend(own_properties());
    if hubspot.apps.iter().all(|app| app.token != TOKEN) {
        hubspot.apps.push(App::private(TOKEN));
    }
    hubspot
}

/// Callflume's own properties.
fn own_properties() -> Vec<CustomProperty> {
    required_properties()
        .into_iter()
        .map(|wanted| {
            let object = match wanted.object {
                Object::Contact => ObjectKind::Contacts,
                Object::Call => ObjectKind::Calls,
                Object::Note => ObjectKind::Notes,
                Object::Task => ObjectKind::Tasks,
                Object::Deal => ObjectKind::Deals,
            };
            CustomProperty {
                object,
                name: wanted.name.to_owned(),
                unique: wanted.unique,
            }
        })
        .collect()
}

/// Gives the account another day than its profile's.
pub fn limit_day(config: &mut AccountConfig, daily_limit: Option<u32>) {
    let windows = limits::profile(&config.profile);
    let day = windows.map(|windows| windows[limits::DAILY].name);
    if let Some((day, limit)) = day.zip(daily_limit) {
        config.limits.insert(day.to_owned(), limit);
    }
}

impl Scenario {
    /// The fake HubSpot of this scenario, before seeding. It has the customer's own properties that the traffic writes
    /// ([`CONTACT_PROPERTIES`]), but none of ours: those are made by preparing the account. Faults are not in it.
    pub fn hubspot_config(&self) -> HubSpotConfig {
        HubSpotConfig {
            properties: CONTACT_PROPERTIES
                .iter()
                .map(|name| CustomProperty::text(ObjectKind::Contacts, name))
                .collect(),
            ..bare(&self.crm, self.seed)
        }
    }
}

/// An account without anything of ours, with the limits of its profile and, if given, another day.
pub(crate) fn bare(crm: &Crm, seed: u64) -> HubSpotConfig {
    let defaults = HubSpotConfig::default();
    let mut app = App::private(TOKEN);
    let mut daily_limit = defaults.daily_limit;
    let mut search_limit = defaults.search_limit;
    if let Some(windows) = limits::profile(&crm.profile) {
        app.interval_limit = windows[limits::TEN_SECONDLY].limit;
        search_limit = windows[limits::SEARCH].limit;
        daily_limit = windows[limits::DAILY].limit.into();
    }
    daily_limit = crm.daily_limit.map_or(daily_limit, u64::from);
    app.oauth = crm.profile.starts_with("public");
    HubSpotConfig {
        apps: vec![app],
        daily_limit,
        search_limit,
        search_lag_ms: crm.search_lag_ms as i64,
        service_ms: crm.service_ms,
        service_jitter_ms: crm.service_jitter_ms,
        seed,
        ..defaults
    }
}

/// A scenario's fault for a run that starts at `start_ms`, epoch milliseconds.
pub fn fault(spec: &FaultSpec, start_ms: i64) -> Fault {
    let kind = match spec.kind {
        FaultAction::ExecuteThenStatus => FaultKind::ExecuteThenStatus(spec.status()),
        FaultAction::ExecuteThenDrop => FaultKind::ExecuteThenDrop,
        FaultAction::ExecuteThenTruncate => FaultKind::ExecuteThenTruncate,
        FaultAction::ExecuteSlowly => FaultKind::ExecuteSlowly(spec.delay_ms()),
        FaultAction::Drop => FaultKind::DropWithoutExecuting,
        FaultAction::Status => FaultKind::StatusWithoutExecuting(spec.status()),
        FaultAction::Html502 => FaultKind::Html502,
        FaultAction::Locked => FaultKind::Locked423,
        FaultAction::Migrating => FaultKind::Migrating477 {
            retry_after_s: spec.retry_after_s.unwrap_or(2),
        },
        FaultAction::Throttled => FaultKind::Throttled(match spec.policy.unwrap_or_default() {
            ThrottlePolicy::TenSecondly => Policy::TenSecondlyRolling,
            ThrottlePolicy::Secondly => Policy::Secondly,
            ThrottlePolicy::Daily => Policy::Daily,
        }),
    };
    spec.fault(kind, start_ms)
}
