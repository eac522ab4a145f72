//! An account in HubSpot: checked, prepared, and refused with the reason.

use serde_json::Value;

use crate::crm::Crm;
use crate::program::{Program, Ran, account, nobody};

pub(crate) fn states(ran: &Ran) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    ran.documents()
        .iter()
        .map(|finding| (text(&finding["what"]), text(&finding["state"])))
        .collect()
}

#[tokio::test]
async fn an_account_is_checked_planned_prepared_and_then_ready() {
    let crm = Crm::start().await;
    let program = Program::at(&nobody());
    program.write("callflume.toml", account(&crm.url()));

    let checked = program.run("account check acme --json").await.expect(1);
    let found = states(&checked);
    assert_eq!(found[0], ("time zone America/New_York".into(), "ok".into()));
    let key = "property contacts.callflume_key".to_owned();
    assert!(
        found.contains(&(key.clone(), "missing".into())),
        "{found:?}"
    );
    let sent = crm.requests();
    program
        .run("account prepare acme")
        .await
        .expect(0)
        .says("→ property contacts.callflume_key: would be made")
        .says("nothing was changed");
    assert_eq!(crm.requests(), 2 * sent, "checks only");

    let made = program
        .run("account prepare acme --apply --json")
        .await
        .expect(0);
    assert!(states(&made).contains(&(key, "made".into())), "{made:?}");
    let ready = program.run("account check acme --json").await.expect(0);
    assert!(
        states(&ready).iter().all(|(_, state)| state == "ok"),
        "{ready:?}"
    );
}

#[tokio::test]
async fn what_is_wrong_in_the_crm_is_named_with_a_remedy() {
    let crm = Crm::start().await;
    let program = Program::at(&nobody());
    let text = account(&crm.url());
    program.write(
        "callflume.toml",
        text.replace("America/New_York", "Europe/Berlin"),
    );
    let mut few = callflume_sim::hubspot::ALL_SCOPES
        .map(str::to_owned)
        .to_vec();
    few.retain(|scope| scope != "crm.objects.deals.write");
    crm.model
        .lock()
        .unwrap()
        .set_scopes("sim-token", few.into_iter().collect());
    program
        .run("account check acme")
        .await
        .expect(1)
        .says("✗ time zone America/New_York: the configuration says Europe/Berlin")
        .says("set time_zone = \"America/New_York\"")
        .says("✗ scope crm.objects.deals.write: missing")
        .says("✓ scope crm.objects.deals.read")
        .says("✗ property contacts.callflume_key: missing\n    remedy: run `callflume account prepare acme --apply`");

    crm.model.lock().unwrap().revoke("sim-token");
    let ran = program
        .run("account check acme")
        .await
        .expect(1)
        .says("error CF2201:");
    assert!(!ran.stderr.contains("sim-token"), "{ran:?}");

    program.write(
        "callflume.toml",
        text.replace("TEST_CRM_TOKEN", "TEST_NO_SUCH"),
    );
    program
        .run("account check acme")
        .await
        .expect(3)
        .says("error CF3103:")
        .says("TEST_NO_SUCH");
}
