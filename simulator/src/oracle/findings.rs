//! Findings: one sentence each, naming the event and what is wrong with it.

use std::fmt;

use callflume_core::event::EventId;

/// Findings kept with their text; the others are counted.
pub const DETAILS_MAX: usize = 50;

/// Kinds of defects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// An acknowledged effect that is nowhere.
    Lost,
    /// A further record for one effect.
    Doubled,
    /// A further contact for one number.
    PersonDoubled,
    /// Older over newer, or later before earlier.
    Reordered,
    /// A request into a full window.
    OverLimit,
    /// A dead letter.
    Dead,
}

impl Defect {
    /// The word used in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::PersonDoubled => "person doubled",
            Self::Reordered => "reordered",
            Self::OverLimit => "over limit",
            Self::Dead => "dead",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub defect: Defect,
    /// The event it is about, if it is about one.
    pub event: Option<EventId>,
    /// What is wrong, without any value of the event.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            Some(event) => write!(f, "{}: event {event}: {}", self.defect.as_str(), self.text),
            None => write!(f, "{}: {}", self.defect.as_str(), self.text),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    all: u64,
}

impl Findings {
    pub(super) fn add(&mut self, defect: Defect, event: Option<&EventId>, text: String) {
        self.all += 1;
        if self.kept.len() < DETAILS_MAX {
            self.kept.push(Finding {
                defect,
                event: event.cloned(),
                text,
            });
        }
    }

    pub(super) fn finish(self) -> (Vec<Finding>, u64) {
        (self.kept, self.all)
    }
}
