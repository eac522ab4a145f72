//! Callflume's own requests carried to the model, and the answers as Callflume reads them.

use callflume_core::effect::{Field, Fields, Object, Value as FieldValue};
use callflume_core::time::WallTime;
use callflume_core::vendor::{Answer, Interpretation, Item, ItemOutcome, Operation, Vendor, Verb};
use callflume_crm::Settings;
use callflume_crm::close::Close as Vendored;
use callflume_sim::close::{Close, ObjectKind};
use callflume_sim::fakes::Request;

use crate::{BASIC, NOON_MS};

pub(crate) fn vendor() -> Vendored {
    let fields = [
        ("contact_key", "cf_key"),
        ("contact_opted_out", "cf_out"),
        ("contact_sentiment", "cf_mood"),
        ("deal_key", "cf_deal"),
    ];
    let fields = fields.map(|(name, id)| (name.to_owned(), id.to_owned()));
    let settings = Settings::default().with_custom_fields(fields.into());
    Vendored::new(settings.unwrap())
}

pub(crate) fn carried(
    crm: &mut Close,
    at_ms: i64,
    request: &callflume_core::vendor::HttpRequest,
) -> Answer {
    let carried = Request::from(request).with_header("authorization", BASIC);
    crm.handle(at_ms, &carried).into()
}

pub(crate) fn ask(crm: &mut Close, at_ms: i64, operation: &Operation) -> Interpretation {
    let answer = carried(crm, at_ms, &vendor().request(operation));
    vendor().interpret(operation, &answer)
}

pub(crate) fn operation(verb: Verb, object: Object, item: Item) -> Operation {
    Operation {
        verb,
        object,
        items: vec![item],
        after: None,
    }
}

/// Asks for one item; a probe as often as its answers say where to go on.
pub(crate) fn one(
    crm: &mut Close,
    at_ms: i64,
    verb: Verb,
    object: Object,
    item: &Item,
) -> ItemOutcome {
    let mut operation = operation(verb, object, item.clone());
    loop {
        let mut meaning = ask(crm, at_ms, &operation);
        match (verb, meaning.next_page.take()) {
            (Verb::Probe, Some(mark)) => operation.after = Some(mark),
            _ => return meaning.items.remove(0),
        }
    }
}

#[track_caller]
pub(crate) fn done(outcome: ItemOutcome) -> String {
    match outcome {
        ItemOutcome::Done { crm_id } => crm_id,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

pub(crate) fn item(key: &str, fields: &[(Field, FieldValue)]) -> Item {
    Item {
        key: key.into(),
        fields: fields.iter().cloned().collect::<Fields>(),
        ..Item::default()
    }
}

pub(crate) fn bo() -> Item {
    item(
        "p-1",
        &[
            (Field::FirstName, text("Bo")),
            (Field::LastName, text("Roe")),
            (Field::Phone, text("+12025550143")),
            (Field::Email, text("bo@example.org")),
        ],
    )
}

/// One record of every kind that hangs on a person.
pub(crate) fn records(contact: &str) -> Vec<(Object, Item)> {
    let at = (Field::At, FieldValue::At(WallTime(NOON_MS)));
    let call = [
        at.clone(),
        (Field::Title, text("Intro")),
        (Field::Text, text("They want a quote.")),
        (Field::Direction, text("inbound")),
        (Field::Duration, FieldValue::DurationMs(65_250)),
        (Field::Disposition, text("connected")),
        (Field::From, text("+12025550143")),
        (Field::RecordingUrl, text("https://r.example/1.mp3")),
        (Field::Owner, text("user_72")),
    ];
    let task = [
        at.clone(),
        (Field::Title, text("Call back")),
        (Field::Priority, text("high")),
        (Field::Owner, text("user_72")),
    ];
    let deal = [
        (Field::Title, text("Quote")),
        (Field::Stage, text("stat_21")),
        (Field::Amount, text("2400.50")),
    ];
    [
        (Object::Call, item("c-1", &call)),
        (Object::Note, item("r-1", &[at, (Field::Text, text("n"))])),
        (Object::Task, item("r-2", &task)),
        (Object::Deal, item("d-1", &deal)),
    ]
    .map(|(object, item)| {
        let contact = Some(contact.to_owned());
        (object, Item { contact, ..item })
    })
    .to_vec()
}

pub(crate) const fn kind(object: Object) -> ObjectKind {
    match object {
        Object::Contact => ObjectKind::Contact,
        Object::Call => ObjectKind::Call,
        Object::Note => ObjectKind::Note,
        Object::Task => ObjectKind::Task,
        Object::Deal => ObjectKind::Opportunity,
    }
}

pub(crate) fn only(crm: &Close, kind: ObjectKind) -> &callflume_sim::close::Record {
    let mut all = crm.records(kind).filter(|record| !record.deleted);
    let only = all.next().unwrap();
    assert_eq!(all.count(), 0, "{kind:?}: exactly one");
    only
}
