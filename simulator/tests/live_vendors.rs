//! A scenario in real time before each vendor's fake: a real broker, a worker process, HTTP.

use std::process::Stdio;
use std::time::Duration;

use callflume_sim::fakes::{VENDORS, default_profile};
use serde_json::Value;
use tokio::process::Command;

/// A run of a few seconds, and its tail on a busy machine.
const DEADLINE: Duration = Duration::from_secs(240);

#[tokio::test]
async fn nothing_is_lost_or_doubled_before_any_vendor() {
    for vendor in VENDORS {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario.toml");
        let scenario = format!(
            "name = \"live-{vendor}\"\nseed = 11\nduration_s = 4\nwarm = true\n\
             [calls]\nconcurrent = 10\ncompress = 20.0\n\
             [crm]\nvendor = \"{vendor}\"\nprofile = \"{}\"\ncontacts = 60\nsearch_lag_ms = 500\n\
             [[crm.faults]]\nkind = \"html502\"\nskip = 10\ntimes = 2\n",
            default_profile(vendor)
        );
        std::fs::write(&file, scenario).unwrap();
        let ran = Command::new(env!("CARGO_BIN_EXE_callflume-sim"))
            .arg("run")
            .arg(&file)
            .args(["--correctness-only", "--quiet", "--json"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ran = tokio::time::timeout(DEADLINE, ran).await;
        let ran = ran.expect("it ends").unwrap();
        assert_eq!(ran.status.code(), Some(0), "{vendor}: {ran:?}");
        let summary: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(summary["verdict"], "pass", "{vendor}: {summary}");
        let applied = summary.pointer("/writes/applied").and_then(Value::as_u64);
        assert!(applied > Some(20), "{vendor}: {summary}");
    }
}
