//! Who should own which account.
//!
//! Every account has a preferred owner: the live worker with the highest rendezvous hash for it, so that a worker that
//! comes or goes moves only its own share. The preferred owner claims a free account at once, others only after
//! [`CLAIM_GRACE_MS`], so that an account isn't left alone when its preferred owner can't claim it. An owner that is
//! not the preferred one hands over, once the preferred one has been alive for [`SETTLE_MS`].
//!
//! This decides only who tries. What makes an owner is the lease, by compare-and-set in the broker.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::account::AccountId;
use crate::time::Tick;

/// How long an account stands free before someone else than its preferred owner claims it, milliseconds.
pub const CLAIM_GRACE_MS: u64 = 1_500;

/// How long a worker must have been alive before accounts move to it, milliseconds: a worker that restarts in a loop
/// must not take accounts from one that works.
pub const SETTLE_MS: u64 = 10_000;

/// What a worker sees.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Live workers, this one included.
    pub workers: BTreeSet<String>,
    /// Accounts that are configured.
    pub accounts: BTreeSet<AccountId>,
    /// Leases that stand, by account.
    pub leases: BTreeMap<AccountId, String>,
}

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// Claim this account's lease.
    Claim(AccountId),
    /// Finish what is under way and give this account up.
    Release(AccountId),
}

/// Decides for one worker.
#[derive(Debug)]
pub struct Ownership {
    me: String,
    free_since: BTreeMap<AccountId, Tick>,
    alive_since: BTreeMap<String, Tick>,
}

impl Ownership {
    /// For the worker of this id.
    pub fn new(me: impl Into<String>) -> Self {
        Self {
            me: me.into(),
            free_since: BTreeMap::new(),
            alive_since: BTreeMap::new(),
        }
    }

    /// What to try now. `owned` are the accounts this worker holds the lease of.
    pub fn decide(&mut self, now: Tick, view: &View, owned: &BTreeSet<AccountId>) -> Vec<Move> {
        self.alive_since
            .retain(|worker, _| view.workers.contains(worker));
        for worker in &view.workers {
            self.alive_since.entry(worker.clone()).or_insert(now);
        }
        self.free_since.retain(|account, _| {
            view.accounts.contains(account) && !view.leases.contains_key(account)
        });
        let mut moves = Vec::new();
        for account in &view.accounts {
            let preferred = preferred(account, &view.workers);
            let mine = preferred.is_none_or(|worker| *worker == self.me);
            if owned.contains(account) {
                let settled = preferred
                    .and_then(|worker| self.alive_since.get(worker))
                    .is_some_and(|since| now.since_ms(*since) >= SETTLE_MS);
                if !mine && settled {
                    moves.push(Move::Release(account.clone()));
                }
            } else if !view.leases.contains_key(account) {
                let since = *self.free_since.entry(account.clone()).or_insert(now);
                if mine || now.since_ms(since) >= CLAIM_GRACE_MS {
                    moves.push(Move::Claim(account.clone()));
                }
            }
        }
        moves.extend(
            owned
                .iter()
                .filter(|account| !view.accounts.contains(*account))
                .cloned()
                .map(Move::Release),
        );
        moves
    }
}

/// The live worker that should own an account.
pub fn preferred<'a>(account: &AccountId, workers: &'a BTreeSet<String>) -> Option<&'a String> {
    workers
        .iter()
        .max_by_key(|worker| Sha256::digest(format!("{account}\n{worker}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(workers: &[&str], accounts: usize, leases: &[(&str, &str)]) -> View {
        View {
            workers: workers.iter().map(|w| (*w).to_owned()).collect(),
            accounts: (0..accounts)
                .map(|n| format!("a{n}").parse().unwrap())
                .collect(),
            leases: leases
                .iter()
                .map(|(a, w)| (a.parse().unwrap(), (*w).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_free_account_is_claimed_by_its_preferred_owner_at_once_and_by_others_after_a_grace() {
        let view = view(&["w1", "w2"], 20, &[]);
        let (mut one, mut two) = (Ownership::new("w1"), Ownership::new("w2"));
        let none = BTreeSet::new();
        let (first, second) = (
            one.decide(Tick(0), &view, &none),
            two.decide(Tick(0), &view, &none),
        );
        assert_eq!(first.len() + second.len(), 20);
        assert!(!first.is_empty() && !second.is_empty());
        assert_eq!(one.decide(Tick(CLAIM_GRACE_MS), &view, &none).len(), 20);
    }

    #[test]
    fn a_worker_that_joins_gets_only_its_share_and_only_once_it_has_settled() {
        let before = view(&["w1"], 30, &[]);
        let owned = before.accounts.clone();
        let mut one = Ownership::new("w1");
        assert_eq!(one.decide(Tick(0), &before, &owned), Vec::new());
        let after = view(&["w1", "w2"], 30, &[]);
        assert_eq!(one.decide(Tick(1_000), &after, &owned), Vec::new());
        let moves = one.decide(Tick(1_000 + SETTLE_MS), &after, &owned);
        assert!((5..25).contains(&moves.len()), "{}", moves.len());
        for step in &moves {
            let Move::Release(account) = step else {
                panic!("{step:?}")
            };
            assert_eq!(preferred(account, &after.workers).unwrap(), "w2");
        }
    }

    #[test]
    fn an_account_that_is_no_longer_configured_is_released_and_a_leased_one_left_alone() {
        let mut one = Ownership::new("w1");
        let owned = BTreeSet::from(["gone".parse().unwrap()]);
        let view = view(&["w1"], 1, &[("a0", "w2")]);
        assert_eq!(
            one.decide(Tick(0), &view, &owned),
            vec![Move::Release("gone".parse().unwrap())]
        );
    }
}
