//! Scripted faults: which requests they hit. What goes wrong is the vendor's own kind.
//!
//! No chance is involved: a fault says which matching requests it hits, so a run can be repeated to the byte.

use super::http::{Method, Request};

/// A fault and the requests it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<K> {
    pub kind: K,
    /// Only this method.
    pub method: Option<Method>,
    /// Only paths that contain this; empty for all.
    pub path_contains: String,
    /// Only requests that arrive at or after this instant, epoch milliseconds.
    pub from_ms: Option<i64>,
    /// Only requests that arrive before this instant.
    pub until_ms: Option<i64>,
    /// Matching requests let through first.
    pub skip: u64,
    /// Matching requests hit after that.
    pub times: u64,
}

/// Kinds of faults whose constructors choose requests by path.
pub trait Struck {}

impl<K: Struck> Fault<K> {
    /// Hits the next request whose path contains the text.
    pub fn next(kind: K, path_contains: &str) -> Self {
        Self::once(kind, None, path_contains)
    }

    /// Hits the `n`th matching request from now, 1 for the next.
    pub fn nth(kind: K, path_contains: &str, n: u64) -> Self {
        Self {
            skip: n.saturating_sub(1),
            ..Self::next(kind, path_contains)
        }
    }

    /// Hits every matching request of a span of time (an outage, a brownout).
    pub fn during(kind: K, path_contains: &str, from_ms: i64, until_ms: i64) -> Self {
        Self::span(kind, path_contains, from_ms, until_ms)
    }
}

impl<K> Fault<K> {
    pub(crate) fn once(kind: K, method: Option<Method>, path_contains: &str) -> Self {
        Self {
            kind,
            method,
            path_contains: path_contains.to_owned(),
            from_ms: None,
            until_ms: None,
            skip: 0,
            times: 1,
        }
    }

    pub(crate) fn span(kind: K, path_contains: &str, from_ms: i64, until_ms: i64) -> Self {
        Self {
            from_ms: Some(from_ms),
            until_ms: Some(until_ms),
            times: u64::MAX,
            ..Self::once(kind, None, path_contains)
        }
    }

    fn matches(&self, now_ms: i64, request: &Request) -> bool {
        self.method.is_none_or(|method| method == request.method)
            && request.path.contains(&self.path_contains)
            && self.from_ms.is_none_or(|from| now_ms >= from)
            && self.until_ms.is_none_or(|until| now_ms < until)
    }
}

/// A fault with the number of matching requests it has seen.
type Seen<K> = (Fault<K>, u64);

/// All faults of a fake, in the order added.
#[derive(Debug)]
pub(crate) struct FaultScript<K> {
    faults: Vec<Seen<K>>,
}

impl<K> Default for FaultScript<K> {
    fn default() -> Self {
        Self { faults: Vec::new() }
    }
}

impl<K: Clone> FaultScript<K> {
    pub(crate) fn add(&mut self, fault: Fault<K>) {
        self.faults.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// The fault that hits this request: the first in the order added. The others count it as seen all the same.
    pub(crate) fn strike(&mut self, now_ms: i64, request: &Request) -> Option<K> {
        let mut struck = None;
        for (fault, seen) in &mut self.faults {
            if !fault.matches(now_ms, request) {
                continue;
            }
            let place = *seen;
            *seen += 1;
            let hit = place >= fault.skip && place - fault.skip < fault.times;
            if hit && struck.is_none() {
                struck = Some(fault.kind.clone());
            }
        }
        struck
    }
}
