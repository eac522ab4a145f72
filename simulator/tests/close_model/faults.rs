//! Scripted faults: carried out or not, told or not.

use callflume_sim::close::{Fault, FaultKind};
use callflume_sim::fakes::{Deliver, Method};
use serde_json::json;

use crate::{NOON_MS, get, organisation, post};

#[test]
fn every_fault_is_carried_out_or_not_and_told_as_scripted() {
    for (kind, executed, status, deliver) in [
        (
            FaultKind::ExecuteThenStatus(502),
            true,
            502,
            Deliver::Normal,
        ),
        (FaultKind::ExecuteThenDrop, true, 200, Deliver::Drop),
        (FaultKind::ExecuteThenTruncate, true, 200, Deliver::Normal),
        (FaultKind::ExecuteThenHtml, true, 200, Deliver::Normal),
        (FaultKind::ExecuteSlowly(9_000), true, 200, Deliver::Normal),
        (FaultKind::DropWithoutExecuting, false, 500, Deliver::Drop),
        (
            FaultKind::StatusWithoutExecuting(503),
            false,
            503,
            Deliver::Normal,
        ),
        (FaultKind::Throttled, false, 429, Deliver::Normal),
        (FaultKind::PaymentRequired, false, 402, Deliver::Normal),
    ] {
        let mut crm = organisation();
        crm.add_fault(Fault::next(kind.clone(), Method::Post, "/lead/"));
        get(&mut crm, NOON_MS, "/lead/");
        let reply = post(&mut crm, NOON_MS, "/lead/", &json!({"name": "x"}));
        assert_eq!((reply.status, reply.deliver), (status, deliver), "{kind:?}");
        assert_eq!(crm.writes().len(), usize::from(executed), "{kind:?}");
        let audit = crm.requests().last().unwrap();
        assert_eq!(
            (audit.executed, audit.faulted, audit.status),
            (executed, true, status),
            "{kind:?}"
        );
        if kind == FaultKind::Throttled {
            assert!(reply.header("RateLimit").unwrap().contains("remaining=0"));
        }
        assert_eq!(
            reply.extra_delay_ms,
            if kind == FaultKind::ExecuteSlowly(9_000) {
                9_000
            } else {
                0
            }
        );
        assert_eq!(
            post(&mut crm, NOON_MS, "/lead/", &json!({"name": "y"})).status,
            200,
            "only the next"
        );
    }
}

#[test]
fn an_outage_hits_everything_in_its_time() {
    let mut crm = organisation();
    crm.add_fault(Fault::during(
        FaultKind::StatusWithoutExecuting(504),
        NOON_MS + 10,
        NOON_MS + 20,
    ));
    for (at_ms, status) in [(9, 200), (10, 504), (19, 504), (20, 200)] {
        let reply = get(&mut crm, NOON_MS + at_ms, "/me/");
        assert_eq!(reply.status, status);
        if status == 504 {
            assert_eq!(reply.body_json(), None, "a page, not JSON");
        }
    }
}
