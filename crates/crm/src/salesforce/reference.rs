//! Salesforce's users and opportunity stages.
//!
//! | listing | request |
//! | --- | --- |
//! | owners | query of active standard users, 2,000 a page, pages by `nextRecordsUrl` |
//! | stages | query of active opportunity stages in their order, one page or more |
//!
//! A stage's id is its API name, which is what a deal holds; it is also its label until somebody renames that. So nothing
//! tells one from the other, and nothing is read for a stage's sake. Stages belong to no pipeline: what stands for one, a
//! record type, is named by its id. Portal and automated users, of whom there may be a million, own no work and are left
//! out.

use callflume_core::effect::{Field, Object};
use callflume_core::reference::{
    Naming, OWNERS, Owner, Page, PageReading, Pipeline, ReferenceRecord, References, STAGES,
};
use callflume_core::vendor::{Answer, Charge, HttpRequest, Observation, Vendor};
use serde_json::Value;

use super::build::get;
use super::paths::base;
use super::{Salesforce, deals, limits, observe, soql};
use crate::reference::{Read, flag, interpret, named, naming, text};

const USERS: &str =
    "SELECT Id,Email FROM User WHERE IsActive = true AND UserType = 'Standard' ORDER BY Id";
const STAGES_QUERY: &str = "SELECT ApiName,MasterLabel,IsClosed FROM OpportunityStage WHERE IsActive = true ORDER BY SortOrder";

impl References for Salesforce {
    fn first(&self) -> Page {
        Page::first(OWNERS)
    }

    fn request(&self, page: &Page) -> HttpRequest {
        let base = base(&self.settings);
        get(match &page.mark {
            Some(locator) => format!("{base}/query/{locator}"),
            None if page.what == OWNERS => soql::path(&base, USERS),
            None => soql::path(&base, STAGES_QUERY),
        })
    }

    fn charges(&self, _page: &Page) -> &'static [Charge] {
        limits::CHARGES
    }

    fn observe(&self, _page: &Page, headers: &[(String, String)]) -> Vec<Observation> {
        observe::observe(headers)
    }

    fn interpret(&self, page: &Page, answer: &Answer) -> PageReading {
        let listed = |listing: &_, answer: &_| Vendor::interpret(self, listing, answer);
        let then = (page.what == OWNERS).then(|| Page::first(STAGES));
        interpret(listed, page, answer, then, |document| {
            read(page.what, document)
        })
    }

    fn is_over(&self, stage: &str) -> Option<bool> {
        deals::is_closed(stage)
    }

    fn naming(&self, _object: Object, field: &Field, text: &str) -> Naming {
        naming(field, text, |_| {
            if *field == Field::Pipeline {
                Naming::Id
            } else {
                Naming::Unsure
            }
        })
    }
}

fn read(what: &str, document: &Value) -> Option<Read> {
    let records = document.get("records")?.as_array()?;
    let mut piece = ReferenceRecord::default();
    if what == OWNERS {
        let owners = records.iter().filter_map(|user| {
            Some(Owner {
                id: text(user.get("Id")?)?,
                email: user.get("Email").and_then(text).unwrap_or_default(),
                active: true,
            })
        });
        piece.owners = owners.collect();
    } else {
        let stages = records.iter();
        let closed = records.iter().filter(|stage| flag(stage, "IsClosed"));
        piece.pipelines = vec![Pipeline {
            stages: stages
                .filter_map(|stage| named(stage, "ApiName", "MasterLabel"))
                .collect(),
            closed: closed
                .filter_map(|stage| stage.get("ApiName").and_then(text))
                .collect(),
            ..Pipeline::default()
        }];
    }
    Some((piece, locator(document)))
}

/// What names the next page: the last part of its address. Anything that isn't a locator names none.
fn locator(document: &Value) -> Option<String> {
    let url = document.get("nextRecordsUrl")?.as_str()?;
    let (_, locator) = url.rsplit_once("/query/")?;
    let fits = !locator.is_empty()
        && locator.len() <= 100
        && locator
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fits.then(|| locator.to_owned())
}
