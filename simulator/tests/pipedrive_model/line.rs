//! The real translation at one end, the model at the other.

use std::collections::BTreeMap;

use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, Answer, HttpRequest, Interpretation, ItemOutcome, Operation, Vendor, Verb,
};
use callflume_crm::Settings;
use callflume_crm::pipedrive::{Pipedrive as Translation, TOKEN_HEADER};
use callflume_sim::fakes::Request;
use callflume_sim::pipedrive::{Kind, Pipedrive, PipedriveConfig};

pub(crate) use crate::operations::{by_email, by_phone, of, on, text, write};
use crate::{DEAL_KEY, NOON_MS, OPTED_OUT, PERSON_KEY, TOKEN};

/// The model, and who speaks to it, two seconds between two requests.
pub(crate) struct Line {
    pub(crate) crm: Pipedrive,
    pub(crate) vendor: Translation,
    pub(crate) now_ms: i64,
}

impl Line {
    pub(crate) fn new(config: PipedriveConfig) -> Self {
        let keys = [
            ("contact_key", PERSON_KEY),
            ("contact_opted_out", OPTED_OUT),
            ("deal_key", DEAL_KEY),
        ];
        let keys: BTreeMap<String, String> = keys
            .map(|(name, key)| (name.to_owned(), key.to_owned()))
            .into();
        Self {
            crm: Pipedrive::new(config).unwrap(),
            vendor: Translation::new(Settings::default().with_custom_fields(keys).unwrap()),
            now_ms: NOON_MS,
        }
    }

    pub(crate) fn answer(&mut self, request: &HttpRequest) -> Answer {
        self.now_ms += 2_000;
        let sent = Request::from(request).with_header(TOKEN_HEADER, TOKEN);
        self.crm.handle(self.now_ms, &sent).into()
    }

    pub(crate) fn exchange(&mut self, operation: &Operation) -> Interpretation {
        let request = self.vendor.request(operation);
        let answer = self.answer(&request);
        self.vendor.interpret(operation, &answer)
    }

    #[track_caller]
    pub(crate) fn outcome(&mut self, operation: &Operation) -> ItemOutcome {
        let meaning = self.exchange(operation);
        assert_eq!(meaning.account, AccountSignal::Fine, "{operation:?}");
        meaning.items[0].clone()
    }

    #[track_caller]
    pub(crate) fn done(&mut self, operation: &Operation) -> String {
        match self.outcome(operation) {
            ItemOutcome::Done { crm_id } => crm_id,
            other => panic!("{operation:?}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn found(&mut self, operation: &Operation) -> Vec<String> {
        match self.outcome(operation) {
            ItemOutcome::Matches(found) => found.into_iter().map(|found| found.crm_id).collect(),
            other => panic!("{operation:?}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn shown(&self, kind: Kind, crm_id: &str, name: &str) -> serde_json::Value {
        let record = self.crm.record(kind, crm_id.parse().unwrap()).unwrap();
        record
            .custom
            .get(name)
            .unwrap_or_else(|| record.field(name))
            .clone()
    }

    /// Living records of a kind.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.crm
            .records(kind)
            .filter(|record| !record.deleted)
            .count()
    }

    #[track_caller]
    pub(crate) fn person(&mut self) -> String {
        self.done(&write(Verb::UpsertByKey, Object::Contact, "p-0", &[]))
    }
}
