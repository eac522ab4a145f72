use super::*;

fn keys(current: u8, previous: Option<u8>) -> TokenKeys {
    let text = |byte: u8| SecretString::from(STANDARD.encode([byte; 32]));
    TokenKeys::parse(&text(current), previous.map(text).as_ref()).unwrap()
}

fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

fn chain() -> Chain {
    Chain {
        origin: Origin::of_refresh_token(&account("acme"), &"refresh-1".into()),
        refresh_token: Some("refresh-2".into()),
        access: Some(Access {
            token: "access-2".into(),
            since: BrokerTime(1_795_608_000_000),
            life_s: Some(1_800),
        }),
        base_url: Some("https://acme.example".to_owned()),
        scope: Some("api refresh_token".to_owned()),
        begun: None,
    }
}

#[test]
fn a_record_is_opened_by_its_key_for_its_account_alone_and_unchanged() {
    let acme = account("acme");
    let sealed = seal(&keys(1, None), &acme, &chain()).unwrap();
    type Change = fn(&mut Sealed);
    let none: Change = |_| ();
    for (what, keys, account_id, change, opens) in [
        ("as it was written", keys(1, None), "acme", none, true),
        (
            "with the key as the previous one",
            keys(2, Some(1)),
            "acme",
            none,
            true,
        ),
        ("with another key", keys(2, None), "acme", none, false),
        ("for another account", keys(1, None), "other", none, false),
        (
            "with another origin",
            keys(1, None),
            "acme",
            |s| s.origin = Origin("0".repeat(32)),
            false,
        ),
        (
            "with another nonce",
            keys(1, None),
            "acme",
            |s| s.nonce = STANDARD.encode([0; NONCE_LEN]),
            false,
        ),
        (
            "with a short nonce",
            keys(1, None),
            "acme",
            |s| s.nonce.clear(),
            false,
        ),
        (
            "with a changed text",
            keys(1, None),
            "acme",
            |s| {
                let mut text = STANDARD.decode(&s.text).unwrap();
                text[0] ^= 1;
                s.text = STANDARD.encode(text);
            },
            false,
        ),
        (
            "with a text that is no base64",
            keys(1, None),
            "acme",
            |s| s.text = "!".into(),
            false,
        ),
        (
            "with another key's name",
            keys(1, Some(2)),
            "acme",
            |s| {
                s.key_id = keys(2, None).id().to_owned();
            },
            false,
        ),
    ] {
        let mut sealed = Sealed {
            schema: SCHEMA,
            key_id: sealed.key_id.clone(),
            origin: sealed.origin.clone(),
            nonce: sealed.nonce.clone(),
            text: sealed.text.clone(),
        };
        change(&mut sealed);
        let opened = open(&keys, &account(account_id), &sealed);
        assert_eq!(opened.is_some(), opens, "{what}");
        if let Some(opened) = opened {
            assert!(opened.is_same(&chain()), "{what}");
            assert_eq!(opened.base_url, chain().base_url);
            assert_eq!(opened.scope, chain().scope);
            assert_eq!(opened.access.unwrap().life_s, Some(1_800));
        }
    }
}

#[test]
fn no_two_records_are_alike_and_none_shows_what_is_in_it() {
    let acme = account("acme");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let sealed = seal(&keys(1, None), &acme, &chain()).unwrap();
        assert!(seen.insert(sealed.nonce.clone()));
        let written = serde_json::to_string(&sealed).unwrap();
        for secret in ["refresh-1", "refresh-2", "access-2", "acme.example"] {
            assert!(!written.contains(secret), "{written}");
            assert!(!written.contains(&STANDARD.encode(secret)), "{written}");
        }
    }
    let shown = format!("{:?}", chain());
    assert!(
        !shown.contains("refresh-") && !shown.contains("access-"),
        "{shown}"
    );
}

#[test]
fn an_origin_tells_consents_apart() {
    let (acme, other) = (account("acme"), account("other"));
    let origins = [
        Origin::of_refresh_token(&acme, &"r-1".into()),
        Origin::of_refresh_token(&acme, &"r-2".into()),
        Origin::of_refresh_token(&other, &"r-1".into()),
        Origin::of_client(&acme, &"i".into(), &"s".into()),
        Origin::of_client(&acme, &"is".into(), &"".into()),
        Origin::of_client(&acme, &"i".into(), &"s2".into()),
    ];
    for (index, origin) in origins.iter().enumerate() {
        assert!(!origins[..index].contains(origin), "{index}");
    }
    assert_eq!(origins[0], Origin::of_refresh_token(&acme, &"r-1".into()));
}
