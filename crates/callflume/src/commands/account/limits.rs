//! Whether an account counts on the limits that its CRM has: those that answers tell, against the profile's.
//!
//! More than the CRM allows is wrong: Callflume would run into refusals before it learns better. Less is an operator's choice.

use std::collections::BTreeMap;

use callflume_core::config::AccountConfig;
use callflume_core::vendor::Observation;
use callflume_crm::setup::Finding;

/// What answers told of the windows, the last word of each.
pub(super) fn findings(
    config: &AccountConfig,
    told: impl IntoIterator<Item = Observation>,
) -> Vec<Finding> {
    let windows = callflume_crm::limit_profile(&config.crm, &config.profile).unwrap_or_default();
    let limits: BTreeMap<usize, u32> = told
        .into_iter()
        .filter_map(|seen| Some((seen.window, seen.limit?)))
        .collect();
    limits
        .into_iter()
        .filter_map(|(index, theirs)| Some(limit(config, windows.get(index)?.name, theirs)))
        .collect()
}

/// One window by its name; `theirs` is what the CRM says it allows there.
pub(super) fn limit(config: &AccountConfig, name: &str, theirs: u32) -> Finding {
    let windows = callflume_crm::limit_profile(&config.crm, &config.profile).unwrap_or_default();
    let published = windows.iter().find(|window| window.name == name);
    let ours = config
        .limits
        .get(name)
        .copied()
        .or(published.map(|window| window.limit));
    let what = format!("limit {name}: {theirs}");
    match ours {
        Some(ours) if ours > theirs => Finding::wrong(
            what,
            format!("the configuration counts on {ours}"),
            format!(
                "set limits = {{ {name} = {theirs} }} for the account, then run `callflume provision`"
            ),
        ),
        Some(ours) if ours < theirs => {
            Finding::ok(format!("{what}, of which the configuration has {ours}"))
        }
        _ => Finding::ok(what),
    }
}

#[cfg(test)]
mod tests {
    use callflume_core::config::SecretRef;
    use callflume_crm::setup::State;

    use super::*;

    #[test]
    fn more_than_the_crm_allows_is_wrong_and_less_is_a_choice() {
        let token = SecretRef::Env("T".to_owned());
        let mut config = AccountConfig::new("pipedrive", token, "growth_api_token");
        config.limits.insert("daily_tokens".to_owned(), 50_000);
        let seen = |window, limit| Observation {
            window,
            limit,
            remaining: Some(1),
            resets_in_ms: None,
        };
        for (told, expect) in [
            (vec![], vec![]),
            (vec![seen(0, None), seen(99, Some(7))], vec![]),
            (vec![seen(0, Some(40))], vec![("limit burst: 40", true)]),
            (
                vec![seen(0, Some(40)), seen(0, Some(20)), seen(2, Some(60_000))],
                vec![
                    ("limit burst: 20", false),
                    (
                        "limit daily_tokens: 60000, of which the configuration has 50000",
                        true,
                    ),
                ],
            ),
        ] {
            let found = findings(&config, told);
            let found: Vec<(&str, bool)> = found
                .iter()
                .map(|it| (it.what.as_str(), it.state == State::Ok))
                .collect();
            assert_eq!(found, expect);
        }
        let low = limit(&config, "daily_tokens", 30_000);
        assert!(low.remedy.contains("limits = { daily_tokens = 30000 }"));
    }
}
