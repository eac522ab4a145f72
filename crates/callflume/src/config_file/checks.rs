//! What can be wrong with values of the file beyond their types.
//!
//! The first fault found is reported; nothing is tried with a file that has one.

use callflume_core::codes;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{BrokerSection, File, Source, lease};
use crate::failure::Failure;
use crate::position;

/// Below, a stream could not hold a few thousand events.
const MAX_BYTES_LEAST: u64 = 256 << 20;

/// Refuses secrets that stand in the file themselves, before any other message could repeat them.
pub(super) fn plain_secrets(
    source: &Source<'_>,
    document: &Spanned<DeTable<'_>>,
) -> Result<(), Failure> {
    let table = document.get_ref();
    let mut places = Vec::new();
    for field in ["token", "password", "nkey"] {
        places.push((
            field,
            position::value(table, &["broker", "credentials", field]),
        ));
    }
    if let Some(DeValue::Table(accounts)) =
        position::value(table, &["accounts"]).map(Spanned::get_ref)
    {
        for account in accounts.values() {
            if let DeValue::Table(account) = account.get_ref() {
                places.push(("token", position::value(account, &["token"])));
                for field in ["client_id", "client_secret", "refresh_token"] {
                    places.push((field, position::value(account, &["oauth", field])));
                }
            }
        }
    }
    for (field, value) in places {
        let Some(value) = value else { continue };
        let reference = match value.get_ref() {
            DeValue::Table(inner) => {
                inner.len() == 1
                    && inner.iter().all(|(key, value)| {
                        matches!(key.get_ref().as_ref(), "env" | "file")
                            && matches!(value.get_ref(), DeValue::String(_))
                    })
            }
            _ => false,
        };
        if !reference {
            return Err(source.fault(
                codes::CONFIG_VALUE,
                &value.span(),
                &format!("`{field}` is no reference to a secret"),
                format!(
                    "write {field} = {{ env = \"NAME\" }} or {field} = {{ file = \"PATH\" }}; if a secret stood here, exchange it"
                ),
            ));
        }
    }
    Ok(())
}

/// `[broker]`; `at` makes the fault at a path.
pub(super) fn check_broker(
    broker: &BrokerSection,
    at: &impl Fn(&str, &str) -> Failure,
) -> Result<(), Failure> {
    if broker
        .replicas
        .is_some_and(|count| !matches!(count, 1 | 3 | 5))
    {
        return Err(at(
            "broker.replicas",
            "use 1 on one server, 3 or 5 on a cluster",
        ));
    }
    if broker
        .max_bytes
        .is_some_and(|bytes| bytes < MAX_BYTES_LEAST)
    {
        return Err(at(
            "broker.max_bytes",
            &format!("too small for all streams together, use {MAX_BYTES_LEAST} or more"),
        ));
    }
    for (given, missing) in [
        ("tls_cert_file", broker.tls_key_file.is_none()),
        ("tls_key_file", broker.tls_cert_file.is_none()),
    ] {
        let is_given = match given {
            "tls_cert_file" => broker.tls_cert_file.is_some(),
            _ => broker.tls_key_file.is_some(),
        };
        if is_given && missing {
            return Err(at(
                &format!("broker.{given}"),
                "`tls_cert_file` and `tls_key_file` are given together or not at all",
            ));
        }
    }
    let credentials = &broker.credentials;
    if credentials.user.is_some() != credentials.password.is_some() {
        let given = if credentials.user.is_some() {
            "user"
        } else {
            "password"
        };
        return Err(at(
            &format!("broker.credentials.{given}"),
            "`user` and `password` are given together or not at all",
        ));
    }
    let ways = [
        credentials.token.is_some(),
        credentials.user.is_some(),
        credentials.creds_file.is_some(),
        credentials.nkey.is_some(),
    ];
    if ways.into_iter().filter(|given| *given).count() > 1 {
        return Err(at(
            "broker.credentials",
            "give one of `token`, `user` with `password`, `creds_file`, `nkey`",
        ));
    }
    Ok(())
}

/// `[worker]`, and what in the accounts depends on it.
pub(super) fn check_worker(
    file: &File,
    at: &impl Fn(&str, &str) -> Failure,
) -> Result<(), Failure> {
    let worker = &file.worker;
    if worker.lease_s.is_some_and(|s| !(2..=60).contains(&s)) {
        return Err(at("worker.lease_s", "out of range, use 2 to 60"));
    }
    if worker.history_hours.is_some_and(|h| h > 8_760) {
        return Err(at("worker.history_hours", "out of range, use 0 to 8760"));
    }
    let lease_ms = lease(worker, &file.broker).as_secs() * 1000;
    for (name, config) in &file.accounts {
        if config.request_timeout_ms >= lease_ms {
            return Err(at(
                &format!("accounts.{name}.request_timeout_ms"),
                &format!(
                    "a request must end before the lease of {lease_ms} ms: shorten it, or raise `lease_s`"
                ),
            ));
        }
    }
    Ok(())
}
