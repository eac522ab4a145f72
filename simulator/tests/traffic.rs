//! The traffic: reproducible, in steady state from the start, shaped like the data it was made from.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::effect::Object;
use callflume_core::event::{ContactRef, ContentType, KINDS, encode};
use callflume_core::lane::Lane;
use callflume_core::plan::default_effects;
use callflume_sim::hubspot::{HubSpot, SeededContact};
use callflume_sim::scenario::Scenario;
use callflume_sim::traffic::{DurationLaw, Expectation, Plan, PlanError, profile};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const START_MS: i64 = 1_781_524_800_000;

fn scenario(text: &str) -> Scenario {
    let text = format!("name = \"x\"\n{text}");
    Scenario::parse(&text, "x.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn known(scenario: &Scenario) -> Vec<ContactRef> {
    seeded(scenario).iter().map(SeededContact::named).collect()
}

fn seeded(scenario: &Scenario) -> Vec<SeededContact> {
    HubSpot::new(scenario.hubspot_config())
        .unwrap()
        .seed_contacts(scenario.crm.contacts, scenario.seed)
        .unwrap()
}

fn plan_at(scenario: &Scenario, start_ms: i64) -> Plan {
    let account = "acme".parse().unwrap();
    Plan::generate(scenario, &account, start_ms, &known(scenario)).unwrap()
}

fn plan(scenario: &Scenario) -> Plan {
    plan_at(scenario, START_MS)
}

fn main_scenario() -> Scenario {
    scenario(
        "seed = 200\nduration_s = 300\n[calls]\nconcurrent = 200\n[crm]\ncontacts = 1000\n[backlog]\nenrichment = 500\n",
    )
}

fn bytes(plan: &Plan) -> Vec<u8> {
    plan.all()
        .flat_map(|event| encode(&event.event, ContentType::MessagePack).unwrap())
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let scenario = main_scenario();
    let (first, second) = (plan(&scenario), plan(&scenario));
    assert_eq!(bytes(&first), bytes(&second));
    assert_eq!(first, second);
    let other = plan(&Scenario {
        seed: 201,
        ..scenario
    });
    assert_ne!(first.digest(), other.digest());
}

#[test]
fn the_digest_says_what_was_sent_and_not_when() {
    let scenario = main_scenario();
    let (first, later) = (plan(&scenario), plan_at(&scenario, START_MS + 86_400_000));
    assert_eq!(first.digest(), later.digest());
    assert_ne!(bytes(&first), bytes(&later));
    let mut changed = first.clone();
    changed.events[7].at_ms += 1;
    assert_ne!(first.digest(), changed.digest());
}

#[test]
fn the_steady_state_stands_from_the_first_millisecond() {
    for seed in 0..5 {
        let plan = plan(&Scenario {
            seed,
            ..main_scenario()
        });
        assert_eq!(plan.concurrent_at(0), 210);
        assert!(plan.peak_concurrent() >= 210);
        // The mean of a Poisson number around 210 over independent moments (calls last 3 minutes); 10 standard errors.
        let means: Vec<usize> = (0..10).map(|at| plan.concurrent_at(at * 30_000)).collect();
        let mean = means.iter().sum::<usize>() as f64 / 10.0;
        assert!((150.0..270.0).contains(&mean), "{mean}");
        // Little's law: 1.13 calls a second.
        let begun = plan.calls.iter().filter(|call| call.start_ms >= 0).count();
        assert!((240..440).contains(&begun), "{begun}");
    }
}

#[test]
fn calls_in_progress_end_as_often_in_the_first_minute_as_in_the_last() {
    let plan = plan(&main_scenario());
    let ended = |from_ms: i64, to_ms: i64| {
        plan.calls
            .iter()
            .filter(|call| (from_ms..to_ms).contains(&call.end_ms))
            .count()
    };
    // 68 a minute on average; without residual durations the first minute would have a third of the last.
    for minute in 0..5 {
        let count = ended(minute * 60_000, (minute + 1) * 60_000);
        assert!((35..110).contains(&count), "minute {minute}: {count}");
    }
}

#[test]
fn lengths_have_the_mean_the_law_says_and_those_in_progress_are_longer() {
    for text in [
        "\"support\"",
        "\"outbound\"",
        "{ mu = 5.0, sigma = 1.2, max_s = 400 }",
    ] {
        for compress in [1.0, 20.0] {
            let scenario = scenario(&format!(
                "seed = 1\nduration_s = 1\n[calls]\nconcurrent = 1\ncompress = {compress}\ndurations = {text}\n"
            ));
            let law = DurationLaw::new(&scenario.calls).unwrap();
            let mut draw = ChaCha8Rng::seed_from_u64(3);
            let draws = 40_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..draws {
                let (length_ms, _) = law.call(&mut draw);
                sum += length_ms;
                squares += length_ms * length_ms;
            }
            let mean = sum / f64::from(draws);
            assert!(
                (mean / law.mean_ms() - 1.0).abs() < 0.03,
                "{text} {mean} {}",
                law.mean_ms()
            );
            // The mean residual of a renewal process is E[X²] / 2 E[X].
            let residual = squares / sum / 2.0;
            let drawn: f64 = (0..draws)
                .map(|_| law.in_progress(&mut draw).residual_ms)
                .sum();
            let drawn = drawn / f64::from(draws);
            assert!(
                (drawn / residual - 1.0).abs() < 0.1,
                "{text} {drawn} {residual}"
            );
        }
    }
}

#[test]
fn events_are_in_order_and_within_the_run() {
    let plan = plan(&main_scenario());
    for (place, event) in plan.all().enumerate() {
        assert_eq!(event.index, place);
        assert_eq!(plan.get(place), Some(event));
        assert_eq!(event.event.at.0, START_MS + event.at_ms);
    }
    assert_eq!(plan.get(plan.len()), None);
    assert!(
        plan.backlog
            .iter()
            .all(|event| event.at_ms < 0 && event.lane == Lane::En)
    );
    assert!(
        plan.events
            .windows(2)
            .all(|pair| pair[0].at_ms <= pair[1].at_ms)
    );
    let mut last: BTreeMap<usize, (i64, bool)> = BTreeMap::new();
    for event in &plan.events {
        assert!((0..=plan.duration_ms).contains(&event.at_ms));
        let call_index = event.call_index.unwrap();
        let call = &plan.calls[call_index];
        assert_eq!(event.event.call_id, call.call_id);
        let (last_ms, ended) = last.entry(call_index).or_insert((i64::MIN, false));
        assert!(event.at_ms > *last_ms, "times of a call rise");
        *last_ms = event.at_ms;
        match event.event.kind.as_str() {
            "call_started" => assert_eq!(event.at_ms, call.start_ms),
            "call_ended" => *ended = true,
            _ => assert_eq!(*ended, event.lane == Lane::En, "{}", event.event.kind),
        }
    }
}

#[test]
fn ids_are_unique_and_every_kind_appears_in_its_usual_lane() {
    let plan = plan(&main_scenario());
    let ids: BTreeSet<&str> = plan.all().map(|event| event.event.id.as_str()).collect();
    assert_eq!(ids.len(), plan.len());
    let kinds: BTreeSet<(&str, Lane)> = plan
        .all()
        .map(|event| (event.event.kind.as_str(), event.lane))
        .collect();
    assert_eq!(kinds, KINDS.iter().copied().collect());
}

#[test]
fn a_call_has_between_two_and_three_events_of_each_lane() {
    let plan = plan(&scenario(
        "seed = 4\nduration_s = 900\n[calls]\nconcurrent = 200\ncompress = 20\n",
    ));
    // Calls that lie in the run with everything that follows them.
    let whole = |call: usize| {
        plan.calls[call].start_ms >= 0 && plan.calls[call].end_ms < plan.duration_ms - 5_000
    };
    let calls = (0..plan.calls.len()).filter(|call| whole(*call)).count() as f64;
    for (lane, low, high) in [(Lane::Op, 2.2, 3.0), (Lane::En, 2.0, 3.0)] {
        let events = plan
            .events
            .iter()
            .filter(|event| event.lane == lane && whole(event.call_index.unwrap()))
            .count() as f64;
        assert!(
            (low..high).contains(&(events / calls)),
            "{lane}: {}",
            events / calls
        );
    }
}

#[test]
fn the_burst_has_more_operational_effects_than_the_quota_has_requests() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtests");
    let scenario = Scenario::read(&folder.join("burst.toml")).unwrap();
    let plan = plan(&scenario);
    let effects: usize = plan
        .events
        .iter()
        .filter(|event| event.lane == Lane::Op)
        .map(|event| event.expect.len())
        .sum();
    let per_ten_s = effects as f64 / scenario.duration_s as f64 * 10.0;
    let config = scenario.hubspot_config();
    let quota = f64::from(config.apps[0].interval_limit * scenario.crm.share_percent / 100);
    assert!(per_ten_s > 2.0 * quota, "{per_ten_s} {quota}");
}

#[test]
fn callers_are_known_new_and_returning_and_never_on_two_lines_at_once() {
    let scenario = scenario(
        "seed = 8\nduration_s = 1200\n[calls]\nconcurrent = 100\nredial_share = 0.1\n[crm]\ncontacts = 400\n",
    );
    let known: BTreeSet<String> = seeded(&scenario).into_iter().map(|it| it.e164).collect();
    let plan = plan(&scenario);
    let mut until: BTreeMap<&str, i64> = BTreeMap::new();
    let mut redials = 0;
    for call in &plan.calls {
        let phone = call.contact.phone.as_deref().unwrap();
        assert_eq!(known.contains(phone), call.known);
        assert_eq!(call.contact.name.is_some(), call.known);
        if let Some(free_at) = until.insert(phone, call.end_ms) {
            assert!(
                free_at < call.start_ms.max(0),
                "nobody is in two calls at once"
            );
            redials += usize::from(call.start_ms - free_at < 120_000);
        }
    }
    let all = plan.calls.len() as f64;
    let unknown = plan.calls.iter().filter(|call| !call.known).count() as f64;
    assert!((0.13..0.27).contains(&(unknown / all)), "{}", unknown / all);
    assert!(redials > 30, "{redials}");
}

#[test]
fn what_is_expected_has_as_many_effects_as_the_product_plans() {
    let plan = plan(&main_scenario());
    let mut objects: BTreeSet<Object> = BTreeSet::new();
    for event in plan.all() {
        assert_eq!(
            default_effects(&event.event).unwrap().len(),
            event.expect.len(),
            "{}",
            event.event.kind
        );
        for expectation in &event.expect {
            if let Expectation::Record {
                object,
                mark,
                fields,
            } = expectation
            {
                objects.insert(*object);
                assert!(!fields.is_empty() && mark.starts_with("sim-"));
            }
        }
    }
    assert_eq!(
        objects,
        [Object::Call, Object::Note, Object::Task, Object::Deal].into()
    );
}

#[test]
fn a_day_follows_the_half_hours_and_a_run_starts_at_its_own_time_of_day() {
    let text = "seed = 6\nduration_s = 86400\n[calls]\nconcurrent = 40\narrivals = \"day\"\nday_start = \"00:00\"\n[crm]\ncontacts = 500\n";
    let plan = plan(&scenario(text));
    assert!(plan.concurrent_at(0) <= 3);
    let mut half_hours = [0_u32; 48];
    for call in plan.calls.iter().filter(|call| call.start_ms >= 0) {
        half_hours[(call.start_ms / 1_800_000) as usize] += 1;
    }
    let busiest = (0..48).max_by_key(|slot| half_hours[*slot]).unwrap();
    assert!((18..24).contains(&busiest), "{busiest}");
    let all: u32 = half_hours.iter().sum();
    for (slot, expect) in profile::CALLS_PER_100_000.iter().enumerate() {
        let expect = f64::from(*expect) / 100_000.0 * f64::from(all);
        let error = (f64::from(half_hours[slot]) - expect).abs();
        assert!(
            error < 6.0 * expect.sqrt() + 3.0,
            "{slot}: {} {expect}",
            half_hours[slot]
        );
    }
    let morning = text.replace("00:00", "10:00").replace("86400", "60");
    assert_eq!(self::plan(&scenario(&morning)).concurrent_at(0), 42);
}

#[test]
fn the_profile_is_a_whole_day() {
    let sum: u32 = profile::CALLS_PER_100_000.iter().sum();
    assert!((99_990..=100_010).contains(&sum), "{sum}");
    assert!((profile::relative_rate(615.0) - 1.0).abs() < f64::EPSILON);
    assert!(profile::relative_rate(210.0) < 0.01);
    assert_eq!(
        profile::relative_rate(615.0 + 1_440.0).to_bits(),
        profile::relative_rate(615.0).to_bits()
    );
}

#[test]
fn a_run_with_more_strangers_than_there_are_numbers_is_refused() {
    let scenario = scenario(
        "seed = 1\nduration_s = 86400\n[calls]\nconcurrent = 400\ncompress = 10\nunknown_share = 1.0\nredial_share = 0.0\n",
    );
    let account = "acme".parse().unwrap();
    let refused = Plan::generate(&scenario, &account, START_MS, &known(&scenario));
    assert!(
        matches!(
            refused,
            Err(PlanError::NumbersExhausted { available: 67_200 })
        ),
        "{:?}",
        refused.map(|_| ())
    );
}
