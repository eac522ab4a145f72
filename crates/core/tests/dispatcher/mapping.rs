//! Kinds an account maps itself, and configuration that changes while it runs.

use callflume_core::codes;
use callflume_core::effect::{Field, Object, Value};
use callflume_core::lane::Lane;
use callflume_core::plan::Planner;
use callflume_core::time::WallTime;
use callflume_core::vendor::Verb;
use serde_json::json;

use crate::crm::{phone, windows};
use crate::events::event;
use crate::world::{START_MS, World, config};

const SCORED: &str = r#"
[[mapping.lead_scored]]
object = "contact"
fields = { "x.lead_score" = "{{ event.body.score }}", "x.grade" = "{{ event.body.grade }}" }
[[mapping.lead_scored]]
object = "note"
fields = { text = "Score {{ event.body.score }} in call {{ event.call_id }}" }
[[mapping.lead_scored]]
object = "call"
write = "update"
fields = { sentiment = "{% if event.body.score > 50 %}positive{% else %}neutral{% endif %}" }
"#;

#[test]
fn a_kind_of_the_accounts_own_writes_what_its_templates_say() {
    let mut world = World::new(SCORED, windows(190, 5, 1_000_000));
    let ended = json!({"disposition": "connected", "started_at": 1_795_607_000_000_i64});
    world.publish(Lane::Op, &event("call_ended", "c1", &phone(1), 0, ended));
    world.publish(
        Lane::En,
        &event("lead_scored", "c1", &phone(1), 10, json!({"score": 70})),
    );
    world.run_until_settled();
    assert_eq!(world.dead, []);
    let person = world.crm.people.values().next().unwrap();
    assert_eq!(
        person.fields.get("x.lead_score"),
        Some(&Value::Text("70".into()))
    );
    assert!(
        !person.fields.contains_key("x.grade"),
        "what is empty is left out"
    );
    let note = world.crm.all(Object::Note)[0];
    assert_eq!(
        note.fields.get("text"),
        Some(&Value::Text("Score 70 in call c1".into()))
    );
    let call = world.crm.all(Object::Call)[0];
    assert_eq!(
        call.fields.get("sentiment"),
        Some(&Value::Text("positive".into()))
    );
    let started = WallTime(1_795_607_000_000);
    assert_eq!(
        call.fields.get("at"),
        Some(&Value::At(started)),
        "an update sets only what it names"
    );
}

#[test]
fn a_deal_says_when_its_event_happened_and_each_change_its_own_instant() {
    for class_b in [false, true] {
        let mut world = if class_b {
            World::class_b()
        } else {
            World::usual()
        };
        for (n, stage) in ["open", "won"].into_iter().enumerate() {
            let at_ms = 86_400_000 * n as i64;
            let body = json!({"stage": stage});
            let changed = event("deal_stage_changed", "c1", &phone(1), at_ms, body);
            world.publish(Lane::Op, &changed);
            world.run_until_settled();
        }
        let writes = world.crm.executed.iter().map(|(_, operation)| operation);
        let written: Vec<(Verb, Option<&Value>)> = writes
            .filter(|operation| operation.object == Object::Deal && operation.verb != Verb::Probe)
            .map(|operation| (operation.verb, operation.items[0].fields.get(&Field::At)))
            .collect();
        let update = if class_b {
            Verb::UpdateById
        } else {
            Verb::UpdateByKey
        };
        let at = |ms: i64| Value::At(WallTime(START_MS + ms));
        // Told apart by the verb: a CRM that dates deals does so when they are made.
        assert_eq!(
            written,
            [
                (Verb::Create, Some(&at(0))),
                (update, Some(&at(86_400_000)))
            ]
        );
    }
}

#[test]
fn a_template_that_fails_for_an_event_makes_that_event_a_dead_letter() {
    let lines = "[[mapping.odd]]\nobject = \"note\"\nfields = { text = \"{{ event.body.n() }}\" }";
    let mut world = World::new(lines, windows(190, 5, 1_000_000));
    world.publish(Lane::En, &event("odd", "c1", &phone(1), 0, json!({"n": 1})));
    world.publish(
        Lane::En,
        &event("note_added", "c1", &phone(1), 0, json!({"text": "t"})),
    );
    world.run_until_settled();
    assert_eq!(world.dead.len(), 1);
    assert_eq!(world.dead[0].code, codes::EVENT_TEMPLATE);
    assert_eq!(world.crm.all(Object::Note).len(), 1);
}

#[test]
fn a_mapping_that_can_not_work_is_refused_with_the_place() {
    for (lines, place) in [
        (
            "fields = { text = \"{{ event.body.\" }",
            "mapping.k[0].fields.text",
        ),
        (
            "fields = { nonsense = \"x\" }",
            "mapping.k[0].fields.nonsense",
        ),
        (
            "write = \"contact\"\nfields = { text = \"x\" }",
            "mapping.k[0].write",
        ),
        (
            "write = \"update\"\nfields = { text = \"x\" }",
            "mapping.k[0].write",
        ),
    ] {
        let config = config(&format!("[[mapping.k]]\nobject = \"note\"\n{lines}"));
        let refused = Planner::new(&config).unwrap_err();
        assert_eq!(
            (refused.field.as_str(), refused.code),
            (place, codes::CONFIG_VALUE),
            "{lines}"
        );
    }
}

#[test]
fn a_new_configuration_applies_to_what_comes_and_a_bad_one_leaves_the_old() {
    let mut world = World::usual();
    world.publish(
        Lane::En,
        &event("lead_scored", "c1", &phone(1), 0, json!({"score": 1})),
    );
    world.run_until_settled();
    assert_eq!(world.dead.len(), 1);
    let dispatcher = world.dispatcher.as_mut().unwrap();
    dispatcher
        .configure(config(
            "[[mapping.lead_scored]]\nobject = \"note\"\nfields = { text = \"a\" }",
        ))
        .unwrap();
    let unknown = dispatcher
        .configure(config("limits = { hourly = 5 }"))
        .unwrap_err();
    assert_eq!(unknown.field, "limits.hourly");
    dispatcher
        .configure(config(
            "[[mapping.lead_scored]]\nobject = \"note\"\nfields = { text = \"{{\" }",
        ))
        .unwrap_err();
    world.publish(
        Lane::En,
        &event("lead_scored", "c2", &phone(1), 0, json!({"score": 1})),
    );
    world.run_until_settled();
    assert_eq!(
        (world.dead.len(), world.crm.all(Object::Note).len()),
        (1, 1)
    );
}
