//! Look-ups of contacts for services in any language, and whom voice services want looked up.
//!
//! | subject | answered by | request | reply |
//! | --- | --- | --- | --- |
//! | `svc.contacts.v1.lookup`, `svc.contacts.v1.lookup.<account>` | one of the workers, whoever owns what | `LookupAsk` | `LookupReply` |
//! | `svc.contacts.v1.wanted.<account>` | nobody; its owner hears it | `LookupAsk` | none |
//!
//! The first is a NATS service (`$SRV.PING`, `INFO`, `STATS`; `nats micro ls`). An answer comes from memory or the contact
//! bucket and never waits for a CRM; what isn't known is wanted of the account's owner, whose dispatcher decides about it.
//! No number, address or name gets into a log.

use std::time::Duration;

use async_nats::service::{Request, Service, ServiceExt as _};
use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_core::dispatcher::Input;
use callflume_core::lookup::{
    AbsentContact, Empty, LOOKUP, LOOKUP_ACCOUNTS, LookupAsk, LookupRefusal, LookupReply, Person,
    wanted,
};
use callflume_jetstream::lookup::{Finding, Reader};
use callflume_jetstream::{Broker, Error as BrokerError};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{mpsc, watch};

use crate::Error;
use crate::configs::Accounts;

/// Name of the service.
pub const SERVICE: &str = "callflume-contacts";
/// Look-ups that are answered at a time; more wait in the connection.
const AT_A_TIME: usize = 256;
/// Pause before a service or a subscription that ended is begun again.
const AGAIN: Duration = Duration::from_secs(1);

/// Serves for ever.
pub(crate) async fn serve(
    broker: Broker,
    reader: Reader,
    accounts: watch::Receiver<Option<Accounts>>,
) {
    loop {
        match begin(&broker).await {
            Ok((_service, requests)) => {
                requests
                    .for_each_concurrent(AT_A_TIME, |request| answer(&reader, &accounts, request))
                    .await;
            }
            Err(error) => {
                tracing::warn!(%error, "the look-up service can't begin; trying again");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn begin(
    broker: &Broker,
) -> Result<(Service, impl futures_util::Stream<Item = Request>), async_nats::Error> {
    let service = broker
        .client()
        .service_builder()
        .description("Contacts of the CRM accounts that Callflume works for, from its cache")
        .start(SERVICE, env!("CARGO_PKG_VERSION"))
        .await?;
    let any = service
        .endpoint_builder()
        .name("lookup")
        .add(LOOKUP)
        .await?;
    let of_account = service
        .endpoint_builder()
        .name("lookup_account")
        .add(LOOKUP_ACCOUNTS)
        .await?;
    Ok((service, stream::select(any, of_account)))
}

async fn answer(reader: &Reader, accounts: &watch::Receiver<Option<Accounts>>, request: Request) {
    let reply = reply(reader, accounts, &request.message).await;
    let body = match serde_json::to_vec(&reply) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer can't be written as JSON");
            return;
        }
    };
    if let Err(error) = request.respond(Ok(body.into())).await {
        tracing::debug!(%error, "a look-up could not be answered");
    }
}

async fn reply(
    reader: &Reader,
    accounts: &watch::Receiver<Option<Accounts>>,
    message: &async_nats::Message,
) -> LookupReply {
    let token = message.subject.as_str().strip_prefix(LOOKUP);
    let named = token.and_then(|token| token.strip_prefix('.'));
    let (account, person) = match named.map(str::parse::<AccountId>).transpose() {
        Ok(named) => match LookupAsk::read(&message.payload, named) {
            Ok(ask) => ask,
            Err(refusal) => return LookupReply::Refused(refusal),
        },
        Err(_) => {
            return LookupReply::Refused(LookupRefusal {
                code: codes::LOOKUP_ASK,
                text: "the subject's last token is no account".to_owned(),
            });
        }
    };
    let configured = accounts
        .borrow()
        .as_ref()
        .is_none_or(|all| all.contains_key(&account));
    if !configured {
        return LookupReply::Refused(LookupRefusal {
            code: codes::ACCOUNT_UNKNOWN,
            text: format!("no account `{account}` is configured"),
        });
    }
    match reader.find(&account, &person).await {
        Ok(Finding::Known(contact)) => LookupReply::Known((*contact).clone()),
        Ok(Finding::Absent(as_of)) => LookupReply::Absent(AbsentContact { as_of }),
        Ok(Finding::Missing) => {
            reader.want(&account, &person).await;
            LookupReply::Unknown(Empty {})
        }
        Err(error) => {
            tracing::debug!(%account, %error, "a look-up could not be read");
            LookupReply::Refused(LookupRefusal {
                code: error.code(),
                text: "the contacts can't be read at the moment: ask again in a second".to_owned(),
            })
        }
    }
}

/// Hears who is wanted while the account is owned.
pub(crate) async fn listen(broker: Broker, account: AccountId, inputs: mpsc::Sender<Input>) {
    loop {
        match broker.client().subscribe(wanted(&account)).await {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    match LookupAsk::read(&message.payload, Some(account.clone())) {
                        Ok((_, person)) => {
                            if inputs.send(Input::Wanted(person)).await.is_err() {
                                return;
                            }
                        }
                        Err(refusal) => {
                            tracing::debug!(%account, code = %refusal.code, "{}", refusal.text);
                        }
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%account, %error, "wanted contacts can't be heard of; trying again");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Asks the service; `None` when no worker runs.
pub async fn lookup(
    broker: &Broker,
    account: &AccountId,
    person: &Person,
    wait: Duration,
) -> Result<Option<LookupReply>, Error> {
    let what = || "a look-up of a contact".to_owned();
    let unexpected = |error: serde_json::Error| BrokerError::Unexpected {
        what: what(),
        // Not its text: it may quote what was answered.
        cause: format!("{:?} error at column {}", error.classify(), error.column()),
    };
    let ask = LookupAsk::of(Some(account.clone()), person);
    let body = serde_json::to_vec(&ask).map_err(unexpected)?;
    match broker.ask(LOOKUP.into(), body.into(), wait, what).await {
        Ok(reply) => Ok(Some(
            serde_json::from_slice(&reply.payload).map_err(unexpected)?,
        )),
        Err(BrokerError::NoResponder { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
