//! `demo`: everything set up on this machine, 200 and more simulated calls, a verdict.
//!
//! The run is the smoke load test; the workers are this very program.

use callflume_crm::hubspot::limits;
use callflume_sim::live::{self, Launch};
use callflume_sim::report::{Summary, Verdict};
use callflume_sim::scenario::Scenario;
use callflume_sim::tournament::{DirectFigures, direct_beside};
use callflume_sim::traffic::Plan;

use super::Session;
use crate::cli::{Compare, Demo};
use crate::failure::{Exit, Failure};

/// The scenario, part of the program.
const SCENARIO: &str = include_str!("../../../../loadtests/smoke.toml");

pub(super) async fn run(session: &Session, args: &Demo) -> anyhow::Result<Exit> {
    let mut scenario = Scenario::parse(SCENARIO, "loadtests/smoke.toml")?;
    "demo".clone_into(&mut scenario.name);
    if let Some(seed) = args.seed {
        scenario.seed = seed;
    }
    if let Some(seconds) = args.seconds {
        scenario.duration_s = seconds;
    }
    let temporary = tempfile::tempdir()?;
    let log_dir = args
        .out
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&log_dir)?;
    let options = live::Options {
        launch: Launch::own(&["worker"])?,
        log_dir,
        progress: !session.output.json(),
    };
    let result = live::run(&scenario, &options).await.map_err(|error| {
        Failure::environment(
            error.to_string(),
            "the demo brings its own broker and fake CRM; docs/operations.md says what it needs",
        )
    })?;
    let seconds = args
        .seconds
        .map(|seconds| format!(" --seconds {seconds}"))
        .unwrap_or_default();
    let command = format!("callflume demo --seed {}{seconds}", scenario.seed);
    let summary = result.summary(&scenario, command);
    if let Some(dir) = &args.out {
        summary.write(dir)?;
    }
    session.output.data(&summary, || {
        summary
            .render_text(crate::output::stdout_in_colour())
            .trim_end()
            .to_owned()
    })?;
    match args.compare {
        None => {}
        Some(Compare::Direct) => beside_direct(session, &scenario, &result.plan, &summary)?,
    }
    Ok(match summary.verdict {
        Verdict::Pass | Verdict::Unfit => Exit::Done,
        Verdict::Fail => Exit::Missed,
    })
}

/// What `--compare direct` adds.
#[derive(serde::Serialize)]
struct Beside {
    direct: DirectFigures,
}

/// Puts the same effects to a direct integration, with the profile's limit, and prints both.
fn beside_direct(
    session: &Session,
    scenario: &Scenario,
    plan: &Plan,
    ours: &Summary,
) -> anyhow::Result<()> {
    let profile = &scenario.crm.profile;
    let limit = limits::profile(profile)
        .and_then(|windows| windows.first())
        .map(|window| window.limit)
        .ok_or_else(|| anyhow::anyhow!("the profile `{profile}` has no limits"))?;
    let direct = direct_beside(plan, limit)?;
    session
        .output
        .data(&Beside { direct }, || side_by_side(ours, &direct))
}

fn side_by_side(ours: &Summary, direct: &DirectFigures) -> String {
    let age = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0} ms"));
    let mut lines = vec![
        String::new(),
        "The same calls, every effect sent at once and repeated when refused (virtual time):"
            .to_owned(),
        format!("{:<28}{:>12}{:>12}", "", "callflume", "direct"),
    ];
    for (name, ours, direct) in [
        (
            "requests refused (429)",
            ours.crm.throttled.to_string(),
            direct.rejections.to_string(),
        ),
        (
            "effects lost",
            ours.writes.lost.to_string(),
            direct.lost.to_string(),
        ),
        (
            "operational age p99",
            age(ours.age_ms.op.p99),
            age(direct.op_age_p99_ms),
        ),
    ] {
        lines.push(format!("{name:<28}{ours:>12}{direct:>12}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_sends_every_effect_of_the_plan() {
        let mut scenario = Scenario::parse(SCENARIO, "loadtests/smoke.toml").unwrap();
        scenario.duration_s = 10;
        let account = "demo".parse().unwrap();
        let plan = Plan::generate(&scenario, &account, 1_772_460_000_000, &[]).unwrap();
        let direct = direct_beside(&plan, 5).unwrap();
        assert!(direct.effects >= plan.len() as u64);
        assert!(
            direct.rejections > 0,
            "200 calls need more than a window of 5"
        );
        assert!(direct.op_age_p99_ms.is_some());
    }
}
