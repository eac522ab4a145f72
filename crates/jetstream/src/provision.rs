//! Making the broker's streams and buckets what module `assets` says.
//!
//! Decides what is created, updated or refused. Idempotent: a second run finds no difference. If anything can't be
//! changed in place, nothing at all is changed. Settings this program knows nothing about stay as they are.

use std::fmt;

use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::assets::{Asset, assets};
pub use crate::assets::{DUPLICATE_WINDOW, MAX_EVENT_BYTES, ProvisionSettings};
use crate::broker::{Broker, STREAM_NOT_FOUND};
use crate::error::Error;

/// The broker fixes these when a stream is made.
const FIXED: [&str; 2] = ["storage", "retention"];

/// One setting that is not as it should be, or one asset that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Name of the stream or bucket.
    pub asset: String,
    /// The setting, as the broker names it; empty for the asset as a whole.
    pub field: String,
    /// What it is, as JSON; `None` when there is none.
    pub is: Option<String>,
    /// What it should be, as JSON.
    pub wants: String,
    /// What is done about it.
    pub action: Action,
}

/// What is done about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The asset is made.
    Create,
    /// The setting is changed in place.
    Update,
    /// It can't be changed in place.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asset,
            field,
            is,
            wants,
            action,
        } = self;
        let is = is.as_deref().unwrap_or("unset");
        match action {
            Action::Create => write!(f, "{asset}: create"),
            Action::Update => write!(f, "{asset}: {field} {is} -> {wants}"),
            Action::Refused { why } => write!(f, "{asset}: {field} {is} -> {wants} refused: {why}"),
        }
    }
}

/// What [`apply`] would do.
pub async fn plan(broker: &Broker, settings: &ProvisionSettings) -> Result<Vec<Difference>, Error> {
    Ok(compare_all(broker, settings)
        .await?
        .into_iter()
        .flat_map(|(_, _, differences)| differences)
        .collect())
}

/// Creates and updates; gives back what was done. [`Error::NotChangeable`] when a difference is refused; nothing
/// was changed then.
pub async fn apply(
    broker: &Broker,
    settings: &ProvisionSettings,
) -> Result<Vec<Difference>, Error> {
    let compared = compare_all(broker, settings).await?;
    let refused: Vec<Difference> = compared
        .iter()
        .flat_map(|(_, _, differences)| differences)
        .filter(|difference| matches!(difference.action, Action::Refused { .. }))
        .cloned()
        .collect();
    if !refused.is_empty() {
        return Err(Error::NotChangeable(refused));
    }
    let mut done = Vec::new();
    for (asset, is, differences) in compared {
        if differences.is_empty() {
            continue;
        }
        let (verb, config) = match is {
            None => ("CREATE", asset.wants),
            Some(found) => {
                let mut config = found.config;
                config.extend(asset.wants);
                ("UPDATE", config)
            }
        };
        let subject = format!("STREAM.{verb}.{}", asset.stream);
        broker
            .request::<IgnoredAny>(&subject, &config, || {
                format!(
                    "{} of {}",
                    if verb == "CREATE" {
                        "the creation"
                    } else {
                        "an update"
                    },
                    asset.name
                )
            })
            .await?;
        done.extend(differences);
    }
    Ok(done)
}

/// Whether every stream and bucket is there. Their settings are not looked at.
pub async fn check(broker: &Broker) -> Result<(), Error> {
    let mut missing = Vec::new();
    for asset in assets(&ProvisionSettings::default()) {
        if find(broker, &asset).await?.is_none() {
            missing.push(asset.name);
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::NotProvisioned { missing })
    }
}

struct Found {
    config: Map<String, Value>,
    stored_bytes: u64,
}

async fn find(broker: &Broker, asset: &Asset) -> Result<Option<Found>, Error> {
    let answer: Result<Value, Error> = broker
        .request(&format!("STREAM.INFO.{}", asset.stream), &json!({}), || {
            format!("the settings of {}", asset.name)
        })
        .await;
    match answer {
        Ok(mut info) => {
            let stored_bytes = info["state"]["bytes"].as_u64().unwrap_or_default();
            match info["config"].take() {
                Value::Object(config) => Ok(Some(Found {
                    config,
                    stored_bytes,
                })),
                _ => Err(Error::Unexpected {
                    what: format!("the settings of {}", asset.name),
                    cause: "there is no `config`".to_owned(),
                }),
            }
        }
        Err(Error::Refused { broker_code, .. }) if broker_code == STREAM_NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

async fn compare_all(
    broker: &Broker,
    settings: &ProvisionSettings,
) -> Result<Vec<(Asset, Option<Found>, Vec<Difference>)>, Error> {
    let clustered = broker.client().server_info().cluster.is_some();
    let mut compared = Vec::new();
    for asset in assets(settings) {
        let found = find(broker, &asset).await?;
        let differences = compare(&asset, found.as_ref(), clustered);
        compared.push((asset, found, differences));
    }
    Ok(compared)
}

fn compare(asset: &Asset, found: Option<&Found>, clustered: bool) -> Vec<Difference> {
    let replicas_refused =
        (!clustered && asset.wants["num_replicas"].as_u64() > Some(1)).then(|| {
            "this server is in no cluster: ask for 1 replica, or provision the cluster".to_owned()
        });
    let Some(found) = found else {
        return vec![Difference {
            asset: asset.name.clone(),
            field: replicas_refused
                .as_ref()
                .map_or_else(String::new, |_| "num_replicas".to_owned()),
            is: None,
            wants: if replicas_refused.is_some() {
                asset.wants["num_replicas"].to_string()
            } else {
                Value::Object(asset.wants.clone()).to_string()
            },
            action: replicas_refused.map_or(Action::Create, |why| Action::Refused { why }),
        }];
    };
    asset
        .wants
        .iter()
        .filter(|(field, wants)| !same(found.config.get(*field), wants))
        .map(|(field, wants)| {
            let why = if FIXED.contains(&field.as_str()) {
                Some(format!(
                    "the broker fixes it when the stream is made; back up {0}, delete it, provision again",
                    asset.name
                ))
            } else if field == "num_replicas" {
                replicas_refused.clone()
            } else if field == "max_bytes" && asset.max_bytes < found.stored_bytes {
                Some(format!(
                    "{} bytes are stored, nothing more could be added: choose a higher limit",
                    found.stored_bytes
                ))
            } else {
                None
            };
            Difference {
                asset: asset.name.clone(),
                field: field.clone(),
                is: found.config.get(field).map(ToString::to_string),
                wants: wants.to_string(),
                action: why.map_or(Action::Update, |why| Action::Refused { why }),
            }
        })
        .collect()
}

/// The broker leaves out what has its zero value.
fn same(is: Option<&Value>, wants: &Value) -> bool {
    match is {
        Some(is) => is == wants,
        None => matches!(wants, Value::Null | Value::Bool(false)) || wants.as_u64() == Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset() -> Asset {
        assets(&ProvisionSettings::default())
            .into_iter()
            .find(|asset| asset.name == "VOICE_OP")
            .unwrap()
    }

    fn found(change: impl FnOnce(&mut Map<String, Value>)) -> Found {
        let mut config = asset().wants;
        change(&mut config);
        Found {
            config,
            stored_bytes: 5_000_000_000,
        }
    }

    #[test]
    fn says_what_is_updated_and_what_is_refused() {
        let as_wanted = found(|_| {});
        assert_eq!(compare(&asset(), Some(&as_wanted), false), []);

        let table = [
            ("max_age", json!(1), false),
            ("subjects", json!(["voice.>"]), false),
            ("storage", json!("memory"), true),
            ("retention", json!("workqueue"), true),
            // Lowered below what is stored.
            ("max_bytes", json!(10_000_000_000_u64), true),
        ];
        for (field, value, refused) in table {
            let found = found(|config| {
                config.insert(field.to_owned(), value);
            });
            let differences = compare(&asset(), Some(&found), false);
            assert_eq!(differences.len(), 1, "{field}");
            assert_eq!(differences[0].field, field);
            assert_eq!(
                matches!(differences[0].action, Action::Refused { .. }),
                refused,
                "{field}"
            );
        }
    }

    #[test]
    fn three_replicas_need_a_cluster() {
        let settings = ProvisionSettings {
            replicas: 3,
            ..ProvisionSettings::default()
        };
        let asset = assets(&settings).remove(0);
        for (clustered, refused) in [(false, true), (true, false)] {
            let differences = compare(&asset, None, clustered);
            assert_eq!(
                matches!(differences[0].action, Action::Refused { .. }),
                refused
            );
        }
    }

    #[test]
    fn what_the_broker_leaves_out_is_zero() {
        assert!(same(None, &json!(0)));
        assert!(same(None, &json!(false)));
        assert!(!same(None, &json!(true)));
        assert!(!same(Some(&json!(1)), &json!(2)));
    }
}
