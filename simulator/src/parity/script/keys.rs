//! Buckets: compare-and-set, markers, expiries, watches.

use super::{Failure, Script, holds, watched, written};
use crate::parity::{BrokerLike, Holds};
use crate::virtual_time::broker::{Expected, bucket_config};

pub(super) async fn run<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    comparing(script).await?;
    deleted(script).await?;
    leases(script).await?;
    without_marker(script).await?;
    plain_write(script).await?;
    watching(script).await
}

impl<B: BrokerLike> Script<'_, B> {
    async fn made(&mut self, bucket: &str, marker_ttl_ms: Option<u64>) -> Result<(), Failure> {
        let config = bucket_config(bucket, marker_ttl_ms);
        self.broker.create_stream(&config).await
    }

    async fn write(
        &mut self,
        bucket: &str,
        (key, value): (&str, &str),
        expected: Expected,
        ttl_s: Option<u64>,
    ) -> Result<(), Failure> {
        let answer = self
            .broker
            .write(bucket, key, value, expected, ttl_s)
            .await?;
        self.say(format!(
            "write {key} = {value}, expecting {expected:?}: {}",
            written(&answer)
        ));
        Ok(())
    }

    async fn delete(&mut self, bucket: &str, key: &str, expected: Expected) -> Result<(), Failure> {
        let answer = self.broker.delete(bucket, key, expected).await?;
        self.say(format!(
            "delete {key}, expecting {expected:?}: {}",
            written(&answer)
        ));
        Ok(())
    }

    async fn key(&mut self, bucket: &str, key: &str) -> Result<(), Failure> {
        let found = self.broker.holds(bucket, key).await?;
        self.say(format!("{key}: {}", holds(&found)));
        Ok(())
    }

    /// Waits until a key holds no value any more.
    async fn until_gone(&mut self, bucket: &str, key: &str) -> Result<(), Failure> {
        while let Holds::Value(..) = self.broker.holds(bucket, key).await? {
            self.broker.pass().await;
        }
        Ok(())
    }

    async fn watched(&mut self, watch: usize, count: usize) -> Result<(), Failure> {
        for _ in 0..count {
            let told = self.broker.watched(watch).await?;
            self.say(format!("watch: {}", watched(&told)));
        }
        Ok(())
    }
}

async fn comparing<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("of two writers that expect the same revision, the second loses");
    script.made("cas", None).await?;
    script.key("cas", "k").await?;
    script
        .write("cas", ("k", "one"), Expected::Absent, None)
        .await?;
    script
        .write("cas", ("k", "other"), Expected::Absent, None)
        .await?;
    script
        .write("cas", ("k", "two"), Expected::Revision(1), None)
        .await?;
    script
        .write("cas", ("k", "other"), Expected::Revision(1), None)
        .await?;
    script
        .write("cas", ("l", "other key"), Expected::Revision(2), None)
        .await?;
    script
        .write("cas", ("l", "other key"), Expected::Revision(0), None)
        .await?;
    script.key("cas", "k").await?;
    script
        .write("cas", ("k", "whatever was there"), Expected::Anything, None)
        .await?;
    script.key("cas", "k").await?;
    script.stream("KV_cas").await
}

async fn deleted<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a deletion leaves a marker, whose revision the next writer must expect");
    script.made("deleted", None).await?;
    script
        .write("deleted", ("k", "one"), Expected::Absent, None)
        .await?;
    script.delete("deleted", "k", Expected::Revision(7)).await?;
    script.delete("deleted", "k", Expected::Revision(1)).await?;
    script.key("deleted", "k").await?;
    script
        .write("deleted", ("k", "two"), Expected::Revision(0), None)
        .await?;
    script
        .write("deleted", ("k", "two"), Expected::Revision(2), None)
        .await?;
    script.delete("deleted", "k", Expected::Anything).await?;
    script
        .write("deleted", ("k", "three"), Expected::Absent, Some(600))
        .await?;
    script.key("deleted", "k").await?;
    script.stream("KV_deleted").await
}

async fn leases<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a value goes at its expiry, not before, and a watch is told");
    script.made("leases", Some(60_000)).await?;
    let watch = script.broker.watch("leases", ">").await?;
    script.watched(watch, 1).await?;
    let since_ms = script.broker.now_ms();
    script
        .write("leases", ("k", "one"), Expected::Absent, Some(2))
        .await?;
    script.watched(watch, 2).await?;
    let at_ms = script.broker.now_ms();
    script.not_before("expired", since_ms, at_ms, 2_000);

    script.behaviour("an expired lease is claimed over the marker's revision, and by one claimant");
    script
        .write("leases", ("k", "late"), Expected::Revision(1), Some(1))
        .await?;
    script
        .write("leases", ("k", "never"), Expected::Revision(0), Some(1))
        .await?;
    script
        .write("leases", ("k", "two"), Expected::Revision(2), Some(600))
        .await?;
    script
        .write("leases", ("k", "three"), Expected::Revision(2), Some(600))
        .await?;
    script.watched(watch, 1).await?;
    script.key("leases", "k").await?;

    script.behaviour("a renewal begins the expiry anew");
    script
        .write("leases", ("renewed", "one"), Expected::Absent, Some(60))
        .await?;
    let since_ms = script.broker.now_ms();
    script
        .write("leases", ("renewed", "two"), Expected::Revision(4), Some(2))
        .await?;
    script.until_gone("leases", "renewed").await?;
    let at_ms = script.broker.now_ms();
    script.not_before("expired", since_ms, at_ms, 2_000);
    script.watched(watch, 3).await?;
    script.stream("KV_leases").await?;

    script.behaviour("the marker of an expiry goes too, and then nothing was ever there");
    script.made("markers", Some(1_000)).await?;
    script
        .write("markers", ("k", "one"), Expected::Absent, Some(1))
        .await?;
    while script.broker.holds("markers", "k").await? != Holds::Never {
        script.broker.pass().await;
    }
    script
        .write("markers", ("k", "two"), Expected::Revision(0), None)
        .await?;
    script.stream("KV_markers").await
}

async fn without_marker<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("where expiries aren't marked, nothing is left of an expired value");
    script.made("unmarked", None).await?;
    script
        .write("unmarked", ("k", "one"), Expected::Absent, Some(1))
        .await?;
    script.until_gone("unmarked", "k").await?;
    script.key("unmarked", "k").await?;
    script
        .write("unmarked", ("k", "two"), Expected::Revision(1), None)
        .await?;
    script
        .write("unmarked", ("k", "two"), Expected::Absent, None)
        .await?;
    script.stream("KV_unmarked").await
}

async fn plain_write<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a plain write over an expiring value stays");
    script.made("plain", None).await?;
    script
        .write("plain", ("k", "expiring"), Expected::Absent, Some(2))
        .await?;
    script
        .write("plain", ("k", "plain"), Expected::Anything, None)
        .await?;
    // Written later, with the same expiry: once it is gone, the first one would be.
    script
        .write("plain", ("clock", "expiring"), Expected::Absent, Some(2))
        .await?;
    script.until_gone("plain", "clock").await?;
    script.key("plain", "k").await
}

async fn watching<B: BrokerLike>(script: &mut Script<'_, B>) -> Result<(), Failure> {
    script.behaviour("a watch of an empty bucket is up to date at once, then tells changes");
    script.made("watched", None).await?;
    let first = script.broker.watch("watched", ">").await?;
    script.watched(first, 1).await?;
    script
        .write("watched", ("a.x", "one"), Expected::Absent, None)
        .await?;
    script.watched(first, 1).await?;
    script
        .write("watched", ("b.x", "two"), Expected::Absent, None)
        .await?;
    script
        .write("watched", ("a.y", "three"), Expected::Absent, None)
        .await?;
    script.watched(first, 2).await?;

    script
        .behaviour("a watch begins with the last value of each key under its filter, by revision");
    script
        .write("watched", ("a.x", "four"), Expected::Anything, None)
        .await?;
    script.watched(first, 1).await?;
    let second = script.broker.watch("watched", "a.*").await?;
    script.watched(second, 3).await?;
    let none = script.broker.watch("watched", "c.>").await?;
    script.watched(none, 1).await?;

    script.behaviour("a watch tells deletions, and what lies outside its filter it doesn't");
    script.delete("watched", "b.x", Expected::Anything).await?;
    script.delete("watched", "a.y", Expected::Anything).await?;
    script.watched(first, 2).await?;
    script.watched(second, 1).await?;
    script
        .write("watched", ("c.d.e", "five"), Expected::Absent, None)
        .await?;
    script.watched(none, 1).await
}
