//! Close's users and opportunity pipelines.
//!
//! | listing | request |
//! | --- | --- |
//! | owners | `GET /user/`, 100 a page, pages by `_skip` |
//! | pipelines with their statuses, which are the stages | `GET /pipeline/`, one page |
//!
//! Either is an endpoint group of its own with a limit of its own at Close. Two requests a day need no window of their own:
//! they are charged where contacts are listed, which keeps them as far apart as its limit says, and what their headers tell
//! is no news about that group.
//!
//! Ids begin with `user_`, `pipe_` and `stat_`. Outcomes of calls are said in Close's own words, not by ids.

use callflume_core::effect::{Field, Object};
use callflume_core::reference::{
    Naming, OWNERS, Owner, PIPELINES, Page, PageReading, Pipeline, ReferenceRecord, References,
};
use callflume_core::vendor::{Answer, Charge, HttpRequest, Observation, Vendor, Verb};
use serde_json::Value;

use super::build::get;
use super::{Close, limits};
use crate::reference::{flag, interpret, named, naming, text};

/// Users per page.
const PAGE: usize = 100;

impl References for Close {
    fn first(&self) -> Page {
        Page::first(OWNERS)
    }

    fn request(&self, page: &Page) -> HttpRequest {
        get(if page.what == OWNERS {
            let skip = skip(page);
            format!("/user/?_limit={PAGE}&_skip={skip}")
        } else {
            "/pipeline/".to_owned()
        })
    }

    fn charges(&self, _page: &Page) -> &'static [Charge] {
        limits::charges(Verb::List, Object::Contact)
    }

    fn observe(&self, _page: &Page, _headers: &[(String, String)]) -> Vec<Observation> {
        Vec::new()
    }

    fn interpret(&self, page: &Page, answer: &Answer) -> PageReading {
        let listed = |listing: &_, answer: &_| Vendor::interpret(self, listing, answer);
        let then = (page.what == OWNERS).then(|| Page::first(PIPELINES));
        interpret(listed, page, answer, then, |document| {
            let entries = document.get("data")?.as_array()?;
            Some(if page.what == OWNERS {
                let more = flag(document, "has_more") && !entries.is_empty();
                let mark = more.then(|| (skip(page) + entries.len()).to_string());
                (users(entries), mark)
            } else {
                (pipelines(entries), None)
            })
        })
    }

    fn naming(&self, _object: Object, field: &Field, text: &str) -> Naming {
        let prefix = if *field == Field::Pipeline {
            "pipe_"
        } else {
            "stat_"
        };
        naming(field, text, |text| {
            if text.starts_with(prefix) {
                Naming::Id
            } else {
                Naming::Name
            }
        })
    }
}

fn skip(page: &Page) -> usize {
    let mark = page.mark.as_deref();
    mark.and_then(|mark| mark.parse().ok()).unwrap_or(0)
}

fn users(entries: &[Value]) -> ReferenceRecord {
    let owners = entries.iter().filter_map(|user| {
        Some(Owner {
            id: text(user.get("id")?)?,
            email: user.get("email").and_then(text).unwrap_or_default(),
            // Who has left the organization is not listed.
            active: true,
        })
    });
    ReferenceRecord {
        owners: owners.collect(),
        ..ReferenceRecord::default()
    }
}

fn pipelines(entries: &[Value]) -> ReferenceRecord {
    let pipelines = entries.iter().filter_map(|pipeline| {
        let own = named(pipeline, "id", "name")?;
        let statuses = pipeline.get("statuses").and_then(Value::as_array);
        Some(Pipeline {
            id: own.id,
            label: own.label,
            stages: statuses
                .into_iter()
                .flatten()
                .filter_map(|status| named(status, "id", "label"))
                .collect(),
            closed: statuses
                .into_iter()
                .flatten()
                .filter(|status| {
                    let kind = status.get("type").and_then(Value::as_str);
                    matches!(kind, Some("won" | "lost"))
                })
                .filter_map(|status| status.get("id").and_then(text))
                .collect(),
        })
    });
    ReferenceRecord {
        pipelines: pipelines.collect(),
        ..ReferenceRecord::default()
    }
}
