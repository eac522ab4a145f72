//! What an unknown answer may have left is found, and nothing is taken for absent that may be there.

use callflume_core::effect::Object;
use callflume_core::vendor::{Method, Operation, Verb};
use serde_json::{Value, json};

use crate::support::{meaning, operation, sent, shown_items};

fn after(object: Object, mark: &str) -> Operation {
    Operation {
        after: Some(mark.into()),
        ..operation(Verb::Probe, object, 1)
    }
}

#[test]
fn records_are_listed_by_their_lead() {
    for (object, path) in [
        (
            Object::Call,
            "/api/v1/activity/call/?lead_id=lead_1&_limit=100&_fields=id,lead_id,contact_id,note",
        ),
        (
            Object::Note,
            "/api/v1/activity/note/?lead_id=lead_1&_limit=100&_fields=id,lead_id,contact_id,note",
        ),
        (
            Object::Task,
            "/api/v1/task/?lead_id=lead_1&_type=lead&_limit=100&_fields=id,lead_id,contact_id,text",
        ),
        (
            Object::Deal,
            "/api/v1/opportunity/?lead_id=lead_1&_limit=100&_fields=id,lead_id,contact_id,custom.cf_deal",
        ),
    ] {
        let (method, sent_path, body) = sent(&operation(Verb::Probe, object, 1));
        assert_eq!(
            (method, sent_path.as_str(), body),
            (Method::Get, path, Value::Null)
        );
        let (_, next, _) = sent(&after(object, "100"));
        assert_eq!(next, path.replace("_limit=100", "_limit=100&_skip=100"));
    }
}

#[test]
fn the_marker_tells_a_record_from_its_neighbours_on_the_lead() {
    let note = |id: &str, text: &str| json!({"id": id, "lead_id": "lead_1", "contact_id": "cont_1", "note": text});
    let records = [
        note("acti_8", "typed by a person"),
        note("acti_9", "sum\n\n[callflume k-11]"),
        note("acti_7", "sum\n\n[callflume k-1] and more"),
    ];
    for (object, expect) in [
        (Object::Call, "done cont_1/acti_7"),
        (Object::Note, "done acti_7"),
    ] {
        let page = json!({"data": records, "has_more": true});
        let answered = meaning(&operation(Verb::Probe, object, 1), 200, &page);
        assert_eq!(shown_items(&answered), [expect]);
        assert_eq!(answered.next_page, None);
    }
    let task =
        json!({"data": [{"id": "task_7", "text": "t\n\n[callflume k-1]"}], "has_more": false});
    assert_eq!(
        shown_items(&meaning(
            &operation(Verb::Probe, Object::Task, 1),
            200,
            &task
        )),
        ["done task_7"]
    );
    for (key, expect) in [("k-1", "done oppo_7"), ("k-11", "gone")] {
        let deals = json!({"data": [{"id": "oppo_7", "custom.cf_deal": key}], "has_more": false});
        assert_eq!(
            shown_items(&meaning(
                &operation(Verb::Probe, Object::Deal, 1),
                200,
                &deals
            )),
            [expect]
        );
    }
}

#[test]
fn a_page_that_has_more_is_no_absence() {
    let full =
        json!({"data": vec![json!({"id": "acti_8", "note": "other"}); 100], "has_more": true});
    let first = meaning(&operation(Verb::Probe, Object::Note, 1), 200, &full);
    assert_eq!(shown_items(&first), ["not executed"]);
    assert_eq!(first.next_page.as_deref(), Some("100"));
    let second = meaning(&after(Object::Note, "100"), 200, &full);
    assert_eq!(second.next_page.as_deref(), Some("200"));
    let last = json!({"data": [{"id": "acti_8", "note": "other"}], "has_more": false});
    assert_eq!(
        shown_items(&meaning(&after(Object::Note, "200"), 200, &last)),
        ["gone"]
    );
}

#[test]
fn a_contact_is_looked_for_in_the_event_log_and_then_by_search() {
    let probe = operation(Verb::Probe, Object::Contact, 1);
    let (method, path, _) = sent(&probe);
    assert_eq!(
        (method, path.as_str()),
        (
            Method::Get,
            "/api/v1/event/?object_type=contact&action=created&_limit=50"
        )
    );
    let event = |id: &str, key: &str| json!({"object_id": id, "lead_id": "lead_3", "data": {"custom.cf_key": key}});
    let others = vec![event("cont_8", "k-8"); 50];
    let cut = meaning(&probe, 200, &json!({"data": others, "cursor_next": "c2"}));
    assert_eq!(shown_items(&cut), ["not executed"]);
    assert_eq!(cut.next_page.as_deref(), Some("search"));
    let whole = meaning(&probe, 200, &json!({"data": others, "cursor_next": null}));
    assert_eq!(shown_items(&whole), ["gone"]);

    let by_search = after(Object::Contact, "search");
    let (method, path, body) = sent(&by_search);
    assert_eq!(
        (method, path.as_str()),
        (Method::Post, "/api/v1/data/search/")
    );
    assert_eq!(
        body["query"]["queries"][1]["queries"][0]["condition"]["value"],
        "k-1"
    );
    for (key, expect) in [("k-1", "done lead_3/cont_7"), ("k-2", "gone")] {
        let page = json!({"data": [{"id": "cont_7", "lead_id": "lead_3", "custom.cf_key": key}], "cursor": null});
        let answered = meaning(&by_search, 200, &page);
        assert_eq!(shown_items(&answered), [expect]);
        assert_eq!(answered.next_page, None);
    }
}
