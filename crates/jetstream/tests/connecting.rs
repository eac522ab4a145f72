//! The first connection fails fast and says what to do; a later one comes back by itself.

mod common;

use std::net::TcpListener;

use callflume_core::codes;
use callflume_jetstream::connect::{Credentials, Settings, connect};
use callflume_jetstream::kv::Bucket;
use callflume_testkit::Server;

use common::{DEADLINE, settings, site};

#[tokio::test]
async fn nobody_there_names_the_address_and_no_credential() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = connect(
        &Settings {
            urls: vec![format!("nats://user:secret@{address}")],
            ..Settings::default()
        },
        "test",
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), codes::BROKER_UNREACHABLE);
    let text = error.to_string();
    assert!(
        text.contains(&address.to_string()) && text.contains("start nats-server"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn the_right_password_is_let_in_and_a_wrong_one_is_told() {
    let server = Server::builder()
        .extra_configuration("authorization { user: cf, password: right }")
        .start()
        .await
        .unwrap();
    let with = |password: &str| Settings {
        credentials: Credentials::UserPassword {
            user: "cf".to_owned(),
            password: password.to_owned().into(),
        },
        ..settings(&server)
    };
    connect(&with("right"), "test").await.unwrap();
    let error = connect(&with("wrong"), "test").await.unwrap_err();
    assert_eq!(error.code(), codes::BROKER_REFUSED);
    assert!(!error.to_string().contains("wrong"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let settings = Settings {
        urls: vec!["nats://127.0.0.1:4222".to_owned()],
        tls_ca_file: Some("/nowhere/ca.pem".into()),
        ..Settings::default()
    };
    let error = connect(&settings, "test").await.unwrap_err();
    assert_eq!(error.code(), codes::CONFIG_VALUE);
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}

#[tokio::test]
async fn a_killed_server_is_found_again_and_what_was_acknowledged_is_there() {
    let mut site = site().await;
    let bucket = Bucket::open(&site.broker, "callflume-quotas")
        .await
        .unwrap();
    bucket.put("before", "the kill").await.unwrap();
    let mut link = site.broker.link();
    let connects = link.borrow().connects;

    site.server.kill().await.unwrap();
    tokio::time::timeout(DEADLINE, link.wait_for(|link| !link.connected))
        .await
        .unwrap()
        .unwrap();
    site.server.restart().await.unwrap();
    tokio::time::timeout(DEADLINE, link.wait_for(|link| link.connects > connects))
        .await
        .unwrap()
        .unwrap();

    let entry = bucket.read("before").await.unwrap().unwrap();
    assert_eq!(entry.value, "the kill");
    bucket.put("after", "it").await.unwrap();
}

#[tokio::test]
async fn a_write_without_an_answer_is_unknown() {
    let site = site().await;
    let bucket = Bucket::open(&site.broker, "callflume-quotas")
        .await
        .unwrap();
    site.server.pause().await.unwrap();
    let outcome = bucket.put("key", "value").await;
    site.server.resume().await.unwrap();
    let error = outcome.unwrap_err();
    assert!(error.is_unknown(), "{error}");
}
