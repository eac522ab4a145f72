//! `contact`: who is this, as a voice service is told.

use std::time::Duration;

use callflume_core::codes;
use callflume_core::lookup::{LookupReply, Person};
use callflume_jetstream::Broker;
use callflume_worker::contacts;
use serde_json::json;
use tokio::time::Instant;

use super::{Session, cache::ownerless, unknown_account};
use crate::cli::{Contact, ContactLookup};
use crate::failure::{Exit, Failure, remedy_of};
use crate::output::{instant, row, table};
use crate::progress::Progress;

/// How long a worker has to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// How long `--wait` asks again, and how often.
const WAIT: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(session: &Session, command: &Contact) -> anyhow::Result<Exit> {
    let Contact::Lookup(args) = command;
    let person = person(args)?;
    let configuration = session.configuration()?;
    let broker = session.broker(&configuration).await?;
    let mut reply = ask(&broker, args, &person).await?;
    if args.wait {
        let since = Instant::now();
        let mut progress = Progress::new();
        while matches!(reply, LookupReply::Unknown(_)) && since.elapsed() < WAIT {
            progress.step(|| "being looked up in the CRM".to_owned());
            tokio::time::sleep(ASK_EVERY).await;
            reply = ask(&broker, args, &person).await?;
        }
    }
    if let LookupReply::Refused(refusal) = reply {
        return Err(if refusal.code == codes::ACCOUNT_UNKNOWN {
            unknown_account(&args.account)
        } else {
            Failure::coded(refusal.code, refusal.text, remedy_of(refusal.code))
        }
        .into());
    }
    let mut data = serde_json::to_value(&reply)?;
    data["account"] = json!(args.account);
    session.output.data(&data, || shown(&reply))?;
    Ok(match reply {
        LookupReply::Known(_) => Exit::Done,
        _ => Exit::Failed,
    })
}

fn person(args: &ContactLookup) -> Result<Person, Failure> {
    let refused = |text: &str, remedy: &str| Failure::coded(codes::LOOKUP_ASK, text, remedy);
    match (&args.by.phone, &args.by.email) {
        (Some(phone), _) => Person::phone(phone).ok_or_else(|| {
            refused(
                "--phone is no number in E.164",
                "write `+`, country code and number, such as +12025550143",
            )
        }),
        (None, email) => email
            .as_deref()
            .and_then(Person::email)
            .ok_or_else(|| refused("--email is no e-mail address", "write name@domain")),
    }
}

async fn ask(
    broker: &Broker,
    args: &ContactLookup,
    person: &Person,
) -> anyhow::Result<LookupReply> {
    match contacts::lookup(broker, &args.account, person, ANSWER_WAIT).await? {
        Some(reply) => Ok(reply),
        None => Err(ownerless(broker, &args.account).await),
    }
}

fn shown(reply: &LookupReply) -> String {
    match reply {
        LookupReply::Known(contact) => {
            let card = &contact.card;
            let mut rows = vec![row(["CRM id", &contact.crm_id])];
            for (name, value) in [
                ("first name", &card.first_name),
                ("last name", &card.last_name),
                ("e-mail", &card.email),
                ("phone", &card.phone),
                ("owner", &card.owner),
                ("open deal", &contact.deal),
            ] {
                if let Some(value) = value {
                    rows.push(row([name, value]));
                }
            }
            table(&rows)
        }
        LookupReply::Absent(absent) => format!(
            "not in the CRM as of {}; looked up again when that is {} minutes old",
            instant(absent.as_of.0),
            callflume_core::lookup::ABSENT_S / 60
        ),
        LookupReply::Unknown(_) | LookupReply::Refused(_) => {
            "not known yet; the account's worker looks it up in the CRM: ask again, or --wait"
                .to_owned()
        }
    }
}
