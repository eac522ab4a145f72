//! An org that nobody has prepared, and what preparing it takes.

use callflume_core::effect::Object;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use callflume_crm::Settings;
use callflume_crm::salesforce::setup;
use callflume_crm::setup::State;
use callflume_sim::salesforce::{CustomField, FieldOwner};

use crate::line::{Line, bo, write};

#[test]
fn an_org_is_prepared_once_and_then_all_is_ok() {
    let mut line = Line::bare(|_| {});
    let limits = line.answer(&setup::limits_request(&Settings::default()));
    let limits = setup::org_limits(&limits).unwrap();
    assert_eq!((limits.daily_api, limits.remaining), (110_000, 109_999));
    let missing: Vec<_> = line
        .findings()
        .into_iter()
        .filter(|finding| finding.state == State::Missing)
        .collect();
    assert_eq!(missing.len(), setup::REQUIRED_FIELDS.len());
    for finding in &missing {
        let answer = line.answer(finding.repair.as_ref().unwrap());
        let made = setup::repaired(finding, &answer);
        assert!(matches!(made.state, State::Wrong(_)), "it must be shown");
        // Preparing may be repeated.
        let again = line.answer(finding.repair.as_ref().unwrap());
        let there = setup::repaired(finding, &again);
        assert!(matches!(&there.state, State::Wrong(reason) if reason.contains("it is there")));
    }
    for finding in line.findings() {
        assert_eq!(finding.state, State::Ok, "{}", finding.what);
        assert!(finding.repair.is_none());
    }
    line.person();
}

#[test]
fn a_field_that_was_made_but_not_shown_wants_a_hand() {
    let mut line = Line::bare(|config| config.made_fields_are_visible = false);
    for finding in line.findings() {
        if let Some(repair) = &finding.repair {
            let answer = line.answer(repair);
            assert!(
                setup::repaired(&finding, &answer)
                    .remedy
                    .contains("read and edit access")
            );
        }
    }
    let hidden = line.findings();
    assert!(hidden.iter().any(|finding| finding.state == State::Missing));
    for (on, name) in [
        (FieldOwner::Contact, "Callflume_Key__c"),
        (FieldOwner::Activity, "Callflume_Key__c"),
        (FieldOwner::Activity, "Callflume_Sentiment__c"),
        (FieldOwner::Activity, "Callflume_Recording__c"),
        (FieldOwner::Opportunity, "Callflume_Key__c"),
    ] {
        assert!(line.crm.set_field_access(on, name, true, true), "{name}");
    }
    for finding in line.findings() {
        assert_eq!(finding.state, State::Ok, "{}", finding.what);
    }
}

#[test]
fn a_key_that_would_not_keep_records_apart_is_wrong() {
    let mut line = Line::bare(|config| {
        config.custom_fields.push(CustomField {
            unique: false,
            ..CustomField::key(FieldOwner::Contact, "Callflume_Key__c")
        });
    });
    let findings = line.findings();
    let key = findings
        .iter()
        .find(|finding| finding.what == "field Contact.Callflume_Key__c")
        .unwrap();
    assert!(matches!(&key.state, State::Wrong(reason) if reason.contains("unique")));
    assert!(key.repair.is_none(), "nothing that is there is changed");
}

#[test]
fn without_the_fields_nothing_is_written_and_the_account_pauses() {
    let mut line = Line::bare(|_| {});
    for operation in [bo(), write(Verb::ReadByKey, Object::Contact, "p-1", &[])] {
        let meaning = line.exchange(&operation);
        assert_eq!(
            meaning.account,
            AccountSignal::ScopeMissing,
            "{operation:?}"
        );
        assert_eq!(meaning.items, [ItemOutcome::NotExecuted]);
    }
}
