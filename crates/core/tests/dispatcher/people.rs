//! One person, one contact, however events name them.

use callflume_core::codes;
use callflume_core::dispatcher::Input;
use callflume_core::effect::{Object, Value};
use callflume_core::event::ContactRef;
use callflume_core::lane::Lane;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use serde_json::json;

use crate::crm::{SEARCH_LAG_MS, phone, whole};
use crate::events::{call_ended, enriched, event_of};
use crate::world::{Fate, World};

fn named(key: Option<&str>, phone: Option<&str>, email: Option<&str>) -> ContactRef {
    ContactRef {
        key: key.map(str::to_owned),
        phone: phone.map(str::to_owned),
        email: email.map(str::to_owned),
        name: Some("Ada Ray".into()),
    }
}

#[test]
fn a_person_named_in_several_ways_at_the_same_time_is_created_once() {
    let number = phone(1);
    let ways = [
        named(None, Some(&number), None),
        named(Some("p7"), Some(&number), None),
        named(Some("p7"), Some(&number), Some("ada@example.com")),
        named(None, Some(&number), Some("ada@example.com")),
    ];
    for first in 0..ways.len() {
        for lane in Lane::ALL {
            let mut world = World::usual();
            for n in 0..ways.len() {
                let way = ways[(first + n) % ways.len()].clone();
                let lane = if n % 2 == 0 { lane } else { Lane::Op };
                world.publish(
                    lane,
                    &event_of(
                        "task_created",
                        &format!("c{n}"),
                        way,
                        0,
                        json!({"title": "t"}),
                    ),
                );
            }
            world.run_until_settled();
            assert_eq!(world.crm.people.len(), 1, "first way {first}, {lane}");
            assert_eq!(world.crm.all(Object::Task).len(), 4);
        }
    }
}

#[test]
fn a_person_the_customer_typed_in_is_found_by_email_and_by_phone() {
    for (typed_phone, typed_email) in [
        (Some("(202) 555-0001"), None),
        (None, Some("ada@example.com")),
    ] {
        let mut world = World::usual();
        let id = world.crm.add_person(typed_phone, typed_email);
        let who = named(Some("p7"), Some(&phone(1)), Some("Ada@Example.com"));
        world.publish(Lane::Op, &event_of("call_started", "c1", who, 0, json!({})));
        world.run_until_settled();
        world.run_for(5_000);
        assert_eq!(world.crm.people.len(), 1);
        assert!(world.crm.people[&id].own_key.is_some());
    }
}

fn of_class(class_b: bool) -> World {
    if class_b {
        World::class_b()
    } else {
        World::usual()
    }
}

/// The look-ups so far, in order.
fn look_ups(world: &World) -> Vec<Verb> {
    let executed = world.crm.executed.iter().map(|(_, op)| op.verb);
    executed
        .filter(|verb| {
            matches!(
                verb,
                Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone
            )
        })
        .collect()
}

#[test]
fn where_nothing_is_unique_our_key_is_looked_for_only_if_the_publisher_names_it() {
    use Verb::{ReadByEmail, ReadByKey, SearchByPhone};
    let (number, address) = (phone(1), "ada@example.com");
    for (class_b, key, phone, email, expect) in [
        (false, None, true, false, &[ReadByKey, SearchByPhone][..]),
        (false, None, false, true, &[ReadByKey, ReadByEmail]),
        (
            false,
            None,
            true,
            true,
            &[ReadByKey, ReadByEmail, SearchByPhone],
        ),
        (false, Some("p7"), false, false, &[ReadByKey]),
        (
            false,
            Some("p7"),
            true,
            true,
            &[ReadByKey, ReadByEmail, SearchByPhone],
        ),
        (true, None, true, false, &[SearchByPhone]),
        (true, None, false, true, &[ReadByEmail]),
        (true, None, true, true, &[ReadByEmail, SearchByPhone]),
        // An empty key names nobody.
        (true, Some(""), true, true, &[ReadByEmail, SearchByPhone]),
        (true, Some("p7"), false, false, &[ReadByKey]),
        (true, Some("p7"), true, false, &[ReadByKey, SearchByPhone]),
        (
            true,
            Some("p7"),
            true,
            true,
            &[ReadByKey, ReadByEmail, SearchByPhone],
        ),
    ] {
        let who = named(key, phone.then_some(&number), email.then_some(address));
        let mut world = of_class(class_b);
        world.publish(Lane::Op, &event_of("call_started", "c1", who, 0, json!({})));
        world.run_until_settled();
        let case = format!("class B: {class_b}, {key:?} {phone} {email}");
        assert_eq!(look_ups(&world), expect, "{case}");
        assert_eq!(world.crm.people.len(), 1, "{case}");
    }
}

#[test]
fn whoever_is_found_gets_our_key_where_a_look_by_it_is_of_use() {
    for (class_b, key, stamped) in [
        (false, None, true),
        (false, Some("p7"), true),
        (true, None, false),
        (true, Some("p7"), true),
    ] {
        let mut world = of_class(class_b);
        let number = phone(1);
        let id = world.crm.add_person(Some(&number), None);
        let who = named(key, Some(&number), None);
        world.publish(Lane::Op, &event_of("call_started", "c1", who, 0, json!({})));
        world.run_until_settled();
        world.run_for(5_000);
        let case = format!("class B: {class_b}, {key:?}");
        assert_eq!(world.crm.people[&id].own_key.is_some(), stamped, "{case}");
        assert_eq!(world.crm.people.len(), 1, "{case}");
    }
}

#[test]
fn whoever_was_made_under_a_derived_key_is_found_without_it_by_number_or_address() {
    for (phone, email) in [(true, false), (false, true), (true, true)] {
        let number = crate::crm::phone(1);
        let who = named(
            None,
            phone.then_some(&number),
            email.then_some("ada@example.com"),
        );
        let mut world = World::class_b();
        let publish = |world: &mut World, call: &str| {
            let event = event_of("call_started", call, who.clone(), 0, json!({}));
            world.publish(Lane::Op, &event);
            world.run_until_settled();
        };
        publish(&mut world, "c1");
        world.run_for(SEARCH_LAG_MS);
        // All that Callflume remembers is lost; the CRM is not.
        world.crash(false);
        world.ledger.clear();
        world.contacts.clear();
        world.aliases.clear();
        world.take_over();
        publish(&mut world, "c2");
        assert_eq!(world.crm.people.len(), 1, "{phone} {email}");
        assert!(!look_ups(&world).contains(&Verb::ReadByKey));
    }
}

#[test]
fn by_a_number_that_people_have_changed_since_only_a_unique_key_still_finds() {
    for (class_b, key, expect) in [
        (false, None, 1),
        (false, Some("p7"), 1),
        (true, None, 2),
        (true, Some("p7"), 1),
    ] {
        let mut world = of_class(class_b);
        let number = phone(1);
        let who = named(key, Some(&number), None);
        let id = world.crm.add_person(Some(&phone(2)), None);
        world.crm.people.get_mut(&id).unwrap().own_key = who.own_key();
        world.publish(Lane::Op, &event_of("call_started", "c1", who, 0, json!({})));
        world.run_until_settled();
        assert_eq!(
            world.crm.people.len(),
            expect,
            "class B: {class_b}, {key:?}"
        );
    }
}

#[test]
fn a_found_contact_gets_our_key_in_the_same_write_as_its_fields() {
    let mut world = World::usual();
    world.crm.add_person(Some(&phone(1)), None);
    let who = named(None, Some(&phone(1)), None);
    world.publish(
        Lane::Op,
        &event_of(
            "caller_identified",
            "c1",
            who,
            0,
            json!({"first_name": "Ada"}),
        ),
    );
    world.run_until_settled();
    world.run_for(10_000);
    let updates = world
        .crm
        .executed
        .iter()
        .filter(|(_, op)| op.verb == Verb::UpdateById);
    assert_eq!(updates.count(), 1);
}

#[test]
fn a_contact_that_is_gone_is_resolved_once_more() {
    for kind in ["call_ended", "opted_out"] {
        let mut world = World::usual();
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.run_until_settled();
        world.crm.people.clear();
        let body = json!({"disposition": "connected"});
        world.publish(
            Lane::Op,
            &event_of(kind, "c2", named(None, Some(&phone(1)), None), 0, body),
        );
        world.run_until_settled();
        assert_eq!(world.dead, [], "{kind}");
        assert_eq!(world.crm.people.len(), 1, "{kind}");
    }
}

#[test]
fn a_contact_that_is_gone_again_ends_in_a_dead_letter() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    world.fates = Box::new(|_, operation| {
        if operation.verb == Verb::UpdateById {
            Fate::Answered(whole(operation, AccountSignal::Fine, ItemOutcome::Gone))
        } else {
            Fate::Served
        }
    });
    world.publish(
        Lane::Op,
        &event_of(
            "opted_out",
            "c2",
            named(None, Some(&phone(1)), None),
            0,
            json!({}),
        ),
    );
    world.run_until_settled();
    assert_eq!(world.dead.len(), 1);
    assert_eq!(world.dead[0].code, codes::CRM_RECORD_GONE);
}

#[test]
fn a_creation_that_meets_somebody_else_goes_to_them_or_ends_but_never_goes_round() {
    for (existing, dead) in [(true, 0), (false, 1)] {
        let mut world = World::usual();
        let other = world.crm.add_person(None, Some("shared@example.com"));
        let named_existing = existing.then(|| other.clone());
        world.fates = Box::new(move |_, operation| match operation.verb {
            Verb::UpsertByKey => Fate::Answered(whole(
                operation,
                AccountSignal::Fine,
                ItemOutcome::Conflict {
                    existing: named_existing.clone(),
                },
            )),
            // The search does not know it yet.
            Verb::ReadByEmail => Fate::Answered(whole(
                operation,
                AccountSignal::Fine,
                ItemOutcome::Matches(Vec::new()),
            )),
            _ => Fate::Served,
        });
        let who = named(None, Some(&phone(1)), Some("shared@example.com"));
        world.publish(
            Lane::Op,
            &event_of(
                "caller_identified",
                "c1",
                who,
                0,
                json!({"first_name": "Ada"}),
            ),
        );
        world.run_until_settled();
        assert_eq!(world.dead.len(), dead);
        assert_eq!(
            world.crm.people[&other].fields.contains_key("first_name"),
            existing
        );
        assert!(world.crm.executed.len() < 10);
    }
}

#[test]
fn an_update_refused_because_of_our_key_goes_without_it() {
    let mut world = World::usual();
    let id = world.crm.add_person(Some(&phone(1)), None);
    world.fates = Box::new(|_, operation| {
        if operation.items.iter().any(|item| item.stamp) {
            Fate::Answered(whole(
                operation,
                AccountSignal::Fine,
                ItemOutcome::Conflict { existing: None },
            ))
        } else {
            Fate::Served
        }
    });
    let who = named(None, Some(&phone(1)), None);
    world.publish(
        Lane::Op,
        &event_of(
            "caller_identified",
            "c1",
            who,
            0,
            json!({"first_name": "Ada"}),
        ),
    );
    world.run_until_settled();
    assert_eq!(world.dead, []);
    assert!(world.crm.people[&id].fields.contains_key("first_name"));
}

#[test]
fn a_name_that_an_event_adds_to_a_known_contact_outlives_the_owner() {
    // The bucket knows the person by e-mail alone, as after a warm-up, and nothing is written to the contact itself.
    let mut world = World::usual();
    world.crm.add_person(None, Some("ada@example.com"));
    world.handle(Input::Warm);
    world.run_for(5_000);
    let both = ContactRef {
        phone: Some(phone(1)),
        email: Some("ada@example.com".to_owned()),
        ..ContactRef::default()
    };
    let body = json!({"disposition": "connected"});
    world.publish(Lane::Op, &event_of("call_ended", "c1", both, 0, body));
    world.run_until_settled();
    assert_eq!(world.aliases.len(), 2);
    world.crash(false);
    world.take_over();
    world.publish(Lane::Op, &call_ended("c2", &phone(1)));
    world.run_until_settled();
    assert_eq!(world.crm.people.len(), 1);
}

#[test]
fn somebody_found_by_another_name_is_known_by_what_the_bucket_holds_of_them() {
    let mut world = World::usual();
    let email = "ada@example.com";
    world.crm.add_person(Some(&phone(1)), Some(email));
    let value =
        |call: &str, at_ms, value: &str| enriched(call, &phone(1), at_ms, json!({"score": value}));
    world.publish(Lane::En, &value("c1", 2_000, "new"));
    world.run_until_settled();
    // The floor is stored by then.
    world.run_for(2_000);
    world.crash(false);
    world.take_over();
    let named = ContactRef {
        email: Some(email.to_owned()),
        ..ContactRef::default()
    };
    let body = json!({"disposition": "connected"});
    world.publish(Lane::Op, &event_of("call_ended", "c2", named, 0, body));
    world.run_until_settled();
    world.publish(Lane::En, &value("c3", 1_000, "old"));
    world.run_until_settled();
    assert_eq!(world.crm.people.len(), 1);
    let person = world.crm.people.values().next().unwrap();
    assert_eq!(person.fields["x.score"], Value::Text("new".into()));
}
