//! Pipedrive's users, pipelines and stages.
//!
//! | listing | request | tokens |
//! | --- | --- | --- |
//! | owners | `GET /api/v1/users`, one page | 20 |
//! | pipelines | `GET /api/v2/pipelines?limit=500`, pages by `cursor` | 5 each |
//! | stages of all pipelines | `GET /api/v2/stages?limit=500`, pages by `cursor` | 5 each |
//!
//! Ids are numbers; `won`, `lost` and `open` are said of a deal's status and are no names of stages. A person's id is a
//! user's: there are no call outcomes with ids.

use callflume_core::effect::{Field, Object};
use callflume_core::reference::{
    Naming, OWNERS, Owner, PIPELINES, Page, PageReading, Pipeline, ReferenceRecord, References,
    STAGES,
};
use callflume_core::vendor::{Answer, Charge, HttpRequest, Observation, Verb};
use serde_json::Value;

use super::build::get;
use super::interpret::of_listing;
use super::paths::percent_encoded;
use super::{Pipedrive, limits, observe};
use crate::reference::{Read, flag, interpret, named, naming, text};

/// Pipelines and stages per page.
const PAGE: usize = 500;

const fn tokens(cost: u32) -> Charge {
    Charge {
        window: limits::DAILY_TOKENS,
        cost,
    }
}
const USERS: &[Charge] = &[Charge::one(limits::BURST), tokens(20)];
const OTHERS: &[Charge] = &[Charge::one(limits::BURST), tokens(5)];

impl References for Pipedrive {
    fn first(&self) -> Page {
        Page::first(OWNERS)
    }

    fn request(&self, page: &Page) -> HttpRequest {
        let cursor = page.mark.as_deref().map(percent_encoded);
        let cursor = cursor
            .map(|mark| format!("&cursor={mark}"))
            .unwrap_or_default();
        get(match page.what {
            OWNERS => "/api/v1/users".to_owned(),
            PIPELINES => format!("/api/v2/pipelines?limit={PAGE}{cursor}"),
            _ => format!("/api/v2/stages?limit={PAGE}{cursor}"),
        })
    }

    fn charges(&self, page: &Page) -> &'static [Charge] {
        if page.what == OWNERS { USERS } else { OTHERS }
    }

    /// The same windows as a listing of contacts.
    fn observe(&self, _page: &Page, headers: &[(String, String)]) -> Vec<Observation> {
        observe::observe(Verb::List, Object::Contact, headers)
    }

    fn interpret(&self, page: &Page, answer: &Answer) -> PageReading {
        let listed = |listing: &_, answer: &_| of_listing(&self.settings, listing, answer);
        let then = match page.what {
            OWNERS => Some(Page::first(PIPELINES)),
            PIPELINES => Some(Page::first(STAGES)),
            _ => None,
        };
        interpret(listed, page, answer, then, |document| {
            let data = document.get("data")?;
            let entries = match data {
                // An empty listing of the older version.
                Value::Null if flag(document, "success") => &[][..],
                Value::Array(entries) if flag(document, "success") => entries,
                _ => return None,
            };
            Some(read(page.what, document, entries))
        })
    }

    /// Whether a deal is over is its status, not its stage.
    fn is_over(&self, stage: &str) -> Option<bool> {
        match stage {
            "won" | "lost" => Some(true),
            "open" => Some(false),
            _ => None,
        }
    }

    fn naming(&self, _object: Object, field: &Field, text: &str) -> Naming {
        naming(field, text, |text| match text {
            "won" | "lost" | "open" => Naming::Id,
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Naming::Id,
            _ => Naming::Name,
        })
    }
}

fn read(what: &str, document: &Value, entries: &[Value]) -> Read {
    let mut piece = ReferenceRecord::default();
    let living = entries.iter().filter(|entry| !flag(entry, "is_deleted"));
    match what {
        OWNERS => {
            piece.owners = living
                .filter_map(|user| {
                    Some(Owner {
                        id: text(user.get("id")?)?,
                        email: user.get("email").and_then(text).unwrap_or_default(),
                        active: flag(user, "active_flag"),
                    })
                })
                .collect();
        }
        PIPELINES => {
            piece.pipelines = living
                .filter_map(|pipeline| {
                    let own = named(pipeline, "id", "name")?;
                    Some(Pipeline {
                        id: own.id,
                        label: own.label,
                        ..Pipeline::default()
                    })
                })
                .collect();
        }
        _ => {
            piece.pipelines = living
                .filter_map(|stage| {
                    Some(Pipeline {
                        id: text(stage.get("pipeline_id")?)?,
                        stages: vec![named(stage, "id", "name")?],
                        ..Pipeline::default()
                    })
                })
                .collect();
        }
    }
    let mark = document
        .pointer("/additional_data/next_cursor")
        .and_then(text)
        .filter(|_| what != OWNERS);
    (piece, mark)
}
