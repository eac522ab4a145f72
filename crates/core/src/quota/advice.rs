//! What people and an outbound dialler are told about a day's limit.
//!
//! Alerts say how full the day is, once per level. Advice looks ahead: *slow* when what operational requests are
//! forecast to need no longer fits beside the floor, *stop* when only the floor is left, which is for callers. Both are
//! taken back only with some room to spare; better advice also only after the last one has stood for a while, so that a
//! dialler that obeys is not made to swing. A new day takes everything back at once.

use serde::{Deserialize, Serialize};

use super::arrivals::scaled;
use super::autopilot::{Outlook, Spent};
use crate::account::AccountId;
use crate::time::WallTime;

/// The day is filling up at these percentages of the limit.
pub const ALERT_PERCENTS: [u32; 3] = [70, 85, 95];

/// An alert ends so many percent below.
const ALERT_CLEAR_BELOW: u32 = 5;

/// Better advice is given only after the last one has stood for this long, milliseconds. Worse comes at once.
pub const ADVICE_DWELL_MS: u64 = 300_000;

/// What an outbound dialler is advised to do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Advice {
    /// Go on.
    #[default]
    Ok,
    /// Start fewer calls: what is forecast for the rest of the day doesn't fit beside the floor.
    Slow,
    /// Start none: only the floor is left, and it is for callers.
    Stop,
}

impl Advice {
    /// `ok`, `slow` or `stop`.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Stop => "stop",
        }
    }
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct News {
    /// The day is filling up or no longer: the percentages of before and now, 0 for none.
    pub filling: Option<(u32, u32)>,
    /// New advice.
    pub advice: Option<Advice>,
}

/// Advice as it is published on [`AdviceMessage::subject`], JSON: at every change and every 30 s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceMessage {
    /// Format number, 1.
    pub schema: u32,
    /// The account.
    pub account: AccountId,
    /// What to do.
    pub advice: Advice,
    /// Since when it stands, by its worker's calendar.
    pub since: WallTime,
    /// Why, in words, without personal data.
    pub reason: String,
}

impl AdviceMessage {
    /// Where an account's advice is published: `advice.v1.<account>`.
    pub fn subject(account: &AccountId) -> String {
        format!("advice.v1.{account}")
    }
}

/// What was last told.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    filling: u32,
    advice: Advice,
    advised_at: Option<WallTime>,
}

impl Watch {
    pub(super) const fn advice(&self) -> Advice {
        self.advice
    }

    pub(super) fn look(
        &mut self,
        now: WallTime,
        spent: Spent,
        outlook: Outlook,
        new_day: bool,
    ) -> News {
        let percent = u64::from(spent.spent) * 100 / u64::from(spent.limit.max(1));
        News {
            filling: self.fill(u32::try_from(percent).unwrap_or(u32::MAX)),
            advice: self.advise(now, outlook, new_day),
        }
    }

    fn fill(&mut self, percent: u32) -> Option<(u32, u32)> {
        let before = self.filling;
        let reached = |slack: u32| {
            ALERT_PERCENTS
                .into_iter()
                .filter(|level| percent >= level - slack)
                .max()
                .unwrap_or(0)
        };
        self.filling = reached(0).max(reached(ALERT_CLEAR_BELOW).min(before));
        (self.filling != before).then_some((before, self.filling))
    }

    fn advise(&mut self, now: WallTime, outlook: Outlook, new_day: bool) -> Option<Advice> {
        let before = self.advice;
        let stop = if before == Advice::Stop {
            outlook.left < scaled(outlook.floor, 5, 4)
        } else {
            outlook.left <= outlook.floor
        };
        let slow = if before == Advice::Ok {
            outlook.budget() == 0
        } else {
            scaled(outlook.held(), 10, 9) > outlook.left
        };
        let wanted = match (stop, slow) {
            (true, _) => Advice::Stop,
            (false, true) => Advice::Slow,
            (false, false) => Advice::Ok,
        };
        // A calendar that went back must not make an advice last.
        self.advised_at = self.advised_at.map(|at| at.min(now));
        let stood = self
            .advised_at
            .is_none_or(|at| now.since_ms(at) >= ADVICE_DWELL_MS);
        if wanted == before || (wanted < before && !stood && !new_day) {
            return None;
        }
        self.advice = wanted;
        self.advised_at = Some(now);
        Some(wanted)
    }
}
