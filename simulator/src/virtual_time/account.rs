//! Accounts of a world: what they are made of, what becomes of them.

use callflume_core::account::AccountId;
use callflume_core::dispatcher::Setup;
use callflume_core::lane::Lane;

use crate::oracle::Published;
use crate::traffic::{Dialler, Plan};

/// One account of a world: what its dispatcher is made of, its traffic, its CRM.
pub struct AccountSetup<C> {
    /// The account. Floors and journal in it are not looked at: they are what the world's broker holds.
    pub setup: Setup,
    /// What is published.
    pub plan: Plan,
    /// The CRM, set up and seeded.
    pub crm: C,
}

/// What came of one account.
#[derive(Debug)]
pub struct AccountRun<C> {
    /// What was to be published.
    pub plan: Plan,
    /// What publishers were told, per publication.
    pub published: Vec<Published>,
    /// The CRM at the end.
    pub crm: C,
    /// Ids of events with dead letters.
    pub dead: Vec<String>,
    /// How long it had no owner, milliseconds, for each time it changed hands.
    pub unowned_ms: Vec<u64>,
    /// Times that a new owner began while another one still worked.
    pub overlaps: u64,
    /// Outbound calls that the dialler did not place; the plan is without them.
    pub not_dialled: u64,
}

/// An account of the world.
pub(super) struct Account<C> {
    pub(super) id: AccountId,
    pub(super) setup: Setup,
    pub(super) plan: Plan,
    pub(super) crm: C,
    pub(super) consumers: [String; 2],
    filters: [String; 2],
    /// When each consumer is served the next time, where that is planned.
    pub(super) served_at: [Option<u64>; 2],
    pub(super) published: Vec<Published>,
    pub(super) next_event: usize,
    pub(super) dialler: Dialler,
    pub(super) dead: Vec<String>,
    pub(super) unowned_since: Option<u64>,
    pub(super) unowned_ms: Vec<u64>,
    pub(super) overlaps: u64,
    pub(super) killed_ms: Option<u64>,
}

impl<C> Account<C> {
    pub(super) fn new(given: AccountSetup<C>) -> Self {
        let id = given.setup.account.clone();
        Self {
            consumers: Lane::ALL.map(|lane| lane.consumer(&id)),
            filters: Lane::ALL.map(|lane| lane.filter(&id)),
            id,
            dialler: Dialler::new(&given.plan),
            setup: given.setup,
            plan: given.plan,
            crm: given.crm,
            served_at: [None; 2],
            published: Vec::new(),
            next_event: 0,
            dead: Vec::new(),
            unowned_since: None,
            unowned_ms: Vec::new(),
            overlaps: 0,
            killed_ms: None,
        }
    }

    pub(super) fn ended(self) -> AccountRun<C> {
        let (plan, published) = self.dialler.carried_out(self.plan, self.published);
        AccountRun {
            plan,
            published,
            crm: self.crm,
            dead: self.dead,
            unowned_ms: self.unowned_ms,
            overlaps: self.overlaps,
            not_dialled: self.dialler.not_dialled().len() as u64,
        }
    }

    /// Its lane's consumer, for the broker.
    pub(super) fn consumer(&self, lane: Lane) -> (&'static str, &str) {
        (lane.stream(), &self.consumers[lane as usize])
    }

    pub(super) fn filter(&self, lane: Lane) -> &str {
        &self.filters[lane as usize]
    }
}
