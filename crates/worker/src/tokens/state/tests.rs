use super::*;

const START: i64 = 1_795_608_000_000;

fn chain(token: &str, life_s: Option<u64>) -> Chain {
    Chain {
        origin: Origin::of_refresh_token(&"acme".parse().unwrap(), &"r".into()),
        refresh_token: Some("r".into()),
        access: Some(Access {
            token: token.into(),
            since: BrokerTime(START),
            life_s,
        }),
        base_url: None,
        scope: None,
        begun: None,
    }
}

fn holding(life_s: Option<u64>) -> State {
    let mut state = State {
        read: true,
        ..State::default()
    };
    state.set_chain(Some(chain("a", life_s)), Expected::Revision(1));
    state
}

fn at(ms: i64) -> BrokerTime {
    BrokerTime(START + ms)
}

fn word(usable: &Usable) -> &'static str {
    match usable {
        Usable::Yes => "yes",
        Usable::NotYet => "not yet",
        Usable::No(_) => "no",
    }
}

#[test]
fn a_token_is_renewed_before_its_end_and_not_used_after_it() {
    for (life_s, ms, usable, due) in [
        (Some(1_800), 0, "yes", false),
        (Some(1_800), 1_499_999, "yes", false),
        (Some(1_800), 1_500_000, "yes", true),
        (Some(1_800), 1_789_999, "yes", true),
        (Some(1_800), 1_790_000, "not yet", true),
        (Some(1_800), i64::from(u32::MAX), "not yet", true),
        (None, i64::from(u32::MAX), "yes", false),
        // A clock that was set back.
        (Some(1_800), -3_600_000, "yes", false),
    ] {
        let state = holding(life_s);
        assert_eq!(word(&state.usable(at(ms))), usable, "{life_s:?} {ms}");
        assert_eq!(state.is_due(at(ms)), due, "{life_s:?} {ms}");
    }
    let fresh = State::default();
    assert_eq!(
        (word(&fresh.usable(at(0))), fresh.is_due(at(0))),
        ("not yet", true)
    );
}

#[test]
fn failures_in_passing_are_spaced_out_and_told_once_the_token_has_ended() {
    let mut state = holding(Some(1_800));
    state.renewing = true;
    let crm = || {
        Err(Failed::Crm {
            wait_ms: None,
            reason: "status 503".to_owned(),
        })
    };
    state.ended_with(crm(), 0, at(1_500_000));
    assert!(!state.is_due(at(1_500_999)) && state.is_due(at(1_501_000)));
    assert_eq!(word(&state.usable(at(1_501_000))), "yes");
    assert_eq!(state.standing(at(1_501_000)), None);
    let late = state.standing(at(1_800_000)).unwrap();
    assert_eq!(late.code, codes::CRM_GRANT_LATE);
    assert!(late.text.contains("status 503"));
    assert_eq!(word(&state.usable(at(1_800_000))), "not yet");
    state.ended_with(crm(), 0, at(1_800_000));
    assert!(!state.is_due(at(1_801_999)) && state.is_due(at(1_802_000)));
    state.ended_with(Ok(()), 0, at(1_802_000));
    assert_eq!(state.standing(at(1_802_000)), None);
}

#[test]
fn trouble_pauses_once_the_token_has_ended_and_only_an_order_ends_a_refused_consent() {
    let origin = chain("a", None).origin;
    for (ended, due_later) in [(None, true), (Some(origin), false)] {
        let mut state = holding(Some(1_800));
        let trouble = Trouble {
            ended,
            ..Trouble::new(codes::CRM_GRANT, "no")
        };
        state.ended_with(Err(Failed::Trouble(trouble)), 0, at(1_500_000));
        assert!(state.standing(at(1_500_000)).is_some());
        assert_eq!(word(&state.usable(at(1_500_000))), "yes");
        state.again_at = at(1_900_000);
        assert_eq!(word(&state.usable(at(1_800_000))), "no");
        assert_eq!(state.is_due(at(9_000_000)), due_later);
        state.begin_anew();
        assert!(state.is_due(at(1_800_000)));
        assert_eq!(word(&state.usable(at(1_800_000))), "not yet");
        assert_eq!(state.standing(at(1_800_000)), None);
    }
}

#[test]
fn a_refused_token_is_renewed_once_and_a_refused_new_one_not_at_once() {
    let mut state = holding(None);
    let first = state.generation;
    assert!(state.refuse(first, at(0)), "the first asks for a renewal");
    assert!(state.refuse(first, at(1)), "others meet it");
    assert!(state.is_due(at(1)) && word(&state.usable(at(1))) == "not yet");
    state.set_chain(Some(chain("b", None)), Expected::Revision(2));
    assert_eq!(word(&state.usable(at(2))), "yes");
    assert!(state.refuse(first, at(3)), "a late answer to the old one");
    assert!(!state.is_due(at(3)), "which says nothing of the new one");
    assert!(!state.refuse(first + 1, at(59_999)), "the refusal stands");
    assert!(
        state.refuse(first + 1, at(60_000)),
        "later it is tried again"
    );
    // The same token read again stays refused.
    state.set_chain(Some(chain("b", None)), Expected::Revision(2));
    assert!(state.refused);
}

#[test]
fn what_an_overtaken_renewal_found_out_is_not_kept() {
    let mut state = holding(Some(1_800));
    state.renewing = true;
    let epoch = state.epoch;
    state.begin_anew();
    let trouble = Trouble::new(codes::CRM_GRANT, "no");
    state.ended_with(Err(Failed::Trouble(trouble)), epoch, at(0));
    assert!(!state.renewing && state.is_due(at(0)));
    assert_eq!(state.standing(at(0)), None);
}
