//! Benchmarks, each beside a bare baseline of the same run: absolute times say more about the machine than about us.
//!
//! `cargo bench -p callflume-benches --bench core` measures encoding, quota grants and dispatcher steps with criterion;
//! `--bench publish` measures the client against a bare publish loop, alternating in blocks; `--bench lookup` look-ups of
//! contacts from memory, and from the bucket against a bare read; `--bench throughput` measures
//! the whole path, from the broker to the CRM's door.

pub mod crm;

use callflume_core::account::AccountId;
use callflume_core::event::{Body, ContactRef, Draft, Event};
use callflume_core::time::WallTime;

/// The account of every benchmark.
pub fn account() -> AccountId {
    // A literal that is an account id.
    "bench".parse().unwrap_or_else(|error| panic!("{error}"))
}

/// An event of usual size: some 500 bytes of body.
pub fn event(number: u64) -> Event {
    Draft {
        call_id: format!("call-{number}"),
        kind: "note_added".to_owned(),
        at: WallTime(1_760_000_000_000 + number.cast_signed()),
        revision: Some(number.to_string()),
        contact: ContactRef {
            phone: Some(format!("+1202555{:04}", number % 10_000)),
            ..ContactRef::default()
        },
        body: Body::from([(
            "text".to_owned(),
            format!("Note {number}. {}", "Prefers mornings. ".repeat(25)).into(),
        )]),
    }
    .into_event(&account())
}
