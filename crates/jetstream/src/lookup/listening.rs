//! Hearing which contacts change, to drop them from memory: keys only, from now on.
//!
//! Decides whether everything was heard. The broker numbers what it delivers and, when there is nothing, says once a
//! second how far it has come: a number that is missing, a lost connection or a second of silence too many mean that a
//! change may have been missed. Then the watch is broken, nothing in memory is believed, and a new watch begins.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::push;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::{StatusCode, Subscriber};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::{Inner, SILENCE};
use crate::kv::Bucket;

/// How often the broker says how far it has come, when there is nothing else.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Pause before a watch that broke is made anew.
const AGAIN: Duration = Duration::from_millis(500);

/// Listens for ever.
pub(super) async fn listen(inner: Arc<Inner>, bucket: Bucket, filters: Vec<String>) {
    loop {
        let connects = inner.connects();
        match start(&bucket, &filters).await {
            Ok(changes) => {
                inner.stands(connects);
                let cause = follow(&inner, &bucket, changes, connects).await;
                inner.broke();
                tracing::debug!(
                    cause,
                    "the watch of contacts broke; look-ups read the bucket"
                );
            }
            Err(cause) => {
                tracing::warn!(
                    cause,
                    "changes of contacts can't be watched; look-ups read the bucket"
                );
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn start(bucket: &Bucket, filters: &[String]) -> Result<Subscriber, String> {
    let broker = bucket.stream().broker();
    let client = broker.client();
    let inbox = client.new_inbox();
    let changes = client
        .subscribe(inbox.clone())
        .await
        .map_err(|error| error.to_string())?;
    // A name puts the filter into the subject of the request, where permissions see it.
    let name = inbox.rsplit('.').next().map(ToOwned::to_owned);
    let mut config = push::Config {
        name,
        deliver_subject: inbox,
        description: Some("callflume contacts".to_owned()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::None,
        headers_only: true,
        idle_heartbeat: HEARTBEAT,
        num_replicas: 1,
        memory_storage: true,
        ..push::Config::default()
    };
    match filters {
        [only] => config.filter_subject.clone_from(only),
        many => config.filter_subjects = many.to_vec(),
    }
    let consumer = broker
        .context()
        .create_consumer_on_stream(config, bucket.stream().name());
    match tokio::time::timeout(SILENCE, consumer).await {
        Ok(Ok(_)) => Ok(changes),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the broker does not answer".to_owned()),
    }
}

/// Follows until something may have been missed; says why.
async fn follow(
    inner: &Inner,
    bucket: &Bucket,
    mut changes: Subscriber,
    connects: u64,
) -> &'static str {
    let mut heard = 0;
    loop {
        let message = match timeout_at(Instant::now() + SILENCE, changes.next()).await {
            Ok(Some(message)) => message,
            Ok(None) => return "the connection is closed",
            Err(_) => return "the broker is silent",
        };
        if inner.connects() != connects {
            return "the connection was lost";
        }
        if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
            let told = message
                .headers
                .as_ref()
                .and_then(|headers| headers.get("Nats-Last-Consumer"))
                .and_then(|told| told.as_str().parse::<u64>().ok());
            if told != Some(heard) {
                return "changes were lost on the way";
            }
        } else if message.status.is_some() {
            return "the broker ended it";
        } else {
            heard += 1;
            if delivered(&message) != Some(heard) {
                return "changes were lost on the way";
            }
            inner.forget(bucket.key_of(&message.subject));
        }
        inner.heard();
    }
}

/// The number of a delivery, out of the subject of its acknowledgement: the one before time stamp and rest.
fn delivered(message: &async_nats::Message) -> Option<u64> {
    let reply = message.reply.as_ref()?.as_str();
    let tokens: Vec<&str> = reply.split('.').collect();
    let place = match tokens.len() {
        9 => 6,
        11.. => 8,
        _ => return None,
    };
    tokens.get(place)?.parse().ok()
}
