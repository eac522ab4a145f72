//! A direct integration beside a run of ours: the same effects at the same instants, the same limits.

use callflume_core::config::{AccountConfig, BadConfig, SecretRef};
use callflume_core::lane::Lane;
use callflume_core::plan::Planner;

use super::MS_US;
use super::direct;
use super::door::{Door, DoorConfig};
use super::outcome::percentile;
use crate::traffic::Plan;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct DirectFigures {
    /// Effects to be written.
    pub effects: u64,
    /// Requests the CRM refused.
    pub rejections: u64,
    /// Effects that are not in the CRM after the last attempt.
    pub lost: u64,
    /// 99th percentile of the age of operational effects when they were written, milliseconds.
    pub op_age_p99_ms: Option<f64>,
}

/// Sends every effect of a plan as a request of its own, under virtual time, to a CRM that takes `limit` requests per
/// rolling 10 s. Looking contacts up is not counted: a real integration needs more requests than this.
pub fn direct_beside(plan: &Plan, limit: u32) -> Result<DirectFigures, BadConfig> {
    let config = AccountConfig::new(
        "hubspot",
        SecretRef::Env("CALLFLUME_TOURNAMENT_TOKEN".to_owned()),
        "private_professional",
    );
    let planner = Planner::new(&config)?;
    let mut effects: Vec<(u64, Lane)> = Vec::new();
    for planned in plan.all() {
        let at_us = u64::try_from(planned.at_ms).unwrap_or(0) * MS_US;
        // An event that can't be read is nobody's effect.
        let count = planner
            .plan(&planned.event)
            .map_or(0, |effects| effects.len());
        effects.extend(std::iter::repeat_n((at_us, planned.lane), count));
    }
    effects.sort_by_key(|(at_us, _)| *at_us);
    let instants: Vec<u64> = effects.iter().map(|(at_us, _)| *at_us).collect();
    let door = DoorConfig {
        limit,
        ..DoorConfig::EVEN
    };
    let mut door = Door::new(door, vec![false; effects.len()], u64::MAX, plan.seed);
    direct::run(&instants, &mut door, &[], plan.seed);
    let mut ages_us: Vec<u64> = effects
        .iter()
        .zip(&door.held)
        .filter(|((_, lane), _)| *lane == Lane::Op)
        .filter_map(|((at_us, _), held)| Some(held.done_us? - at_us))
        .collect();
    ages_us.sort_unstable();
    Ok(DirectFigures {
        effects: effects.len() as u64,
        rejections: door.rejections_us.len() as u64,
        lost: door.held.iter().filter(|held| held.records == 0).count() as u64,
        op_age_p99_ms: percentile(&ages_us, 99).map(|us| us as f64 / 1_000.0),
    })
}
