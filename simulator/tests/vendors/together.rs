//! Every vendor in one run under virtual time, each judged by itself.

use std::sync::OnceLock;

use callflume_sim::fakes::VENDORS;
use callflume_sim::report::Verdict;
use callflume_sim::scenario::{AccountSlo, Scenario};
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
vendor = "salesforce"
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

/// One run for all that is only looked at.
fn looked_at() -> &'static (Scenario, VirtualResult) {
    static RESULT: OnceLock<(Scenario, VirtualResult)> = OnceLock::new();
    RESULT.get_or_init(|| result(3))
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
fn what_must_hold_of_an_account_is_judged_by_its_own_numbers() {
    let (scenario, result) = looked_at();
    let mut scenario = scenario.clone();
    let summary = result.summary(&scenario, String::new());
    assert_eq!(summary.verdict, Verdict::Pass);
    let judged = |scenario: &Scenario| {
        let summary = result.summary(scenario, String::new());
        let rows = summary.slo.iter().filter(|row| row.name.contains('.'));
        let told: Vec<(String, bool)> = rows.map(|row| (row.name.to_string(), row.pass)).collect();
        (summary.verdict, told)
    };
    for place in 0..VENDORS.len() {
        let own = &summary.accounts[place];
        let cost = &own.per_call;
        let requests = cost.operational.requests + cost.look_ups.requests;
        type Set = fn(&mut AccountSlo, Option<f64>);
        let rows: [(&str, Option<f64>, Set); 4] = [
            ("op_requests_per_call_max", Some(requests), |slo, limit| {
                slo.op_requests_per_call_max = limit;
            }),
            (
                "en_requests_per_call_max",
                Some(cost.enrichment.requests),
                |slo, limit| slo.en_requests_per_call_max = limit,
            ),
            ("tokens_per_call_max", cost.total.tokens, |slo, limit| {
                slo.tokens_per_call_max = limit;
            }),
            ("op_age_p99_ms", own.age_ms.op.p99, |slo, limit| {
                slo.op_age_p99_ms = limit;
            }),
        ];
        for (key, actual, set) in rows {
            let Some(actual) = actual else {
                assert!(key.contains("tokens") && own.vendor != "pipedrive");
                continue;
            };
            let name = format!("{}.{}.{key}", own.account, own.vendor);
            for (limit, pass) in [(actual + 0.01, true), (actual - 0.01, false)] {
                set(&mut scenario.accounts.crm[place].slo, Some(limit));
                let verdict = if pass { Verdict::Pass } else { Verdict::Fail };
                assert_eq!(judged(&scenario), (verdict, vec![(name.clone(), pass)]));
            }
            set(&mut scenario.accounts.crm[place].slo, None);
        }
    }
}

#[test]
fn the_report_tells_the_accounts_apart() {
    let (scenario, result) = looked_at();
    let summary = result.summary(scenario, String::new());
    assert_eq!(summary.accounts.len(), VENDORS.len());
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
        let measure = if *vendor == "pipedrive" {
            "tokens"
        } else {
            "requests"
        };
        let cost = |part: &str| account["per_call"][part][measure].as_f64().unwrap();
        let parts: f64 = ["operational", "enrichment", "look_ups", "other"]
            .map(cost)
            .iter()
            .sum();
        assert!((cost("total") - parts).abs() < 0.05, "{vendor}");
        // Written directly it costs more, or all of this would not be worth its while.
        assert!(cost("naive") > cost("total"), "{vendor} {account}");
    }
    let sum: u64 = summary.accounts.iter().map(|it| it.crm.requests).sum();
    assert_eq!(sum, summary.crm.requests);
    let (markdown, text) = (summary.to_markdown(), summary.render_text(false));
    for vendor in VENDORS {
        assert!(markdown.contains(&format!("| {vendor} |")), "{markdown}");
        assert!(text.contains(vendor), "{text}");
    }
    assert!(markdown.contains("## Accounts"));
    assert!(text.contains("written directly "), "{text}");
}
