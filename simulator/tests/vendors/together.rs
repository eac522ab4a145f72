//! Every vendor in one run under virtual time, each judged by itself.

use callflume_sim::fakes::VENDORS;
use callflume_sim::scenario::Scenario;
use callflume_sim::virtual_run::{VirtualResult, run};

const SCENARIO: &str = r#"
name = "together"
seed = 12
duration_s = 90
drain_s_max = 600
warm = true
[calls]
concurrent = 30
compress = 4.0
[calls.mix]
[crm]
contacts = 150
[backlog]
enrichment = 40
[[accounts.crm]]
vendor = "hubspot"
[[accounts.crm]]
vendor = "close"
[[accounts.crm]]
vendor = "pipedrive"
# Enough for a whole day of calls that come four times as fast.
daily_limit = 2000000
"#;

fn result(seed: u64) -> (Scenario, VirtualResult) {
    let mut scenario = Scenario::parse(SCENARIO, "together.toml").unwrap();
    scenario.seed = seed;
    let result = run(&scenario, None).unwrap();
    (scenario, result)
}

#[test]
fn each_vendor_holds_everything_once_in_order_below_its_limits() {
    for seed in [1, 2] {
        let (_, result) = result(seed);
        assert!(result.drained, "seed {seed}");
        let vendors: Vec<&str> = result.accounts.iter().map(|it| it.crm).collect();
        assert_eq!(vendors, VENDORS);
        for account in &result.accounts {
            let judgement = &account.judgement;
            assert_eq!(
                judgement.findings, 0,
                "seed {seed}, {}: {:?}",
                account.crm, judgement.details
            );
            assert_eq!(judgement.throttled, 0, "seed {seed}, {}", account.crm);
            assert!(judgement.effects.applied > 100);
            assert!(account.calls >= 30);
        }
    }
}

#[test]
fn a_run_of_a_seed_repeats_byte_for_byte_whatever_the_vendors() {
    let digest = |seed| result(seed).1.trace;
    assert_eq!(digest(4), digest(4));
    assert!(digest(4) != digest(5));
}

#[test]
fn the_report_tells_the_accounts_apart() {
    let (scenario, result) = result(3);
    let summary = result.summary(&scenario, String::new());
    assert_eq!(summary.accounts.len(), 3);
    let json: serde_json::Value = serde_json::from_str(&summary.to_json().unwrap()).unwrap();
    for (vendor, account) in VENDORS.iter().zip(json["accounts"].as_array().unwrap()) {
        assert_eq!(account["vendor"], *vendor);
        for count in ["lost", "doubled", "persons_doubled", "reordered"] {
            assert_eq!(account["writes"][count], 0, "{vendor} {count}");
        }
        assert_eq!(account["crm"]["over_limit"], 0, "{vendor}");
        let operational = &account["per_call"]["operational"];
        assert!(operational["requests"].as_f64().unwrap() > 0.5, "{vendor}");
        assert_eq!(operational["tokens"].is_null(), *vendor != "pipedrive");
    }
    let sum: u64 = summary.accounts.iter().map(|it| it.crm.requests).sum();
    assert_eq!(sum, summary.crm.requests);
    let (markdown, text) = (summary.to_markdown(), summary.render_text(false));
    for vendor in VENDORS {
        assert!(markdown.contains(&format!("| {vendor} |")), "{markdown}");
        assert!(text.contains(vendor), "{text}");
    }
    assert!(markdown.contains("## Accounts"));
}
