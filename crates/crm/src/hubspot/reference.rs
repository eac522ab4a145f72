//! HubSpot's owners, deal pipelines and call outcomes.
//!
//! | listing | request | scope | counts in |
//! | --- | --- | --- | --- |
//! | owners, not archived | `GET /crm/v3/owners/?limit=100`, pages by `after` | `crm.objects.owners.read` | ten-second window, day |
//! | pipelines with stages | `GET /crm/v3/pipelines/deals`, one page | deals, read | the same |
//! | dispositions | `GET /calling/v1/dispositions`, one page | contacts | the same |
//!
//! Dispositions are for people to look up: an account that doesn't get them lacks nothing, and that is not told.
//!
//! Ids of stages are digits, the words of the first pipeline run together (`appointmentscheduled`) or UUIDs; so a text with
//! a blank or a capital is a label, and any other may be either.

use callflume_core::effect::{Field, Object};
use callflume_core::reference::{
    DISPOSITIONS, Naming, OWNERS, Owner, PIPELINES, Page, PageOutcome, PageReading, Pipeline,
    ReferenceRecord, References,
};
use callflume_core::vendor::{Answer, Charge, HttpRequest, Observation, Vendor, Verb};
use serde_json::Value;

use super::build::get;
use super::paths::{self, percent_encoded, pipelines};
use super::{HubSpot, deals, limits, observe};
use crate::reference::{Read, flag, interpret, named, naming, text};

/// Path of the call outcomes. It has no newer form.
const DISPOSITIONS_PATH: &str = "/calling/v1/dispositions";
/// Owners per page.
const PAGE: usize = 100;

impl References for HubSpot {
    fn first(&self) -> Page {
        Page::first(OWNERS)
    }

    fn request(&self, page: &Page) -> HttpRequest {
        get(match page.what {
            OWNERS => {
                let after = page.mark.as_deref().map(percent_encoded);
                let after = after
                    .map(|mark| format!("&after={mark}"))
                    .unwrap_or_default();
                format!("{}?limit={PAGE}{after}", paths::OWNERS)
            }
            PIPELINES => pipelines(self.settings.api(), Object::Deal),
            _ => DISPOSITIONS_PATH.to_owned(),
        })
    }

    fn charges(&self, _page: &Page) -> &'static [Charge] {
        limits::CHARGES
    }

    fn observe(&self, _page: &Page, headers: &[(String, String)]) -> Vec<Observation> {
        observe::observe(Verb::List, headers)
    }

    fn interpret(&self, page: &Page, answer: &Answer) -> PageReading {
        let listed = |listing: &_, answer: &_| Vendor::interpret(self, listing, answer);
        let then = match page.what {
            OWNERS => Some(Page::first(PIPELINES)),
            PIPELINES => Some(Page::first(DISPOSITIONS)),
            _ => None,
        };
        let mut reading = interpret(listed, page, answer, then, |document| match page.what {
            OWNERS => read_owners(document),
            PIPELINES => read_pipelines(document),
            _ => read_dispositions(document),
        });
        if page.what == DISPOSITIONS
            && let PageOutcome::Refused { next } = reading.outcome
        {
            reading.outcome = PageOutcome::Read {
                piece: ReferenceRecord::default(),
                next,
            };
        }
        reading
    }

    fn is_over(&self, stage: &str) -> Option<bool> {
        deals::is_closed(stage).then_some(true)
    }

    fn naming(&self, _object: Object, field: &Field, text: &str) -> Naming {
        naming(field, text, |text| {
            let id = |c: char| c.is_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
            if text.chars().all(id) {
                Naming::Unsure
            } else {
                Naming::Name
            }
        })
    }
}

fn read_owners(document: &Value) -> Option<Read> {
    let results = document.get("results")?.as_array()?;
    let owners = results.iter().filter_map(|owner| {
        Some(Owner {
            id: text(owner.get("id")?)?,
            email: owner.get("email").and_then(text).unwrap_or_default(),
            active: !flag(owner, "archived"),
        })
    });
    let piece = ReferenceRecord {
        owners: owners.collect(),
        ..ReferenceRecord::default()
    };
    let mark = document.pointer("/paging/next/after").and_then(text);
    Some((piece, mark))
}

fn read_pipelines(document: &Value) -> Option<Read> {
    let results = document.get("results")?.as_array()?;
    let living = |entry: &&Value| !flag(entry, "archived");
    let is_closed = |stage: &&Value| {
        let said = stage.pointer("/metadata/isClosed");
        said.and_then(Value::as_str) == Some("true")
    };
    let pipelines = results.iter().filter(living).filter_map(|pipeline| {
        let stages = pipeline.get("stages").and_then(Value::as_array);
        let own = named(pipeline, "id", "label")?;
        Some(Pipeline {
            id: own.id,
            label: own.label,
            stages: stages
                .into_iter()
                .flatten()
                .filter(living)
                .filter_map(|stage| named(stage, "id", "label"))
                .collect(),
            closed: stages
                .into_iter()
                .flatten()
                .filter(is_closed)
                .filter_map(|stage| stage.get("id").and_then(text))
                .collect(),
        })
    });
    let piece = ReferenceRecord {
        pipelines: pipelines.collect(),
        ..ReferenceRecord::default()
    };
    Some((piece, None))
}

fn read_dispositions(document: &Value) -> Option<Read> {
    let living = document
        .as_array()?
        .iter()
        .filter(|entry| !flag(entry, "deleted"));
    let piece = ReferenceRecord {
        dispositions: living.filter_map(|it| named(it, "id", "label")).collect(),
        ..ReferenceRecord::default()
    };
    Some((piece, None))
}
