//! The course of long windows within the engine: a calendar day under its [`Autopilot`], and any rolling window too long to
//! be paced.
//!
//! A calendar day forecasts. A rolling one has no midnight at which it starts anew, and what was spent in an hour comes
//! back in the same hour of the next day; there enrichment simply leaves the floor standing.
//!
//! Operational requests are never held back here.

use super::advice::{Advice, Watch};
use super::autopilot::{Autopilot, Outlook, Pace, Spent, Today};
use super::rolling::FINE_SPAN_MS;
use super::{Days, Quota, Settings};
use crate::record::AutopilotRecord;
use crate::time::{Now, Tick, WallTime};
use crate::vendor::{Charge, Span};

/// While an alert or an advice stands, it is looked at again after so many milliseconds even if nothing happens.
const AGAIN_MS: u64 = 30_000;

/// How full a long window is, when that crossed a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling {
    /// The window.
    pub window: &'static str,
    /// Level before, percent of the limit; 0 for none.
    pub before: u32,
    /// Level now.
    pub level: u32,
    /// What is spent, whoever did.
    pub spent: u32,
    /// The limit.
    pub limit: u32,
}

/// Advice for an outbound dialler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advised {
    /// What to do.
    pub advice: Advice,
    /// Why, in words.
    pub reason: String,
}

/// What changed about long windows since they were last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Levels crossed.
    pub fillings: Vec<Filling>,
    /// New advice.
    pub advised: Option<Advised>,
    /// When to look again even if nothing happens.
    pub again: Option<Tick>,
}

/// One long window.
#[derive(Debug)]
pub(super) struct Course {
    window: usize,
    /// Percent of the limit kept for operational requests.
    floor_percent: u32,
    kind: Kind,
    /// Enrichment's spacing, milliseconds per unit.
    step_ms: u64,
    /// The CRM says that it is used up until then.
    exhausted_until: Option<Tick>,
    advice: Advice,
    full: bool,
}

#[derive(Debug)]
enum Kind {
    Day {
        autopilot: Box<Autopilot>,
        today: Option<Today>,
    },
    Rolling(Watch),
}

impl Course {
    /// The courses of all windows that have one.
    pub(super) fn all(
        settings: &Settings,
        record: Option<&AutopilotRecord>,
        days: &Days,
        now: WallTime,
    ) -> Vec<Self> {
        let windows = settings.windows.iter().enumerate();
        let mut courses: Vec<Self> = windows
            .filter_map(|(window, spec)| {
                let kind = match spec.span {
                    Span::Day => Kind::Day {
                        autopilot: Box::new(Autopilot::new(settings.floor_op_percent, record)),
                        today: None,
                    },
                    Span::RollingMs(span_ms) if span_ms > FINE_SPAN_MS => {
                        Kind::Rolling(Watch::default())
                    }
                    Span::RollingMs(_) | Span::Slots => return None,
                };
                Some(Self {
                    window,
                    floor_percent: settings.floor_op_percent,
                    kind,
                    step_ms: 0,
                    exhausted_until: None,
                    advice: Advice::Ok,
                    full: false,
                })
            })
            .collect();
        for course in &mut courses {
            if let Some((autopilot, today)) = course.day(days, now) {
                autopilot.begin(today);
            }
        }
        courses
    }

    /// The calendar day's autopilot and today; none for a rolling window.
    fn day(&mut self, days: &Days, now: WallTime) -> Option<(&mut Autopilot, Today)> {
        let Kind::Day { autopilot, today } = &mut self.kind else {
            return None;
        };
        // Asking the calendar is dear.
        let known = today.filter(|known| known.start <= now && now < known.end);
        let current = known.map_or_else(
            || Today {
                now,
                start: days.last_midnight(now),
                end: days.next_midnight(now),
            },
            |known| Today { now, ..known },
        );
        *today = Some(current);
        Some((autopilot, current))
    }

    fn exhausted(&self, now: Tick) -> bool {
        self.exhausted_until.is_some_and(|until| until > now)
    }

    /// A rolling window's floor.
    fn floor(&self, limit: u32) -> u64 {
        u64::from(limit) * u64::from(self.floor_percent) / 100
    }
}

impl Quota {
    fn course_spent(&mut self, now: Now, window: usize) -> Spent {
        match self.rolling.get_mut(window) {
            Some(Some(rolling)) => Spent {
                limit: rolling.allowed(now.tick),
                spent: rolling.occupied(now.tick),
            },
            _ => Spent {
                limit: self.caps.get(window).copied().unwrap_or(0),
                spent: self.days.spent(now.wall),
            },
        }
    }

    fn day_course(&mut self) -> Option<(&mut Course, &Days)> {
        let course = self
            .courses
            .iter_mut()
            .find(|course| matches!(course.kind, Kind::Day { .. }))?;
        Some((course, &self.days))
    }

    /// An operational request that costs so much of the day was granted.
    pub(super) fn day_took_op(&mut self, now: Now, cost: u32) {
        if let Some((course, days)) = self.day_course()
            && let Some((autopilot, today)) = course.day(days, now.wall)
        {
            autopilot.granted(today, cost);
        }
    }

    /// One that was granted at `granted_at` was never sent.
    pub(super) fn day_got_op_back(&mut self, now: Now, granted_at: Tick, cost: u32) {
        let under_way_ms = now.tick.since_ms(granted_at);
        let granted_at = WallTime(now.wall.0.saturating_sub_unsigned(under_way_ms));
        if let Some((course, days)) = self.day_course()
            && let Some((autopilot, today)) = course.day(days, now.wall)
        {
            autopilot.given_back(today, granted_at, cost);
        }
    }

    /// Others are found to have spent so much more of the day.
    pub(super) fn day_took_others(&mut self, now: Now, count: u32) {
        if let Some((course, days)) = self.day_course()
            && let Some((autopilot, today)) = course.day(days, now.wall)
        {
            autopilot.others_spent(today, count);
        }
    }

    /// Until when the day's autopilot holds this enrichment back, beside its spacing.
    pub(super) fn day_holds(&mut self, now: Now, charge: Charge) -> Option<Tick> {
        let spent = self.course_spent(now, charge.window);
        let (course, days) = self.day_course()?;
        let (autopilot, today) = course.day(days, now.wall)?;
        let pace = autopilot.pace(today, spent, charge.cost);
        course.step_ms = match pace {
            Pace::Spaced(step_ms) => step_ms,
            Pace::Free | Pace::Stopped(_) => 0,
        };
        if pace == Pace::Free
            && let Some(next) = self.en_next.get_mut(charge.window)
        {
            // A new day owes nothing to the old one's spacing.
            *next = Tick(0);
        }
        match pace {
            Pace::Stopped(until) if until >= today.end => Some(self.on_another_day(now, charge)),
            Pace::Stopped(until) => Some(now.tick.plus_ms(until.since_ms(now.wall).max(1))),
            Pace::Free | Pace::Spaced(_) => None,
        }
    }

    /// When enrichment that today has no room for may go: at midnight, or later, when tomorrow's autopilot would hold
    /// it back then.
    pub(super) fn on_another_day(&mut self, now: Now, charge: Charge) -> Tick {
        let midnight = self.next_midnight(now);
        let limit = self.caps.get(charge.window).copied().unwrap_or(0);
        let Some((course, days)) = self.day_course() else {
            return midnight;
        };
        let Some((autopilot, today)) = course.day(days, now.wall) else {
            return midnight;
        };
        let tomorrow = Today {
            now: today.end,
            start: today.end,
            end: days.next_midnight(today.end),
        };
        let spent = Spent {
            limit,
            spent: days.spent(today.end),
        };
        let mut ahead = autopilot.clone();
        // Somebody looks until the last moment of a day.
        ahead.begin(Today {
            now: WallTime(today.end.0 - 1),
            ..today
        });
        match ahead.pace(tomorrow, spent, charge.cost) {
            Pace::Stopped(until) => midnight.plus_ms(until.since_ms(today.end)),
            Pace::Free | Pace::Spaced(_) => midnight,
        }
    }

    /// Enrichment's spacing in a long window, milliseconds per unit; none where it has no course.
    pub(super) fn course_step_ms(&self, window: usize) -> Option<u64> {
        let course = self.courses.iter().find(|course| course.window == window)?;
        Some(course.step_ms)
    }

    /// What enrichment leaves standing in a long rolling window.
    pub(super) fn course_floor(&self, window: usize, limit: u32) -> Option<u32> {
        let course = self.courses.iter().find(|course| course.window == window)?;
        u32::try_from(course.floor(limit)).ok()
    }

    /// The CRM says that the day is used up, until then.
    pub(super) fn courses_exhausted(&mut self, until: Tick) {
        for course in &mut self.courses {
            course.exhausted_until = Some(until);
        }
    }

    pub(super) fn courses_resumed(&mut self) {
        for course in &mut self.courses {
            course.exhausted_until = None;
        }
    }

    /// What a successor needs of the day's autopilot.
    pub(super) fn autopilot_record(&self) -> Option<AutopilotRecord> {
        self.courses.iter().find_map(|course| match &course.kind {
            Kind::Day { autopilot, .. } => Some(autopilot.record()),
            Kind::Rolling(_) => None,
        })
    }

    /// See [`super::Limiter::look`].
    pub(super) fn look_at_courses(&mut self, now: Now) -> Told {
        let mut told = Told::default();
        let mut worst: Option<(Advice, usize, Spent, Outlook, bool)> = None;
        for place in 0..self.courses.len() {
            let Some(window) = self.courses.get(place).map(|course| course.window) else {
                continue;
            };
            let spent = self.course_spent(now, window);
            let name = self.settings.windows.get(window).map(|spec| spec.name);
            let (Some(course), Some(name)) = (self.courses.get_mut(place), name) else {
                continue;
            };
            let (news, outlook) = if let Some((autopilot, today)) = course.day(&self.days, now.wall)
            {
                (
                    autopilot.look(today, spent),
                    autopilot.outlook(today, spent),
                )
            } else {
                course.look_rolling(now.wall, spent)
            };
            if let Some((before, level)) = news.filling {
                course.full = level > 0;
                told.fillings.push(Filling {
                    window: name,
                    before,
                    level,
                    spent: spent.spent,
                    limit: spent.limit,
                });
            }
            course.advice = news.advice.unwrap_or(course.advice);
            // What the CRM says of its own quota has an alert of its own.
            let exhausted = course.exhausted(now.tick);
            let advice = if exhausted {
                Advice::Stop
            } else {
                course.advice
            };
            if course.full || advice > Advice::Ok {
                told.again = Some(now.tick.plus_ms(AGAIN_MS));
            }
            if worst.is_none_or(|(other, ..)| advice > other) {
                worst = Some((advice, window, spent, outlook, exhausted));
            }
        }
        if let Some((advice, window, spent, outlook, exhausted)) = worst
            && advice != self.advised
        {
            self.advised = advice;
            let name = self
                .settings
                .windows
                .get(window)
                .map_or("", |spec| spec.name);
            let reason = reason(name, advice, spent, outlook, exhausted);
            told.advised = Some(Advised { advice, reason });
        }
        told
    }
}

impl Course {
    /// Slow once only the floor is left, stop once three quarters of that are gone too.
    fn look_rolling(&mut self, now: WallTime, spent: Spent) -> (super::News, Outlook) {
        let floor = self.floor(spent.limit);
        let outlook = Outlook {
            left: spent.limit.saturating_sub(spent.spent).into(),
            operational: floor - floor / 4,
            others: 0,
            floor: floor / 4,
        };
        let news = match &mut self.kind {
            Kind::Rolling(watch) => watch.look(now, spent, outlook, false),
            Kind::Day { .. } => super::News::default(),
        };
        (news, outlook)
    }
}

/// Why, in words, without personal data.
fn reason(name: &str, advice: Advice, spent: Spent, outlook: Outlook, exhausted: bool) -> String {
    let Outlook {
        left,
        operational,
        others,
        floor,
    } = outlook;
    let limit = spent.limit;
    match advice {
        Advice::Stop if exhausted => format!("{name}: the CRM says that its quota is used up"),
        Advice::Stop => {
            format!("{name}: {left} of {limit} left, the floor of {floor} is kept for callers")
        }
        Advice::Slow => format!(
            "{name}: {left} of {limit} left; forecast for operational requests {operational}, for other \
             applications {others}, floor {floor}"
        ),
        Advice::Ok => format!("{name}: {left} of {limit} left, enough for what is forecast"),
    }
}
