//! Who owns what, in scenario J: heartbeats, leases, and core's `Ownership` in each worker.
//!
//! A killed worker's leases and heartbeat stand until they run out; one that ends in order gives both up.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::account::AccountId;
use callflume_core::ownership::{Move, View};

use super::scenarios::LEASE_S;
use super::world::{Happening, World};
use super::{MS_US, SECOND_US};

/// How often a worker looks.
const LOOK_US: u64 = 250 * MS_US;

impl World<'_> {
    pub(super) fn begin_fleet(&mut self, grow_us: u64, shrink_us: u64) {
        for worker in 0..self.workers.len() {
            let at_us = if worker == 0 { 0 } else { grow_us };
            self.at(at_us, Happening::Join { worker });
            // The first stays; of those that go, one is killed.
            if worker > 0 {
                let killed = worker == 1;
                self.at(shrink_us, Happening::Leave { worker, killed });
            }
        }
    }

    pub(super) fn join(&mut self, worker: usize) {
        if let Some(this) = self.workers.get_mut(worker) {
            this.alive = true;
            this.seen = true;
        }
        // Looks of different workers fall on different instants.
        let at_us = self.now_us + self.rng.below(LOOK_US);
        self.at(at_us, Happening::Look { worker });
    }

    pub(super) fn leave(&mut self, worker: usize, killed: bool) {
        let owned: Vec<usize> = (0..self.accounts.len())
            .filter(|account| self.accounts[*account].lease == Some(worker))
            .collect();
        if let Some(this) = self.workers.get_mut(worker) {
            this.leaving = true;
            this.seen = killed;
            this.alive = !killed;
        }
        if killed {
            let ends_us = self.now_us + LEASE_S * SECOND_US;
            self.at(ends_us, Happening::HeartbeatEnds { worker });
            for account in owned {
                self.kill(account);
                let life = self.accounts[account].life;
                self.at(ends_us, Happening::LeaseEnds { account, life });
            }
        } else {
            for account in owned {
                self.stop(account);
            }
        }
    }

    pub(super) fn look(&mut self, worker: usize) {
        let now = self.worker_now(worker);
        let Some(this) = self.workers.get(worker) else {
            return;
        };
        if !this.alive || this.leaving {
            return;
        }
        let view = View {
            workers: (0..self.workers.len())
                .filter(|other| self.workers[*other].seen)
                .map(name)
                .collect(),
            accounts: self.works.iter().map(|work| work.account.clone()).collect(),
            leases: self
                .works
                .iter()
                .zip(&self.accounts)
                .filter_map(|(work, account)| Some((work.account.clone(), name(account.lease?))))
                .collect(),
        };
        let owned: BTreeSet<AccountId> = self
            .works
            .iter()
            .zip(&self.accounts)
            .filter(|(_, account)| account.lease == Some(worker) && account.run.is_some())
            .map(|(work, _)| work.account.clone())
            .collect();
        let places: BTreeMap<AccountId, usize> = self
            .works
            .iter()
            .enumerate()
            .map(|(place, work)| (work.account.clone(), place))
            .collect();
        let moves = self.workers[worker]
            .ownership
            .decide(now.tick, &view, &owned);
        for step in moves {
            match step {
                Move::Claim(account) => {
                    if let Some(&account) = places.get(&account)
                        && self.accounts[account].lease.is_none()
                    {
                        self.accounts[account].lease = Some(worker);
                        let at_us = self.now_us + self.broker_us();
                        self.at(at_us, Happening::Start { account, worker });
                    }
                }
                Move::Release(account) => {
                    if let Some(&account) = places.get(&account) {
                        self.stop(account);
                    }
                }
            }
        }
        self.at(self.now_us + LOOK_US, Happening::Look { worker });
    }
}

/// Name of the worker of this number.
pub(super) fn name(worker: usize) -> String {
    format!("w{worker}")
}
