//! Look-ups whose answer is a page of strangers: the next page is asked for, each with a permit of its own.
//!
//! | answer to a look-up | then |
//! | --- | --- |
//! | not here, with a mark | the page after the mark; the [`PAGES_MAX`]th such page: unknown |
//! | not executed, without a mark | the same page again |
//! | anything else | over; what begins anew begins with the first page |
//!
//! Invariants: nobody is absent because a page was; a look-up that goes on shares no operation, for a mark is good for
//! one query only. Where a look-up has got to is kept in memory alone: a successor begins with the first page, and nothing
//! was written that it could double.

use super::Dispatcher;
use super::state::JobId;
use crate::vendor::{Interpretation, ItemOutcome, Verb};

/// Pages of strangers that one look-up reads. Of Pipedrive's these are 10,000 persons for 400 of the day's tokens, of the
/// other CRMs 2,000 to 40,000: so many who are alike are not told apart by reading on, and a CRM whose marks never end
/// must not take every search there is.
pub const PAGES_MAX: u32 = 20;

impl Dispatcher {
    /// Notes where the only job of a request goes on, if its answer says so.
    pub(super) fn go_on(&mut self, jobs: &[JobId], meaning: &mut Interpretation) {
        let ([id], [outcome]) = (jobs, meaning.items.as_mut_slice()) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        let next = meaning.next_page.take();
        if job.verb == Verb::Probe {
            // Not found so far. A probe ends: it reads what one contact has, or the newest.
            if next.is_some() {
                job.page_after = next;
            }
            return;
        }
        match (next, &outcome) {
            (Some(next), ItemOutcome::NotExecuted) => {
                job.pages += 1;
                if job.pages < PAGES_MAX {
                    job.page_after = Some(next);
                    return;
                }
                *outcome = ItemOutcome::Unknown;
            }
            (None, ItemOutcome::NotExecuted) => return,
            _ => {}
        }
        job.page_after = None;
        job.pages = 0;
    }
}
