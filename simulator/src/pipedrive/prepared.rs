//! A fake company as `callflume account prepare` leaves it, with the configuration that goes with it.

use callflume_core::vendor::{Span, Unit, WindowSpec};

use super::view::{KEY_LABEL, OPTED_OUT_LABEL};
use super::{
    CustomField, Fault, FaultKind, FieldOwner, Pipedrive, PipedriveConfig, Policy, SeededContact,
    SetupError, Token,
};
use crate::fakes::Prepared;
use crate::scenario::{Crm, FaultAction, FaultSpec, Scenario, TOKEN, ThrottlePolicy};
use crate::traffic::CONTACT_PROPERTIES;

/// What Callflume keeps in custom fields: its name in the account's `custom_fields`, where, and what people see.
const OWN_FIELDS: [(&str, FieldOwner, &str); 3] = [
    ("contact_key", FieldOwner::Person, KEY_LABEL),
    ("contact_opted_out", FieldOwner::Person, OPTED_OUT_LABEL),
    ("deal_key", FieldOwner::Deal, KEY_LABEL),
];

/// The account of a scenario, seeded; its faults are not in it.
pub(crate) fn account(scenario: &Scenario, base_url: &str) -> Result<Prepared, SetupError> {
    let mut company = bare(&scenario.crm, scenario.seed);
    let mut config = scenario.crm.configuration(base_url, &company.time_zone);
    let day = windows(&scenario.crm).iter().find(|it| is_day(it));
    let limited = day.zip(scenario.crm.daily_limit);
    config
        .limits
        .extend(limited.map(|(day, limit)| (day.name.to_owned(), limit)));
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
    Ok(Prepared {
        crm: Box::new(crm),
        config,
        known: seeded.iter().map(SeededContact::named).collect(),
    })
}

/// A company without anything of ours, with the limits of its profile and, if given, another day.
pub(crate) fn bare(crm: &Crm, seed: u64) -> PipedriveConfig {
    let mut company = PipedriveConfig {
        tokens: vec![Token::api(TOKEN, 31)],
        search_lag_ms: crm.search_lag_ms as i64,
        service_ms: crm.service_ms,
        service_jitter_ms: crm.service_jitter_ms,
        seed,
        ..PipedriveConfig::default()
    };
    for window in windows(crm) {
        if is_day(window) {
            company.daily_tokens = crm.daily_limit.unwrap_or(window.limit).into();
        } else if let Span::RollingMs(span_ms) = window.span {
            company.window_ms = span_ms as i64;
            if window.name == "search" {
                company.search_limit = window.limit;
            } else {
                company.burst_limit = window.limit;
            }
        }
    }
    company
}

fn windows(crm: &Crm) -> &'static [WindowSpec] {
    callflume_crm::limit_profile("pipedrive", &crm.profile).unwrap_or_default()
}

fn is_day(window: &WindowSpec) -> bool {
    (window.span, window.unit) == (Span::Day, Unit::Token)
}

/// A scenario's fault for a run that starts at `start_ms`, epoch milliseconds. What only HubSpot knows, a lock and a
/// move, is a failure here; checked scenarios don't ask for it.
pub(crate) fn fault(spec: &FaultSpec, start_ms: i64) -> Fault {
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
