//! A broker that is not there, or not ready.

use serde_json::Value;

use crate::program::{Program, nobody, with_broker};

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_with_a_remedy() {
    let program = Program::at(&nobody());
    program.write("event.json", "{}");
    for (arguments, code) in [
        ("provision", "CF4101"),
        ("worker", "CF4101"),
        ("status", "CF4101"),
        ("dead list", "CF4101"),
        ("cache warm acme", "CF4101"),
        ("cache lookup acme --key k", "CF4101"),
        ("account check acme", "CF4101"),
        ("account resume acme", "CF4101"),
        ("publish --account acme event.json", "CF1201"),
    ] {
        let ran = program.run(arguments).await.expect(3);
        assert_eq!(
            ran.stderr.matches("no broker at 127.0.0.1:").count(),
            1,
            "once: {ran:?}"
        );
        let text = &ran.stderr;
        assert!(
            text.contains(&format!("error {code}:")),
            "{arguments}: {text}"
        );
        assert!(
            text.contains("remedy: start nats-server"),
            "{arguments}: {text}"
        );
    }
}

#[tokio::test]
async fn errors_are_json_when_data_is() {
    let program = Program::at(&nobody());
    let ran = program.run("--json status").await.expect(3);
    assert_eq!(ran.stdout, "");
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"]["code"], "CF4101");
    assert_eq!(error["error"]["exit"], 3);
    assert!(
        error["error"]["remedy"]
            .as_str()
            .unwrap()
            .contains("nats-server")
    );
}

#[tokio::test]
async fn a_broker_without_streams_asks_for_provisioning() {
    let (_server, program) = with_broker().await;
    for arguments in ["status", "dead list", "worker", "cache lookup acme --key k"] {
        program
            .run(arguments)
            .await
            .expect(3)
            .says("error CF4103:")
            .says("callflume provision");
    }
}

#[tokio::test]
async fn a_refused_credential_is_told_apart_from_no_broker() {
    let server = callflume_testkit::Server::builder()
        .extra_configuration("authorization { token: \"right\" }")
        .start()
        .await
        .unwrap();
    let program = Program::at(server.url());
    program
        .run("status")
        .await
        .expect(4)
        .says("error CF4105:")
        .says("refused the credential");
    program.write("wrong", "wrong");
    program.write("right", "right\n");
    let with = |file: &str| format!("[broker.credentials]\ntoken = {{ file = \"{file}\" }}\n");
    program.write("callflume.toml", with("wrong"));
    let ran = program.run("provision").await.expect(4);
    assert!(!ran.stderr.contains("wrong"), "{ran:?}");
    program.write("callflume.toml", with("right"));
    program.run("provision").await.expect(0);
    program
        .run("status")
        .await
        .expect(0)
        .says("no worker is running");
    program.write("callflume.toml", with("missing"));
    program
        .run("status")
        .await
        .expect(3)
        .says("error CF3103:")
        .says("missing");
}

#[tokio::test]
async fn publishing_stops_where_no_stream_is() {
    let (_server, program) = with_broker().await;
    let event = r#"{"call_id":"c","kind":"x","at":1,"contact":{"key":"k"}}"#;
    let ran = program
        .run_with("publish --account acme -", event.as_bytes())
        .await
        .expect(3)
        .says("line 1: error CF1202:")
        .says("remedy: run `callflume provision`");
    assert_eq!(ran.stdout, "");
}
