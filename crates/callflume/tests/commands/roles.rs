//! The roles of `nats/roles.conf`: each may do what it is for, and no more.

use callflume_client::{ContactSettings, Contacts, Lookup, LookupSettings, Person};
use callflume_core::foreign::PermitReply;
use callflume_core::quota::{Advice, AdviceMessage};
use callflume_jetstream::connect;
use callflume_testkit::{Server, wait_for};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::crm::Crm;
use crate::program::{DEADLINE, Program, account, finish, signal};

const ROLES: &str = include_str!("../../../../nats/roles.conf");

/// Where the reference data of an account is read, as `docs/contract.md` says.
const REFERENCE: &str =
    "$JS.API.DIRECT.GET.KV_callflume-reference.$KV.callflume-reference.reference.acme";

const ROLES_IN_USE: [&str; 6] = [
    "publisher",
    "worker",
    "quota",
    "operator",
    "replayer",
    "admin",
];

/// A connection of this role, without Callflume's own client.
async fn connect_as(server: &Server, role: &str) -> async_nats::Client {
    async_nats::ConnectOptions::with_user_and_password(
        format!("callflume-{role}"),
        format!("{role}-word"),
    )
    .custom_inbox_prefix(format!("_INBOX_{role}"))
    .connect(server.url())
    .await
    .unwrap()
}

fn write(program: &Program, role: &str, crm: &str) {
    program.write(
        &format!("{role}.toml"),
        format!(
            "[broker]\ninbox_prefix = \"_INBOX_{role}\"\n[broker.credentials]\nuser = \"callflume-{role}\"\n\
             password = {{ file = \"{role}\" }}\n{}",
            account(crm)
        ),
    );
    program.write(role, format!("{role}-word"));
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for_and_no_more() {
    let mut roles = ROLES.to_owned();
    for role in ROLES_IN_USE {
        let variable = format!("$CALLFLUME_{}_PASSWORD", role.to_uppercase());
        assert!(roles.contains(&variable));
        roles = roles.replace(&variable, &format!("\"{role}-word\""));
    }
    let server = Server::builder()
        .extra_configuration(roles)
        .start()
        .await
        .unwrap();
    let crm = Crm::start().await;
    let program = Program::at(server.url());
    for role in ROLES_IN_USE {
        write(&program, role, &crm.url());
    }
    let admin = async |command: &str| program.run(&format!("--config admin.toml {command}")).await;
    let operator = async |command: &str| {
        program
            .run(&format!("--config operator.toml {command}"))
            .await
    };

    let replayer = async |command: &str| {
        program
            .run(&format!("--config replayer.toml {command}"))
            .await
    };

    admin("provision").await.expect(0);
    admin("provision").await.expect(0).says("nothing to change");
    admin("account prepare acme --apply").await.expect(0);
    // A dialler, with a publisher's rights, hears what it is advised.
    let dialler = connect_as(&server, "publisher").await;
    let mut advice = dialler.subscribe("advice.v1.acme").await.unwrap();
    dialler.flush().await.unwrap();
    let worker = program
        .command(["--config", "worker.toml", "worker"])
        .spawn()
        .unwrap();

    let good = json!({
        "call_id": "call-1", "kind": "call_ended", "at": 1_791_372_298_750_i64,
        "contact": {"phone": "+12025550143"}, "body": {"disposition": "connected"},
    });
    let mut bad = good.clone();
    bad["body"] = json!({});
    bad["call_id"] = "call-2".into();
    let mut refused = good.clone();
    refused["kind"] = "contact_enriched".into();
    refused["lane"] = "op".into();
    refused["body"] = json!({"properties": {"no_such_property": "x"}});
    let input = format!("{good}\n{bad}\n{refused}\n");
    program
        .run_with(
            "--config publisher.toml publish --account acme -",
            input.as_bytes(),
        )
        .await
        .expect(0);

    wait_for("settled events", DEADLINE, async || {
        let status = operator("status --json").await.expect(0).document();
        let account = &status["accounts"][0];
        (account["reported"]["settled"] == 3 && account["backlog"]["op"]["events"] == 0)
            .then_some(())
    })
    .await
    .unwrap();
    let letters = operator("dead list --json").await.expect(0).documents();
    let mut codes: Vec<&str> = letters.iter().filter_map(|l| l["code"].as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["CF1102", "CF2101"], "{letters:?}");
    operator("dead show 1").await.expect(0);
    operator("cache warm acme --wait").await.expect(0);
    operator("cache lookup acme --phone +12025550143")
        .await
        .expect(0);
    operator("contact lookup acme --phone +12025550143")
        .await
        .expect(0);
    let named = operator("reference acme --refresh --json").await.expect(0);
    let known = operator("reference acme --json").await.expect(0);
    assert_eq!(known.document(), named.document());
    assert_eq!(known.document()["owners"][0]["id"], "7700");
    // A voice service, with a publisher's rights, sees whom it may name.
    let record = dialler.request(REFERENCE, "".into()).await.unwrap().payload;
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["pipelines"], known.document()["pipelines"]);
    operator("account resume acme").await.expect(0);

    // A voice service looks a caller up: itself in the bucket, and through a worker.
    let voice = ContactSettings {
        broker: connect::Settings {
            urls: vec![server.url().to_owned()],
            credentials: connect::Credentials::UserPassword {
                user: "callflume-publisher".to_owned(),
                password: "publisher-word".into(),
            },
            inbox_prefix: Some("_INBOX_publisher".to_owned()),
            ..connect::Settings::default()
        },
        lookup: LookupSettings {
            read_within: DEADLINE,
            ..LookupSettings::default()
        },
    };
    let voice = Contacts::connect(voice).await.unwrap();
    wait_for("the watch", DEADLINE, async || {
        voice.is_fresh().then_some(())
    })
    .await
    .unwrap();
    let acme = "acme".parse().unwrap();
    let caller = Person::phone("+12025550143").unwrap();
    let found = voice.lookup(&acme, &caller).await.unwrap();
    assert!(matches!(found, Lookup::Known(_)), "{found:?}");
    let stranger = Person::phone("+12025550144").unwrap();
    wait_for("the stranger to be looked up", DEADLINE, async || {
        let found = voice.lookup(&acme, &stranger).await.unwrap();
        matches!(found, Lookup::Absent { .. }).then_some(())
    })
    .await
    .unwrap();
    let ask = r#"{"phone":"+12025550143"}"#;
    let reply = dialler
        .request("svc.contacts.v1.lookup.acme", ask.into())
        .await
        .unwrap();
    assert!(reply.payload.starts_with(br#"{"known""#), "{reply:?}");
    let told = tokio::time::timeout(DEADLINE, advice.next())
        .await
        .unwrap()
        .unwrap();
    let told: AdviceMessage = serde_json::from_slice(&told.payload).unwrap();
    assert_eq!((told.account.as_str(), told.advice), ("acme", Advice::Ok));
    let status = operator("status --json").await.expect(0).document();
    assert_eq!(
        status["accounts"][0]["reported"]["advice"],
        serde_json::to_value(&told).unwrap()
    );

    // Another process on the credential asks for a permit and gives it back.
    let process = connect_as(&server, "quota").await;
    let ask = r#"{"lane":"op","windows":{"ten_secondly":1,"daily":1}}"#;
    let reply = process
        .request("svc.quota.v1.ask.acme", ask.into())
        .await
        .unwrap();
    let PermitReply::Granted(granted) = serde_json::from_slice(&reply.payload).unwrap() else {
        panic!("{reply:?}");
    };
    let settle = json!({"permit": granted.permit, "outcome": "not_sent"}).to_string();
    process
        .publish("svc.quota.v1.settle.acme", settle.into())
        .await
        .unwrap();
    process.flush().await.unwrap();

    wait_for("both letters replayed", DEADLINE, async || {
        // A letter whose event ended just now is left for the next run.
        let ran = replayer("dead replay 1 2 --json").await;
        let outcomes = ran.documents();
        outcomes
            .iter()
            .all(|done| ["replayed", "not_there"].contains(&done["outcome"].as_str().unwrap()))
            .then_some(())
    })
    .await
    .unwrap();
    wait_for("their second death", DEADLINE, async || {
        let letters = operator("dead list --json").await.expect(0).documents();
        (letters.len() == 2).then_some(())
    })
    .await
    .unwrap();
    replayer("dead drop 3 4").await.expect(0);

    signal(&worker, "TERM").await;
    let ended = finish(worker, b"").await.expect(0);
    assert!(
        !ended.stderr.to_lowercase().contains("violation"),
        "{}",
        ended.stderr
    );
    let log = std::fs::read_to_string(server.log_file()).unwrap();
    let refused: Vec<&str> = log.lines().filter(|l| l.contains("Violation")).collect();
    assert_eq!(refused, Vec::<&str>::new());

    // And no more.
    for subject in ["voice.v1.op.acme.call_ended", "svc.worker.v1.resume.acme"] {
        process.publish(subject, "{}".into()).await.unwrap();
    }
    process.flush().await.unwrap();
    // Stored tokens: only workers write them, and a replayer doesn't see them.
    let tokens = "$KV.callflume-tokens.token.acme";
    let reading = "$JS.API.STREAM.MSG.GET.KV_callflume-tokens";
    for (role, subject) in [
        ("operator", tokens),
        ("replayer", tokens),
        ("replayer", reading),
        ("admin", tokens),
        ("admin", reading),
        ("publisher", reading),
    ] {
        let client = connect_as(&server, role).await;
        client.publish(subject, "{}".into()).await.unwrap();
        client.flush().await.unwrap();
    }
    let writing = connect_as(&server, "worker").await;
    writing.request(tokens, "{}".into()).await.unwrap();
    wait_for("the server's refusals", DEADLINE, async || {
        let log = std::fs::read_to_string(server.log_file()).unwrap();
        let refused = log.lines().filter(|line| line.contains("Violation"));
        (refused.count() == 2 + 6).then_some(())
    })
    .await
    .unwrap();
    program
        .run_with(
            "--config operator.toml publish --account acme -",
            good.to_string().as_bytes(),
        )
        .await
        .expect(4)
        .says("CF1204");
}
