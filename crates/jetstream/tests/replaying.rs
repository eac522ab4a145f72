//! Replays of dead letters: killed anywhere or run twice, nothing is lost and nothing is doubled.

mod common;

use callflume_core::codes;
use callflume_core::effect::effect_key;
use callflume_core::event::EventId;
use callflume_core::lane::Lane;
use callflume_core::record::{EffectState, LedgerRecord};
use callflume_core::time::WallTime;
use callflume_jetstream::consumer::{AccountConsumer, ConsumerSettings};
use callflume_jetstream::dead::{DeadLetter, DeadLetters, StoredDeadLetter};
use callflume_jetstream::delivery::Delivery;
use callflume_jetstream::floor::{Floor, Floors};
use callflume_jetstream::ledger::Ledger;
use callflume_jetstream::replay::{Replayed, Replays};

use common::{BRIEFLY, Site, account, publish, pull, site};

/// A dead letter about an event that is in the stream, and what a replay touches.
struct Scene {
    site: Site,
    ledger: Ledger,
    letters: DeadLetters,
    replays: Replays,
    letter: StoredDeadLetter,
    key: String,
}

impl Scene {
    async fn set(effect: Option<&str>) -> Self {
        let site = site().await;
        let acme = account("acme");
        let seq = publish(&site.broker, Lane::Op, &acme, "event", 1).await[0];
        let letters = DeadLetters::new(&site.broker);
        let letter = DeadLetter {
            lane: Lane::Op,
            account: acme.clone(),
            code: codes::CRM_REFUSED.as_str().to_owned(),
            cause: "PROPERTY_DOESNT_EXIST".to_owned(),
            attempts: 1,
            event_id: Some("acme-event1".to_owned()),
            effect: effect.map(str::to_owned),
            subject: Lane::Op.subject(&acme, "call_ended"),
            stream_seq: seq,
            content_type: Some("application/json".to_owned()),
            traceparent: Some("00-1-2-01".to_owned()),
            payload: b"event1"[..].into(),
            at: WallTime(1_700_000_000_123),
        };
        // Others came before: its sequence is not 1.
        for other in 90..93 {
            let stream_seq = other;
            let letter = DeadLetter {
                stream_seq,
                ..letter.clone()
            };
            letters.publish(&letter).await.unwrap();
        }
        let own = letters.publish(&letter).await.unwrap();
        let letter = letters.show(own).await.unwrap().unwrap();
        let event = EventId::new("acme-event1").unwrap();
        Self {
            ledger: Ledger::open(&site.broker).await.unwrap(),
            replays: Replays::open(&site.broker).await.unwrap(),
            key: effect_key(&event, effect.unwrap_or_default()),
            letters,
            letter,
            site,
        }
    }

    async fn record(&self, state: EffectState) {
        let record = LedgerRecord::new(state, WallTime(1));
        let acme = account("acme");
        self.ledger.write(&acme, &self.key, &record).await.unwrap();
    }

    async fn state(&self) -> Option<EffectState> {
        let found = self.ledger.read(&account("acme"), &self.key).await.unwrap();
        found.map(|stored| stored.record.state)
    }

    /// Everything up to and with the letter's event is settled.
    async fn settle(&self) {
        let floors = Floors::open(&self.site.broker).await.unwrap();
        let above = self.letter.letter.stream_seq + 1;
        floors
            .write(Lane::Op, &account("acme"), above)
            .await
            .unwrap();
    }

    async fn replay(&self) -> Replayed {
        self.replays.replay(&self.letter).await.unwrap()
    }

    async fn is_there(&self) -> bool {
        self.letters.show(self.letter.seq).await.unwrap().is_some()
    }

    /// What has been published since the original event.
    async fn published(&self) -> Vec<Delivery> {
        let floor = Floor::at(self.letter.letter.stream_seq + 1);
        let (lane, acme, settings) = (Lane::Op, account("acme"), ConsumerSettings::default());
        let consumer = AccountConsumer::open(&self.site.broker, lane, &acme, settings, floor)
            .await
            .unwrap();
        consumer.reset(floor).await.unwrap();
        pull(&consumer, 10, BRIEFLY).await
    }
}

fn id(scene: &Scene) -> String {
    format!("acme-event1:r{}", scene.letter.seq)
}

#[tokio::test]
async fn an_effect_is_reopened_published_under_its_own_id_and_its_letter_removed() {
    let scene = Scene::set(Some("contact")).await;
    scene.record(EffectState::Dead).await;
    scene.settle().await;
    let stream_seq = scene.letter.letter.stream_seq + 1;
    let expected = Replayed::Published {
        message_id: Some(id(&scene)),
        stream_seq,
        repeated: false,
    };
    assert_eq!(scene.replay().await, expected);
    assert_eq!(scene.state().await, None);
    assert!(!scene.is_there().await);
    let published = scene.published().await;
    assert_eq!(published.len(), 1);
    let delivery = &published[0];
    assert_eq!(delivery.replay_of.as_deref(), Some("acme-event1"));
    assert_eq!(delivery.msg_id, Some(id(&scene)));
    assert_eq!(delivery.content_type.as_deref(), Some("application/json"));
    assert_eq!(delivery.traceparent.as_deref(), Some("00-1-2-01"));
    assert_eq!(&delivery.payload[..], b"event1");
    assert_eq!(delivery.subject, "voice.v1.op.acme.call_ended");
}

#[tokio::test]
async fn killed_between_any_two_steps_a_second_run_ends_it() {
    // After the record was forgotten.
    let scene = Scene::set(Some("contact")).await;
    scene.settle().await;
    assert!(matches!(
        scene.replay().await,
        Replayed::Published {
            repeated: false,
            ..
        }
    ));
    // After it was published: the letter is as if it had not been removed, its replay not worked on, under way, or dead
    // again.
    for state in [None, Some(EffectState::Sent), Some(EffectState::Dead)] {
        if let Some(state) = state {
            scene.record(state).await;
        }
        assert!(
            matches!(
                scene.replay().await,
                Replayed::Published { repeated: true, .. }
            ),
            "{state:?}"
        );
    }
    assert_eq!(scene.published().await.len(), 1);
    // Its replay has ended.
    for state in [
        EffectState::Done,
        EffectState::Merged,
        EffectState::Superseded,
    ] {
        scene.record(state).await;
        assert_eq!(scene.replay().await, Replayed::AlreadyWritten);
        assert_eq!(scene.state().await, Some(state), "what is written stays so");
    }
    assert_eq!(scene.published().await.len(), 1);
    assert!(!scene.is_there().await);
}

#[tokio::test]
async fn while_its_event_may_be_worked_on_a_letter_stays() {
    let scene = Scene::set(Some("contact")).await;
    for state in [None, Some(EffectState::Dead)] {
        if let Some(state) = state {
            scene.record(state).await;
        }
        assert_eq!(scene.replay().await, Replayed::Unsettled);
        assert_eq!(scene.state().await, state);
    }
    assert!(scene.is_there().await);
    assert_eq!(scene.published().await.len(), 0);
    scene.settle().await;
    assert!(matches!(scene.replay().await, Replayed::Published { .. }));
}

#[tokio::test]
async fn a_whole_event_is_published_at_once_and_its_effects_keep_their_records() {
    let scene = Scene::set(None).await;
    scene.record(EffectState::Dead).await;
    assert!(matches!(scene.replay().await, Replayed::Published { .. }));
    assert_eq!(scene.state().await, Some(EffectState::Dead));
    assert!(!scene.is_there().await);
    assert_eq!(scene.published().await.len(), 1);
}

#[tokio::test]
async fn without_an_id_or_a_subject() {
    let mut scene = Scene::set(None).await;
    scene.letter.letter.event_id = None;
    scene.letter.letter.subject = "$KV.callflume-config.account.acme".to_owned();
    assert_eq!(scene.replay().await, Replayed::NoSubject);
    assert!(scene.is_there().await);
    scene.letter.letter.subject = "voice.v1.op.acme.call_ended".to_owned();
    assert!(matches!(
        scene.replay().await,
        Replayed::Published {
            message_id: None,
            ..
        }
    ));
    let published = scene.published().await;
    assert_eq!(published[0].msg_id, None);
    assert_eq!(published[0].replay_of, None);
}
