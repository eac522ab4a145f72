//! What is said of an owned account: its numbers, and the alerts that stand.

use std::collections::BTreeMap;

use callflume_core::codes::{self, Code};
use callflume_core::dispatcher::Counters;

use super::Task;
use crate::status::AccountStatus;

/// Alerts about the renewal of access tokens: over when that works again.
const OF_RENEWALS: [Code; 4] = [
    codes::CRM_GRANT,
    codes::CRM_GRANT_LOST,
    codes::CRM_GRANT_LATE,
    codes::TOKEN_KEY,
];

impl Task {
    pub(super) fn tell_status(&mut self) {
        let counters: Counters = self.dispatcher.counters();
        let [resident_op, resident_en] = self.dispatcher.resident();
        let windows = self
            .dispatcher
            .usage(self.shared.now())
            .into_iter()
            .map(|(name, used, limit)| (name.to_owned(), used, limit))
            .collect();
        let alerts = self.standing_alerts();
        self.status.send_replace(Some(AccountStatus {
            account: self.account.clone(),
            resident_op,
            resident_en,
            requests: counters.requests,
            throttled: counters.throttled,
            lent: counters.lent,
            done: counters.done,
            merged: counters.merged,
            superseded: counters.superseded,
            expired: counters.expired,
            owners_unknown: counters.owners_unknown,
            dead: counters.dead,
            settled: counters.settled,
            warmed: counters.warmed,
            warming: counters.warming > 0,
            windows,
            alert: (!alerts.is_empty()).then(|| {
                alerts
                    .iter()
                    .map(|(code, text)| format!("{code}: {text}"))
                    .collect::<Vec<_>>()
                    .join("; ")
            }),
            advice: Some(self.advertiser.message().clone()),
        }));
    }

    /// What the dispatcher told, and how the credential stands now: trouble with that is over as soon as it is.
    fn standing_alerts(&mut self) -> BTreeMap<Code, String> {
        let credential = self.credential.standing();
        if credential.is_none() {
            self.alerts.retain(|code, _| !OF_RENEWALS.contains(code));
        }
        let mut alerts = self.alerts.clone();
        alerts.extend(credential);
        alerts
    }
}
