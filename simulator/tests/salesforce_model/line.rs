//! The real translation at one end, the model at the other.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::time::WallTime;
use callflume_core::vendor::{
    AccountSignal, Answer, HttpRequest, Interpretation, ItemOutcome, Operation, Vendor, Verb,
};
use callflume_crm::Settings;
use callflume_crm::salesforce::{Salesforce as Translation, setup};
use callflume_crm::setup::{Finding, State};
use callflume_sim::fakes::Request;
use callflume_sim::salesforce::{ObjectKind, Record, Salesforce, SalesforceConfig};
use serde_json::Value;

pub(crate) use crate::operations::{by_email, by_phone, of, on, text, write};
use crate::{NOON_MS, TOKEN};

/// The model, and who speaks to it, two seconds between two requests.
pub(crate) struct Line {
    pub(crate) crm: Salesforce,
    pub(crate) vendor: Translation,
    pub(crate) now_ms: i64,
}

impl Line {
    /// An org that nobody has prepared.
    pub(crate) fn bare(change: impl FnOnce(&mut SalesforceConfig)) -> Self {
        let mut config = SalesforceConfig::default();
        change(&mut config);
        Self {
            crm: Salesforce::new(config).unwrap(),
            vendor: Translation::new(Settings::default()),
            now_ms: NOON_MS,
        }
    }

    /// An org, prepared as an operator would.
    pub(crate) fn with(change: impl FnOnce(&mut SalesforceConfig)) -> Self {
        let mut line = Self::bare(change);
        for finding in line.findings() {
            if let Some(repair) = &finding.repair {
                let answer = line.answer(repair);
                setup::repaired(&finding, &answer);
            }
        }
        for finding in line.findings() {
            assert_eq!(finding.state, State::Ok, "{}", finding.what);
        }
        line
    }

    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// What a check of the org finds.
    pub(crate) fn findings(&mut self) -> Vec<Finding> {
        let settings = Settings::default();
        setup::OBJECTS
            .into_iter()
            .flat_map(|object| {
                let answer = self.answer(&setup::describe_request(&settings, object));
                setup::fields(&settings, object, &answer)
            })
            .collect()
    }

    pub(crate) fn answer(&mut self, request: &HttpRequest) -> Answer {
        self.now_ms += 2_000;
        let sent = Request::from(request).with_bearer(TOKEN);
        self.crm.handle(self.now_ms, &sent).into()
    }

    pub(crate) fn exchange(&mut self, operation: &Operation) -> Interpretation {
        let request = self.vendor.request(operation);
        let answer = self.answer(&request);
        self.vendor.interpret(operation, &answer)
    }

    /// Several operations in one request.
    pub(crate) fn bundled(&mut self, operations: &[Operation]) -> Vec<Interpretation> {
        let request = self.vendor.bundle(operations);
        let answer = self.answer(&request);
        let answers = self.vendor.unbundle(operations, &answer).unwrap();
        let pairs = operations.iter().zip(answers);
        pairs
            .map(|(operation, answer)| self.vendor.interpret(operation, &answer))
            .collect()
    }

    #[track_caller]
    pub(crate) fn outcome(&mut self, operation: &Operation) -> ItemOutcome {
        let meaning = self.exchange(operation);
        assert_eq!(meaning.account, AccountSignal::Fine, "{operation:?}");
        meaning.items[0].clone()
    }

    #[track_caller]
    pub(crate) fn done(&mut self, operation: &Operation) -> String {
        done(&self.outcome(operation))
    }

    #[track_caller]
    pub(crate) fn found(&mut self, operation: &Operation) -> Vec<String> {
        match self.outcome(operation) {
            ItemOutcome::Matches(found) => found.into_iter().map(|found| found.crm_id).collect(),
            other => panic!("{operation:?}: {other:?}"),
        }
    }

    /// Who is found, exactly one.
    #[track_caller]
    pub(crate) fn only(&mut self, operation: &Operation) -> String {
        let mut found = self.found(operation);
        assert_eq!(found.len(), 1, "{operation:?}");
        found.remove(0)
    }

    /// A field as the org shows it.
    #[track_caller]
    pub(crate) fn shown(&self, crm_id: &str, name: &str) -> Value {
        self.crm.record(crm_id).unwrap().value(name)
    }

    pub(crate) fn living(&self, kind: ObjectKind) -> Vec<&Record> {
        self.crm
            .records(kind)
            .filter(|record| !record.deleted)
            .collect()
    }

    #[track_caller]
    pub(crate) fn person(&mut self) -> String {
        self.done(&bo())
    }
}

#[track_caller]
pub(crate) fn done(outcome: &ItemOutcome) -> String {
    match outcome {
        ItemOutcome::Done { crm_id } => crm_id.clone(),
        other => panic!("{other:?}"),
    }
}

/// Operations of one kind as one.
pub(crate) fn together(operations: impl IntoIterator<Item = Operation>) -> Operation {
    let mut operations = operations.into_iter();
    let mut first = operations.next().unwrap();
    first.items.extend(operations.flat_map(|it| it.items));
    for (trace, item) in (1..).zip(&mut first.items) {
        item.trace = trace;
    }
    first
}

/// Makes a person.
pub(crate) fn bo() -> Operation {
    let fields = [
        (Field::FirstName, text("Bo")),
        (Field::LastName, text("Roe")),
        (Field::Phone, text("+12025550143")),
        (Field::Email, text("bo@example.org")),
    ];
    write(Verb::UpsertByKey, Object::Contact, "p-1", &fields)
}

/// Makes one record of every kind that hangs on a person.
pub(crate) fn records(contact: &str) -> [Operation; 4] {
    let at = (Field::At, FieldValue::At(WallTime(NOON_MS)));
    let call = [
        at.clone(),
        (Field::Title, text("Intro")),
        (Field::Text, text("They want a quote.")),
        (Field::Direction, text("inbound")),
        (Field::Duration, FieldValue::DurationMs(65_250)),
        (Field::Disposition, text("no_answer")),
        (Field::From, text("+12025550143")),
        (Field::CallId, text("CA-1")),
        (Field::RecordingUrl, text("https://r.example/1.mp3")),
        (Field::Sentiment, text("neutral")),
    ];
    let task = [
        at.clone(),
        (Field::Title, text("Call back")),
        (Field::Priority, text("high")),
    ];
    let deal = [
        (Field::Title, text("Quote")),
        (Field::Stage, text("Proposal")),
        (Field::Amount, text("2400.50")),
    ];
    [
        write(Verb::Create, Object::Call, "c-1", &call),
        write(
            Verb::Create,
            Object::Note,
            "r-1",
            &[at, (Field::Text, text("n"))],
        ),
        write(Verb::Create, Object::Task, "r-2", &task),
        write(Verb::Create, Object::Deal, "d-1", &deal),
    ]
    .map(|operation| on(operation, contact))
}
