//! A worker at work, seen and told what to do from the command line.

use callflume_sim::hubspot::ObjectKind;
use callflume_testkit::wait_for;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::crm::Crm;
use crate::program::{DEADLINE, account, finish, provisioned, signal};

#[tokio::test]
async fn nobody_owns_an_account_without_a_worker() {
    let (_server, program) = provisioned().await;
    program.write("callflume.toml", account("http://127.0.0.1:9"));
    program.run("provision").await.expect(0);
    for command in [
        "cache warm acme",
        "cache warm acme --wait",
        "account resume acme",
        "contact lookup acme --phone +12025550143",
        "reference acme --refresh",
    ] {
        program
            .run(command)
            .await
            .expect(3)
            .says("error CF5201:")
            .says("callflume worker");
    }
    for command in [
        "cache warm other",
        "account resume other",
        "cache lookup other --key k",
        "contact lookup other --email ada@example.com",
        "reference other",
        "reference other --refresh",
    ] {
        program.run(command).await.expect(2).says("error CF3201:");
    }
    program
        .run("cache lookup acme --phone 2025550143")
        .await
        .expect(4)
        .says("E.164");
    let ran = program
        .run("cache lookup acme --phone +12025550143 --json")
        .await
        .expect(1);
    assert_eq!(ran.document(), json!({"account": "acme", "found": false}));
    program
        .run("reference acme")
        .await
        .expect(1)
        .says("--refresh");
}

#[tokio::test]
async fn events_reach_the_crm_and_the_worker_can_be_watched_and_stopped() {
    let crm = Crm::start().await;
    let (_server, program) = provisioned().await;
    program.write("callflume.toml", account(&crm.url()));
    program.run("provision").await.expect(0);
    program.run("account prepare acme --apply").await.expect(0);
    let event = json!({
        "call_id": "call-1",
        "kind": "call_ended",
        "at": 1_791_372_298_750_i64,
        "contact": {"phone": "+12025550143", "name": "Mira Okafor"},
        "body": {"disposition": "connected"},
    });
    program
        .run_with("publish --account acme -", event.to_string().as_bytes())
        .await
        .expect(0);
    let status = program.run("status --json").await.expect(0).document();
    let waiting = &status["accounts"][0];
    assert_eq!(waiting["owner"], json!(null));
    assert_eq!(waiting["backlog"]["op"]["events"], 1);
    assert!(waiting["backlog"]["op"]["oldest_ms"].is_u64(), "{waiting}");
    assert_eq!(
        waiting["backlog"]["en"],
        json!({"events": 0, "oldest_ms": null})
    );

    let worker = program.command(["worker"]).spawn().unwrap();
    let done = wait_for(
        "the call in the CRM and the worker's word for it",
        DEADLINE,
        async || {
            let calls = crm.model.lock().unwrap().records(ObjectKind::Calls).count();
            let status = program.run("status --json").await.expect(0).document();
            let account = &status["accounts"][0];
            let settled =
                account["reported"]["settled"] == 1 && account["backlog"]["op"]["events"] == 0;
            (calls == 1 && settled).then(|| status.clone())
        },
    )
    .await
    .unwrap();
    let name = done["workers"][0]["worker"].clone();
    assert_eq!(done["workers"][0]["answered"], true);
    assert_eq!(done["accounts"][0]["owner"], name);
    let windows = done["accounts"][0]["reported"]["windows"]
        .as_array()
        .unwrap();
    assert!(
        windows
            .iter()
            .any(|w| w[0] == "ten_secondly" && w[2] == 152),
        "{windows:?}"
    );
    let streams = done["streams"].as_array().unwrap();
    assert!(
        streams
            .iter()
            .any(|s| s["name"] == "VOICE_OP" && s["bytes"].as_u64() > Some(0))
    );
    program
        .run("status")
        .await
        .expect(0)
        .says(name.as_str().unwrap())
        .says("ten_secondly")
        .says("no dead letters");

    let warmed = program
        .run("cache warm acme --wait --json")
        .await
        .expect(0)
        .document();
    assert_eq!(
        (&warmed["done"], &warmed["contacts"]),
        (&json!(true), &json!(1))
    );
    let found = program
        .run("cache lookup acme --phone +1-202-555-0143 --json")
        .await
        .expect(0)
        .document();
    assert_eq!(found["found"], true);
    assert!(
        found["crm_id"].is_string() && found["own_key"].is_string(),
        "{found}"
    );
    program
        .run("cache warm acme")
        .await
        .expect(0)
        .says("reads the contacts of acme");
    program
        .run("account resume acme")
        .await
        .expect(0)
        .says("goes on with acme");

    signal(&worker, "TERM").await;
    let ended = finish(worker, b"").await.expect(0);
    assert!(ended.stderr.contains("worker stopped"), "{ended:?}");
    for personal in ["2025550143", "Mira", "sim-token"] {
        assert!(!ended.stderr.contains(personal), "{ended:?}");
    }
}

#[tokio::test]
async fn a_watch_ends_well_when_it_is_interrupted() {
    let (_server, program) = provisioned().await;
    let mut watch = program
        .command(["status", "--watch", "--every", "1", "--json"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(line.contains("\"streams\""), "{line}");
    }
    signal(&watch, "INT").await;
    finish(watch, b"").await.expect(0);
}

#[tokio::test]
async fn an_interrupted_publish_says_so() {
    let (_server, program) = provisioned().await;
    let mut publish = program
        .command(["publish", "--account", "acme", "--json", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = publish.stdin.take().unwrap();
    let event = json!({
        "call_id": "c", "kind": "x", "at": 1, "contact": {"key": "k"},
    });
    tokio::io::AsyncWriteExt::write_all(&mut input, format!("{event}\n").as_bytes())
        .await
        .unwrap();
    let mut lines = BufReader::new(publish.stdout.take().unwrap()).lines();
    let receipt = tokio::time::timeout(DEADLINE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(receipt.contains("\"stored\""), "{receipt}");
    signal(&publish, "INT").await;
    let ended = finish(publish, b"").await.expect(130);
    assert!(
        ended.stderr.contains("interrupted after line 1"),
        "{ended:?}"
    );
    drop(input);
}

#[tokio::test]
async fn owners_and_stages_are_named_as_people_name_them_and_shown() {
    let crm = Crm::start().await;
    let (_server, program) = provisioned().await;
    program.write("callflume.toml", account(&crm.url()));
    program.run("provision").await.expect(0);
    program.run("account prepare acme --apply").await.expect(0);
    let event = |kind: &str, body: serde_json::Value| {
        json!({
            "call_id": "call-1", "kind": kind, "at": 1_791_372_298_750_i64,
            "contact": {"phone": "+12025550143"}, "body": body,
        })
    };
    let task = event(
        "task_created",
        json!({"title": "Call back", "owner": "Sales.West@example.com"}),
    );
    let deal = event(
        "deal_stage_changed",
        json!({"stage": "contract sent", "pipeline": "Sales Pipeline", "title": "Voice lead"}),
    );
    let worker = program.command(["worker"]).spawn().unwrap();
    program
        .run_with(
            "publish --account acme -",
            format!("{task}\n{deal}\n").as_bytes(),
        )
        .await
        .expect(0);
    let written = wait_for("task and deal in the CRM", DEADLINE, async || {
        let model = crm.model.lock().unwrap();
        let value = |kind, name: &str| {
            let record = model.records(kind).next()?;
            record.properties.get(name).map(ToString::to_string)
        };
        let owner = value(ObjectKind::Tasks, "hubspot_owner_id")?;
        Some((owner, value(ObjectKind::Deals, "dealstage")?))
    })
    .await
    .unwrap();
    assert_eq!(written, ("7701".to_owned(), "contractsent".to_owned()));
    // Stored beside the writing, which doesn't wait for it.
    wait_for("what the worker knows", DEADLINE, async || {
        let ran = program.run("reference acme").await;
        let all = ["sales.west@example.com", "Contract Sent", "Left voicemail"];
        all.iter()
            .all(|text| ran.stdout.contains(text))
            .then_some(())
    })
    .await
    .unwrap();
    signal(&worker, "TERM").await;
    let ended = finish(worker, b"").await.expect(0);
    assert!(!ended.stderr.contains("sales.west"), "{ended:?}");
}
