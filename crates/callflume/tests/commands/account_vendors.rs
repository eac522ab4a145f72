//! An account in the other CRMs: checked, prepared, its configuration completed, and refused with the reason.

use callflume_sim::close::{ApiKey, Close, CloseConfig};
use callflume_sim::fakes::HttpModel;
use callflume_sim::pipedrive::{OauthClient, Pipedrive, PipedriveConfig, Token};
use callflume_sim::salesforce::{Salesforce, SalesforceConfig};

use crate::account::states;
use crate::crm::Crm;
use crate::program::{Program, Ran, nobody};

/// A CRM whose account is new.
struct Case {
    crm: &'static str,
    profile: &'static str,
    model: Box<dyn HttpModel>,
    /// What is there without preparing.
    there: &'static str,
    /// What the CRM tells of its limits.
    limits: &'static [&'static str],
    /// What preparing makes, all of it.
    made: &'static [&'static str],
    /// Names of the lines that the configuration then needs.
    lines: &'static [&'static str],
}

fn cases() -> [Case; 3] {
    [
        Case {
            crm: "close",
            profile: "strict_search",
            model: Box::new(close()),
            there: "credential",
            limits: &[
                "limit search: 20, of which the configuration has 5",
                "limit contact_list: 20",
            ],
            made: &[
                "custom field contact_key of contacts",
                "custom field contact_opted_out of contacts",
                "custom field contact_sentiment of contacts",
                "custom field deal_key of opportunities",
            ],
            lines: &[
                "contact_key",
                "contact_opted_out",
                "contact_sentiment",
                "deal_key",
            ],
        },
        Case {
            crm: "pipedrive",
            profile: "growth_api_token",
            model: Box::new(pipedrive(31)),
            there: "credential",
            limits: &[
                "limit burst: 40",
                "limit daily_tokens: 600000, of which the configuration has 60000",
            ],
            made: &[
                "custom field contact_key",
                "custom field contact_opted_out",
                "custom field deal_key",
            ],
            lines: &["contact_key", "contact_opted_out", "deal_key"],
        },
        Case {
            crm: "salesforce",
            profile: "enterprise_10_seats",
            model: Box::new(salesforce(110_000, true)),
            there: "limit daily_api: 110000",
            limits: &["limit daily_api: 110000"],
            made: &[
                "field Contact.Callflume_Key__c",
                "field Activity.Callflume_Key__c",
                "field Activity.Callflume_Recording__c",
                "field Activity.Callflume_Sentiment__c",
                "field Opportunity.Callflume_Key__c",
            ],
            // Its fields have names that are ours to choose.
            lines: &[],
        },
    ]
}

fn close() -> Close {
    Close::new(CloseConfig {
        keys: vec![ApiKey::key("sim-token")],
        service_ms: 0,
        service_jitter_ms: 0,
        ..CloseConfig::default()
    })
    .unwrap()
}

/// With the token of a user: 31 is an administrator, 32 is none.
fn pipedrive(user: u64) -> Pipedrive {
    Pipedrive::new(PipedriveConfig {
        tokens: vec![Token::api("sim-token", user)],
        service_ms: 0,
        service_jitter_ms: 0,
        ..PipedriveConfig::default()
    })
    .unwrap()
}

fn salesforce(daily_requests: u32, made_fields_are_visible: bool) -> Salesforce {
    Salesforce::new(SalesforceConfig {
        daily_requests,
        made_fields_are_visible,
        service_ms: 0,
        service_jitter_ms: 0,
        ..SalesforceConfig::default()
    })
    .unwrap()
}

fn account(crm: &str, profile: &str, base_url: &str) -> String {
    format!(
        "[accounts.acme]\ncrm = \"{crm}\"\nprofile = \"{profile}\"\n\
         token = {{ env = \"TEST_CRM_TOKEN\" }}\nbase_url = \"{base_url}\"\n"
    )
}

/// The lines that remedies name for the configuration: `custom_fields.<name> = "<id>"`.
fn lines(ran: &Ran) -> Vec<String> {
    let documents = ran.documents();
    let remedies = documents.iter().filter_map(|it| it["remedy"].as_str());
    let line = |remedy: &str| {
        let (_, rest) = remedy.split_once("custom_fields.")?;
        let mut parts = rest.splitn(3, '"');
        let (before, value) = (parts.next()?, parts.next()?);
        Some(format!("custom_fields.{before}\"{value}\""))
    };
    remedies.filter_map(line).collect()
}

#[tokio::test]
async fn an_account_is_checked_planned_prepared_configured_and_then_ready() {
    for case in cases() {
        let name = case.crm;
        let crm = Crm::with(case.model).await;
        let program = Program::at(&nobody());
        let text = account(name, case.profile, &crm.url());
        program.write("callflume.toml", &text);

        let checked = program.run("account check acme --json").await.expect(1);
        let found = states(&checked);
        assert_eq!(found[0], (case.there.into(), "ok".into()), "{name}");
        for limit in case.limits {
            let limit = ((*limit).to_owned(), "ok".to_owned());
            assert!(found.contains(&limit), "{name}: {found:?}");
        }
        let sorted = |ran: &Ran, state: &str| {
            let states = states(ran).into_iter().filter(|it| it.1 == state);
            let mut found: Vec<String> = states.map(|it| it.0).collect();
            found.sort_unstable();
            found
        };
        let mut expected = case.made.to_vec();
        expected.sort_unstable();
        assert_eq!(sorted(&checked, "missing"), expected, "{name}");
        assert_eq!(lines(&checked), Vec::<String>::new(), "{name}");

        let sent = crm.requests();
        let planned = program.run("account prepare acme --json").await.expect(0);
        assert_eq!(sorted(&planned, "would be made"), expected, "{name}");
        assert_eq!(crm.requests(), 2 * sent, "{name}: checks only");

        // Made, but to be used only once the configuration names it, or an administrator shows it.
        let made = program
            .run("account prepare acme --apply --json")
            .await
            .expect(1);
        assert_eq!(sorted(&made, "wrong"), expected, "{name}: {made:?}");
        assert_eq!(sorted(&made, "missing"), Vec::<String>::new());
        let named = lines(&made);
        let names: Vec<&str> = named
            .iter()
            .filter_map(|line| line.strip_prefix("custom_fields.")?.split(' ').next())
            .collect();
        assert_eq!(names, case.lines, "{name}: {made:?}");

        if !named.is_empty() {
            // A check tells the same lines, for whoever missed them.
            let again = program.run("account check acme --json").await.expect(1);
            assert_eq!(lines(&again), named, "{name}");
        }
        program.write("callflume.toml", format!("{text}{}\n", named.join("\n")));
        let ready = program.run("account check acme --json").await.expect(0);
        assert!(
            states(&ready).iter().all(|(_, state)| state == "ok"),
            "{name}: {ready:?}"
        );
        assert_eq!(
            states(&ready).len(),
            found.len(),
            "{name}: all was looked at"
        );
        let sent = crm.requests();
        program.run("account prepare acme --apply").await.expect(0);
        assert!(crm.requests() - sent <= sent, "{name}");
        let written = crm.model.lock().unwrap().tally().records;
        assert!(
            written.is_empty(),
            "{name}: no record was touched: {written:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_credential_has_its_code_and_is_not_repeated() {
    for case in cases() {
        let crm = Crm::with(case.model).await;
        let program = Program::at(&nobody());
        let text = account(case.crm, case.profile, &crm.url());
        let wrong = text.replace("{ env = \"TEST_CRM_TOKEN\" }", "{ file = \"wrong\" }");
        program.write("callflume.toml", wrong);
        program.write("wrong", "wr0ng-s3cret");
        for command in ["check acme", "prepare acme", "prepare acme --apply"] {
            let ran = program
                .run(&format!("account {command}"))
                .await
                .expect(1)
                .says("error CF2201:");
            assert!(!ran.stderr.contains("wr0ng-s3cret"), "{ran:?}");
            assert_eq!(ran.stdout, "", "{}: nothing was found out", case.crm);
        }
        assert_eq!(crm.model.lock().unwrap().tally().unauthorized, 3);
    }
}

/// The org has so many requests in 24 hours; the account counts on its profile's 110,000 or on its own limit.
#[tokio::test]
async fn an_account_that_counts_on_more_than_the_crm_allows_is_told() {
    for (theirs, ours, says) in [
        (110_000, None, "✓ limit daily_api: 110000\n"),
        (
            15_000,
            None,
            "✗ limit daily_api: 15000: the configuration counts on 110000\n    \
             remedy: set limits = { daily_api = 15000 } for the account",
        ),
        (15_000, Some(15_000), "✓ limit daily_api: 15000\n"),
        (
            200_000,
            None,
            "✓ limit daily_api: 200000, of which the configuration has 110000\n",
        ),
    ] {
        let crm = Crm::with(salesforce(theirs, true)).await;
        let program = Program::at(&nobody());
        let mut text = account("salesforce", "enterprise_10_seats", &crm.url());
        text.extend(ours.map(|ours: u32| format!("limits = {{ daily_api = {ours} }}\n")));
        program.write("callflume.toml", text);
        program.run("account check acme").await.expect(1).says(says);
    }
    // Another plan's profile.
    let crm = Crm::with(pipedrive(31)).await;
    let program = Program::at(&nobody());
    program.write(
        "callflume.toml",
        account("pipedrive", "premium_api_token", &crm.url()),
    );
    program
        .run("account check acme")
        .await
        .expect(1)
        .says("✗ limit burst: 40: the configuration counts on 100\n")
        .says(
            "remedy: set limits = { burst = 40 } for the account, then run `callflume provision`",
        );
}

#[tokio::test]
async fn fields_that_were_made_but_are_hidden_want_an_administrators_hand() {
    let crm = Crm::with(salesforce(110_000, false)).await;
    let program = Program::at(&nobody());
    let text = account("salesforce", "enterprise_10_seats", &crm.url());
    program.write("callflume.toml", text);
    for _ in 0..2 {
        program
            .run("account prepare acme --apply")
            .await
            .expect(1)
            .says("✗ field Contact.Callflume_Key__c: ")
            .says("read and edit access to it in Salesforce's setup (a permission set");
    }
}

#[tokio::test]
async fn a_token_whose_user_may_not_make_fields_is_told_before_anything_is_made() {
    let crm = Crm::with(pipedrive(32)).await;
    let program = Program::at(&nobody());
    program.write(
        "callflume.toml",
        account("pipedrive", "growth_api_token", &crm.url()),
    );
    let planned = program
        .run("account prepare acme")
        .await
        .expect(1)
        .says("✗ permission to make custom fields: ")
        .says("administrator");
    assert!(planned.stdout.contains("→ custom field contact_key"));
    let checked = program.run("account check acme --json").await.expect(1);
    let asked: Vec<String> = states(&checked).into_iter().map(|it| it.0).collect();
    assert!(
        !asked.iter().any(|what| what.contains("permission")),
        "everyday work needs none: {asked:?}"
    );
}

/// The scopes of a token that Callflume renews come with it.
#[tokio::test]
async fn an_app_without_a_scope_is_told_by_its_renewed_token() {
    for (scope, says) in [
        (
            "base,contacts:full,deals:full,activities:full",
            "✓ scope deals:full\n",
        ),
        (
            "base,contacts:full,activities:full",
            "✗ scope deals:full: missing\n    remedy: add the scope deals:full to the app",
        ),
    ] {
        let client = OauthClient::new("app-id", "app-secret", "refresh-1", 31);
        let company = Pipedrive::new(PipedriveConfig {
            oauth_clients: vec![OauthClient {
                scope: scope.to_owned(),
                ..client
            }],
            // No address that a token may go to: the configured one stands.
            api_domain: Some("http://elsewhere.example".to_owned()),
            service_ms: 0,
            service_jitter_ms: 0,
            ..PipedriveConfig::default()
        });
        let crm = Crm::with(company.unwrap()).await;
        let program = Program::at(&nobody());
        for (file, text) in [
            ("id", "app-id"),
            ("secret", "app-secret"),
            ("refresh", "refresh-1"),
        ] {
            program.write(file, text);
        }
        let url = crm.url();
        program.write(
            "callflume.toml",
            format!(
                "[accounts.acme]\ncrm = \"pipedrive\"\nprofile = \"growth_oauth\"\nbase_url = \"{url}\"\n\
                 [accounts.acme.oauth]\nclient_id = {{ file = \"id\" }}\nclient_secret = {{ file = \"secret\" }}\n\
                 refresh_token = {{ file = \"refresh\" }}\ntoken_url = \"{url}/oauth/token\"\n"
            ),
        );
        program.run("account check acme").await.expect(1).says(says);
    }
}
