//! Close's limits: per endpoint group, a sliding window of each key and one of the organisation.
//!
//! Invariants: no window ever holds more admitted requests than its limit; a request is admitted by both windows or by
//! neither; a refused one takes no place. Whether refused requests count isn't documented; chosen: they don't.

use std::collections::BTreeMap;

use super::audit::Counters;
use super::config::{CloseConfig, SetupError};
use crate::fakes::RollingLog;

/// Whose limit was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Key,
    Organization,
}

/// What a reply says of the window that is closest to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Until the oldest request leaves the window, milliseconds.
    pub(super) resets_in_ms: i64,
}

/// Every window of the organisation.
#[derive(Debug)]
pub(super) struct Limits {
    key_limit: u32,
    window_ms: i64,
    factor: u32,
    of_group: BTreeMap<String, u32>,
    of_key: BTreeMap<(usize, &'static str), RollingLog>,
    of_organization: BTreeMap<&'static str, RollingLog>,
}

impl Limits {
    pub(super) fn new(config: &CloseConfig) -> Result<Self, SetupError> {
        let smallest = config.group_limits.values().min().copied();
        for (value, name) in [
            (config.key_limit, "key_limit"),
            (config.organization_factor, "organization_factor"),
            (u32::from(config.window_ms > 0), "window_ms"),
            (smallest.unwrap_or(1), "group_limits"),
        ] {
            if value == 0 {
                return Err(SetupError::ZeroLimit(name));
            }
        }
        Ok(Self {
            key_limit: config.key_limit,
            window_ms: config.window_ms,
            factor: config.organization_factor,
            of_group: config.group_limits.clone(),
            of_key: BTreeMap::new(),
            of_organization: BTreeMap::new(),
        })
    }

    fn limit(&self, group: &str) -> u32 {
        self.of_group.get(group).copied().unwrap_or(self.key_limit)
    }

    /// Changes a group's limit; what stands in the windows stays.
    pub(super) fn set(&mut self, group: &str, limit: u32) {
        self.of_group.insert(group.to_owned(), limit);
    }

    /// Admits a request or says whose limit is full.
    pub(super) fn admit(
        &mut self,
        now_ms: i64,
        key: usize,
        group: &'static str,
        counters: &mut Counters,
    ) -> Result<(), Scope> {
        let limit = self.limit(group);
        let of_key = self.of_key.entry((key, group)).or_default();
        let of_organization = self.of_organization.entry(group).or_default();
        let full = if of_key.held(now_ms, self.window_ms) >= limit {
            Some(Scope::Key)
        } else if of_organization.held(now_ms, self.window_ms) >= limit.saturating_mul(self.factor)
        {
            Some(Scope::Organization)
        } else {
            None
        };
        if let Some(scope) = full {
            counters.over_limit += 1;
            return Err(scope);
        }
        of_key.0.push_back(now_ms);
        of_organization.0.push_back(now_ms);
        counters.admitted += 1;
        let most = counters.max_in_window.entry(group).or_insert(0);
        *most = (*most).max(of_key.len());
        Ok(())
    }

    /// Takes a request back that a scripted refusal answered: refused requests hold no place.
    pub(super) fn give_back(&mut self, key: usize, group: &'static str) {
        for log in [
            self.of_key.get_mut(&(key, group)),
            self.of_organization.get_mut(group),
        ]
        .into_iter()
        .flatten()
        {
            log.0.pop_back();
        }
    }

    /// The window that has least left.
    pub(super) fn state(&mut self, now_ms: i64, key: usize, group: &'static str) -> State {
        let (limit, window_ms, factor) = (self.limit(group), self.window_ms, self.factor);
        let look = |log: &mut RollingLog, limit: u32| State {
            limit,
            remaining: limit.saturating_sub(log.held(now_ms, window_ms)),
            resets_in_ms: log
                .0
                .front()
                .map_or(window_ms, |oldest| oldest + window_ms - now_ms),
        };
        let of_key = look(self.of_key.entry((key, group)).or_default(), limit);
        let of_organization = look(
            self.of_organization.entry(group).or_default(),
            limit.saturating_mul(factor),
        );
        if of_organization.remaining < of_key.remaining {
            of_organization
        } else {
            of_key
        }
    }
}
