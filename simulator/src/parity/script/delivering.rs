//! Consumers: pulls and their ends, acknowledgements, what comes again and when.

use super::{
    Failure, LONG_MS, SOME_MS, Script, brief, message, patient, plain, pulled, some, sure,
};
use crate::parity::BrokerLike;
use crate::virtual_time::broker::{ConsumerConfig, Pull};

const ACK_WAIT_MS: u64 = 1_000;
const DELAY_MS: u64 = 500;

pub(super) async fn run<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    acknowledging(script).await?;
    again_after_a_while(script).await?;
    given_back(script).await?;
    resetting(script).await?;
    most_out(script).await?;
    ends(script).await?;
    bytes(script).await?;
    purged(script).await
}

async fn made<B: BrokerLike>(
    script: &mut Script<'_, B>,
    stream: &str,
    messages: usize,
    consumer: &ConsumerConfig,
) -> Result<(), Failure> {
    script.broker.create_stream(&plain(stream)).await?;
    script
        .publish_many(&format!("{stream}.a"), "m", messages)
        .await?;
    script.broker.create_consumer(stream, consumer).await
}

async fn acknowledging<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("an acknowledged message is out no more; acknowledging again does no harm");
    made(script, "acks", 4, &patient("acks.>")).await?;
    script.consumer("acks").await?;
    let came = script.pull("acks", sure(3)).await?;
    script.consumer("acks").await?;
    script.ack("acks", &came, 1).await?;
    script.consumer("acks").await?;
    script.ack("acks", &came, 0).await?;
    script.consumer("acks").await?;
    script.ack("acks", &came, 0).await?;
    script.ack("acks", &came, 2).await?;
    let came = script.pull("acks", sure(1)).await?;
    script.ack("acks", &came, 0).await?;
    script.consumer("acks").await?;
    script.pull("acks", brief(1)).await?;

    script.behaviour("a consumer gets what lies under its filter, in the stream's order");
    script.broker.create_stream(&plain("filters")).await?;
    script
        .broker
        .create_consumer("filters", &patient("filters.*.x"))
        .await?;
    for subject in [
        "filters.a.x",
        "filters.a.y",
        "filters.b.x",
        "filters.x",
        "filters.a.x",
    ] {
        script.publish(&message(subject, subject)).await?;
    }
    script.pull("filters", sure(3)).await?;
    script.consumer("filters").await
}

async fn again_after_a_while<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("what is not acknowledged comes again after ack_wait, not before, and first");
    let consumer = ConsumerConfig {
        ack_wait_ms: ACK_WAIT_MS,
        ..patient("again.>")
    };
    made(script, "again", 2, &consumer).await?;
    let since_ms = script.broker.now_ms();
    let came = script.pull("again", sure(2)).await?;
    script.ack("again", &came, 0).await?;
    let again = script.pull("again", sure(1)).await?;
    let at_ms = again.messages.first().map_or(0, |came| came.at_ms);
    script.not_before("again", since_ms, at_ms, ACK_WAIT_MS);
    script.ack("again", &again, 0).await?;
    script.consumer("again").await?;

    script.behaviour("a word that it is still in hand puts that off");
    loop {
        let asked_ms = script.broker.now_ms();
        script.deliver(&message("again.a", "held")).await?;
        let held = script.broker.pull("again", "c", sure(1), &[]).await?;
        while script.broker.now_ms() < asked_ms + ACK_WAIT_MS / 4 {
            script.broker.pass().await;
        }
        let since_ms = script.broker.now_ms();
        for held in &held.messages {
            script.broker.extend("again", "c", held).await?;
        }
        // Later, it may have been on its way again already: then the machine stood still, and it is tried once more.
        let in_time = script.broker.now_ms() < asked_ms + ACK_WAIT_MS;
        let again = script.broker.pull("again", "c", sure(1), &[]).await?;
        for came in &again.messages {
            script.broker.ack("again", "c", came).await?;
        }
        if in_time {
            script.not_before("after the word", since_ms, again.ended_ms, ACK_WAIT_MS);
            return Ok(());
        }
    }
}

async fn given_back<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a message given back comes again at once, before those never delivered");
    made(script, "naks", 3, &patient("naks.>")).await?;
    let came = script.pull("naks", sure(1)).await?;
    if let Some(held) = came.messages.first() {
        script.broker.nak("naks", "c", held, 0).await?;
    }
    let came = script.pull("naks", sure(2)).await?;
    script.consumer("naks").await?;

    for place in 0..2 {
        script.ack("naks", &came, place).await?;
    }
    let last = script.pull("naks", sure(1)).await?;
    script.ack("naks", &last, 0).await?;
    script.consumer("naks").await?;

    script
        .behaviour("given back with a delay it comes after that, not before; others go meanwhile");
    loop {
        for body in ["held", "other"] {
            script.deliver(&message("naks.a", body)).await?;
        }
        let held = script.broker.pull("naks", "c", sure(1), &[]).await?;
        let since_ms = script.broker.now_ms();
        for held in &held.messages {
            script.broker.nak("naks", "c", held, DELAY_MS).await?;
        }
        let first = script.broker.pull("naks", "c", sure(1), &[]).await?;
        // Later, the held one may come before: then the machine stood still, and it is tried once more.
        let in_time = first.ended_ms < since_ms + DELAY_MS;
        let second = script.broker.pull("naks", "c", sure(1), &[]).await?;
        for came in first.messages.iter().chain(&second.messages) {
            script.broker.ack("naks", "c", came).await?;
        }
        if in_time {
            for came in first.messages.iter().chain(&second.messages) {
                script.say(format!("{}, time {}", came.body, came.count));
            }
            script.not_before("again", since_ms, second.ended_ms, DELAY_MS);
            return Ok(());
        }
    }
}

async fn resetting<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour(
        "a reset brings everything from there on again in order, also what was acknowledged, numbered from 1",
    );
    made(script, "resets", 6, &patient("resets.>")).await?;
    let came = script.pull("resets", sure(5)).await?;
    for place in [0, 1, 3] {
        script.ack("resets", &came, place).await?;
    }
    script.consumer("resets").await?;
    script.broker.reset("resets", "c", 3).await?;
    let again = script.pull("resets", sure(4)).await?;

    script.behaviour("acknowledgements from before a reset end what was delivered again");
    script.ack("resets", &came, 2).await?;
    script.consumer("resets").await?;
    for place in 1..4 {
        script.ack("resets", &again, place).await?;
    }
    script.consumer("resets").await?;

    script.behaviour("a reset goes back below what is acknowledged, and forward to the end");
    script.broker.reset("resets", "c", 1).await?;
    script.pull("resets", sure(2)).await?;
    script.broker.reset("resets", "c", 7).await?;
    script.pull("resets", brief(1)).await?;
    script.publish_many("resets.a", "new", 1).await?;
    script.pull("resets", sure(1)).await?;
    Ok(())
}

async fn most_out<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("no more than max_ack_pending are out; an acknowledgement lets the next go");
    let consumer = ConsumerConfig {
        max_ack_pending: 2,
        ..patient("most.>")
    };
    made(script, "most", 4, &consumer).await?;
    let came = script.pull("most", some(4)).await?;
    script.pull("most", brief(1)).await?;
    script.ack("most", &came, 1).await?;
    let third = script.pull("most", sure(1)).await?;

    script.behaviour("a message given back stays counted until it is acknowledged");
    if let Some(held) = third.messages.first() {
        script.broker.nak("most", "c", held, 60_000).await?;
    }
    script.pull("most", brief(1)).await?;
    script.ack("most", &came, 0).await?;
    script.pull("most", some(2)).await?;
    script.consumer("most").await
}

async fn ends<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a pull ends when it is full, and when it expires with what there was");
    made(script, "ends", 5, &patient("ends.>")).await?;
    script.pull("ends", sure(2)).await?;
    let since_ms = script.broker.now_ms();
    let came = script.pull("ends", some(10)).await?;
    script.not_before("expired", since_ms, came.ended_ms, SOME_MS);
    script.pull("ends", brief(1)).await?;

    script.behaviour("a pull that stands gets what is published meanwhile");
    let meanwhile = [
        message("ends.a", "first"),
        message("ends.b", "second"),
        message("ends.a", "third"),
    ];
    let came = script.broker.pull("ends", "c", sure(2), &meanwhile).await?;
    script.say(format!("pull: {}", pulled(&came)));
    script.consumer("ends").await
}

async fn bytes<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a pull ends before the message that doesn't fit into its bytes");
    script.broker.create_stream(&plain("bytes")).await?;
    let body = "x".repeat(1_000);
    for number in 1..=4 {
        let outgoing = message("bytes.a", &format!("{number}{body}"));
        script
            .broker
            .publish(&outgoing)
            .await?
            .map_err(|number| Failure::new("publishing", number))?;
    }
    script
        .broker
        .create_consumer("bytes", &patient("bytes.>"))
        .await?;
    for bytes in [2_500, 1_000, 1_040, 1_080, 5_000] {
        let pull = Pull {
            messages: 10,
            bytes: Some(bytes),
            expires_ms: if bytes == 5_000 { SOME_MS } else { LONG_MS },
        };
        let came = script.broker.pull("bytes", "c", pull, &[]).await?;
        script.say(format!(
            "{bytes} bytes: {} messages, {:?}",
            came.messages.len(),
            came.end
        ));
    }
    script.consumer("bytes").await
}

async fn purged<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("what is purged is neither out nor to come");
    made(script, "purged", 4, &patient("purged.>")).await?;
    let came = script.pull("purged", sure(2)).await?;
    script.ack("purged", &came, 0).await?;
    script.purge("purged", "purged.>", 4).await?;
    script.consumer("purged").await?;
    script.pull("purged", sure(1)).await?;
    script.broker.reset("purged", "c", 1).await?;
    script.pull("purged", sure(1)).await?;
    script.pull("purged", brief(1)).await?;
    Ok(())
}
