//! What may have become of a record that Callflume asks for: found by a duplicate rule, deleted, merged, its key taken.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::vendor::{ItemOutcome, Verb};
use callflume_sim::salesforce::{DuplicateRule, ObjectKind};

use crate::line::{Line, bo, by_email, of, records, text, write};

#[test]
fn a_person_whom_a_duplicate_rule_finds_is_a_conflict_and_not_doubled() {
    for told_in_items in [false, true] {
        for misspelt in [false, true] {
            let rule = DuplicateRule {
                misspelt,
                told_in_items,
                ..DuplicateRule::default()
            };
            let mut line = Line::with(|config| config.duplicate_rule = Some(rule));
            let person = line.person();
            let mut again = bo();
            again.items[0].key = "p-2".to_owned();
            for verb in [Verb::UpsertByKey, Verb::Create] {
                again.verb = verb;
                let existing = told_in_items.then(|| person.clone());
                assert_eq!(line.outcome(&again), ItemOutcome::Conflict { existing });
            }
            // Whoever isn't named is looked for.
            assert_eq!(line.only(&by_email("bo@example.org")), person);
            assert_eq!(line.living(ObjectKind::Contact).len(), 1);
            assert_eq!(
                line.person(),
                person,
                "with its own key the rule has no say"
            );
        }
    }
}

#[test]
fn who_or_what_is_gone_is_told_and_not_made_anew() {
    let mut line = Line::new();
    let person = line.person();
    let [call, _, _, deal] = records(&person).map(|operation| line.done(&operation));
    for id in [&call, &deal] {
        assert!(line.crm.delete_record(line.now_ms, id));
    }
    let title = [(Field::Title, text("x"))];
    for (object, key, id) in [(Object::Call, "c-1", &call), (Object::Deal, "d-1", &deal)] {
        for verb in [Verb::UpdateById, Verb::UpdateByKey] {
            let operation = of(write(verb, object, key, &title), id);
            assert_eq!(line.outcome(&operation), ItemOutcome::Gone, "{verb:?}");
        }
    }

    // Merged into another: updates and new records of the old one are gone, and the survivor is found.
    let other = line.crm.seed_contacts(1, 3).unwrap().remove(0);
    assert!(line.crm.merge_contacts(line.now_ms, &person, &other.id));
    let opted_out = [(Field::OptedOut, FieldValue::Flag(true))];
    let update = of(
        write(Verb::UpdateById, Object::Contact, "p-1", &opted_out),
        &person,
    );
    assert_eq!(line.outcome(&update), ItemOutcome::Gone);
    for mut operation in records(&person) {
        operation.items[0].key.push('b');
        assert_eq!(line.outcome(&operation), ItemOutcome::Gone);
    }
    let by_key = write(Verb::ReadByKey, Object::Contact, "p-1", &[]);
    assert_eq!(line.only(&by_key), other.id, "the key came along");
    let mut note = records(&other.id)[1].clone();
    note.items[0].key = "r-9".to_owned();
    line.done(&note);
}

#[test]
fn a_key_that_two_records_would_have_is_refused_to_the_second() {
    let mut line = Line::new();
    let person = line.person();
    let other = line.crm.seed_contacts(1, 3).unwrap().remove(0);
    let mut stamp = of(
        write(Verb::UpdateById, Object::Contact, "p-1", &[]),
        &other.id,
    );
    stamp.items[0].stamp = true;
    let existing = Some(person);
    assert_eq!(line.outcome(&stamp), ItemOutcome::Conflict { existing });
    stamp.items[0].key = "p-2".to_owned();
    assert_eq!(line.done(&stamp), other.id);
    assert_eq!(line.shown(&other.id, "Callflume_Key__c"), "p-2");
}
