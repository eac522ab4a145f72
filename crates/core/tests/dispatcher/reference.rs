//! Owners named by address, stages and pipelines by label.

use callflume_core::codes;
use callflume_core::dispatcher::Input;
use callflume_core::effect::{Object, Value};
use callflume_core::event::Event;
use callflume_core::lane::Lane;
use callflume_core::reference::{OWNERS, PIPELINES};
use serde_json::json;

use crate::crm::{phone, windows};
use crate::directory::{Contents, owner};
use crate::events::{call_ended, event, note};
use crate::world::World;

const HOUR_MS: u64 = 3_600_000;

fn task(call: &str, owner: &str) -> Event {
    let body = json!({"title": "Call back", "owner": owner});
    event("task_created", call, &phone(1), 0, body)
}

fn deal(stage: &str, at_ms: i64) -> Event {
    let body = json!({"stage": stage, "pipeline": "new BUSINESS"});
    event("deal_stage_changed", "c1", &phone(1), at_ms, body)
}

fn said(world: &World, object: Object, field: &str) -> Vec<Option<String>> {
    world
        .crm
        .all(object)
        .into_iter()
        .map(|entry| match entry.fields.get(field) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

fn unknown(world: &World) -> u64 {
    world.dispatcher.as_ref().unwrap().counters().owners_unknown
}

/// Long enough for whatever there is to do.
fn publish(world: &mut World, lane: Lane, event: &Event) {
    world.publish(lane, event);
    world.run_until_settled();
}

#[test]
fn what_names_nothing_reads_nothing() {
    let mut world = World::naming("");
    publish(&mut world, Lane::Op, &call_ended("c1", &phone(1)));
    publish(&mut world, Lane::En, &note("c1", &phone(1), "Hello"));
    publish(&mut world, Lane::Op, &task("c1", "71"));
    let unsure = json!({"stage": "s1"});
    publish(
        &mut world,
        Lane::Op,
        &event("deal_stage_changed", "c1", &phone(1), 0, unsure),
    );
    assert_eq!(world.directory.asked, []);
    assert_eq!(said(&world, Object::Task, "owner"), [Some("71".into())]);
}

#[test]
fn the_first_name_reads_and_later_ones_use_what_was_read() {
    let mut world = World::naming("");
    publish(&mut world, Lane::Op, &task("c1", "ida@EXAMPLE.com"));
    assert_eq!(said(&world, Object::Task, "owner"), [Some("71".into())]);
    assert_eq!(world.directory.asked.len(), 2);
    publish(&mut world, Lane::Op, &deal("offer sent", 10));
    assert_eq!(said(&world, Object::Deal, "stage"), [Some("s2".into())]);
    assert_eq!(said(&world, Object::Deal, "pipeline"), [Some("p1".into())]);
    publish(&mut world, Lane::Op, &task("c2", "ida@example.com"));
    assert_eq!(world.directory.asked.len(), 2);
    assert_eq!((unknown(&world), world.alerts.len()), (0, 0));
    let record = world.reference.as_ref().unwrap();
    assert_eq!((record.owners.len(), record.pipelines.len()), (2, 1));
}

#[test]
fn only_the_contacts_own_lane_waits_for_the_reading() {
    let mut world = World::naming("");
    world.directory.answers.insert(OWNERS, [0].into());
    world.publish(Lane::Op, &task("c1", "ida@example.com"));
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.publish(Lane::Op, &call_ended("c2", &phone(2)));
    world.publish(Lane::En, &note("c1", &phone(1), "Meanwhile"));
    world.run_for(2_500);
    assert_eq!(world.crm.all(Object::Call).len(), 1, "another contact's");
    assert_eq!(world.crm.all(Object::Note).len(), 1, "the other lane's");
    assert_eq!(world.crm.all(Object::Task).len(), 0);
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 2);
    assert_eq!(said(&world, Object::Task, "owner"), [Some("71".into())]);
}

#[test]
fn an_operational_event_makes_the_reading_operational() {
    let asked_at = |operational: bool| {
        // Enrichment has used up what it may of the window, and waits for seconds.
        let mut world = World::with_directory_in("", windows(6, 6, 1_000_000));
        world.directory = Contents::usual();
        for n in 10..20 {
            let call = format!("c{n}");
            world.publish(Lane::En, &note(&call, &phone(n), "Hello"));
        }
        world.run_for(9_000);
        world.publish(Lane::En, &task("c1", "ida@example.com"));
        if operational {
            let other = json!({"title": "Call", "owner": "ida@example.com"});
            let other = event("task_created", "c2", &phone(2), 0, other);
            world.publish(Lane::Op, &other);
        }
        let from_ms = world.now_ms;
        world.run_until(600_000, |world| world.directory.asked.len() == 2);
        let took_ms = world.now_ms - from_ms;
        world.run_until_settled();
        assert_eq!(world.directory.asked.len(), 2, "one reading for both");
        took_ms
    };
    let (alone_ms, together_ms) = (asked_at(false), asked_at(true));
    assert!(
        together_ms * 2 < alone_ms,
        "{together_ms} ms, and {alone_ms} ms as enrichment"
    );
}

#[test]
fn a_crash_at_any_point_of_a_reading_loses_and_doubles_nothing() {
    for outputs in 1.. {
        let mut world = World::naming("");
        world.publish(Lane::Op, &task("c1", "ida@example.com"));
        world.publish(Lane::Op, &deal("Offer sent", 10));
        let mut crashed = false;
        while !world.is_settled() {
            if !crashed && world.outputs >= outputs {
                crashed = true;
                world.crash(outputs % 2 == 0);
                world.take_over();
            }
            assert!(world.step(600_000), "stuck after {outputs} outputs");
        }
        assert_eq!(said(&world, Object::Task, "owner"), [Some("71".into())]);
        assert_eq!(said(&world, Object::Deal, "stage"), [Some("s2".into())]);
        assert_eq!((world.dead.len(), unknown(&world)), (0, 0));
        if !crashed {
            assert!(outputs > 15, "{outputs}");
            break;
        }
    }
}

#[test]
fn an_unknown_owner_is_left_out_told_once_an_hour_and_looked_for_again_after_one() {
    let mut world = World::naming("");
    for (call, name) in [("c1", "nobody@example.com"), ("c2", "gone@example.com")] {
        publish(&mut world, Lane::Op, &task(call, name));
    }
    assert_eq!(said(&world, Object::Task, "owner"), [None, None]);
    assert_eq!((unknown(&world), world.dead.len()), (2, 0));
    assert_eq!(world.alerts, [codes::CRM_OWNER_UNKNOWN]);
    assert_eq!(world.directory.asked.len(), 2, "one reading");
    // Made in the CRM meanwhile: an hour later it is found.
    let newcomer = owner("73", "nobody@example.com", true);
    world.directory.record.owners.push(newcomer);
    world.run_for(HOUR_MS - 60_000);
    publish(&mut world, Lane::Op, &task("c3", "nobody@example.com"));
    assert_eq!(unknown(&world), 3);
    world.run_for(2 * 60_000);
    publish(&mut world, Lane::Op, &task("c4", "nobody@example.com"));
    assert_eq!(unknown(&world), 3);
    assert_eq!(world.directory.asked.len(), 4);
    assert_eq!(world.alerts.len(), 1);
    assert_eq!(world.over, [codes::CRM_OWNER_UNKNOWN]);
}

#[test]
fn an_unknown_stage_stays_as_it_is_for_the_crm_to_refuse() {
    let mut world = World::naming("");
    publish(&mut world, Lane::Op, &deal("No such stage", 0));
    let stage = said(&world, Object::Deal, "stage");
    assert_eq!(stage, [Some("No such stage".into())]);
    assert_eq!((unknown(&world), world.alerts.len()), (0, 0));
}

#[test]
fn data_older_than_a_day_is_read_again_when_a_name_needs_it() {
    let mut world = World::naming("");
    publish(&mut world, Lane::Op, &task("c1", "ida@example.com"));
    for (wait_ms, pages) in [(23 * HOUR_MS, 2), (2 * HOUR_MS, 4), (HOUR_MS, 4)] {
        world.run_for(wait_ms);
        let call = format!("after {}", world.now_ms);
        publish(&mut world, Lane::Op, &task(&call, "ida@example.com"));
        assert_eq!(world.directory.asked.len(), pages);
    }
}

#[test]
fn what_the_crm_does_not_give_is_told_and_what_it_gave_before_stays_in_use() {
    let mut world = World::naming("");
    publish(&mut world, Lane::Op, &task("c1", "ida@example.com"));
    world.directory.answers.insert(OWNERS, [403].into());
    world.handle(Input::ReadReference);
    world.run_for(5_000);
    assert_eq!(world.directory.asked.len(), 4, "the other page is read");
    assert_eq!(world.alerts, [codes::CRM_REFERENCE]);
    assert_eq!(world.reference.as_ref().unwrap().owners.len(), 2);
    publish(&mut world, Lane::Op, &task("c2", "ida@example.com"));
    assert_eq!(
        said(&world, Object::Task, "owner"),
        [Some("71".into()), Some("71".into())]
    );
    world.handle(Input::ReadReference);
    world.run_for(5_000);
    assert_eq!(world.over, [codes::CRM_REFERENCE]);
}

#[test]
fn a_throttled_page_is_asked_for_again_and_costs_no_attempt() {
    let mut world = World::naming("");
    world.directory.answers.insert(OWNERS, [429; 8].into());
    publish(&mut world, Lane::Op, &task("c1", "ida@example.com"));
    assert_eq!(said(&world, Object::Task, "owner"), [Some("71".into())]);
    assert_eq!(world.directory.asked.len(), 10);
    assert_eq!(world.alerts, []);
}

#[test]
fn a_page_refused_for_its_token_is_asked_for_again_and_costs_no_attempt() {
    let mut world = World::naming("");
    world.directory.answers.insert(OWNERS, [401; 8].into());
    publish(&mut world, Lane::Op, &task("c1", "ida@example.com"));
    assert_eq!(said(&world, Object::Task, "owner"), [Some("71".into())]);
    assert_eq!(world.directory.asked.len(), 10);
    assert_eq!(world.alerts, []);
}

#[test]
fn a_page_that_keeps_failing_while_the_crm_answers_others_holds_nothing_up_for_long() {
    let mut world = World::naming("");
    world.directory.answers.insert(PIPELINES, [500; 100].into());
    world.publish(Lane::Op, &task("c1", "ida@example.com"));
    for n in 2..60 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
        world.run_for(1_000);
    }
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Task).len(), 1);
    assert_eq!(said(&world, Object::Task, "owner"), [None]);
    assert!(
        world.alerts.contains(&codes::CRM_REFERENCE),
        "{:?}",
        world.alerts
    );
    assert!(world.alerts.contains(&codes::CRM_OWNER_UNKNOWN));
    assert_eq!(world.dead, []);
    let asked = world.directory.asked.len();
    assert!((4..=8).contains(&asked), "{asked}");
    publish(&mut world, Lane::Op, &task("soon", "ida@example.com"));
    assert_eq!(world.directory.asked.len(), asked, "not again so soon");
    // An hour later it is tried again.
    world.directory.answers.clear();
    world.run_for(HOUR_MS);
    publish(&mut world, Lane::Op, &task("later", "ida@example.com"));
    assert_eq!(
        said(&world, Object::Task, "owner").iter().flatten().count(),
        1
    );
}

#[test]
fn a_successor_knows_what_was_stored_and_what_waited_comes_again() {
    let mut world = World::naming("");
    publish(&mut world, Lane::Op, &task("c1", "ida@example.com"));
    world.crash(true);
    world.take_over();
    publish(&mut world, Lane::Op, &task("c2", "ida@example.com"));
    assert_eq!(world.directory.asked.len(), 2);
    // Dies while an event waits for a reading.
    world.reference = None;
    world.crash(true);
    world.take_over();
    world.publish(Lane::Op, &task("c3", "ida@example.com"));
    world.run_for(30);
    assert_eq!(world.crm.all(Object::Task).len(), 2);
    world.crash(true);
    world.take_over();
    world.run_until_settled();
    let owners = said(&world, Object::Task, "owner");
    assert_eq!(owners, vec![Some("71".to_owned()); 3]);
}

#[test]
fn warming_reads_reference_data_too_unless_it_was_read_within_the_hour() {
    let mut world = World::naming("");
    for (wait_ms, pages) in [(0, 2), (HOUR_MS / 2, 2), (HOUR_MS, 4)] {
        world.run_for(wait_ms);
        world.handle(Input::Warm);
        world.run_for(5_000);
        assert_eq!(world.directory.asked.len(), pages);
    }
    world.handle(Input::ReadReference);
    world.run_for(5_000);
    assert_eq!(world.directory.asked.len(), 6, "an order is an order");
}

#[test]
fn a_stop_does_not_wait_for_what_waits() {
    let mut world = World::naming("");
    world.directory.answers.insert(OWNERS, [500; 20].into());
    world.publish(Lane::Op, &task("c1", "ida@example.com"));
    world.run_for(1_000);
    world.handle(Input::Stop);
    world.run_until(30_000, |world| world.stopped);
    assert!(world.acked[Lane::Op as usize].is_empty());
}

#[test]
fn an_update_of_nothing_but_an_unknown_owner_is_left_to_the_crm() {
    let lines = "[[mapping.deal_given]]\nobject = \"deal\"\nwrite = \"update\"\n\
                 fields = { owner = \"{{ event.body.to }}\" }";
    let mut world = World::naming(lines);
    publish(&mut world, Lane::Op, &deal("First talk", 0));
    for to in ["ida@example.com", "nobody@example.com"] {
        let given = event("deal_given", to, &phone(1), 10, json!({"to": to}));
        publish(&mut world, Lane::Op, &given);
        let expect = if to.starts_with("ida") { "71" } else { to };
        assert_eq!(said(&world, Object::Deal, "owner"), [Some(expect.into())]);
    }
}
