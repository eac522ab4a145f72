//! `demo`: everything set up on this machine, 200 and more simulated calls, a verdict.
//!
//! The run is the smoke load test; the workers are this very program.

use callflume_sim::live::{self, Launch};
use callflume_sim::report::Verdict;
use callflume_sim::scenario::Scenario;

use super::Session;
use crate::cli::Demo;
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
    Ok(match summary.verdict {
        Verdict::Pass | Verdict::Unfit => Exit::Done,
        Verdict::Fail => Exit::Missed,
    })
}
