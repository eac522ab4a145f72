//! What a fake in the foreground says: when it listens, when it ends, and in its help.

use serde_json::{Value, json};

use super::FakeArgs;
use super::furnish::{CLIENT_ID, CLIENT_SECRET, Known, REFRESH_TOKEN};
use crate::fakes::Tally;

pub(super) const AFTER_HELP: &str = "\
The fake keeps the vendor's limits, error bodies, partial failures and search lag; nothing of it is real, and no data \
leaves the machine. It starts without anything of Callflume's: `callflume account prepare <account> --apply` makes that.

Faults, KIND and KEY=VALUE as in scenario files (loadtests/):
  not carried out  throttled, status, html502, drop; for HubSpot also locked, migrating
  carried out      execute_then_status, execute_then_drop, execute_then_truncate,
                   execute_slowly: the answer is wrong, missing, cut or late
  which requests   method=post  path=/batch/  skip=2  times=3  from_s=10  until_s=20
  how              status=503  delay_ms=2000  retry_after_s=30
                   policy=ten_secondly, secondly or daily
A fault without times and until_s stays until the end. An answer that never comes is held back for a minute.

Examples:
  callflume-sim fake hubspot --port 8090
  callflume-sim fake close --port 8091 --token key-1 --contacts 1000 --seed 7
  callflume-sim fake pipedrive --profile lite_api_token --fault throttled,times=5
  callflume-sim fake salesforce --fault execute_then_drop,path=/composite,times=1 --json

Exit codes:
  0   ended by Ctrl-C or SIGTERM
  2   wrong arguments
  3   the port can't be listened on";

/// The same for people and for programs.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) json: Value,
}

impl Said {
    fn new(lines: &[String], json: Value) -> Self {
        Self {
            text: lines.join("\n") + "\n",
            json,
        }
    }
}

/// Said once it listens.
pub(super) fn begun(args: &FakeArgs, url: &str, known: &Known) -> Said {
    let (name, value) = &known.header;
    let try_url = format!("{url}{}", known.probe);
    let token_url = format!("{url}{}", known.token_path);
    let json = json!({
        "event": "listening",
        "vendor": args.vendor,
        "url": url,
        "token": args.token,
        "header": {"name": name, "value": value},
        "try": try_url,
        "profile": (!args.no_limits).then_some(&known.profile),
        "limits": known.limits,
        "contacts": args.contacts,
        "first_number": known.first_number,
        "time_zone": known.time_zone,
        "seed": args.seed,
        "faults": args.faults,
        "oauth": {
            "url": token_url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "basic_client": known.basic_client,
        },
    });
    let line = |what: &str, said: &str| format!("  {what:<11}{said}");
    let mut lines = vec![
        format!("fake {} at {url}", args.vendor),
        line("token", &args.token),
    ];
    if known.limits.is_empty() {
        lines.push(line("limits", "none"));
    } else {
        lines.push(line("profile", &known.profile));
    }
    lines.extend(known.limits.iter().map(|limit| line("limit", limit)));
    let first = known.first_number.as_ref();
    let first = first.map_or_else(String::new, |number| {
        format!(", the first calls from {number}")
    });
    lines.push(line("contacts", &format!("{}{first}", args.contacts)));
    if !args.faults.is_empty() {
        lines.push(line("faults", &args.faults.len().to_string()));
    }
    let place = if known.basic_client {
        "as HTTP Basic"
    } else {
        "in the form"
    };
    lines.extend([
        line("OAuth", &format!("POST {token_url}")),
        line(
            "",
            &format!("grant_type=refresh_token&refresh_token={REFRESH_TOKEN}"),
        ),
        line(
            "",
            &format!("client {CLIENT_ID}, secret {CLIENT_SECRET}, {place}"),
        ),
        String::new(),
        "Try it:".to_owned(),
        format!("  curl -s -H '{name}: {value}' '{try_url}'"),
        String::new(),
        "As an account of Callflume, in callflume.toml, with the token in CRM_TOKEN:".to_owned(),
        "  [accounts.fake]".to_owned(),
        format!("  crm = \"{}\"", args.vendor),
        format!("  profile = \"{}\"", known.profile),
        "  token = { env = \"CRM_TOKEN\" }".to_owned(),
        format!("  base_url = \"{url}\""),
    ]);
    let time_zone = known.time_zone.as_ref();
    lines.extend(time_zone.map(|zone| format!("  time_zone = \"{zone}\"")));
    lines.push(String::new());
    lines.push("Ctrl-C ends it and sums up.".to_owned());
    Said::new(&lines, json)
}

/// Said at the end.
pub(super) fn ended(tally: &Tally) -> Said {
    let mut json = json!(tally);
    json["event"] = "ended".into();
    let statuses: Vec<String> = tally
        .statuses
        .iter()
        .map(|(status, count)| format!("{count} × {status}"))
        .collect();
    let mut requests = format!("{} requests", tally.requests);
    if !statuses.is_empty() {
        requests.push_str(": ");
        requests.push_str(&statuses.join(", "));
    }
    let line = |what: &str, said: String| format!("  {what:<20}{said}");
    let mut lines = vec![
        String::new(),
        requests,
        line("over a limit", tally.throttled.to_string()),
        line("credential refused", tally.unauthorized.to_string()),
        line("hit by a fault", tally.faulted.to_string()),
    ];
    if tally.records.is_empty() {
        lines.push("  no record was written".to_owned());
    }
    lines.extend(tally.records.iter().map(|(kind, written)| {
        let said = format!("{} made, {} changed", written.made, written.changed);
        line(kind, said)
    }));
    Said::new(&lines, json)
}
