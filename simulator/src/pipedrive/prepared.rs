//! A fake company as `callflume account prepare` leaves it, with the configuration that goes with it.

use callflume_core::event::ContactRef;
use callflume_core::vendor::{Span, Unit};

use super::view::{KEY_LABEL, OPTED_OUT_LABEL};
use super::{
    CustomField, Fault, FaultKind, FieldOwner, Pipedrive, PipedriveConfig, Policy, SetupError,
};
use crate::fakes::Prepared;
use crate::hubspot::SeededContact;
use crate::scenario::{FaultAction, FaultSpec, Scenario, ThrottlePolicy};
use crate::traffic::CONTACT_PROPERTIES;

/// What Callflume keeps in custom fields: its name in the account's `custom_fields`, where, and what people see.
const OWN_FIELDS: [(&str, FieldOwner, &str); 3] = [
    ("contact_key", FieldOwner::Person, KEY_LABEL),
    ("contact_opted_out", FieldOwner::Person, OPTED_OUT_LABEL),
    ("deal_key", FieldOwner::Deal, KEY_LABEL),
];

/// The account of a scenario, seeded.
pub(crate) fn account(
    scenario: &Scenario,
    base_url: &str,
    start_ms: i64,
) -> Result<Prepared, SetupError> {
    let mut company = PipedriveConfig {
        search_lag_ms: scenario.crm.search_lag_ms as i64,
        service_ms: scenario.crm.service_ms,
        service_jitter_ms: scenario.crm.service_jitter_ms,
        seed: scenario.seed,
        ..PipedriveConfig::default()
    };
    let mut config = scenario.crm.configuration(base_url, &company.time_zone);
    let profile = &scenario.crm.profile;
    for window in callflume_crm::limit_profile("pipedrive", profile).unwrap_or_default() {
        match (window.span, window.unit) {
            (Span::Day, Unit::Token) => {
                let day = scenario.crm.daily_limit;
                company.daily_tokens = day.unwrap_or(window.limit).into();
                config
                    .limits
                    .extend(day.map(|limit| (window.name.to_owned(), limit)));
            }
            (Span::RollingMs(span_ms), _) => {
                company.window_ms = span_ms as i64;
                if window.name == "search" {
                    company.search_limit = window.limit;
                } else {
                    company.burst_limit = window.limit;
                }
            }
            _ => {}
        }
    }
    let own = OWN_FIELDS
        .into_iter()
        .map(|(keeps, on, label)| (keeps.to_owned(), on, label));
    let customers = CONTACT_PROPERTIES
        .into_iter()
        .map(|name| (format!("contact_{name}"), FieldOwner::Person, name));
    for (number, (keeps, on, label)) in (1_u32..).zip(own.chain(customers)) {
        let code = format!("{number:040x}");
        company
            .custom_fields
            .push(CustomField::text(on, label, &code));
        config.custom_fields.insert(keeps, code);
    }
    let mut crm = Pipedrive::new(company)?;
    let seeded = crm.seed_contacts(scenario.crm.contacts, scenario.seed)?;
    for spec in &scenario.crm.faults {
        crm.add_fault(fault(spec, start_ms));
    }
    Ok(Prepared {
        crm: Box::new(crm),
        config,
        known: seeded
            .iter()
            .map(SeededContact::named)
            .collect::<Vec<ContactRef>>(),
    })
}

/// A scenario's fault for a run that starts at `start_ms`, epoch milliseconds. What only HubSpot knows, a lock and a
/// move, is a failure here; checked scenarios don't ask for it.
fn fault(spec: &FaultSpec, start_ms: i64) -> Fault {
    let kind = match spec.kind {
        FaultAction::ExecuteThenStatus => FaultKind::ExecuteThenStatus(spec.status()),
        FaultAction::ExecuteThenDrop => FaultKind::ExecuteThenDrop,
        FaultAction::ExecuteThenTruncate => FaultKind::ExecuteThenTruncate,
        FaultAction::ExecuteSlowly => FaultKind::ExecuteSlowly(spec.delay_ms()),
        FaultAction::Drop => FaultKind::DropWithoutExecuting,
        FaultAction::Html502 => FaultKind::StatusWithoutExecuting(502),
        FaultAction::Throttled => FaultKind::Throttled(match spec.policy.unwrap_or_default() {
            ThrottlePolicy::TenSecondly => Policy::Burst,
            ThrottlePolicy::Secondly => Policy::Search,
            ThrottlePolicy::Daily => Policy::Daily,
        }),
        FaultAction::Status | FaultAction::Locked | FaultAction::Migrating => {
            FaultKind::StatusWithoutExecuting(spec.status())
        }
    };
    spec.fault(kind, start_ms)
}
