//! What must exist on the broker: streams and buckets with their settings, as a table.
//!
//! Decides names, retention, limits. Carries nothing out; [`crate::provision`] compares and applies. Nothing in it
//! may let the broker drop an event by itself: no `max_age` anywhere, and a full stream refuses instead of forgetting.

use std::time::Duration;

use callflume_core::lane::Lane;
use callflume_core::record::bucket;
use serde_json::{Map, Value, json};

/// Parked effects with their successors.
pub(crate) const HELD: &str = "HELD";
/// Effects and events that could not be written.
pub(crate) const DEAD: &str = "DEAD";

/// How long a stream recognises an event id it has seen. Also the least time a settled event is kept.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(20 * 60);
/// The largest event, bytes.
pub const MAX_EVENT_BYTES: u64 = 256 * 1024;
/// The largest dead letter or parked effect, bytes: an event and what is said about it.
const MAX_LETTER_BYTES: u64 = 320 * 1024;
/// Without a number a stream takes at most 1000 consumers; each account has one per lane.
const MAX_CONSUMERS: u64 = 100_000;
/// Watches of a bucket, over all processes.
const MAX_WATCHES: u64 = 10_000;
/// How many earlier values of a configuration key are kept.
const CONFIG_HISTORY: u64 = 10;
/// How long the broker marks a lease that ran out, so that watches see it go.
const EXPIRY_MARKER: Duration = Duration::from_secs(60);

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// What an installation chooses. Bytes are per replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionSettings {
    /// Copies of every stream and bucket: 1 on one server, 3 on a cluster.
    pub replicas: u64,
    /// Limit of the operational events.
    pub max_bytes_op: u64,
    /// Limit of the enrichment events.
    pub max_bytes_en: u64,
    /// Limit of the parked effects.
    pub max_bytes_held: u64,
    /// Limit of the dead letters.
    pub max_bytes_dead: u64,
    /// Limit of the ledger.
    pub max_bytes_ledger: u64,
    /// Limit of the contacts.
    pub max_bytes_contacts: u64,
    /// Limit of each other bucket; of the reference and token buckets together.
    pub max_bytes_bucket: u64,
}

impl Default for ProvisionSettings {
    fn default() -> Self {
        Self {
            replicas: 1,
            max_bytes_op: 4 * GIB,
            max_bytes_en: 16 * GIB,
            max_bytes_held: 2 * GIB,
            max_bytes_dead: 4 * GIB,
            max_bytes_ledger: 4 * GIB,
            max_bytes_contacts: 4 * GIB,
            max_bytes_bucket: 256 * MIB,
        }
    }
}

impl ProvisionSettings {
    /// The default limits scaled so that all of them together stay within `total_bytes`.
    #[must_use]
    pub fn within(total_bytes: u64) -> Self {
        let whole = Self::default();
        let share = |bytes: u64| {
            (u128::from(bytes) * u128::from(total_bytes) / u128::from(whole.total_bytes())) as u64
        };
        Self {
            replicas: whole.replicas,
            max_bytes_op: share(whole.max_bytes_op),
            max_bytes_en: share(whole.max_bytes_en),
            max_bytes_held: share(whole.max_bytes_held),
            max_bytes_dead: share(whole.max_bytes_dead),
            max_bytes_ledger: share(whole.max_bytes_ledger),
            max_bytes_contacts: share(whole.max_bytes_contacts),
            max_bytes_bucket: share(whole.max_bytes_bucket),
        }
    }

    /// The sum of all limits: what the server's `max_file` must have room for.
    pub fn total_bytes(&self) -> u64 {
        assets(self).iter().map(|asset| asset.max_bytes).sum()
    }
}

/// A stream (a bucket is one, too) as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    /// What people call it: the stream's name, or the bucket's.
    pub(crate) name: String,
    /// The stream's name on the broker.
    pub(crate) stream: String,
    /// Its limit.
    pub(crate) max_bytes: u64,
    /// The settings that matter to us, as the broker names them.
    pub(crate) wants: Map<String, Value>,
}

/// Name of the stream under a bucket.
pub(crate) fn bucket_stream(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// Every asset, in the order in which they are made.
pub(crate) fn assets(settings: &ProvisionSettings) -> Vec<Asset> {
    let lane_bytes = |lane| match lane {
        Lane::Op => settings.max_bytes_op,
        Lane::En => settings.max_bytes_en,
    };
    let mut all: Vec<Asset> = Lane::ALL
        .into_iter()
        .map(|lane| {
            stream(
                lane.stream(),
                &format!("voice.v1.{}.>", lane.token()),
                settings.replicas,
                lane_bytes(lane),
                MAX_EVENT_BYTES,
            )
        })
        .collect();
    all.push(stream(
        HELD,
        "held.v1.>",
        settings.replicas,
        settings.max_bytes_held,
        MAX_LETTER_BYTES,
    ));
    all.push(stream(
        DEAD,
        "dead.v1.>",
        settings.replicas,
        settings.max_bytes_dead,
        MAX_LETTER_BYTES,
    ));
    let other = settings.max_bytes_bucket;
    for (name, history, marker, max_bytes) in [
        (bucket::CONFIG, CONFIG_HISTORY, None, other),
        (bucket::LEASES, 1, Some(EXPIRY_MARKER), other),
        (bucket::QUOTAS, 1, None, other),
        // No marker here: one per effect would double the writes, and nobody watches.
        (bucket::LEDGER, 1, None, settings.max_bytes_ledger),
        (bucket::CONTACTS, 1, None, settings.max_bytes_contacts),
        // Few and small: these two share one bucket's limit.
        (bucket::REFERENCE, 1, None, other / 2),
        // No earlier values: an old refresh token is worth nothing to us, and something to a thief.
        (bucket::TOKENS, 1, None, other / 2),
    ] {
        all.push(key_value(
            name,
            history,
            marker,
            settings.replicas,
            max_bytes,
        ));
    }
    all
}

fn stream(name: &str, subjects: &str, replicas: u64, max_bytes: u64, largest: u64) -> Asset {
    let wants = json!({
        "name": name,
        "subjects": [subjects],
        // Work-queue retention would forget the ids of acknowledged events on a restart.
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "num_replicas": replicas,
        "max_bytes": max_bytes,
        "max_age": 0,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": largest,
        "max_consumers": MAX_CONSUMERS,
        "duplicate_window": nanoseconds(DUPLICATE_WINDOW),
        "allow_direct": true,
        // The janitor purges and deletes what is settled.
        "deny_delete": false,
        "deny_purge": false,
    });
    asset(name.to_owned(), max_bytes, wants)
}

fn key_value(
    bucket: &str,
    history: u64,
    marker: Option<Duration>,
    replicas: u64,
    max_bytes: u64,
) -> Asset {
    let wants = json!({
        "name": bucket_stream(bucket),
        "subjects": [format!("$KV.{bucket}.>")],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "num_replicas": replicas,
        "max_bytes": max_bytes,
        "max_age": 0,
        "max_msgs": -1,
        "max_msgs_per_subject": history,
        "max_consumers": MAX_WATCHES,
        "allow_direct": true,
        "allow_rollup_hdrs": true,
        "deny_delete": true,
        "deny_purge": false,
        "allow_msg_ttl": true,
        "subject_delete_marker_ttl": marker.map_or(0, nanoseconds),
    });
    asset(bucket.to_owned(), max_bytes, wants)
}

fn asset(name: String, max_bytes: u64, wants: Value) -> Asset {
    let wants = wants.as_object().cloned().unwrap_or_default();
    let stream = wants
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or(&name)
        .to_owned();
    Asset {
        name,
        stream,
        max_bytes,
        wants,
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_can_be_scaled_to_a_small_server() {
        let small = ProvisionSettings::within(512 * MIB);
        assert!(small.total_bytes() <= 512 * MIB);
        assert!(small.max_bytes_op > MAX_EVENT_BYTES);
        assert!(small.max_bytes_bucket > MIB);
    }

    #[test]
    fn nothing_may_expire_or_be_pushed_out() {
        for asset in assets(&ProvisionSettings::default()) {
            assert_eq!(asset.wants["max_age"], 0, "{}", asset.name);
            assert_eq!(asset.wants["discard"], "new", "{}", asset.name);
            assert!(asset.wants["max_consumers"].as_u64() > Some(1000));
        }
    }
}
