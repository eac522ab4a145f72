//! Publishing: what is stored, recognised, refused and purged.

use super::{Failure, Script, identified, message, plain, stored, with};
use crate::parity::BrokerLike;
use crate::virtual_time::broker::{StreamConfig, header};

const WINDOW_MS: u64 = 1_000;

pub(super) async fn run<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    ids(script).await?;
    window(script).await?;
    expectations(script).await?;
    sizes(script).await?;
    full(script).await?;
    newest_per_subject(script).await?;
    purging(script).await
}

async fn ids<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("an id within its window is a duplicate, with the first one's sequence");
    script.broker.create_stream(&plain("ids")).await?;
    script.publish(&identified("ids.a", "one", "1")).await?;
    script.publish(&identified("ids.a", "two", "2")).await?;
    script
        .publish(&identified("ids.a", "one again", "1"))
        .await?;
    script
        .publish(&identified("ids.b", "one elsewhere", "1"))
        .await?;
    script.publish(&message("ids.a", "without id")).await?;
    script.publish(&message("ids.a", "without id")).await?;
    script.stream("ids").await?;

    script.behaviour("expectations are looked at before the id");
    let repeated = identified("ids.a", "two again", "2");
    script
        .publish(&with(repeated, header::EXPECTED_LAST, 1))
        .await?;

    script.behaviour("an id is known after its message was purged");
    script.purge("ids", "ids.>", 100).await?;
    script.stream("ids").await?;
    script
        .publish(&identified("ids.a", "one after the purge", "1"))
        .await?;
    script.publish(&identified("ids.a", "new", "3")).await?;
    Ok(())
}

async fn window<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("an id is forgotten after its window, not before");
    script
        .broker
        .create_stream(&StreamConfig {
            duplicate_window_ms: WINDOW_MS,
            ..plain("window")
        })
        .await?;
    let once = identified("window.a", "once", "1");
    let since_ms = script.broker.now_ms();
    script.publish(&once).await?;
    loop {
        let answer = script.broker.publish(&once).await?;
        match answer {
            Ok(answer) if answer.duplicate => script.broker.pass().await,
            answer => {
                script.say(format!("publish again: {}", stored(&answer)));
                break;
            }
        }
    }
    let at_ms = script.broker.now_ms();
    script.not_before("forgotten", since_ms, at_ms, WINDOW_MS);
    Ok(())
}

async fn expectations<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a message that expects another stream is refused");
    script.broker.create_stream(&plain("expected")).await?;
    for stream in ["expected", "another"] {
        let outgoing = message("expected.a", stream);
        script
            .publish(&with(outgoing, header::EXPECTED_STREAM, stream))
            .await?;
    }

    script.behaviour("a message that expects another last sequence of its subject is refused");
    for (subject, last) in [
        ("expected.a", 1),
        ("expected.a", 1),
        ("expected.b", 2),
        ("expected.b", 0),
        ("expected.a", 2),
    ] {
        let outgoing = message(subject, &format!("{subject} after {last}"));
        script
            .publish(&with(outgoing, header::EXPECTED_LAST, last))
            .await?;
    }

    script.behaviour("an expiry is refused where none is allowed, and below a second");
    let outgoing = message("expected.a", "expiring");
    script
        .publish(&with(outgoing.clone(), header::TTL, "1s"))
        .await?;
    script
        .broker
        .create_stream(&StreamConfig {
            allow_ttl: true,
            ..plain("expiring")
        })
        .await?;
    for ttl in ["0s", "600s"] {
        let outgoing = message("expiring.a", ttl);
        script.publish(&with(outgoing, header::TTL, ttl)).await?;
    }
    script.stream("expected").await
}

async fn sizes<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a message that is too large is refused, headers included");
    script
        .broker
        .create_stream(&StreamConfig {
            max_message_bytes: Some(100),
            ..plain("sizes")
        })
        .await?;
    for length in [100, 101] {
        let answer = script
            .broker
            .publish(&message("sizes.a", &"x".repeat(length)))
            .await?;
        script.say(format!("{length} bytes: {}", stored(&answer)));
    }
    for length in [72, 73] {
        // 28 bytes of headers.
        let body = "x".repeat(length);
        let outgoing = identified("sizes.a", &body, &format!("{length}"));
        let answer = script.broker.publish(&outgoing).await?;
        script.say(format!("{length} bytes with an id: {}", stored(&answer)));
    }
    script.stream("sizes").await
}

async fn full<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a full stream refuses and loses nothing; a purge makes room");
    script
        .broker
        .create_stream(&StreamConfig {
            max_bytes: Some(5_000),
            ..plain("full")
        })
        .await?;
    let body = "x".repeat(1_000);
    for number in 1..=6 {
        let answer = script
            .broker
            .publish(&identified("full.a", &body, &format!("{number}")))
            .await?;
        script.say(format!("message {number}: {}", stored(&answer)));
    }
    script.stream("full").await?;
    script.purge("full", "full.>", 3).await?;
    script.stream("full").await?;
    script
        .publish(&identified("full.a", "refused before", "6"))
        .await
}

async fn newest_per_subject<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("of a subject the newest stay, as many as are kept, also when it is full");
    script
        .broker
        .create_stream(&StreamConfig {
            per_subject: Some(2),
            max_bytes: Some(2_500),
            ..plain("newest")
        })
        .await?;
    script.publish_many("newest.a", "a", 4).await?;
    script.publish_many("newest.b", "b", 1).await?;
    script.stream("newest").await?;
    let body = "x".repeat(1_000);
    for number in 1..=4 {
        let answer = script.broker.publish(&message("newest.c", &body)).await?;
        script.say(format!("large {number}: {}", stored(&answer)));
    }
    script.stream("newest").await
}

async fn purging<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a purge removes what lies under its filter and below its sequence only");
    script.broker.create_stream(&plain("purging")).await?;
    for round in 1..=3 {
        for subject in ["purging.a.x", "purging.a.y", "purging.b.x"] {
            let outgoing = message(subject, &format!("{subject} {round}"));
            script.publish(&outgoing).await?;
        }
    }
    script.purge("purging", "purging.a.>", 5).await?;
    script.stream("purging").await?;
    script.purge("purging", "purging.a.>", 5).await?;
    script.purge("purging", "purging.b.x", 9).await?;
    script.stream("purging").await?;
    script.purge("purging", "purging.>", 100).await?;
    script.stream("purging").await?;
    script.publish(&message("purging.a.x", "after")).await?;
    script.stream("purging").await
}
