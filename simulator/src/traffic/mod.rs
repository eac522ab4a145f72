//! Call traffic: a plan of calls and of the events they send, and what a CRM must end up holding because of each.
//!
//! A plan follows from scenario, account, start and seeded contacts alone: the same give the same bytes, on every run.
//! Never in here: a clock, IO, the product's own planner. What is expected of a CRM is reasoned independently, so that a
//! mistake in the product's planning is found and not repeated.

mod arrivals;
mod backlog;
mod content;
mod dialler;
mod durations;
mod events;
mod expect;
mod plan;
pub mod profile;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use dialler::Dialler;
pub use durations::DurationLaw;
pub use expect::Expectation;
pub(crate) use expect::mark_in;
pub use plan::{Direction, Plan, PlanError, PlannedCall, PlannedEvent};

/// The customer's own contact properties that the traffic writes; the CRM must have them before the run.
pub const CONTACT_PROPERTIES: [&str; 4] = [TOPIC, SEGMENT, OUTCOME, SCORE];

/// Written by both lanes: an older enrichment must not overwrite what was said in a call.
const TOPIC: &str = "voice_topic";
const SEGMENT: &str = "voice_segment";
const OUTCOME: &str = "voice_outcome";
const SCORE: &str = "voice_score";

/// Concerns with randomness of their own: a change to one leaves the others' draws alone.
#[derive(Debug, Clone, Copy)]
enum Concern {
    Arrivals = 1,
    Durations = 2,
    Callers = 3,
    Mix = 4,
    Texts = 5,
    Backlog = 6,
}

fn stream(seed: u64, concern: Concern) -> ChaCha8Rng {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    draw.set_stream(concern as u64);
    draw
}
