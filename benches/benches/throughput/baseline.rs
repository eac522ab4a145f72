//! What the pieces do with nothing around them: the worker's own HTTP client against the same fake CRM, and a plain
//! consumer that acknowledges what it gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::event::{ContentType, encode};
use callflume_core::vendor::{Answer, Item, Operation, Verb};
use callflume_sim::live::stage::TOKEN;
use callflume_worker::{Sender, vendor_of};
use futures_util::{StreamExt as _, TryStreamExt as _};
use secrecy::SecretString;

use crate::stage::{Kind, Stage};

/// Acknowledgements without a confirmation at a time.
const ACKS_AT_ONCE: usize = 256;
/// Messages asked for at a time: as many as a worker holds of a lane.
const PULL: usize = 600;

/// Requests a second, `batch` new records in each, so many in flight.
pub(crate) async fn http(
    stage: &Stage,
    kind: Kind,
    requests: u64,
    batch: u64,
    in_flight: usize,
) -> anyhow::Result<f64> {
    let (_, config) = stage.account()?;
    let sender = Sender::new(config)?;
    let vendor = vendor_of(config)?;
    let token = SecretString::from(TOKEN);
    let until = Instant::now() + Duration::from_secs(3600);
    let object = match kind {
        Kind::Task => Object::Task,
        Kind::Note => Object::Note,
    };
    let next = Arc::new(AtomicU64::new(0));
    let since = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..in_flight {
        let (sender, vendor, token) = (sender.clone(), vendor.clone(), token.clone());
        let (next, contacts) = (next.clone(), stage.contacts.clone());
        running.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return anyhow::Ok(());
                }
                let items = (number * batch..(number + 1) * batch)
                    .map(|number| item(object, number, &contacts))
                    .collect();
                let request = vendor.request(&Operation {
                    verb: Verb::Create,
                    object,
                    items,
                    after: None,
                });
                let answer = sender
                    .send(&request, &token, Duration::from_secs(10), until)
                    .await;
                match answer {
                    Answer::Response {
                        status: 200..=299, ..
                    } => {}
                    other => bail!("the fake CRM answered {other:?}"),
                }
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(requests as f64 / since.elapsed().as_secs_f64())
}

fn item(object: Object, number: u64, contacts: &[(String, String)]) -> Item {
    let text = format!("Bare {number}. {}", "Prefers mornings. ".repeat(25));
    let field = match object {
        Object::Task => Field::Title,
        _ => Field::Text,
    };
    Item {
        trace: number,
        key: format!("bare-{number}"),
        crm_id: None,
        fields: Fields::from([(field, Value::Text(text))]),
        contact: contacts
            .get(number as usize % contacts.len().max(1))
            .map(|(crm_id, _)| crm_id.clone()),
        email: None,
        phone: None,
        stamp: false,
    }
}

/// Events a second that a plain consumer gets and acknowledges, each acknowledgement confirmed.
pub(crate) async fn acknowledged(stage: &Stage, count: u64) -> anyhow::Result<f64> {
    let context = &stage.publisher;
    let bare = context
        .create_stream(stream::Config {
            name: "BARE".to_owned(),
            subjects: vec!["bare.>".to_owned()],
            storage: stream::StorageType::File,
            duplicate_window: Duration::from_secs(20 * 60),
            max_bytes: 2 << 30,
            ..stream::Config::default()
        })
        .await?;
    let (account, _) = stage.account()?;
    let mut publishes = futures_util::stream::iter(0..count)
        .map(|number| async move {
            let event = stage.event(account, Kind::Note, number);
            let message = PublishMessage::build()
                .message_id(event.id.as_str())
                .payload(encode(&event, ContentType::MessagePack)?.into());
            context.send_publish("bare.event", message).await?.await?;
            anyhow::Ok(())
        })
        .buffer_unordered(ACKS_AT_ONCE);
    while publishes.try_next().await?.is_some() {}
    let consumer = bare
        .create_consumer(pull::Config {
            durable_name: Some("bare".to_owned()),
            ack_policy: AckPolicy::Explicit,
            max_ack_pending: 10_000,
            ..pull::Config::default()
        })
        .await?;
    let since = Instant::now();
    let mut got = 0;
    let mut acks = tokio::task::JoinSet::new();
    while got < count {
        let mut batch = consumer.fetch().max_messages(PULL).messages().await?;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| anyhow::anyhow!(error))?;
            got += 1;
            acks.spawn(async move { message.double_ack().await });
            while acks.len() >= ACKS_AT_ONCE {
                let acked = acks.join_next().await.context("an acknowledgement")?;
                acked?.map_err(|error| anyhow::anyhow!(error))?;
            }
        }
    }
    while let Some(acked) = acks.join_next().await {
        acked?.map_err(|error| anyhow::anyhow!(error))?;
    }
    let took = since.elapsed();
    context.delete_stream("BARE").await?;
    Ok(count as f64 / took.as_secs_f64())
}
