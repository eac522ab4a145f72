//! Every scenario, a few seeds each; many seeds are the release build's business (docs/tournament.md).

use callflume_sim::tournament::{Options, Report, Strategy, run, scenario};

fn compete(letters: &str, strategies: &[Strategy], seeds: u64, threads: usize) -> Report {
    let options = Options {
        scenarios: letters
            .chars()
            .map(|letter| scenario(letter).unwrap())
            .collect(),
        strategies: strategies.to_vec(),
        seeds,
        first_seed: 1,
        threads,
    };
    run(&options).unwrap()
}

fn ours_holds(letters: &str, seeds: u64) {
    let report = compete(letters, &[Strategy::Callflume], seeds, 2);
    assert!(
        report.holds(),
        "{:#?}\n{}",
        report.missed(),
        report.render_text()
    );
}

#[test]
fn steady() {
    ours_holds("A", 3);
}

#[test]
fn with_a_limit_that_changes() {
    ours_holds("B", 3);
}

#[test]
fn beside_another_application() {
    ours_holds("C", 3);
}

#[test]
fn beside_accounts_in_trouble() {
    // Twenty accounts are enough work for one seed.
    ours_holds("D", 1);
}

#[test]
fn at_the_end_of_a_day_that_is_almost_used_up() {
    ours_holds("E", 3);
}

#[test]
fn with_answers_that_are_lost_and_items_that_are_refused() {
    ours_holds("FH", 3);
}

#[test]
fn with_owners_that_die_or_hand_on() {
    ours_holds("GI", 3);
}

#[test]
fn with_workers_that_come_and_go() {
    // So are forty.
    ours_holds("J", 1);
}

#[test]
fn the_others_run_into_the_limit() {
    let report = compete("A", &Strategy::ALL, 3, 2);
    for row in report.rows() {
        let ours = row.strategy == "callflume";
        assert_eq!(row.rejections == 0, ours, "{row:?}");
        assert_eq!(row.over_limit == 0, ours, "{row:?}");
        assert_eq!(row.doubled, 0, "{row:?}");
        assert_eq!(row.lost > 0, row.strategy == "direct", "{row:?}");
    }
}

#[test]
fn the_direct_integration_doubles_what_was_answered_too_late_and_loses_what_a_death_takes() {
    let report = compete("FG", &[Strategy::Direct], 1, 2);
    let row = |letter: &str| {
        report
            .rows()
            .iter()
            .find(|row| row.scenario == letter)
            .unwrap()
    };
    assert!(row("F").doubled > 0);
    assert!(row("G").lost > 8_000, "{:?}", row("G"));
}

#[test]
fn a_seed_gives_the_same_figures_whatever_runs_beside_it() {
    let strategies = [Strategy::Callflume, Strategy::Gcra];
    let alone = compete("G", &strategies, 2, 1).to_json().unwrap();
    let together = compete("G", &strategies, 2, 2).to_json().unwrap();
    assert_eq!(alone, together);
}
