//! `account`: is the CRM account as it must be, make it so, let it go on.

mod close;
mod crm;
mod hubspot;
mod limits;
mod pipedrive;
mod salesforce;

use std::collections::BTreeMap;

use callflume_core::account::AccountId;
use callflume_core::config::AccountConfig;
use callflume_crm::setup::{Finding, State};
use callflume_jetstream::Broker;
use callflume_jetstream::clock::BrokerClock;
use callflume_worker::services;
use serde_json::json;

use self::crm::{Credential, Crm};
use super::cache::ownerless;
use super::{ORDER_WAIT, Session, unknown_account};
use crate::cli::{Account, AccountResume};
use crate::failure::Exit;
use crate::output::mark;

pub(super) async fn run(session: &Session, command: &Account) -> anyhow::Result<Exit> {
    match command {
        Account::Check(args) => look(session, &args.account, Purpose::Check).await,
        Account::Prepare(args) => {
            let purpose = if args.apply {
                Purpose::Apply
            } else {
                Purpose::Plan
            };
            look(session, &args.account, purpose).await
        }
        Account::Resume(args) => resume(session, args).await,
    }
}

/// What the looking is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Everyday work: is all there?
    Check,
    /// What would be made.
    Plan,
    /// Make it.
    Apply,
}

/// The account's configuration: from the file, else from the broker.
async fn configured(session: &Session, account: &AccountId) -> anyhow::Result<AccountConfig> {
    let configuration = session.configuration()?;
    if let Some(config) = configuration.accounts.get(account) {
        return Ok(config.clone());
    }
    let broker = session.broker(&configuration).await?;
    let mut accounts: BTreeMap<_, _> = callflume_worker::read_configs(&broker).await?;
    Ok(accounts
        .remove(account)
        .ok_or_else(|| unknown_account(account))?)
}

/// What the account's requests are authorized with: the configured token, or one that was renewed.
async fn credential(
    session: &Session,
    account: &AccountId,
    config: &AccountConfig,
) -> anyhow::Result<Credential> {
    if let (Some(token), None) = (&config.token, config.oauth.renewed()) {
        return Ok(Credential {
            token: callflume_worker::resolve_secret(token)?,
            base_url: None,
            scope: None,
        });
    }
    // The owner's token, where it can be had: no need to bother the CRM.
    let stored = match callflume_worker::token_keys()? {
        None => None,
        Some(keys) => match stored(session).await {
            Ok((broker, clock)) => Some((broker, keys, clock)),
            Err(error) => {
                tracing::info!(error = %format!("{error:#}"), "no stored token is looked for");
                None
            }
        },
    };
    let stored = stored
        .as_ref()
        .map(|(broker, keys, clock)| (broker, keys, clock.now()));
    let token = callflume_worker::access_token(stored, account, config).await?;
    Ok(Credential {
        token: token.token,
        base_url: token.base_url,
        scope: token.scope,
    })
}

/// The broker and its clock.
async fn stored(session: &Session) -> anyhow::Result<(Broker, BrokerClock)> {
    let broker = session.broker(&session.configuration()?).await?;
    let clock = BrokerClock::start(&broker).await?;
    Ok((broker, clock))
}

async fn look(session: &Session, account: &AccountId, purpose: Purpose) -> anyhow::Result<Exit> {
    let config = configured(session, account).await?;
    let credential = credential(session, account, &config).await?;
    let mut crm = Crm::new(&config, credential)?;
    let findings = crm.findings(&config, purpose != Purpose::Check).await?;
    let mut as_it_must_be = true;
    for finding in findings {
        let made = match (&finding.repair, purpose) {
            (Some(repair), Purpose::Apply) => Some(crm.repair(&config, &finding, repair).await),
            _ => None,
        };
        let planned = purpose == Purpose::Plan && finding.repair.is_some();
        let shown = made.as_ref().unwrap_or(&finding);
        as_it_must_be &= shown.state == State::Ok || planned;
        show(session, account, shown, made.is_some(), planned)?;
    }
    crm.close();
    if purpose == Purpose::Plan {
        session
            .output
            .say("nothing was changed; --apply makes what is marked with →")?;
    }
    Ok(if as_it_must_be {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn show(
    session: &Session,
    account: &AccountId,
    finding: &Finding,
    made: bool,
    planned: bool,
) -> anyhow::Result<()> {
    let remedy = finding.remedy.replace("<account>", account.as_str());
    let (state, reason) = match &finding.state {
        State::Ok if made => ("made", None),
        State::Ok => ("ok", None),
        State::Missing if planned => ("would be made", None),
        State::Missing => ("missing", None),
        State::Wrong(reason) => ("wrong", Some(reason)),
    };
    let data = json!({
        "what": finding.what,
        "state": state,
        "reason": reason,
        "remedy": (!remedy.is_empty() && !planned).then_some(&remedy),
    });
    session.output.data(&data, || {
        let sign = match state {
            "ok" | "made" => '✓',
            "would be made" => '→',
            _ => '✗',
        };
        let mut text = format!("{} {}", mark(sign), finding.what);
        if state != "ok" {
            text.push_str(": ");
            text.push_str(reason.map_or(state, String::as_str));
        }
        if sign == '✗' && !remedy.is_empty() {
            text.push_str("\n    remedy: ");
            text.push_str(&remedy);
        }
        text
    })
}

async fn resume(session: &Session, args: &AccountResume) -> anyhow::Result<Exit> {
    let account = &args.account;
    let broker = session.broker(&session.configuration()?).await?;
    let Some(accepted) = services::resume(&broker, account, ORDER_WAIT).await? else {
        return Err(ownerless(&broker, account).await);
    };
    session.output.data(
        &json!({"account": account, "worker": accepted.worker, "accepted": true}),
        || format!("{} goes on with {account}", accepted.worker),
    )?;
    Ok(Exit::Done)
}
