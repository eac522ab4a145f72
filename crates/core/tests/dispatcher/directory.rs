//! Who is in the small CRM, and how its pipelines are called: what a reading of reference data finds.
//!
//! Two pages, owners and pipelines. Each answers as the story says: given, refused, failing, lost.

use std::collections::{BTreeMap, VecDeque};

use callflume_core::dispatcher::{Input, RequestId};
use callflume_core::effect::{Field, Object};
use callflume_core::reference::{
    Named, Naming, OWNERS, Owner, PIPELINES, Page, PageOutcome, PageReading, Pipeline,
    ReferenceRecord, References,
};
use callflume_core::vendor::{
    AccountSignal, Answer, Charge, Content, HttpRequest, Method, Observation,
};

use crate::outside::unauthorized;
use crate::world::{Due, World};

const PATH: &str = "/reference/";
/// One way, milliseconds.
const TRIP_MS: u64 = 20;
const CHARGES: &[Charge] = &[Charge::one(0), Charge::one(2)];

/// How reference data of the small CRM is read.
pub(crate) struct Directory;

impl References for Directory {
    fn first(&self) -> Page {
        Page::first(OWNERS)
    }

    fn request(&self, page: &Page) -> HttpRequest {
        HttpRequest {
            method: Method::Get,
            path: format!("{PATH}{}", page.what),
            body: None,
            content: Content::Json,
        }
    }

    fn charges(&self, _page: &Page) -> &'static [Charge] {
        CHARGES
    }

    fn observe(&self, _page: &Page, _headers: &[(String, String)]) -> Vec<Observation> {
        Vec::new()
    }

    fn interpret(&self, page: &Page, answer: &Answer) -> PageReading {
        let next = (page.what == OWNERS).then(|| Page::first(PIPELINES));
        let (account, outcome) = match answer {
            Answer::Response {
                status: 200, body, ..
            } => {
                let piece = serde_json::from_slice(body).unwrap();
                (AccountSignal::Fine, PageOutcome::Read { piece, next })
            }
            Answer::Response { status: 403, .. } => {
                (AccountSignal::Fine, PageOutcome::Refused { next })
            }
            Answer::Response { status: 429, .. } => {
                let throttled = AccountSignal::Throttled {
                    window: "ten_secondly",
                    wait_ms: Some(2_000),
                };
                (throttled, PageOutcome::NotExecuted)
            }
            _ => (AccountSignal::Failing, PageOutcome::NotExecuted),
        };
        PageReading { account, outcome }
    }

    fn naming(&self, _object: Object, field: &Field, text: &str) -> Naming {
        match field {
            Field::Owner if text.contains('@') => Naming::Name,
            Field::Owner => Naming::Id,
            _ if text.contains(' ') => Naming::Name,
            _ => Naming::Unsure,
        }
    }
}

/// What the directory holds and how it answers.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) record: ReferenceRecord,
    /// By page: statuses of the next answers, 0 for one that gets lost, 401 for one without a good token; then 200.
    pub(crate) answers: BTreeMap<&'static str, VecDeque<u16>>,
    /// Pages that were asked for, with the instant.
    pub(crate) asked: Vec<(u64, String)>,
}

pub(crate) fn owner(id: &str, email: &str, active: bool) -> Owner {
    Owner {
        id: id.into(),
        email: email.into(),
        active,
    }
}

pub(crate) fn named(id: &str, label: &str) -> Named {
    Named {
        id: id.into(),
        label: label.into(),
    }
}

impl Contents {
    /// Two owners, one of them gone, and one pipeline.
    pub(crate) fn usual() -> Self {
        let mut record = ReferenceRecord::default();
        record.add(ReferenceRecord {
            owners: vec![
                owner("71", "Ida@example.com", true),
                owner("72", "gone@example.com", false),
            ],
            pipelines: vec![Pipeline {
                id: "p1".into(),
                label: "New business".into(),
                stages: vec![
                    named("s1", "First talk"),
                    named("s2", "Offer sent"),
                    named("s3", "Signed"),
                ],
                closed: vec!["s3".into()],
            }],
            ..ReferenceRecord::default()
        });
        Self {
            record,
            ..Self::default()
        }
    }
}

impl World {
    /// A CRM that people call owners and stages of by name.
    pub(crate) fn naming(lines: &str) -> Self {
        let mut world = Self::with_directory(lines);
        world.directory = Contents::usual();
        world
    }

    /// Sends a request for reference data on its way; `false` for any other.
    pub(crate) fn send_reference(&mut self, request: RequestId, http: &HttpRequest) -> bool {
        let Some(what) = http.path.strip_prefix(PATH) else {
            return false;
        };
        self.at(TRIP_MS, Due::Reference(request, what.to_owned()));
        true
    }

    pub(crate) fn read_reference(&mut self, generation: u64, request: RequestId, what: &str) {
        self.count(CHARGES.iter().map(|charge| charge.window));
        self.directory.asked.push((self.now_ms, what.to_owned()));
        let status = self
            .directory
            .answers
            .get_mut(what)
            .and_then(VecDeque::pop_front)
            .unwrap_or(200);
        let all = self.directory.record.clone();
        let piece = if what == OWNERS {
            ReferenceRecord {
                pipelines: Vec::new(),
                ..all
            }
        } else {
            ReferenceRecord {
                owners: Vec::new(),
                ..all
            }
        };
        if status == 401 {
            let input = unauthorized(request, true, None);
            return self.of_generation(generation, TRIP_MS, Due::Input(input));
        }
        let (answer, wait_ms) = match status {
            0 => (Answer::Lost, self.setup.config.request_timeout_ms - TRIP_MS),
            status => {
                let answer = Answer::Response {
                    status,
                    headers: Vec::new(),
                    body: serde_json::to_vec(&piece).unwrap(),
                };
                (answer, TRIP_MS)
            }
        };
        let input = Due::Input(Input::Answered { request, answer });
        self.of_generation(generation, wait_ms, input);
    }
}
