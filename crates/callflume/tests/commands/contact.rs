//! Who calls: asked of a worker, by the command line, by any NATS client and by the Rust client.

use std::time::Duration;

use callflume_client::{ContactSettings, Contacts, Lookup, LookupSettings, Person};
use callflume_core::account::AccountId;
use callflume_core::lookup::LookupReply;
use callflume_sim::hubspot::ObjectKind;
use callflume_testkit::wait_for;
use serde_json::{Value, json};

use crate::crm::Crm;
use crate::program::{DEADLINE, account, connect, finish, provisioned, signal};

#[tokio::test]
async fn a_stranger_is_looked_up_once_and_effects_are_seen_by_everyone_once_they_are_done() {
    let crm = Crm::start().await;
    let (server, program) = provisioned().await;
    program.write("callflume.toml", account(&crm.url()));
    program.run("provision").await.expect(0);
    program.run("account prepare acme --apply").await.expect(0);
    let worker = program.command(["worker", "-v"]).spawn().unwrap();
    wait_for("an owner", DEADLINE, async || {
        let status = program.run("status --json").await.expect(0).document();
        status["accounts"][0]["reported"].is_object().then_some(())
    })
    .await
    .unwrap();

    // Nobody knows the caller: that is said at once, then the CRM has answered.
    let lookup = "contact lookup acme --phone +12025550143 --json";
    let ran = program.run(lookup).await.expect(1);
    assert_eq!(ran.document(), json!({"account": "acme", "unknown": {}}));
    let before = crm.requests();
    let ran = program.run(&format!("{lookup} --wait")).await.expect(1);
    assert!(ran.document()["absent"]["as_of"].is_i64(), "{ran:?}");
    for _ in 0..5 {
        let ran = program.run(lookup).await.expect(1);
        assert!(ran.document()["absent"]["as_of"].is_i64(), "{ran:?}");
    }
    // One search in all: the one of the first look-up.
    assert!(crm.requests() - before <= 1);

    // The voice service's own process, before and after the call that tells the caller's name.
    let mut settings = ContactSettings::at([server.url()]);
    settings.lookup = LookupSettings {
        read_within: DEADLINE,
        ..LookupSettings::default()
    };
    let voice = Contacts::connect(settings).await.unwrap();
    let acme: AccountId = "acme".parse().unwrap();
    let caller = Person::phone("+12025550143").unwrap();
    let found = voice.lookup(&acme, &caller).await.unwrap();
    assert!(matches!(found, Lookup::Absent { .. }), "{found:?}");
    for (number, name) in ["Mira", "Mirabel"].into_iter().enumerate() {
        let event = json!({
            "call_id": format!("call-{number}"), "kind": "caller_identified",
            "at": 1_791_372_298_750_i64 + number as i64,
            "contact": {"phone": "+12025550143"}, "body": {"first_name": name},
        });
        program
            .run_with("publish --account acme -", event.to_string().as_bytes())
            .await
            .expect(0);
        wait_for("the effect", DEADLINE, async || {
            let status = program.run("status --json").await.expect(0).document();
            (status["accounts"][0]["reported"]["settled"] == number + 1).then_some(())
        })
        .await
        .unwrap();
        // The worker's own memory is never behind what it has done.
        let ran = program.run(lookup).await.expect(0);
        assert_eq!(ran.document()["known"]["first_name"], name, "{ran:?}");
        wait_for("the voice service's watch", DEADLINE, async || match voice
            .lookup(&acme, &caller)
            .await
            .unwrap()
        {
            Lookup::Known(contact) => {
                (contact.card.first_name.as_deref() == Some(name)).then_some(())
            }
            _ => None,
        })
        .await
        .unwrap();
    }
    assert_eq!(
        crm.model
            .lock()
            .unwrap()
            .records(ObjectKind::Contacts)
            .count(),
        1
    );

    // For people too.
    program
        .run("contact lookup acme --phone +1-202-555-0143")
        .await
        .expect(0)
        .says("Mirabel");
    for (arguments, code) in [
        ("--phone 2025550143", "CF1302"),
        ("--email nobody", "CF1302"),
    ] {
        program
            .run(&format!("contact lookup acme {arguments}"))
            .await
            .expect(4)
            .says(code);
    }

    discoverable(&server).await;
    signal(&worker, "TERM").await;
    let ended = finish(worker, b"").await.expect(0);
    for personal in ["2025550143", "Mira"] {
        assert!(!ended.stderr.contains(personal), "{ended:?}");
    }
}

/// What standard tools ask of a NATS service, and what any client may ask of this one.
async fn discoverable(server: &callflume_testkit::Server) {
    let broker = connect(server).await;
    let client = broker.client();
    let asked = async |subject: &str, body: &str| -> Value {
        let request = client.request(subject.to_owned(), body.to_owned().into());
        let reply = tokio::time::timeout(Duration::from_secs(30), request).await;
        serde_json::from_slice(&reply.unwrap().unwrap().payload).unwrap()
    };
    let ping = asked("$SRV.PING.callflume-contacts", "").await;
    assert_eq!(ping["type"], "io.nats.micro.v1.ping_response");
    let info = asked("$SRV.INFO.callflume-contacts", "").await;
    let mut subjects: Vec<&str> = info["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|endpoint| endpoint["subject"].as_str())
        .collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        ["svc.contacts.v1.lookup", "svc.contacts.v1.lookup.*"]
    );
    let stats = asked("$SRV.STATS.callflume-contacts", "").await;
    let mut requests = stats["endpoints"].as_array().unwrap().iter();
    assert!(
        requests.any(|endpoint| endpoint["num_requests"].as_u64() > Some(0)),
        "{stats}"
    );
    for (subject, body, expect) in [
        (
            "svc.contacts.v1.lookup",
            r#"{"account":"acme","phone":"+12025550143"}"#,
            "known",
        ),
        (
            "svc.contacts.v1.lookup.acme",
            r#"{"phone":"+1 202 555 0143"}"#,
            "known",
        ),
        (
            "svc.contacts.v1.lookup.acme",
            r#"{"email":"a@example.com"}"#,
            "unknown",
        ),
        (
            "svc.contacts.v1.lookup",
            r#"{"phone":"+12025550143"}"#,
            "CF1302",
        ),
        ("svc.contacts.v1.lookup", "phone", "CF1302"),
        (
            "svc.contacts.v1.lookup.ACME",
            r#"{"phone":"+12025550143"}"#,
            "CF1302",
        ),
        (
            "svc.contacts.v1.lookup.other",
            r#"{"phone":"+12025550143"}"#,
            "CF3201",
        ),
    ] {
        let reply: LookupReply = serde_json::from_value(asked(subject, body).await).unwrap();
        let fits = match &reply {
            LookupReply::Known(_) => expect == "known",
            LookupReply::Absent(_) => expect == "absent",
            LookupReply::Unknown(_) => expect == "unknown",
            LookupReply::Refused(refusal) => expect == refusal.code.as_str(),
        };
        assert!(fits, "{subject} {body}: {reply:?}");
    }
}
