//! A fake org as `callflume account prepare` leaves it, with the configuration that goes with it.

use callflume_core::vendor::Span;

use super::view::{KEY_LABEL, RECORDING_LABEL, SENTIMENT_LABEL};
use super::{
    CustomField, Fault, FaultKind, FieldOwner, Policy, Salesforce, SalesforceConfig, Session,
    SetupError, Type,
};
use crate::fakes::{Prepared, named};
use crate::scenario::{FaultAction, FaultSpec, Scenario, TOKEN, ThrottlePolicy};
use crate::traffic::CONTACT_PROPERTIES;

/// Callflume's own fields.
fn own_fields() -> [CustomField; 5] {
    let key = |on| labelled(CustomField::key(on, "Callflume_Key__c"), KEY_LABEL);
    let on_activities =
        |name, kind, label| labelled(CustomField::new(FieldOwner::Activity, name, kind), label);
    [
        key(FieldOwner::Contact),
        key(FieldOwner::Activity),
        key(FieldOwner::Opportunity),
        on_activities("Callflume_Sentiment__c", Type::Text, SENTIMENT_LABEL),
        on_activities("Callflume_Recording__c", Type::LongText, RECORDING_LABEL),
    ]
}

fn labelled(mut field: CustomField, label: &str) -> CustomField {
    label.clone_into(&mut field.label);
    field
}

/// The account of a scenario, seeded; its faults are not in it.
pub(crate) fn account(scenario: &Scenario, base_url: &str) -> Result<Prepared, SetupError> {
    let crm = &scenario.crm;
    let mut config = crm.configuration(base_url, "UTC");
    let mut org = SalesforceConfig {
        sessions: vec![Session::new(TOKEN, 0)],
        search_lag_ms: crm.search_lag_ms as i64,
        service_ms: crm.service_ms,
        service_jitter_ms: crm.service_jitter_ms,
        seed: scenario.seed,
        custom_fields: own_fields().into(),
        ..SalesforceConfig::default()
    };
    for window in callflume_crm::limit_profile("salesforce", &crm.profile).unwrap_or_default() {
        match window.span {
            Span::RollingMs(_) => {
                org.daily_requests = crm.daily_limit.unwrap_or(window.limit);
                config
                    .limits
                    .extend(crm.daily_limit.map(|limit| (window.name.to_owned(), limit)));
            }
            Span::Slots => org.long_requests = window.limit,
            Span::Day => {}
        }
    }
    for property in CONTACT_PROPERTIES {
        let name = format!("{property}__c");
        let field = CustomField::new(FieldOwner::Contact, &name, Type::Text);
        org.custom_fields.push(labelled(field, property));
        config
            .custom_fields
            .insert(format!("contact_{property}"), name);
    }
    let mut crm = Salesforce::new(org)?;
    let seeded = crm.seed_contacts(scenario.crm.contacts, scenario.seed)?;
    Ok(Prepared {
        crm: Box::new(crm),
        config,
        known: named(&seeded),
    })
}

/// A scenario's fault for a run that starts at `start_ms`, epoch milliseconds. A lock is on every record that a request
/// writes. What only HubSpot knows, a move, is a failure here; checked scenarios don't ask for it.
pub(crate) fn fault(spec: &FaultSpec, start_ms: i64) -> Fault {
    let kind = match spec.kind {
        FaultAction::ExecuteThenStatus => FaultKind::ExecuteThenStatus(spec.status()),
        FaultAction::ExecuteThenDrop => FaultKind::ExecuteThenDrop,
        FaultAction::ExecuteThenTruncate => FaultKind::ExecuteThenTruncate,
        FaultAction::ExecuteSlowly => FaultKind::ExecuteSlowly(spec.delay_ms()),
        FaultAction::Drop => FaultKind::DropWithoutExecuting,
        FaultAction::Html502 => FaultKind::StatusWithoutExecuting(502),
        FaultAction::Locked => FaultKind::RowsLocked {
            first: 0,
            count: usize::MAX,
        },
        FaultAction::Throttled => FaultKind::Throttled(match spec.policy.unwrap_or_default() {
            ThrottlePolicy::TenSecondly | ThrottlePolicy::Secondly => Policy::Concurrent,
            ThrottlePolicy::Daily => Policy::Total,
        }),
        FaultAction::Status | FaultAction::Migrating => {
            FaultKind::StatusWithoutExecuting(spec.status())
        }
    };
    spec.fault(kind, start_ms)
}
