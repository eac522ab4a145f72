//! A server starts healthy, keeps what it acknowledged through a kill, and fails with words that help.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use async_nats::jetstream::{self, stream};
use callflume_testkit::{Error, SINGLE_SERVER_CONFIGURATION, Server, ServerBinary, wait_for};
use common::DEADLINE;

async fn events(server: &Server) -> (jetstream::Context, stream::Stream) {
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    let stream = context
        .get_or_create_stream(stream::Config {
            name: "EVENTS".to_owned(),
            subjects: vec!["events.>".to_owned()],
            ..Default::default()
        })
        .await
        .unwrap();
    (context, stream)
}

#[tokio::test]
async fn starts_healthy_on_free_ports() {
    let one = Server::start().await.unwrap();
    let two = Server::start().await.unwrap();
    assert_ne!(one.url(), two.url());
    assert_eq!(one.monitor("/healthz").await.unwrap()["status"], "ok");
    let figures = one.monitor("/varz").await.unwrap();
    // From nats/single.conf, so that file is what runs.
    assert_eq!(
        figures["jetstream"]["limits"]["default_max_consumers"],
        5000
    );
    assert_eq!(figures["max_payload"], 1024 * 1024);
    assert!(one.pid().is_some());
}

#[tokio::test]
async fn acknowledged_messages_survive_a_kill() {
    let mut server = Server::start().await.unwrap();
    let (context, _) = events(&server).await;
    for number in 0..50 {
        let ack = context
            .publish(format!("events.{number}"), format!("body {number}").into())
            .await
            .unwrap();
        ack.await.unwrap();
    }
    let (url, monitoring_url) = (server.url().to_owned(), server.monitoring_url().to_owned());
    server.kill().await.unwrap();
    assert_eq!(server.pid(), None);

    server.restart().await.unwrap();
    assert_eq!(
        (server.url(), server.monitoring_url()),
        (url.as_str(), monitoring_url.as_str())
    );
    let (_, stream) = events(&server).await;
    for number in 0..50 {
        let message = stream.get_raw_message(number + 1).await.unwrap();
        assert_eq!(message.payload, format!("body {number}"));
    }
}

#[tokio::test]
async fn a_client_finds_the_restarted_server_again() {
    let mut server = Server::start().await.unwrap();
    let (context, _) = events(&server).await;
    server.restart().await.unwrap();
    let published = wait_for("a publish to be acknowledged", DEADLINE, async || {
        context
            .publish("events.again", "x".into())
            .await
            .ok()?
            .await
            .ok()
    })
    .await;
    published.unwrap();
}

#[tokio::test]
async fn stops_once_and_for_all() {
    let mut server = Server::start().await.unwrap();
    server.stop().await.unwrap();
    assert_eq!(server.pid(), None);
    server.stop().await.unwrap();
    server.kill().await.unwrap();
    assert!(matches!(server.pause().await, Err(Error::NotRunning)));
}

#[tokio::test]
async fn a_paused_server_answers_again_when_resumed() {
    let mut server = Server::start().await.unwrap();
    server.pause().await.unwrap();
    server.resume().await.unwrap();
    assert_eq!(server.monitor("/healthz").await.unwrap()["status"], "ok");
    server.pause().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_given_store_stays_and_is_used_by_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    // Quotes and blanks in the name must reach the server unharmed.
    let store = folder.path().join("my \"store\"");
    let first = Server::builder().store_dir(&store).start().await.unwrap();
    let (context, _) = events(&first).await;
    context
        .publish("events.kept", "kept".into())
        .await
        .unwrap()
        .await
        .unwrap();

    let second = Server::builder().store_dir(&store).start().await;
    assert!(matches!(second, Err(Error::StoreInUse(ref path)) if *path == store));

    drop(first);
    let third = Server::builder().store_dir(&store).start().await.unwrap();
    let (_, stream) = events(&third).await;
    assert_eq!(stream.get_raw_message(1).await.unwrap().payload, "kept");
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_temporary_store() {
    let server = Server::start().await.unwrap();
    let store = server.store_dir().to_owned();
    drop(server);
    assert!(!store.exists());
}

#[tokio::test]
async fn extra_configuration_follows_the_shipped_file() {
    let server = Server::builder()
        .extra_configuration("authorization { users: [{ user: voice, password: sesame }] }")
        .start()
        .await
        .unwrap();
    assert!(async_nats::connect(server.url()).await.is_err());
    let options =
        async_nats::ConnectOptions::with_user_and_password("voice".to_owned(), "sesame".to_owned());
    options.connect(server.url()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_start_shows_its_last_words() {
    let error = Server::builder()
        .extra_configuration("no_such_setting: true")
        .start()
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("did not start"), "{text}");
    assert!(text.contains("no_such_setting"), "{text}");
}

#[tokio::test]
async fn a_port_in_use_is_named_at_once() {
    let first = Server::start().await.unwrap();
    let port = first.client_address().port();
    let error = Server::builder()
        .client_port(port)
        .start()
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::PortTaken(_)), "{text}");
    assert!(text.contains(&port.to_string()), "{text}");
}

#[tokio::test]
async fn a_server_that_would_store_elsewhere_is_refused() {
    let elsewhere = tempfile::tempdir().unwrap();
    let block = format!(
        "jetstream {{ store_dir: \"{}\" }}",
        elsewhere.path().display()
    );
    let error = Server::builder()
        .extra_configuration(block)
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WrongStore { .. }), "{error}");
    Server::builder()
        .extra_configuration("jetstream { store_dir: $CALLFLUME_STORE_DIR, sync_interval: always }")
        .start()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_died_is_reported_by_stop() {
    let mut server = Server::start().await.unwrap();
    let pid = server.pid().unwrap().to_string();
    let told = Command::new("sh")
        .args(["-c", "kill -s KILL \"$1\"", "sh", &pid])
        .status()
        .unwrap();
    assert!(told.success());
    let error = server.stop().await.unwrap_err();
    assert!(matches!(error, Error::EndedByItself { .. }), "{error}");
}

#[tokio::test]
async fn the_shipped_configuration_is_valid_and_wants_a_store() {
    let binary = ServerBinary::locate().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("single.conf");
    fs::write(&file, SINGLE_SERVER_CONFIGURATION).unwrap();
    let check = |store: Option<&Path>| {
        let mut command = Command::new(binary.path());
        command.arg("-t").arg("-c").arg(&file);
        match store {
            Some(store) => command.env("CALLFLUME_STORE_DIR", store),
            None => command.env_remove("CALLFLUME_STORE_DIR"),
        };
        command.output().unwrap()
    };
    let with_store = check(Some(Path::new("/var/lib/callflume/nats")));
    assert!(
        with_store.status.success(),
        "{}",
        String::from_utf8_lossy(&with_store.stderr)
    );
    let without = check(None);
    assert!(!without.status.success());
    let words = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(words.contains("CALLFLUME_STORE_DIR"), "{words}");
}
