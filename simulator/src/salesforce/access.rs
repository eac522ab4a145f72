//! Sessions: which access tokens are good, until when, and whose they are.

use std::collections::BTreeMap;

use crate::fakes::Request;

/// A session as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Place of its user.
    pub(super) user: usize,
    /// From when on it is refused.
    pub(super) until_ms: i64,
}

/// Every session by its token.
#[derive(Debug, Default)]
pub(super) struct Access(BTreeMap<String, Standing>);

impl Access {
    /// Takes a session in; the one that had its token before.
    pub(super) fn set(&mut self, token: &str, standing: Standing) -> Option<Standing> {
        self.0.insert(token.to_owned(), standing)
    }

    /// Lets a session be good until an instant. `false` when there is none.
    pub(super) fn end(&mut self, token: &str, at_ms: i64) -> bool {
        let held = self.0.get_mut(token);
        held.map(|standing| standing.until_ms = at_ms).is_some()
    }

    /// Ends every session.
    pub(super) fn end_all(&mut self, at_ms: i64) {
        for standing in self.0.values_mut() {
            standing.until_ms = standing.until_ms.min(at_ms);
        }
    }

    /// The place of the user whose session a request carries.
    pub(super) fn user(&self, now_ms: i64, request: &Request) -> Option<usize> {
        let (scheme, token) = request.header("authorization")?.split_once(' ')?;
        // Older clients send the token under the scheme `OAuth`.
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth");
        let standing = self.0.get(token.trim()).filter(|_| known)?;
        (now_ms < standing.until_ms).then_some(standing.user)
    }
}
