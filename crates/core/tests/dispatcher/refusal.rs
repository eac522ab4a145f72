//! Refusals hit what is to blame and nothing else.

use callflume_core::codes;
use callflume_core::effect::Object;
use callflume_core::lane::Lane;
use callflume_core::record::EffectState;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use serde_json::json;

use crate::crm::{POISON, phone, whole, windows};
use crate::events::{enriched, event, note};
use crate::world::{Fate, World};

fn notes(world: &mut World, count: usize, bad: usize) {
    for n in 0..count {
        let text = if n == bad { POISON } else { "fine" };
        world.publish(Lane::En, &note(&format!("c{n}"), &phone(n), text));
    }
}

#[test]
fn one_refused_of_a_hundred_is_a_dead_letter_and_the_others_are_done() {
    for whole_batch in [false, true] {
        let mut world = World::usual();
        world.crm.refuses_whole_batches = whole_batch;
        for n in 0..100 {
            world.crm.add_known(&phone(n));
        }
        notes(&mut world, 100, 37);
        world.run_until_settled();
        assert_eq!(world.crm.all(Object::Note).len(), 99);
        assert_eq!(world.dead.len(), 1);
        let letter = &world.dead[0];
        assert_eq!(
            (letter.code, letter.lane, letter.seq),
            (codes::CRM_REFUSED, Lane::En, 38)
        );
        assert_eq!(letter.effect.as_deref(), Some("note"));
        let dead = world
            .ledger
            .values()
            .filter(|record| record.state == EffectState::Dead);
        assert_eq!(dead.count(), 1);
        let creates = world
            .crm
            .executed
            .iter()
            .filter(|(_, op)| op.verb == Verb::Create);
        assert!(creates.count() <= if whole_batch { 16 } else { 2 });
    }
}

#[test]
fn of_merged_updates_only_the_bad_one_dies() {
    let mut world = World::usual();
    world.publish(
        Lane::Op,
        &event("call_started", "c0", &phone(1), 0, json!({})),
    );
    world.run_until_settled();
    for n in 0..6 {
        let value = if n == 2 { POISON } else { "fine" };
        world.publish(
            Lane::En,
            &enriched(
                &format!("c{n}"),
                &phone(1),
                n,
                json!({format!("p{n}"): value}),
            ),
        );
    }
    world.run_until_settled();
    assert_eq!(world.dead.len(), 1);
    assert_eq!(world.dead[0].seq, 3);
    let person = world.crm.people.values().next().unwrap();
    let written = (0..6).filter(|n| person.fields.contains_key(&format!("x.p{n}")));
    assert_eq!(written.count(), 5);
}

#[test]
fn the_effects_after_a_refused_one_are_still_written() {
    let mut world = World::usual();
    let body = json!({"disposition": "connected", "properties": {"score": POISON}});
    world.publish(Lane::Op, &event("call_ended", "c1", &phone(1), 0, body));
    world.run_until_settled();
    assert_eq!(world.dead.len(), 1);
    assert_eq!(world.dead[0].effect.as_deref(), Some("contact"));
    assert_eq!(world.crm.all(Object::Call).len(), 1);
}

#[test]
fn an_effect_whose_requests_keep_failing_while_others_succeed_is_given_up() {
    let mut world = World::new("attempts_max = 3", windows(190, 5, 1_000_000));
    world.fates = Box::new(|_, operation| {
        if operation.object == Object::Task {
            Fate::Answered(whole(
                operation,
                AccountSignal::Failing,
                ItemOutcome::Unknown,
            ))
        } else {
            Fate::Served
        }
    });
    world.publish(
        Lane::Op,
        &event("task_created", "c1", &phone(1), 0, json!({"title": "t"})),
    );
    for n in 0..200 {
        world.publish(
            Lane::Op,
            &event(
                "call_started",
                &format!("s{n}"),
                &phone(1_000 + n),
                0,
                json!({}),
            ),
        );
        world.run_for(100);
    }
    world.run_until_settled();
    assert_eq!(world.dead.len(), 1);
    assert_eq!(world.dead[0].code, codes::CRM_GAVE_UP);
    assert!(world.dead[0].attempts >= 3);
}

#[test]
fn an_outage_of_the_crm_uses_up_no_attempts() {
    let mut world = World::new("attempts_max = 2", windows(190, 5, 1_000_000));
    world.fates = Box::new(|now_ms, operation| {
        if now_ms < 120_000 {
            Fate::Answered(whole(
                operation,
                AccountSignal::Failing,
                ItemOutcome::Unknown,
            ))
        } else {
            Fate::Served
        }
    });
    notes(&mut world, 50, 99);
    world.run_until_settled();
    assert_eq!(world.dead, []);
    assert_eq!(world.crm.all(Object::Note).len(), 50);
    let sent = world.dispatcher.as_ref().unwrap().counters().requests;
    assert!(sent < 200, "an account that fails is left alone: {sent}");
}

#[test]
fn an_answer_that_says_too_little_leaves_nothing_hanging() {
    let mut world = World::usual();
    let mut left = 4;
    world.fates = Box::new(move |_, operation| {
        if operation.items.len() > 1 && left > 0 {
            left -= 1;
            let mut meaning = whole(operation, AccountSignal::Fine, ItemOutcome::Unknown);
            meaning.items.truncate(1);
            Fate::Answered(meaning)
        } else {
            Fate::Served
        }
    });
    notes(&mut world, 30, 99);
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Note).len(), 30);
}

#[test]
fn a_batch_with_several_bad_items_is_taken_apart_until_only_they_are_left() {
    let mut world = World::usual();
    world.crm.refuses_whole_batches = true;
    for n in 0..60 {
        world.crm.add_known(&phone(n));
        let text = if n % 13 == 0 { POISON } else { "fine" };
        world.publish(Lane::En, &note(&format!("c{n}"), &phone(n), text));
        world.publish(
            Lane::Op,
            &event("opted_out", &format!("o{n}"), &phone(n), 0, json!({})),
        );
    }
    world.run_until_settled();
    assert_eq!(world.dead.len(), 5);
    assert_eq!(world.crm.all(Object::Note).len(), 55);
}

#[test]
fn a_single_item_refused_without_a_reason_is_a_dead_letter() {
    let mut world = World::usual();
    world.fates = Box::new(|_, operation| {
        if operation.verb == Verb::Create {
            Fate::Answered(whole(operation, AccountSignal::Fine, ItemOutcome::Split))
        } else {
            Fate::Served
        }
    });
    notes(&mut world, 1, 99);
    world.run_until_settled();
    assert_eq!(
        (world.dead.len(), world.dead[0].code),
        (1, codes::CRM_REFUSED)
    );
}
