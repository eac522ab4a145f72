//! Reference data of an account: who its owners are, which pipelines and stages it has, which call outcomes.
//!
//! Decides how what people call an owner (an e-mail address), a pipeline or a stage (its label) becomes the CRM's id, and
//! what reading such data from a CRM is made of ([`References`], implemented by each vendor). When it is read is the
//! dispatcher's business. Never: a name sent on as if it were an owner's id, an address in a text for people.
//!
//! The record holds e-mail addresses of the CRM's own users, which it is looked up by; nothing of the people who are
//! called. It goes to its bucket only, and its `Debug` shows how much there is, not what.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::effect::{Field, Fields, Object, Value, text_of};
use crate::record::SCHEMA;
use crate::time::WallTime;
use crate::vendor::{AccountSignal, Answer, Charge, HttpRequest, Observation};

/// Most of a record that is kept, bytes as far as its texts go: half of what a broker takes in one message by default.
pub const RECORD_MAX_BYTES: usize = 512 * 1024;
/// What an entry takes beside its texts, bytes.
const ENTRY_BYTES: usize = 48;

/// Reference data of an account; `reference.<account>` in the reference bucket.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReferenceRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When it was read from the CRM.
    pub read_at: WallTime,
    /// Who records can belong to.
    #[serde(default)]
    pub owners: Vec<Owner>,
    /// Pipelines of deals with their stages, in the CRM's order.
    #[serde(default)]
    pub pipelines: Vec<Pipeline>,
    /// Outcomes of calls, where the CRM knows them by ids.
    #[serde(default)]
    pub dispositions: Vec<Named>,
}

/// Somebody records can belong to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Id in the CRM.
    pub id: String,
    /// E-mail address, as it stands there; empty for one without.
    pub email: String,
    /// Whether new records may belong to this owner.
    pub active: bool,
}

/// A pipeline. A CRM whose stages belong to no pipeline has one without id and label.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pipeline {
    /// Id in the CRM.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// Its stages, in the CRM's order.
    #[serde(default)]
    pub stages: Vec<Named>,
    /// Ids of those in which a deal is over, won or lost, as far as the CRM says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
}

/// Something with an id in the CRM and a name among people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Id in the CRM.
    pub id: String,
    /// What people call it.
    pub label: String,
}

impl fmt::Debug for ReferenceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceRecord")
            .field("read_at", &self.read_at)
            .field("owners", &self.owners.len())
            .field("pipelines", &self.pipelines.len())
            .field("dispositions", &self.dispositions.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Owner {
    /// Without the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({}, active: {})", self.id, self.active)
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipeline({}, {} stages)", self.id, self.stages.len())
    }
}

/// What a text in a field for ids is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The CRM understands it as it is: it is never replaced.
    Id,
    /// It may be an id or a label: a known label is replaced, but nothing is read to find out.
    Unsure,
    /// No id of this CRM looks like it: reference data is needed.
    Name,
}

/// What names came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resolved {
    /// No active owner has this address; the field is gone.
    pub owner_unknown: bool,
    /// A pipeline or stage is neither a known id nor a known label; it stands as it was.
    pub label_unknown: bool,
}

impl Resolved {
    /// Whether everything has an id.
    pub const fn is_whole(self) -> bool {
        !self.owner_unknown && !self.label_unknown
    }
}

/// The fields that hold ids people have names for.
pub const NAMED_FIELDS: [Field; 3] = [Field::Owner, Field::Pipeline, Field::Stage];

/// The texts of fields that are named, with what they are.
pub fn namings(
    object: Object,
    fields: &Fields,
    references: &dyn References,
) -> impl Iterator<Item = Naming> {
    NAMED_FIELDS.into_iter().filter_map(move |field| {
        let text = text_of(fields, &field)?;
        Some(references.naming(object, &field, text))
    })
}

/// Whether two names are the same for people: white space at the ends and case don't count.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    !one.is_empty() && (one == other || one.to_lowercase() == other.to_lowercase())
}

impl ReferenceRecord {
    /// Puts ids in the place of names.
    ///
    /// | field | text | becomes |
    /// | --- | --- | --- |
    /// | owner | [`Naming::Name`]: an e-mail address | the active owner with it; nobody: the field is left out |
    /// | pipeline | a known id | as it is |
    /// | pipeline | a known label | its id |
    /// | stage | a known id | as it is |
    /// | stage | a label of the given pipeline, else of any, in their order | its id |
    /// | any | [`Naming::Id`], or unknown | as it is |
    pub fn resolve(
        &self,
        object: Object,
        fields: &mut Fields,
        references: &dyn References,
    ) -> Resolved {
        let mut resolved = Resolved::default();
        let naming = |fields: &Fields, field: &Field| {
            text_of(fields, field)
                .map(|text| (text.to_owned(), references.naming(object, field, text)))
        };
        if let Some((text, Naming::Name)) = naming(fields, &Field::Owner) {
            if let Some(owner) = self.owner(&text) {
                fields.insert(Field::Owner, Value::Text(owner.id.clone()));
            } else {
                fields.remove(&Field::Owner);
                resolved.owner_unknown = true;
            }
        }
        if let Some((text, Naming::Unsure | Naming::Name)) = naming(fields, &Field::Pipeline) {
            match self.pipeline(&text) {
                Some(pipeline) => {
                    fields.insert(Field::Pipeline, Value::Text(pipeline.id.clone()));
                }
                None => resolved.label_unknown = true,
            }
        }
        if let Some((text, Naming::Unsure | Naming::Name)) = naming(fields, &Field::Stage) {
            let within = text_of(fields, &Field::Pipeline);
            match self.stage(&text, within) {
                Some(stage) => {
                    fields.insert(Field::Stage, Value::Text(stage.id.clone()));
                }
                None => resolved.label_unknown = true,
            }
        }
        resolved
    }

    fn owner(&self, email: &str) -> Option<&Owner> {
        self.owners
            .iter()
            .find(|owner| owner.active && same(&owner.email, email))
    }

    fn pipeline(&self, text: &str) -> Option<&Pipeline> {
        let by_id = self
            .pipelines
            .iter()
            .find(|pipeline| !pipeline.id.is_empty() && pipeline.id == text);
        by_id.or_else(|| {
            let mut pipelines = self.pipelines.iter();
            pipelines.find(|pipeline| !pipeline.id.is_empty() && same(&pipeline.label, text))
        })
    }

    fn stage(&self, text: &str, pipeline: Option<&str>) -> Option<&Named> {
        let given = || {
            self.pipelines
                .iter()
                .filter(|it| pipeline.is_some_and(|given| it.id == given))
                .flat_map(|it| &it.stages)
        };
        let all = || self.pipelines.iter().flat_map(|it| &it.stages);
        given()
            .chain(all())
            .find(|stage| stage.id == text)
            .or_else(|| given().chain(all()).find(|stage| same(&stage.label, text)))
    }

    /// Whether a deal in this stage, an id or a label, is over; none if that isn't known. Where a pipeline says of none of
    /// its stages that a deal is over there, it wasn't told.
    pub fn is_over(&self, stage: &str, pipeline: Option<&str>) -> Option<bool> {
        let id = &self.stage(stage, pipeline)?.id;
        let within = |it: &&Pipeline| it.stages.iter().any(|stage| stage.id == *id);
        let mut pipelines = self.pipelines.iter().filter(within);
        let given = pipelines
            .clone()
            .find(|it| pipeline.is_some_and(|given| it.id == given));
        let closed = &given.or_else(|| pipelines.next())?.closed;
        (!closed.is_empty()).then(|| closed.contains(id))
    }

    /// Takes in what a page said. Pipelines that are there already get the stages added; what would make the record larger
    /// than [`RECORD_MAX_BYTES`] is left out.
    pub fn add(&mut self, piece: Self) {
        self.schema = SCHEMA;
        let mut bytes = self.bytes();
        let mut fits = |texts: usize| {
            let fits = bytes + texts + ENTRY_BYTES <= RECORD_MAX_BYTES;
            if fits {
                bytes += texts + ENTRY_BYTES;
            }
            fits
        };
        for owner in piece.owners {
            if fits(owner.id.len() + owner.email.len()) {
                self.owners.push(owner);
            }
        }
        for pipeline in piece.pipelines {
            let place = self.pipelines.iter().position(|it| it.id == pipeline.id);
            let place = match place {
                Some(place) => place,
                None if fits(pipeline.id.len() + pipeline.label.len()) => {
                    self.pipelines.push(Pipeline {
                        id: pipeline.id,
                        ..Pipeline::default()
                    });
                    self.pipelines.len() - 1
                }
                None => continue,
            };
            let Some(known) = self.pipelines.get_mut(place) else {
                continue;
            };
            if known.label.is_empty() {
                known.label = pipeline.label;
            }
            let stages = pipeline.stages.into_iter();
            known
                .stages
                .extend(stages.filter(|stage| fits(stage.id.len() + stage.label.len())));
            let closed = pipeline.closed.into_iter();
            known.closed.extend(closed.filter(|id| fits(id.len())));
        }
        for disposition in piece.dispositions {
            if fits(disposition.id.len() + disposition.label.len()) {
                self.dispositions.push(disposition);
            }
        }
    }

    /// How large it is, about.
    fn bytes(&self) -> usize {
        let named = |all: &[Named]| -> usize {
            let texts = all.iter().map(|it| it.id.len() + it.label.len());
            texts.map(|texts| texts + ENTRY_BYTES).sum()
        };
        let owners = self.owners.iter();
        let owners: usize = owners
            .map(|it| it.id.len() + it.email.len() + ENTRY_BYTES)
            .sum();
        let pipelines = self.pipelines.iter();
        let pipelines: usize = pipelines
            .map(|it| {
                let closed: usize = it.closed.iter().map(|id| id.len() + ENTRY_BYTES).sum();
                it.id.len() + it.label.len() + ENTRY_BYTES + named(&it.stages) + closed
            })
            .sum();
        owners + pipelines + named(&self.dispositions)
    }
}

/// Who records can belong to, as [`Page::what`].
pub const OWNERS: &str = "owners";
/// Pipelines, with their stages where the CRM tells both at once.
pub const PIPELINES: &str = "pipelines";
/// Stages.
pub const STAGES: &str = "stages";
/// Outcomes of calls.
pub const DISPOSITIONS: &str = "dispositions";

/// One page of reference data that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it lists: [`OWNERS`], [`PIPELINES`], [`STAGES`] or [`DISPOSITIONS`].
    pub what: &'static str,
    /// Where it begins, as the page before said; none for the first.
    pub mark: Option<String>,
}

impl Page {
    /// The first page of these.
    pub const fn first(what: &'static str) -> Self {
        Self { what, mark: None }
    }
}

/// What the answer to a page means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageReading {
    /// For the account. A permission that lacks is no trouble of the account's here: the page is refused, and that is all.
    pub account: AccountSignal,
    /// What came of it.
    pub outcome: PageOutcome,
}

/// What came of reading a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOutcome {
    /// It was read.
    Read {
        /// What it said.
        piece: ReferenceRecord,
        /// What is to be read next; none at the end.
        next: Option<Page>,
    },
    /// It was not: again later.
    NotExecuted,
    /// The CRM doesn't give it.
    Refused {
        /// What is to be read next all the same; none at the end.
        next: Option<Page>,
    },
}

/// How a CRM's reference data is read and what its ids look like. Pure, as [`crate::vendor::Vendor`] is.
pub trait References: Send + Sync {
    /// What is read first.
    fn first(&self) -> Page;

    /// The request for a page.
    fn request(&self, page: &Page) -> HttpRequest;

    /// Which windows it counts in, and how much it costs there.
    fn charges(&self, page: &Page) -> &'static [Charge];

    /// What the headers of its answer say about the windows.
    fn observe(&self, page: &Page, headers: &[(String, String)]) -> Vec<Observation>;

    /// What its answer means. Total: every status, body and failure has a meaning.
    fn interpret(&self, page: &Page, answer: &Answer) -> PageReading;

    /// Whether a deal in this stage is over by the CRM's own words, whatever its pipelines are; none if they don't tell.
    fn is_over(&self, _stage: &str) -> Option<bool> {
        None
    }

    /// What a text in one of [`NAMED_FIELDS`] is.
    fn naming(&self, object: Object, field: &Field, text: &str) -> Naming;
}
