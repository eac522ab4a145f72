//! Alerts and advice about the day's limit, as the limiter sees it.

use super::{Dispatcher, Output};
use crate::codes;
use crate::quota::Filling;
use crate::time::Now;

impl Dispatcher {
    /// Tells what changed, and notes when to look again.
    pub(super) fn watch_day(&mut self, now: Now) {
        let told = self.limiter.look(now);
        for filling in told.fillings {
            self.filling(filling);
        }
        if let Some(advised) = told.advised {
            self.outputs.push_back(Output::Advice(advised));
        }
        if let Some(again) = told.again {
            self.wake_at(again);
        }
    }

    /// An alert for a level that is reached, none for one that is left: only the end of all is told.
    fn filling(&mut self, filling: Filling) {
        let Filling {
            window,
            before,
            level,
            spent,
            limit,
        } = filling;
        let code = codes::CRM_DAY_FILLING;
        if level > before {
            let text = format!("{level} % of `{window}` is used: {spent} of {limit}");
            self.outputs.push_back(Output::Alert { code, text });
        } else if level == 0 {
            self.outputs.push_back(Output::AlertOver { code });
        }
    }
}
