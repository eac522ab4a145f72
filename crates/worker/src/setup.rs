//! From an account's configuration to what its dispatcher is made of.

use std::sync::Arc;

use callflume_core::account::AccountId;
use callflume_core::config::{AccountConfig, BadConfig};
use callflume_core::dispatcher::{Bounds, Setup, effective_windows};
use callflume_core::effect::Field;
use callflume_core::plan::Planner;
use callflume_core::record::JournalRecord;
use callflume_core::vendor::{Vendor, WindowSpec};
use callflume_crm as crm;

/// How the CRM of an account is spoken to, as its configuration says.
pub fn settings_of(config: &AccountConfig) -> Result<crm::Settings, BadConfig> {
    let api = match &config.api_version {
        Some(text) => text
            .parse::<crm::ApiVersion>()
            .map_err(|error| BadConfig::new("api_version", error.to_string()))?,
        None => crm::ApiVersion::default(),
    };
    Ok(crm::Settings::new(api, config.dispositions.clone())
        .map_err(|error| BadConfig::new("dispositions", error.to_string()))?
        .with_custom_fields(config.custom_fields.clone())
        .map_err(|error| BadConfig::new("custom_fields", error.to_string()))?
        .with_oauth(config.oauth.is_on()))
}

/// The CRM of an account, speaking as its configuration says.
pub fn vendor_of(config: &AccountConfig) -> Result<Arc<dyn Vendor>, BadConfig> {
    crm::vendor(&config.crm, &settings_of(config)?)
        .map_err(|error| BadConfig::new("crm", error.to_string()))
}

fn windows_of(config: &AccountConfig) -> Result<&'static [WindowSpec], BadConfig> {
    crm::limit_profile(&config.crm, &config.profile).ok_or_else(|| {
        let known = crm::limit_profile_ids(&config.crm).join(", ");
        BadConfig::new(
            "profile",
            format!(
                "`{}` is no limit profile of {}; use one of {known}",
                config.profile, config.crm
            ),
        )
    })
}

/// Checks everything about an account that can be checked without the CRM.
pub fn check_account(config: &AccountConfig) -> Result<(), BadConfig> {
    config.check()?;
    vendor_of(config)?;
    if let Some(oauth) = config.oauth.renewed() {
        let (refresh_token, token_url) = (oauth.refresh_token.is_some(), oauth.token_url.is_some());
        crm::oauth::fitting(&config.crm, refresh_token, token_url)
            .map_err(|unfit| BadConfig::new(unfit.field, unfit.text))?;
    }
    effective_windows(config, windows_of(config)?)?;
    Planner::new(config)?;
    for (kind, effects) in &config.mapping {
        for (index, effect) in effects.iter().enumerate() {
            for name in effect.fields.keys() {
                let field = Field::parse(name);
                let known =
                    field.is_some_and(|field| crm::has_field(&config.crm, effect.object, &field));
                if !known {
                    let path = format!("mapping.{kind}[{index}].fields.{name}");
                    return Err(BadConfig::new(
                        path,
                        format!("a {} has no such field", effect.object),
                    ));
                }
            }
        }
    }
    Ok(())
}

/// What an account's dispatcher is made of; stored reference data, and a bulk job that the predecessor left, are the
/// caller's to add.
pub fn setup(
    account: &AccountId,
    config: &AccountConfig,
    floors: [u64; 2],
    journal: Option<JournalRecord>,
    seed: u64,
) -> Result<Setup, BadConfig> {
    check_account(config)?;
    Ok(Setup {
        account: account.clone(),
        config: config.clone(),
        vendor: vendor_of(config)?,
        windows: windows_of(config)?.to_vec(),
        bounds: Bounds::default(),
        seed,
        floors,
        journal,
        reference: None,
        bulk: None,
    })
}
