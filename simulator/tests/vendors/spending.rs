//! What requests were spent on is told from what they left.

use callflume_sim::fakes::VENDORS;
use callflume_sim::oracle::{Cost, Spend};

use crate::writer::Run;

#[test]
fn every_request_is_counted_once_and_only_pipedrives_have_a_price() {
    for vendor in VENDORS {
        let run = Run::written(vendor);
        let judgement = run.judge();
        let spend = judgement.spend;
        assert_eq!(spend.total().requests, judgement.requests, "{vendor}");
        assert_eq!(spend.total().tokens > 0, vendor == "pipedrive");
        // Nothing but the reading of what was there, and writes of the plan.
        assert!(spend.look_ups.requests > 0, "{vendor}");
        assert_eq!(spend.other, Cost::default(), "{vendor}");
    }
}

#[test]
fn a_request_is_of_the_lane_whose_values_it_carried() {
    for vendor in VENDORS {
        let spend_of = |kinds: &[&str]| {
            let mut run = Run::new(vendor);
            let before = run.judge().spend;
            let indexes: Vec<usize> = run
                .plan
                .all()
                .filter(|event| kinds.contains(&event.event.kind.as_str()))
                .map(|event| event.index)
                .collect();
            run.write(&indexes);
            let after = run.judge().spend;
            assert_eq!(before.op, Cost::default());
            assert_eq!(after.look_ups, before.look_ups, "{vendor} {kinds:?}");
            assert_eq!(after.other, before.other, "{vendor} {kinds:?}");
            (indexes.len() as u64, after)
        };
        let (_, operational) = spend_of(&["call_ended", "task_created", "deal_stage_changed"]);
        assert_eq!(operational.en, Cost::default(), "{vendor}");
        let (tasks, Spend { op, .. }) = spend_of(&["task_created"]);
        assert!(op.requests >= tasks, "{vendor}");

        let (calls, ended) = spend_of(&["call_ended"]);
        let (all, both) = spend_of(&["call_ended", "note_added", "recording_ready"]);
        assert_eq!(both.op, ended.op, "{vendor}");
        assert_eq!(both.en.requests, all - calls, "{vendor}");
        if vendor == "pipedrive" {
            // A note costs ten, the link to a recording five.
            assert!(
                both.en.tokens > 5 * both.en.requests && both.en.tokens < 10 * both.en.requests
            );
        }
    }
}
