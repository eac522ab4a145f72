//! The direct integration: no queue, no limiter.
//!
//! Every write is sent the moment it comes up, by a process that keeps it in memory. Refused or without an answer it is
//! repeated as usual client libraries do: after 1 s, doubling to 64 s, up to a second of jitter on top, ten attempts in
//! all. A write doesn't name a key of its own. What waits in a process that dies is gone; so is what comes up while none
//! runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use callflume_core::seed::Seed;

use super::SECOND_US;
use super::door::{Door, Reply};
use super::shell::{TIMEOUT_US, trip_us};

const ATTEMPTS: u32 = 10;
const FIRST_WAIT_US: u64 = SECOND_US;
const LONGEST_WAIT_US: u64 = 64 * SECOND_US;
const JITTER_US: u64 = SECOND_US;

/// One try on its way; ordered by arrival.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Try {
    arrives_us: u64,
    effect: usize,
    attempt: u32,
    sent_us: u64,
}

/// Sends effect `i` at `instants_us[i]` to the door; `outages` are from a death to the next start of the process.
pub(super) fn run(instants_us: &[u64], door: &mut Door, outages: &[(u64, u64)], seed: u64) {
    let mut rng = Seed::new(seed);
    let nobody_there = |at_us: u64| {
        outages
            .iter()
            .any(|(from, to)| (*from..*to).contains(&at_us))
    };
    let dies_within =
        |from_us: u64, to_us: u64| outages.iter().any(|(at, _)| (from_us..=to_us).contains(at));
    let mut tries: BinaryHeap<Reverse<Try>> = instants_us
        .iter()
        .enumerate()
        .filter(|(_, at_us)| !nobody_there(**at_us))
        .map(|(effect, at_us)| {
            Reverse(Try {
                arrives_us: at_us + trip_us(&mut rng),
                effect,
                attempt: 1,
                sent_us: *at_us,
            })
        })
        .collect();
    while let Some(Reverse(this)) = tries.pop() {
        let answered = door.handle(this.arrives_us, &[this.effect], false);
        let answer_us = if answered.lost {
            this.sent_us + TIMEOUT_US
        } else {
            this.arrives_us + answered.service_us + trip_us(&mut rng)
        };
        let done = matches!(answered.reply, Reply::Items(_)) && !answered.lost;
        if done || this.attempt == ATTEMPTS {
            continue;
        }
        let wait_us = (FIRST_WAIT_US << (this.attempt - 1)).min(LONGEST_WAIT_US);
        let sent_us = answer_us + wait_us + rng.below(JITTER_US);
        if dies_within(this.sent_us, sent_us) {
            continue;
        }
        tries.push(Reverse(Try {
            arrives_us: sent_us + trip_us(&mut rng),
            effect: this.effect,
            attempt: this.attempt + 1,
            sent_us,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::door::DoorConfig;
    use super::*;

    fn door(config: DoorConfig, effects: usize) -> Door {
        Door::new(config, vec![false; effects], u64::MAX, 3)
    }

    #[test]
    fn what_fits_the_window_is_written_once_and_the_rest_after_refusals() {
        let mut door = door(DoorConfig::EVEN, 300);
        run(&[0; 300], &mut door, &[], 1);
        assert!(door.held.iter().all(|held| held.records == 1));
        assert!(door.rejections_us.len() >= 110);
    }

    #[test]
    fn an_answer_that_is_lost_doubles_and_a_death_loses_what_waits() {
        let mut forgetful = door(
            DoorConfig {
                answers_lost_permille: 1_000,
                ..DoorConfig::EVEN
            },
            1,
        );
        run(&[0], &mut forgetful, &[], 1);
        assert_eq!(forgetful.held[0].records, ATTEMPTS);
        let mut mortal = door(DoorConfig::EVEN, 300);
        let second = SECOND_US;
        let instants: Vec<u64> = (0..300)
            .map(|n| if n == 299 { 2 * second } else { 0 })
            .collect();
        run(&instants, &mut mortal, &[(second / 2, 3 * second)], 1);
        assert_eq!(
            mortal.held.iter().filter(|held| held.records == 0).count(),
            110
        );
    }
}
