//! Dead letters go to their account once more, with a worker at work; what needs no replay is dropped.

use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use callflume_jetstream::dead::{DeadLetter, DeadLetters};
use callflume_sim::fakes::{Method, Request};
use callflume_sim::hubspot::{ObjectKind, Record};
use callflume_testkit::wait_for;
use serde_json::{Value, json};

use crate::crm::{Crm, now_ms};
use crate::program::{DEADLINE, Program, account, connect, finish, provisioned, signal};

/// A kind that writes a contact's property and a note.
const SCORED: &str = "
[[accounts.acme.mapping.lead_scored]]
object = \"contact\"
fields = { \"x.lead_score\" = \"{{ event.body.score }}\" }

[[accounts.acme.mapping.lead_scored]]
object = \"note\"
fields = { text = \"Scored {{ event.body.score }}.\" }
";

fn event(kind: &str, call: &str) -> Value {
    json!({
        "call_id": call,
        "kind": kind,
        "at": 1_791_372_298_750_i64,
        "contact": {"phone": "+12025550143"},
        "body": {"score": 7},
    })
}

async fn letters(program: &Program) -> Vec<Value> {
    program
        .run("dead list --from 1 --json")
        .await
        .expect(0)
        .documents()
}

/// Replays a letter as soon as its event is over; gives what was said about it.
async fn replayed(program: &Program, seq: &Value) -> Value {
    wait_for("a replay", DEADLINE, async || {
        let ran = program.run(&format!("dead replay {seq} --json")).await;
        let said = ran.document();
        (said["outcome"] != "not_settled").then_some(said)
    })
    .await
    .unwrap()
}

fn scored(record: &Record) -> bool {
    record.property("lead_score") == Some("7")
}

#[tokio::test]
async fn a_refused_effect_is_written_once_what_it_lacked_is_there() {
    let crm = Crm::start().await;
    let (server, program) = provisioned().await;
    program.write("callflume.toml", account(&crm.url()) + SCORED);
    program.run("provision").await.expect(0);
    program.run("account prepare acme --apply").await.expect(0);
    let worker = program.command(["worker"]).spawn().unwrap();
    program
        .run_with(
            "publish --account acme -",
            event("lead_scored", "call-1").to_string().as_bytes(),
        )
        .await
        .expect(0);
    let count = |object| crm.model.lock().unwrap().records(object).count();
    let letter = wait_for("its dead letter and its note", DEADLINE, async || {
        let found = letters(&program).await;
        (found.len() == 1 && count(ObjectKind::Notes) == 1).then(|| found[0].clone())
    })
    .await
    .unwrap();
    assert_eq!(letter["code"], "CF2101", "{letter}");
    assert_eq!(letter["effect"], "contact", "{letter}");
    let kept = DeadLetters::new(&connect(&server).await);
    let copy = kept.show(letter["seq"].as_u64().unwrap()).await.unwrap();
    let copy = copy.unwrap().letter;

    let property = json!({"name": "lead_score", "label": "Score", "type": "string", "fieldType": "text", "groupName": "callflume"});
    let request = Request::new(Method::Post, "/crm/v3/properties/contacts")
        .with_bearer("sim-token")
        .with_json(&property);
    let made = crm.model.lock().unwrap().handle(now_ms(), &request);
    assert_eq!(made.status, 201);
    let said = replayed(&program, &letter["seq"]).await;
    assert_eq!(said["outcome"], "replayed", "{said}");
    let id = format!(
        "{}:r{}",
        letter["event_id"].as_str().unwrap(),
        letter["seq"]
    );
    assert_eq!(said["message_id"], id);
    let settled = async |events: u64| {
        wait_for("settled events", DEADLINE, async || {
            let status = program.run("status --json").await.expect(0).document();
            (status["accounts"][0]["reported"]["settled"] == events).then_some(())
        })
        .await
        .unwrap();
    };
    settled(2).await;
    let check = || {
        let model = crm.model.lock().unwrap();
        let contacts: Vec<&Record> = model.records(ObjectKind::Contacts).collect();
        assert_eq!(contacts.len(), 1);
        assert!(scored(contacts[0]));
        let writes = model
            .history(ObjectKind::Contacts, contacts[0].id)
            .filter(|write| write.properties.iter().any(|p| &*p.name == "lead_score"))
            .count();
        assert_eq!(writes, 1, "the effect is written once");
        assert_eq!(model.records(ObjectKind::Notes).count(), 1);
    };
    check();
    assert_eq!(letters(&program).await, Vec::<Value>::new());
    program
        .run(&format!("dead replay {}", letter["seq"]))
        .await
        .expect(1)
        .says("it is not there");

    // A run that was killed before it removed the letter.
    let again = DeadLetter {
        stream_seq: copy.stream_seq + 1,
        ..copy
    };
    let seq = json!(kept.publish(&again).await.unwrap());
    let said = replayed(&program, &seq).await;
    assert_eq!(said["outcome"], "already_written", "{said}");
    assert_eq!(letters(&program).await, Vec::<Value>::new());
    check();

    // An event that could not be used as a whole, until its kind has a mapping.
    program
        .run_with(
            "publish --account acme -",
            event("lead_rated", "call-2").to_string().as_bytes(),
        )
        .await
        .expect(0);
    let letter = wait_for("its dead letter", DEADLINE, async || {
        letters(&program).await.first().cloned()
    })
    .await
    .unwrap();
    assert_eq!(letter["code"], "CF1106", "{letter}");
    let mapping = SCORED.replace("lead_scored", "lead_rated");
    let text = account(&crm.url()) + SCORED + &mapping;
    program.write("callflume.toml", text);
    program.run("provision").await.expect(0);
    wait_for("the second note", DEADLINE, async || {
        // The worker may have taken the replay before it heard of the mapping: then there is another letter.
        program
            .run("dead replay --account acme --code cf1106")
            .await
            .expect(0);
        (count(ObjectKind::Notes) == 2).then_some(())
    })
    .await
    .unwrap();
    signal(&worker, "TERM").await;
    finish(worker, b"").await.expect(0);
    assert_eq!(letters(&program).await, Vec::<Value>::new());
    assert_eq!(count(ObjectKind::Contacts), 1);
}

fn letter(number: u64, account: &str, code: &str, effect: Option<&str>) -> DeadLetter {
    DeadLetter {
        lane: Lane::Op,
        account: account.parse().unwrap(),
        code: code.to_owned(),
        cause: format!("cause {number}"),
        attempts: 3,
        event_id: Some(format!("event-{number}")),
        effect: effect.map(str::to_owned),
        subject: format!("voice.v1.op.{account}.call_ended"),
        stream_seq: number,
        content_type: None,
        traceparent: None,
        payload: vec![0xc1].into(),
        at: WallTime(1_791_372_298_750),
    }
}

#[tokio::test]
async fn letters_are_chosen_left_with_a_reason_and_dropped() {
    let (server, program) = provisioned().await;
    program.write("callflume.toml", account("http://127.0.0.1:9"));
    program.run("provision").await.expect(0);
    program
        .run("dead replay --account acme")
        .await
        .expect(0)
        .says("no dead letters");
    program
        .run("dead replay --account other")
        .await
        .expect(2)
        .says("error CF3201:");

    let kept = DeadLetters::new(&connect(&server).await);
    for (number, account, code, effect) in [
        (1, "acme", "CF1106", None),
        (2, "acme", "CF2101", Some("contact")),
        (3, "other", "CF1106", None),
        (4, "acme", "CF1107", None),
        (5, "acme", "CF1107", None),
        (6, "acme", "CF1107", None),
    ] {
        let seq = kept.publish(&letter(number, account, code, effect)).await;
        assert_eq!(seq.unwrap(), number);
    }
    for (arguments, exit, expected) in [
        (
            "--account acme --code cf1106",
            0,
            json!([{"seq": 1, "outcome": "replayed"}]),
        ),
        // Its event is above the floor, as far as anybody knows.
        ("2", 1, json!([{"seq": 2, "outcome": "not_settled"}])),
        (
            "3 99",
            1,
            json!([{"seq": 3, "outcome": "not_configured"}, {"seq": 99, "outcome": "not_there"}]),
        ),
        (
            "--account acme --code CF1107 --limit 2",
            0,
            json!([{"seq": 4, "outcome": "replayed"}, {"seq": 5, "outcome": "replayed"}]),
        ),
    ] {
        let ran = program
            .run(&format!("dead replay --json {arguments}"))
            .await
            .expect(exit);
        let said: Vec<Value> = ran
            .documents()
            .iter()
            .map(|said| json!({"seq": said["seq"], "outcome": said["outcome"]}))
            .collect();
        assert_eq!(json!(said), expected, "{arguments}");
    }
    program
        .run("dead replay 3")
        .await
        .expect(1)
        .says("✗ 3 (CF1106, the whole of event-3) left: no account `other` is configured")
        .says("0 replayed, 1 left");
    program
        .run("dead drop 2 77 3")
        .await
        .expect(1)
        .says("✓ 2 (CF2101, contact of event-2) dropped")
        .says("✓ 3 (CF1106, the whole of event-3) dropped")
        .says("there is no dead letter 77");
    program.run("dead drop 6").await.expect(0);
    let status = program.run("status --json").await.expect(0).document();
    assert_eq!(status["dead"], json!([]));
    assert_eq!(status["accounts"][0]["backlog"]["op"]["events"], 3);
}
