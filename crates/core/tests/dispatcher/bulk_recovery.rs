//! Back-fills by jobs amid lost answers, refusals of the interface, crashes and stops: nothing lost, nothing doubled.

use std::cell::Cell;
use std::rc::Rc;

use callflume_core::bulk::{BulkStep, Part};
use callflume_core::codes;
use callflume_core::dispatcher::Input;
use callflume_core::lane::Lane;
use callflume_core::vendor::{AccountSignal, Interpretation, ItemOutcome};
use serde_json::json;

use crate::bulk::{back_fill, enriched_by_key, held, jobs, key_of, row, writes};
use crate::bulk_crm::{BulkTrouble, FakeState, ROWS_MAX};
use crate::crm::{Crm, OwnAsk, POISON, phone};
use crate::events::note;
use crate::world::{Fate, World};

/// Steps of a job, in the order they come.
const STEPS: [BulkStep; 6] = [
    BulkStep::Create,
    BulkStep::Upload,
    BulkStep::Close,
    BulkStep::Poll,
    BulkStep::Results(Part::Successful),
    BulkStep::Results(Part::Failed),
];

#[test]
fn a_lost_request_or_answer_at_any_step_loses_and_doubles_nothing() {
    for (step, fate) in STEPS.into_iter().flat_map(|step| {
        [Fate::LostBefore, Fate::LostAfter, Fate::NotSent].map(|fate| (step, fate))
    }) {
        let mut world = World::with_bulk();
        world.crm.bulk_trouble.tells_no_counts = true;
        let (mut times, wanted) = (0, fate.clone());
        world.bulk_fates = Box::new(move |ask| {
            if ask.step() == step && times < 2 {
                times += 1;
                return wanted.clone();
            }
            Fate::Served
        });
        back_fill(&mut world, 0..ROWS_MAX);
        world.run_until_settled();
        world.run_for(120_000);
        let name = format!("{step:?} {fate:?}");
        assert!(
            writes(&world.crm).values().all(|count| *count == 1),
            "{name}"
        );
        assert_eq!(world.crm.people.len(), ROWS_MAX, "{name}");
        assert_eq!(world.crm.executed, [], "{name}");
        assert_eq!((world.dead.len(), &world.bulk), (0, &None), "{name}");
        let complete = jobs(&world)
            .iter()
            .filter(|job| job.0 == FakeState::Complete)
            .count();
        assert_eq!(complete, 1, "{name}");
    }
}

#[test]
fn uploads_that_never_arrive_end_in_ordinary_requests() {
    let mut world = World::with_bulk();
    world.bulk_fates = Box::new(|ask| match ask {
        OwnAsk::Upload(..) => Fate::LostAfter,
        _ => Fate::Served,
    });
    back_fill(&mut world, 0..ROWS_MAX);
    world.run_until_settled();
    assert!(writes(&world.crm).values().all(|count| *count == 1));
    assert_eq!(world.alerts, [codes::CRM_NO_BULK]);
    assert_eq!(world.crm.people.len(), ROWS_MAX);
    assert!(
        jobs(&world)
            .iter()
            .all(|job| matches!(job.0, FakeState::Aborted | FakeState::Open))
    );
    assert_eq!(world.bulk_saves, 0);
}

#[test]
fn trouble_with_jobs_ends_in_ordinary_requests_and_the_next_back_fill_tries_again() {
    type Case = (&'static str, fn(&mut BulkTrouble), bool);
    const CASES: [Case; 5] = [
        ("no job", |it| it.refuses = true, true),
        ("no table", |it| it.refuses_tables = true, true),
        ("fails", |it| it.fails_after = Some(17), false),
        ("fails at once", |it| it.fails_after = Some(0), false),
        ("forgotten", |it| it.forgets = true, false),
    ];
    for (name, break_it, alerts) in CASES {
        let mut world = World::with_bulk();
        break_it(&mut world.crm.bulk_trouble);
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        world.bulk_fates = Box::new(move |ask| {
            if ask.step() == BulkStep::Results(Part::Unprocessed) {
                count.set(count.get() + 1);
            }
            Fate::Served
        });
        back_fill(&mut world, 0..ROWS_MAX);
        world.run_until_settled();
        world.run_for(1_000);
        assert_eq!(world.crm.people.len(), ROWS_MAX, "{name}");
        assert_eq!((world.dead.len(), &world.bulk), (0, &None), "{name}");
        assert_eq!(world.alerts.contains(&codes::CRM_NO_BULK), alerts, "{name}");
        if name != "forgotten" {
            assert!(
                writes(&world.crm).values().all(|count| *count == 1),
                "{name}"
            );
        }
        assert!(!world.crm.executed.is_empty(), "{name}");
        let fails = name.starts_with("fails");
        assert_eq!(
            asked.get(),
            u32::from(fails),
            "{name}: what was left is asked for"
        );
        world.crm.bulk_trouble = BulkTrouble::default();
        let before = jobs(&world).len();
        back_fill(&mut world, 1_000..1_000 + ROWS_MAX);
        world.run_until_settled();
        assert_eq!(jobs(&world).len(), before, "{name}: not so soon");
        world.run_for(3_600_000);
        back_fill(&mut world, 2_000..2_000 + ROWS_MAX);
        world.run_until_settled();
        assert_eq!(jobs(&world).len(), before + 1, "{name}");
        assert_eq!(world.over.contains(&codes::CRM_NO_BULK), alerts, "{name}");
    }
}

#[test]
fn results_that_can_not_be_read_are_fetched_again_and_in_the_end_the_rows_are_written_again() {
    for (garbled, repeated) in [(2, false), (100, true)] {
        let mut world = World::with_bulk();
        world.crm.bulk_trouble.garbled = garbled;
        back_fill(&mut world, 0..ROWS_MAX);
        world.run_until_settled();
        let expect = if repeated { 2 } else { 1 };
        assert!(
            writes(&world.crm).values().all(|count| *count == expect),
            "{garbled}"
        );
        assert_eq!(world.crm.people.len(), ROWS_MAX);
        assert_eq!(world.dead, []);
    }
}

#[test]
fn limits_and_credentials_stop_a_job_at_any_step_and_it_goes_on() {
    let signals = [
        AccountSignal::Throttled {
            window: "ten_secondly",
            wait_ms: Some(3_000),
        },
        AccountSignal::DayExhausted,
        AccountSignal::CredentialRefused,
        AccountSignal::Busy { wait_ms: 20_000 },
    ];
    let said = signals.map(|account| {
        Fate::Answered(Interpretation {
            account,
            items: Vec::new(),
            next_page: None,
        })
    });
    let fates: Vec<Fate> = said
        .into_iter()
        .chain([
            Fate::Unauthorized(true, None),
            Fate::Unauthorized(false, None),
            Fate::Unauthorized(false, Some(codes::CRM_GRANT)),
        ])
        .collect();
    for (step, fate) in STEPS
        .into_iter()
        .flat_map(|step| fates.iter().map(move |fate| (step, fate)))
    {
        let mut world = World::with_bulk();
        world.crm.bulk_trouble.tells_no_counts = true;
        let mut wanted = Some(fate.clone());
        world.bulk_fates = Box::new(move |ask| {
            let now = wanted.take_if(|_| ask.step() == step);
            now.unwrap_or(Fate::Served)
        });
        back_fill(&mut world, 0..ROWS_MAX);
        world.run_until(48 * 3_600_000, World::is_settled);
        let name = format!("{step:?} {fate:?}");
        assert_eq!(jobs(&world), [(FakeState::Complete, ROWS_MAX)], "{name}");
        assert!(
            writes(&world.crm).values().all(|count| *count == 1),
            "{name}"
        );
        assert_eq!(
            (world.dead.len(), world.crm.executed.len()),
            (0, 0),
            "{name}"
        );
    }
}

/// A back-fill with everything in it: refused rows, several events of a person, a call's note.
fn script(world: &mut World) {
    for n in 0..ROWS_MAX + 5 {
        world.publish(Lane::En, &row(n, 0, if n == 7 { POISON } else { "t" }));
    }
    world.publish(
        Lane::En,
        &enriched_by_key(1, 1_000, json!({"note": "newer"})),
    );
    world.publish(Lane::En, &note("c", &phone(1), "hello"));
}

#[test]
fn a_crash_at_any_point_loses_and_doubles_nothing_and_resumes_the_job() {
    let mut whole = World::with_bulk();
    script(&mut whole);
    whole.run_until_settled();
    whole.run_for(5_000);
    let outputs = whole.outputs;
    assert!(outputs > 150, "{outputs}");
    let mut resumed = 0;
    for crash_at in 0..outputs {
        for (network_too, lossy) in [(false, false), (true, false), (true, true)] {
            let mut world = World::with_bulk();
            let mut count = 0;
            world.bulk_fates = Box::new(move |_| {
                count += 1;
                match count % 5 {
                    3 if lossy => Fate::LostAfter,
                    4 if lossy => Fate::LostBefore,
                    _ => Fate::Served,
                }
            });
            script(&mut world);
            let until_ms = world.now_ms + 600_000;
            while world.outputs < crash_at && world.step(until_ms) {}
            let at_work = world.bulk.is_some();
            let made = world.crm.bulk_jobs.len();
            world.crash(network_too);
            world.run_for(6_000);
            world.take_over();
            world.run_until_settled();
            world.run_for(130_000);
            let name = format!("crash at {crash_at}, network {network_too}, lossy {lossy}");
            assert_eq!(held(&world.crm), held(&whole.crm), "{name}");
            assert!(
                (1..=2).contains(&world.dead.len()),
                "{name}: {:?}",
                world.dead
            );
            assert_eq!(world.bulk, None, "{name}");
            assert_eq!(ends(&world), ends(&whole), "{name}");
            // What a request had written when the owner died before recording it is written again, as ever; rows never.
            for (key, count) in writes(&world.crm) {
                let once = !by_job(&world.crm, &key) || key == key_of(1);
                assert!(once || count == 1, "{name}: {key} {count} times");
            }
            if at_work && !lossy {
                resumed += 1;
                assert_eq!(world.crm.bulk_jobs.len(), made, "{name}: the job goes on");
            }
        }
    }
    assert!(resumed > 50, "{resumed}");
}

/// Whether a job wrote this person.
fn by_job(crm: &Crm, key: &str) -> bool {
    crm.bulk_jobs.iter().any(|job| {
        let items = job.operation.iter().flat_map(|it| &it.items);
        let mut rows = items.zip(&job.outcomes);
        rows.any(|(item, outcome)| item.key == key && matches!(outcome, ItemOutcome::Done { .. }))
    })
}

#[test]
fn a_successor_that_hears_the_results_before_it_has_read_the_events_keeps_them() {
    // More rows than are taken in at a time; and events that can't be read for a while.
    for (rows, fail_loads) in [(400, 0), (50, 500)] {
        let mut world = World::with_jobs_of(rows);
        back_fill(&mut world, 0..rows);
        world.run_until(60_000, |world| world.bulk.is_some());
        world.run_for(100);
        world.crash(true);
        world.run_for(10_000);
        world.fail_loads = fail_loads;
        world.take_over();
        world.run_until_settled();
        world.run_for(1_000);
        assert_eq!(
            world.crm.executed,
            [],
            "{rows} rows: nothing is written again"
        );
        assert_eq!(writes(&world.crm).len(), rows);
        assert_eq!((world.dead.len(), &world.bulk), (0, &None));
    }
}

#[test]
fn a_manifest_stays_while_its_events_may_still_come() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..ROWS_MAX);
    world.run_until(60_000, |world| world.bulk.is_some());
    world.run_for(100);
    world.crash(true);
    world.run_for(10_000);
    let all = 1..=ROWS_MAX as u64;
    world.lose_deliveries.extend(all.map(|seq| (Lane::En, seq)));
    world.take_over();
    world.run_for(5_000);
    assert!(world.bulk.is_some(), "none of its events has been seen");
    // Only another one shows that they got lost.
    back_fill(&mut world, 1_000..1_001);
    world.run_until_settled();
    world.run_for(1_000);
    assert!(writes(&world.crm).values().all(|count| *count == 1));
    assert_eq!((world.crm.people.len(), &world.bulk), (ROWS_MAX + 1, &None));
}

/// Effects that have ended.
fn ends(world: &World) -> usize {
    world.ledger.keys().filter(|key| !key.contains('-')).count()
}

#[test]
fn stores_that_fail_hold_the_job_up_and_nothing_else() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..ROWS_MAX);
    world.run_until(60_000, |world| {
        world
            .crm
            .bulk_jobs
            .first()
            .is_some_and(|job| job.operation.is_some())
    });
    world.refuse_stores = 20;
    world.run_for(2_000);
    assert_eq!(
        jobs(&world),
        [(FakeState::Open, ROWS_MAX)],
        "not closed without a manifest"
    );
    world.run_until_settled();
    assert!(writes(&world.crm).values().all(|count| *count == 1));
}

#[test]
fn a_stop_waits_for_no_job_and_the_successor_goes_on_with_it() {
    for step in STEPS {
        let mut world = World::with_bulk();
        world.crm.bulk_trouble.tells_no_counts = true;
        let seen = Rc::new(Cell::new(false));
        let mark = Rc::clone(&seen);
        world.bulk_fates = Box::new(move |ask| {
            mark.set(mark.get() || ask.step() == step);
            Fate::Served
        });
        back_fill(&mut world, 0..ROWS_MAX);
        world.run_until(120_000, |_| seen.get());
        world.handle(Input::Stop);
        world.run_for(1_000);
        assert!(world.stopped, "{step:?}");
        let at_work = world.bulk.is_some();
        assert_eq!(
            at_work,
            !matches!(step, BulkStep::Create | BulkStep::Upload),
            "{step:?}"
        );
        world.crash(false);
        world.take_over();
        world.run_until_settled();
        world.run_for(1_000);
        let complete = jobs(&world)
            .iter()
            .filter(|job| job.0 == FakeState::Complete)
            .count();
        assert_eq!(complete, 1, "{step:?}");
        assert!(
            writes(&world.crm).values().all(|count| *count == 1),
            "{step:?}"
        );
        assert_eq!(
            (world.crm.people.len(), world.bulk.is_none()),
            (ROWS_MAX, true),
            "{step:?}"
        );
    }
}

#[test]
fn a_manifest_of_a_stream_that_is_gone_does_not_stay_in_the_way() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..ROWS_MAX);
    world.run_until(60_000, |world| world.bulk.is_some());
    world.crash(true);
    world.streams[Lane::En as usize].clear();
    world.floors[Lane::En as usize] = 0;
    world.take_over();
    back_fill(&mut world, 500..505);
    world.run_for(60_000);
    assert!(world.is_settled());
    assert_eq!(world.bulk, None);
}
