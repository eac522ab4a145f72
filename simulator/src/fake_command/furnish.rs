//! A fake as the arguments ask for it: limits, credential, contacts, faults; and what a person must know to use it.

use callflume_core::vendor::{Span, Unit, WindowSpec};

use super::FakeArgs;
use crate::fakes::{self, HttpModel};
use crate::scenario::Crm;
use crate::{close, hubspot, pipedrive, salesforce};

/// The client that may refresh access tokens, in every fake.
pub(super) const CLIENT_ID: &str = "sim-client";
/// Its secret. It opens nothing but the fake.
pub(super) const CLIENT_SECRET: &str = "sim-secret";
/// The refresh token it holds.
pub(super) const REFRESH_TOKEN: &str = "sim-refresh";

/// What stands for no limit: more than anybody sends, and still a 32-bit number in headers.
const UNLIMITED: u32 = 1_000_000_000;

/// A fake that can't be made as asked.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A profile of another vendor, or of none.
    #[error("{vendor} has no limit profile `{profile}`; use one of {list}", list = callflume_crm::limit_profile_ids(vendor).join(", "))]
    Profile {
        /// Whose.
        vendor: String,
        /// What was asked for.
        profile: String,
    },
    /// A fault that this CRM doesn't have.
    #[error("{0} doesn't fail in this way: use another kind of fault, or leave out its `policy`")]
    Fault(String),
    /// The fake's.
    #[error(transparent)]
    Fake(#[from] fakes::SetupError),
}

/// A fake with what must be known of it.
pub(super) struct Furnished {
    pub(super) model: Box<dyn HttpModel>,
    pub(super) known: Known,
}

/// What a person must know to use a fake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The limit profile.
    pub(super) profile: String,
    /// Its windows, in words; none without limits.
    pub(super) limits: Vec<String>,
    /// Header that shows the credential: name and value.
    pub(super) header: (&'static str, String),
    /// A request that answers with the first contacts: path and query.
    pub(super) probe: &'static str,
    /// Where access tokens are refreshed.
    pub(super) token_path: &'static str,
    /// Whether the client shows itself as HTTP Basic there rather than in the form.
    pub(super) basic_client: bool,
    /// The account's time zone, where its midnight ends a quota.
    pub(super) time_zone: Option<String>,
    /// The number of the first contact, as a caller's.
    pub(super) first_number: Option<String>,
}

/// Makes the fake that listens at `url`; faults count from `start_ms`, epoch milliseconds.
pub(super) fn furnished(
    args: &FakeArgs,
    url: &str,
    start_ms: i64,
) -> Result<Furnished, SetupError> {
    let vendor = args.vendor.as_str();
    let profile = args.profile.clone();
    let profile = profile.unwrap_or_else(|| fakes::default_profile(vendor).to_owned());
    let Some(windows) = callflume_crm::limit_profile(vendor, &profile) else {
        return Err(SetupError::Profile {
            vendor: vendor.to_owned(),
            profile,
        });
    };
    if !args
        .faults
        .iter()
        .all(|fault| fakes::can_fail(vendor, fault))
    {
        return Err(SetupError::Fault(vendor.to_owned()));
    }
    let limits = if args.no_limits { &[] } else { windows };
    let crm = Crm {
        vendor: vendor.to_owned(),
        profile: profile.clone(),
        ..Crm::default()
    };
    let bearer = ("authorization", format!("Bearer {}", args.token));
    let mut known = Known {
        profile,
        limits: limits.iter().map(in_words).collect(),
        header: bearer,
        probe: "/crm/v3/objects/contacts?limit=3",
        token_path: "/oauth/v1/token",
        basic_client: false,
        time_zone: None,
        first_number: None,
    };
    let mut model = seeded(args, &crm, url, windows, &mut known)?;
    for fault in &args.faults {
        model.script(fault, start_ms);
    }
    Ok(Furnished { model, known })
}

/// The fake of a vendor with its first contacts; what is its own goes into what must be known.
fn seeded(
    args: &FakeArgs,
    crm: &Crm,
    url: &str,
    windows: &[WindowSpec],
    known: &mut Known,
) -> Result<Box<dyn HttpModel>, fakes::SetupError> {
    let model: Box<dyn HttpModel> = match crm.vendor.as_str() {
        "salesforce" => {
            known.probe = "/services/data/v66.0/query?q=SELECT+Id,Name+FROM+Contact+LIMIT+3";
            known.token_path = "/services/oauth2/token";
            let mut org = salesforce::Salesforce::new(salesforce_config(args, url, windows))?;
            let seeded = org.seed_contacts(args.contacts, args.seed)?;
            known.first_number = seeded.first().map(|it| it.e164.clone());
            Box::new(org)
        }
        "close" => {
            known.header.1 = close::basic_credential(&args.token);
            known.probe = "/api/v1/contact/?_limit=3";
            known.token_path = "/oauth2/token/";
            let mut organisation = close::Close::new(close_config(args, crm))?;
            let seeded = organisation.seed_contacts(args.contacts, args.seed)?;
            known.first_number = seeded.first().map(|it| it.e164.clone());
            Box::new(organisation)
        }
        "pipedrive" => {
            let oauth_plan = crm.profile.ends_with("oauth");
            if !oauth_plan {
                known.header = ("x-api-token", args.token.clone());
            }
            known.probe = "/api/v2/persons?limit=3";
            known.token_path = "/oauth/token";
            known.basic_client = true;
            let config = pipedrive_config(args, crm, url, oauth_plan);
            known.time_zone = Some(config.time_zone.clone());
            let mut company = pipedrive::Pipedrive::new(config)?;
            let seeded = company.seed_contacts(args.contacts, args.seed)?;
            known.first_number = seeded.first().map(|it| it.e164.clone());
            Box::new(company)
        }
        _ => {
            let config = hubspot_config(args, crm);
            known.time_zone = Some(config.time_zone.clone());
            let mut account = hubspot::HubSpot::new(config)?;
            let seeded = account.seed_contacts(args.contacts, args.seed)?;
            known.first_number = seeded.first().map(|it| it.e164.clone());
            Box::new(account)
        }
    };
    Ok(model)
}

fn in_words(window: &WindowSpec) -> String {
    let unit = match window.unit {
        Unit::Request => "requests",
        Unit::Token => "tokens",
    };
    let WindowSpec { name, limit, .. } = window;
    match window.span {
        Span::RollingMs(span_ms) => {
            let span = match span_ms {
                86_400_000 => "24 hours".to_owned(),
                1_000 => "second".to_owned(),
                _ => format!("{} s", span_ms as f64 / 1_000.0),
            };
            format!("{name}: {limit} {unit} in any {span}")
        }
        Span::Day => format!("{name}: {limit} {unit} a day"),
        Span::Slots => format!("{name}: {limit} {unit} at a time"),
    }
}

fn hubspot_config(args: &FakeArgs, crm: &Crm) -> hubspot::HubSpotConfig {
    let mut config = hubspot::prepared::bare(crm, args.seed);
    let mut client = hubspot::OauthClient::new(CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN);
    if args.no_limits {
        config.daily_limit = UNLIMITED.into();
        config.search_limit = UNLIMITED;
        client.app.interval_limit = UNLIMITED;
    }
    config.oauth_clients.push(client);
    for app in &mut config.apps {
        app.token.clone_from(&args.token);
        if args.no_limits {
            app.interval_limit = UNLIMITED;
        }
    }
    config
}

fn close_config(args: &FakeArgs, crm: &Crm) -> close::CloseConfig {
    let mut config = close::prepared::bare(crm, args.seed);
    config.keys = vec![close::ApiKey::key(&args.token)];
    config.oauth = Some(close::OauthClient {
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.to_owned(),
        refresh_token: REFRESH_TOKEN.to_owned(),
        expires_in_s: 3_600,
    });
    if args.no_limits {
        config.key_limit = UNLIMITED;
        config.group_limits.clear();
    }
    config
}

fn pipedrive_config(
    args: &FakeArgs,
    crm: &Crm,
    url: &str,
    oauth_plan: bool,
) -> pipedrive::PipedriveConfig {
    let mut config = pipedrive::prepared::bare(crm, args.seed);
    for token in &mut config.tokens {
        token.value.clone_from(&args.token);
        token.oauth = oauth_plan;
    }
    let user = config.tokens.first().map_or(0, |token| token.user_id);
    config.oauth_clients = vec![pipedrive::OauthClient::new(
        CLIENT_ID,
        CLIENT_SECRET,
        REFRESH_TOKEN,
        user,
    )];
    config.api_domain = Some(url.to_owned());
    if args.no_limits {
        config.daily_tokens = UNLIMITED.into();
        config.burst_limit = UNLIMITED;
        config.search_limit = UNLIMITED;
    }
    config
}

fn salesforce_config(
    args: &FakeArgs,
    url: &str,
    windows: &[WindowSpec],
) -> salesforce::SalesforceConfig {
    let mut app = salesforce::ConnectedApp::new(CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, 0);
    app.client_credentials = true;
    let mut config = salesforce::SalesforceConfig {
        instance_url: url.to_owned(),
        sessions: vec![salesforce::Session::new(&args.token, 0)],
        apps: vec![app],
        seed: args.seed,
        ..salesforce::SalesforceConfig::default()
    };
    for window in windows {
        match window.span {
            Span::Slots => config.long_requests = window.limit,
            _ => config.daily_requests = window.limit,
        }
    }
    if args.no_limits {
        config.long_requests = UNLIMITED;
        config.daily_requests = UNLIMITED;
        config.daily_bulk_rows = UNLIMITED.into();
    }
    config
}
