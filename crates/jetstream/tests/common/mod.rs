//! A provisioned server for each test, and short words for what tests do with it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

pub mod readers;

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use callflume_jetstream::Broker;
use callflume_jetstream::connect::{Settings, connect};
use callflume_jetstream::consumer::AccountConsumer;
use callflume_jetstream::delivery::Delivery;
use callflume_jetstream::provision::{self, ProvisionSettings};
use callflume_testkit::Server;

/// For conditions that come at once on an idle machine.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How long a pull that is expected to be filled may wait.
pub const EXPIRES: Duration = Duration::from_secs(20);
/// How long a pull waits that is expected to find nothing more.
pub const BRIEFLY: Duration = Duration::from_millis(300);

/// A server and a connection to it.
pub struct Site {
    pub server: Server,
    pub broker: Broker,
}

pub fn settings(server: &Server) -> Settings {
    Settings {
        urls: vec![server.url().to_owned()],
        ..Settings::default()
    }
}

/// A server without any stream.
pub async fn bare() -> Site {
    let server = Server::start().await.unwrap();
    let broker = connect(&settings(&server), "test").await.unwrap();
    Site { server, broker }
}

/// A server with everything on it.
pub async fn site() -> Site {
    let site = bare().await;
    provision::apply(&site.broker, &small()).await.unwrap();
    site
}

pub fn small() -> ProvisionSettings {
    ProvisionSettings::within(1 << 30)
}

pub fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

/// Publishes events `<prefix>1`, `<prefix>2` …; gives their sequences.
pub async fn publish(
    broker: &Broker,
    lane: Lane,
    account: &AccountId,
    prefix: &str,
    count: usize,
) -> Vec<u64> {
    let mut seqs = Vec::new();
    for number in 1..=count {
        let name = format!("{prefix}{number}");
        let message = PublishMessage::build()
            .payload(name.clone().into())
            .header("content-type", "application/json")
            .message_id(format!("{account}-{name}"));
        let ack = broker
            .publish(&lane.subject(account, "call_ended"), message)
            .await
            .unwrap();
        seqs.push(ack.sequence);
    }
    seqs
}

/// Pulls `count` events, or fewer when no more come within `expires`.
pub async fn pull(consumer: &AccountConsumer, count: usize, expires: Duration) -> Vec<Delivery> {
    let mut pull = consumer.pull(count, 1 << 20, expires).await.unwrap();
    let mut all = Vec::new();
    while let Some(delivery) = pull.next().await {
        all.push(delivery.unwrap());
    }
    all
}

pub fn bodies(deliveries: &[Delivery]) -> Vec<String> {
    deliveries
        .iter()
        .map(|delivery| String::from_utf8(delivery.payload.to_vec()).unwrap())
        .collect()
}
