//! The simulator: fake CRMs, call traffic, faults and the oracle that judges a run.

pub mod hubspot;
pub mod live;
