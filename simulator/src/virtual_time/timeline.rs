//! Happenings in the order of their instants; at one instant in the order in which they were planned.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Timeline<T> {
    planned: BTreeMap<(u64, u64), T>,
    number: u64,
}

impl<T> Timeline<T> {
    pub(super) const fn new() -> Self {
        Self {
            planned: BTreeMap::new(),
            number: 0,
        }
    }

    pub(super) fn plan(&mut self, at_ms: u64, what: T) {
        self.number += 1;
        self.planned.insert((at_ms, self.number), what);
    }

    pub(super) fn next(&mut self) -> Option<(u64, T)> {
        self.planned
            .pop_first()
            .map(|((at_ms, _), what)| (at_ms, what))
    }
}
