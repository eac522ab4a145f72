//! Accounts that a scenario tells apart: what each is made of, and what is refused.

use std::path::Path;

use callflume_core::vendor::Scheme;
use callflume_sim::fakes::{self, VENDORS};
use callflume_sim::scenario::Scenario;

const HEAD: &str =
    "name = \"x\"\nseed = 7\nduration_s = 10\n[calls]\nconcurrent = 5\n[crm]\ncontacts = 20\n";

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(&format!("{HEAD}{text}"), "x.toml").map_err(|error| error.to_string())
}

fn account(entry: &str) -> Result<Scenario, String> {
    parse(&format!("[[accounts.crm]]\n{entry}"))
}

#[test]
fn what_an_account_leaves_out_is_as_in_the_common_table() {
    let scenario = parse(
        "share_percent = 60\nprofile = \"private_enterprise\"\ndaily_limit = 900\n\
         [[accounts.crm]]\nvendor = \"hubspot\"\n\
         [[accounts.crm]]\nvendor = \"close\"\nshare_percent = 90\n\
         [[accounts.crm.faults]]\nkind = \"status\"\nstatus = 503\nfrom_s = 1\nuntil_s = 2\n\
         [[accounts.crm]]\nvendor = \"pipedrive\"\nprofile = \"lite_api_token\"\ndaily_limit = 500\ncontacts = 3\n",
    )
    .unwrap();
    assert_eq!(scenario.accounts_count(), 3);
    let own: Vec<Scenario> = (0..3).map(|number| scenario.of_account(number)).collect();
    let told: Vec<_> = own
        .iter()
        .map(|own| {
            let crm = &own.crm;
            (
                crm.vendor.as_str(),
                crm.profile.as_str(),
                crm.share_percent,
                crm.daily_limit,
                crm.contacts,
                crm.faults.len(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("hubspot", "private_enterprise", 60, Some(900), 20, 0),
            ("close", "strict_search", 90, None, 20, 1),
            ("pipedrive", "lite_api_token", 60, Some(500), 3, 0),
        ]
    );
    assert_eq!(own[0].seed, scenario.seed);
    assert!(own[1].seed != own[0].seed && own[2].seed != own[1].seed);
}

#[test]
fn how_long_effects_wait_for_a_shared_request_is_said_for_all_or_for_one() {
    let scenario = parse(
        "batch_wait_ms = 20000\n\
         [[accounts.crm]]\nvendor = \"hubspot\"\n\
         [[accounts.crm]]\nvendor = \"salesforce\"\nbatch_wait_ms = 60000\nop_batch_wait_ms = 900\n\
         [[accounts.crm]]\nvendor = \"close\"\n[accounts.crm.slo]\nop_age_p99_ms = 50\n",
    )
    .unwrap();
    let waits: Vec<_> = (0..3)
        .map(|number| {
            let own = scenario.of_account(number);
            let config = fakes::prepared(&own, "http://crm.invalid", 0)
                .unwrap()
                .config;
            (config.batch_wait_ms, config.op_batch_wait_ms)
        })
        .collect();
    assert_eq!(waits, [(20_000, None), (60_000, Some(900)), (20_000, None)]);
    let slo = |place: usize| scenario.accounts.crm[place].slo.op_age_p99_ms;
    assert_eq!((slo(0), slo(2)), (None, Some(50.0)));
    // Nothing said: the product's own.
    let plain = fakes::prepared(&parse("").unwrap(), "http://crm.invalid", 0).unwrap();
    assert_eq!(
        (plain.config.batch_wait_ms, plain.config.op_batch_wait_ms),
        (1_000, None)
    );
}

#[test]
fn accounts_that_are_only_counted_are_all_of_the_common_table() {
    let scenario = parse("[accounts]\ncount = 3\n").unwrap();
    assert_eq!(scenario.accounts_count(), 3);
    assert_eq!(scenario.of_account(2).crm, scenario.crm);
}

#[test]
fn what_can_not_be_is_refused_with_its_place_its_field_and_a_remedy() {
    let fault = |vendor: &str, fault: &str| {
        account(&format!(
            "vendor = \"{vendor}\"\n[[accounts.crm.faults]]\n{fault}\ntimes = 1\n"
        ))
    };
    for (given, place, field, remedy) in [
        (
            account("vendor = \"other\"\n"),
            "x.toml:9:1",
            "`accounts.crm[0].vendor`",
            "one of hubspot, salesforce, close, pipedrive",
        ),
        (
            account("vendor = \"close\"\nprofile = \"private_professional\"\n"),
            "x.toml:10:1",
            "`accounts.crm[0].profile`",
            "strict_search",
        ),
        (
            account("vendor = \"close\"\ndaily_limit = 5\n"),
            "x.toml:10:1",
            "`accounts.crm[0].daily_limit`",
            "remove it",
        ),
        (
            fault("close", "kind = \"locked\""),
            "x.toml:11:1",
            "`accounts.crm[0].faults[0].kind`",
            "another kind",
        ),
        (
            fault("pipedrive", "kind = \"migrating\""),
            "x.toml:11:1",
            "`accounts.crm[0].faults[0].kind`",
            "another kind",
        ),
        (
            fault("salesforce", "kind = \"migrating\""),
            "x.toml:11:1",
            "`accounts.crm[0].faults[0].kind`",
            "another kind",
        ),
        (
            account("vendor = \"salesforce\"\nprofile = \"private_professional\"\n"),
            "x.toml:10:1",
            "`accounts.crm[0].profile`",
            "enterprise_10_seats",
        ),
        (
            fault("close", "kind = \"throttled\"\npolicy = \"daily\""),
            "x.toml:11:1",
            "`accounts.crm[0].faults[0].kind`",
            "leave out its `policy`",
        ),
        (
            fault("hubspot", "kind = \"status\""),
            "x.toml:11:1",
            "`accounts.crm[0].faults[0].kind`",
            "add `status`",
        ),
        (
            account("vendor = \"close\"\nurl = \"x\"\n"),
            "x.toml:10:1",
            "`accounts.crm[0].url`",
            "known here",
        ),
        (
            account("vendor = \"close\"\nbatch_wait_ms = 60001\n"),
            "x.toml:10:1",
            "`accounts.crm[0].batch_wait_ms`",
            "use 0 to 60000",
        ),
        (
            account("vendor = \"close\"\nop_batch_wait_ms = 5001\n"),
            "x.toml:10:1",
            "`accounts.crm[0].op_batch_wait_ms`",
            "use 0 to 5000",
        ),
        (
            account("vendor = \"close\"\n[accounts.crm.slo]\ntokens_per_call_max = 9\n"),
            "x.toml:11:1",
            "`accounts.crm[0].slo.tokens_per_call_max`",
            "limit the requests",
        ),
        (
            account("vendor = \"close\"\n[accounts.crm.slo]\nop_requests_per_call_max = 0\n"),
            "x.toml:11:1",
            "`accounts.crm[0].slo.op_requests_per_call_max`",
            "above 0",
        ),
        (
            parse("[accounts]\ncount = 2\n[[accounts.crm]]\nvendor = \"close\"\n"),
            "x.toml:9:1",
            "`accounts.count`",
            "remove `count`",
        ),
        (
            parse(
                "[backlog]\nenrichment = 5\n[[accounts.crm]]\nvendor = \"close\"\ncontacts = 0\n",
            ),
            "x.toml:9:1",
            "`backlog.enrichment`",
            "set `crm.contacts`",
        ),
    ] {
        let error = given.expect_err(field);
        assert!(error.starts_with(place), "{place} expected: {error}");
        assert!(error.contains(field), "{field} expected: {error}");
        assert!(error.contains(remedy), "{remedy} expected: {error}");
    }
}

#[test]
fn real_time_has_one_account_of_any_vendor() {
    let several = parse("[[accounts.crm]]\nvendor = \"hubspot\"\n").unwrap();
    let error = several.check_real_time().unwrap_err();
    assert_eq!(error.field, "accounts.crm");
    for text in ["", "vendor = \"close\"\nprofile = \"strict_search\"\n"] {
        assert!(parse(text).unwrap().check_real_time().is_ok(), "{text}");
    }
}

#[test]
fn every_vendor_has_an_account_that_the_product_can_work_with() {
    for vendor in VENDORS {
        let scenario = account(&format!("vendor = \"{vendor}\"\n")).unwrap();
        let own = scenario.of_account(0);
        let prepared = fakes::prepared(&own, "http://crm.invalid", 0).unwrap();
        callflume_worker::check_account(&prepared.config).unwrap();
        assert_eq!(prepared.crm.vendor(), vendor);
        assert_eq!(prepared.known.len(), 20);
        assert!(prepared.known.iter().all(|known| known.phone().is_some()));
        // The fakes are shown the credential as the product would show it.
        let scheme = callflume_worker::vendor_of(&prepared.config)
            .unwrap()
            .authorization();
        let expect = match vendor {
            "close" => Scheme::BasicUser,
            "pipedrive" => Scheme::Header("x-api-token"),
            _ => Scheme::Bearer,
        };
        assert_eq!(scheme, expect, "{vendor}");
    }
}

#[test]
fn the_scenario_with_every_vendor_is_usable() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtests/four-vendors.toml");
    let scenario = Scenario::read(&path).unwrap_or_else(|error| panic!("{error}"));
    let vendors: Vec<String> = (0..scenario.accounts_count())
        .map(|number| scenario.of_account(number).crm.vendor)
        .collect();
    assert_eq!(vendors, VENDORS);
    assert!(scenario.calls.concurrent * scenario.accounts_count() >= 240);
}
