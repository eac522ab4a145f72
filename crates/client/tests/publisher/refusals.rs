//! Each reason for not storing an event has its code and says that the event is not stored.

use crate::broker::{Broker, DEADLINE, account, event, impatient, stream_of};
use async_nats::jetstream::stream;
use callflume_client::{ConnectError, Credentials, PublishError, Publisher, Settings};
use callflume_core::codes::{self, Code};
use callflume_core::event::Event;
use callflume_core::lane::Lane;
use callflume_testkit::{Server, wait_for};

fn settings(broker: &Broker) -> Settings {
    Settings {
        retry: impatient(),
        ..broker.settings()
    }
}

/// Publishes what must be refused with `code`, and for certain not stored.
async fn refused(publisher: &Publisher, event: &Event, code: Code) -> PublishError {
    let error = publisher
        .publish(&account(), Lane::En, event)
        .await
        .unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(!error.may_be_stored(), "{error}");
    error
}

#[tokio::test]
async fn no_broker_at_the_start() {
    let mut server = Server::start().await.unwrap();
    server.kill().await.unwrap();
    let url = server.url().replace("nats://", "nats://voice:hush@");
    let error = Publisher::connect(Settings::at([url])).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    assert_eq!(error.code(), codes::PUBLISH_NO_BROKER);
    assert!(!error.to_string().contains("hush"), "{error}");
}

#[tokio::test]
async fn settings_that_cant_be_used() {
    for settings in [
        Settings::default(),
        Settings {
            in_flight_max: 0,
            ..Settings::at(["nats://127.0.0.1:4222"])
        },
        Settings {
            tls_ca_file: Some("/nowhere/ca.pem".into()),
            ..Settings::at(["nats://127.0.0.1:4222"])
        },
    ] {
        let error = Publisher::connect(settings).await.unwrap_err();
        assert_eq!(error.code(), codes::CONFIG_VALUE, "{error}");
    }
}

#[tokio::test]
async fn the_broker_is_gone() {
    let mut broker = Broker::start().await;
    let publisher = Publisher::connect(settings(&broker)).await.unwrap();
    broker.server.kill().await.unwrap();
    wait_for("the loss to be noticed", DEADLINE, async || {
        (!publisher.is_connected()).then_some(())
    })
    .await
    .unwrap();
    let lost = event("call-1", 1);
    refused(&publisher, &lost, codes::PUBLISH_NO_BROKER).await;

    broker.server.restart().await.unwrap();
    wait_for("the connection to come back", DEADLINE, async || {
        publisher.is_connected().then_some(())
    })
    .await
    .unwrap();
    let receipt = publisher.publish(&account(), Lane::En, &lost).await;
    assert!(!receipt.unwrap().duplicate);
}

#[tokio::test]
async fn no_stream_takes_the_subject() {
    let broker = Broker::without_streams().await;
    let publisher = Publisher::connect(settings(&broker)).await.unwrap();
    let error = refused(&publisher, &event("call-1", 1), codes::PUBLISH_NO_STREAM).await;
    assert!(
        matches!(error, PublishError::NoStream { attempts, .. } if attempts > 1),
        "{error}"
    );
}

#[tokio::test]
async fn the_event_is_larger_than_the_server_takes() {
    let broker = Broker::start().await;
    let publisher = Publisher::connect(settings(&broker)).await.unwrap();
    let mut large = event("call-1", 1);
    large
        .body
        .insert("text".to_owned(), "x".repeat(1024 * 1024).into());
    refused(&publisher, &large, codes::PUBLISH_TOO_LARGE).await;
    // The connection has not suffered.
    publisher
        .publish(&account(), Lane::En, &event("call-1", 2))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_event_is_larger_than_the_stream_takes() {
    let broker = Broker::without_streams().await;
    broker
        .add_stream(stream::Config {
            max_message_size: 1000,
            ..stream_of(Lane::En)
        })
        .await;
    let publisher = Publisher::connect(settings(&broker)).await.unwrap();
    let mut large = event("call-1", 1);
    large
        .body
        .insert("text".to_owned(), "x".repeat(1000).into());
    refused(&publisher, &large, codes::PUBLISH_TOO_LARGE).await;
}

#[tokio::test]
async fn the_stream_is_full() {
    let broker = Broker::without_streams().await;
    broker
        .add_stream(stream::Config {
            max_messages: 1,
            ..stream_of(Lane::En)
        })
        .await;
    let publisher = Publisher::connect(settings(&broker)).await.unwrap();
    let first = event("call-1", 1);
    publisher
        .publish(&account(), Lane::En, &first)
        .await
        .unwrap();
    refused(&publisher, &event("call-1", 2), codes::PUBLISH_STREAM_FULL).await;
    // What is stored stays acknowledged.
    let again = publisher.publish(&account(), Lane::En, &first).await;
    assert!(again.unwrap().duplicate);
}

#[tokio::test]
async fn another_stream_has_the_subject() {
    let broker = Broker::without_streams().await;
    broker
        .add_stream(stream::Config {
            name: "ELSEWHERE".to_owned(),
            ..stream_of(Lane::En)
        })
        .await;
    let publisher = Publisher::connect(settings(&broker)).await.unwrap();
    refused(&publisher, &event("call-1", 1), codes::PUBLISH_WRONG_STREAM).await;
}

const USERS: &str = r#"
authorization {
    users: [
        { user: "admin", password: "admin" }
        { user: "voice", password: "voice", permissions: {
            publish: ["voice.v1.*.acme-uk.>"], subscribe: ["_INBOX_voice.>"]
        } }
    ]
}
"#;

fn voice(server: &Server, password: &str) -> Settings {
    Settings {
        credentials: Credentials::UserPassword {
            user: "voice".to_owned(),
            password: password.to_owned().into(),
        },
        inbox_prefix: Some("_INBOX_voice".to_owned()),
        retry: impatient(),
        ..Settings::at([server.url()])
    }
}

async fn broker_with_users() -> Broker {
    let server = Server::builder()
        .extra_configuration(USERS)
        .start()
        .await
        .unwrap();
    let admin = async_nats::ConnectOptions::with_user_and_password("admin".into(), "admin".into())
        .connect(server.url())
        .await
        .unwrap();
    let broker = Broker { server, admin };
    broker.add_stream(stream_of(Lane::En)).await;
    broker
}

#[tokio::test]
async fn the_user_may_not_publish_on_the_subject() {
    let broker = broker_with_users().await;
    let publisher = Publisher::connect(voice(&broker.server, "voice"))
        .await
        .unwrap();
    let event = event("call-1", 1);
    refused(&publisher, &event, codes::PUBLISH_NOT_ALLOWED).await;
    // Where it may, nothing more than publishing and its own replies is needed.
    let allowed = "acme-uk".parse().unwrap();
    publisher.publish(&allowed, Lane::En, &event).await.unwrap();
}

#[tokio::test]
async fn the_user_may_not_listen_to_its_replies() {
    let broker = broker_with_users().await;
    let settings = Settings {
        inbox_prefix: None,
        ..voice(&broker.server, "voice")
    };
    let publisher = Publisher::connect(settings).await.unwrap();
    let allowed = "acme-uk".parse().unwrap();
    let error = publisher
        .publish(&allowed, Lane::En, &event("call-1", 1))
        .await
        .unwrap_err();
    assert_eq!(error.code(), codes::PUBLISH_UNKNOWN);
    assert!(error.to_string().contains("inbox_prefix"), "{error}");
}

#[tokio::test]
async fn the_broker_refuses_the_credential() {
    let broker = broker_with_users().await;
    let error = Publisher::connect(voice(&broker.server, "hush"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::CredentialRefused { .. }),
        "{error}"
    );
    assert!(!error.to_string().contains("hush"), "{error}");
}
