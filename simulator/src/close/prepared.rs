//! A fake organisation as `callflume account prepare` leaves it, with the configuration that goes with it.

use callflume_core::vendor::Span;

use super::view::{KEY_LABEL, OPTED_OUT_LABEL, SENTIMENT_LABEL};
use super::{ApiKey, Close, CloseConfig, CustomField, Fault, FaultKind, ObjectKind, SetupError};
use crate::fakes::{Prepared, named};
use crate::scenario::{Crm, FaultAction, FaultSpec, Scenario, TOKEN};
use crate::traffic::CONTACT_PROPERTIES;

/// What Callflume keeps in custom fields: its name in the account's `custom_fields`, where, and what people see.
const OWN_FIELDS: [(&str, ObjectKind, &str); 4] = [
    ("contact_key", ObjectKind::Contact, KEY_LABEL),
    ("contact_opted_out", ObjectKind::Contact, OPTED_OUT_LABEL),
    ("contact_sentiment", ObjectKind::Contact, SENTIMENT_LABEL),
    ("deal_key", ObjectKind::Opportunity, KEY_LABEL),
];

/// The account of a scenario, seeded; its faults are not in it.
pub(crate) fn account(scenario: &Scenario, base_url: &str) -> Result<Prepared, SetupError> {
    let mut organisation = bare(&scenario.crm, scenario.seed);
    let mut config = scenario.crm.configuration(base_url, "UTC");
    let own = OWN_FIELDS
        .into_iter()
        .map(|(keeps, object, label)| (keeps.to_owned(), object, label));
    let customers = CONTACT_PROPERTIES
        .into_iter()
        .map(|name| (format!("contact_{name}"), ObjectKind::Contact, name));
    for (number, (keeps, object, label)) in (1..).zip(own.chain(customers)) {
        let id = format!("cf_sim{number:02}");
        organisation
            .custom_fields
            .push(CustomField::text(object, &id, label));
        config.custom_fields.insert(keeps, id);
    }
    let mut crm = Close::new(organisation)?;
    let seeded = crm.seed_contacts(scenario.crm.contacts, scenario.seed)?;
    Ok(Prepared {
        crm: Box::new(crm),
        config,
        known: named(&seeded),
    })
}

/// An organisation without anything of ours, with the limits of its profile: a stricter search, all other groups alike.
pub(crate) fn bare(crm: &Crm, seed: u64) -> CloseConfig {
    let mut organisation = CloseConfig {
        keys: vec![ApiKey::key(TOKEN)],
        search_lag_ms: crm.search_lag_ms as i64,
        service_ms: crm.service_ms,
        service_jitter_ms: crm.service_jitter_ms,
        seed,
        ..CloseConfig::default()
    };
    let windows = callflume_crm::limit_profile("close", &crm.profile).unwrap_or_default();
    for window in windows {
        if window.name == "search" {
            let search = "POST /data/search/".to_owned();
            organisation.group_limits.insert(search, window.limit);
        } else {
            organisation.key_limit = window.limit;
        }
        if let Span::RollingMs(span_ms) = window.span {
            organisation.window_ms = span_ms as i64;
        }
    }
    organisation
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
        FaultAction::Throttled => FaultKind::Throttled,
        FaultAction::Status | FaultAction::Locked | FaultAction::Migrating => {
            FaultKind::StatusWithoutExecuting(spec.status())
        }
    };
    spec.fault(kind, start_ms)
}
