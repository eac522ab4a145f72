//! Deals of the small CRM: which are open, told in either way.

use callflume_core::effect::{Object, Value};
use callflume_core::time::WallTime;
use callflume_core::vendor::{AccountSignal, FoundDeal, Interpretation, ItemOutcome, Operation};

use crate::crm::{Crm, Entry};

/// Open deals on a page, and linked deals of one contact in one answer.
const PAGE: usize = 2;
/// Stages in which a deal is over.
const OVER: [&str; 3] = ["won", "lost", "s3"];

impl Crm {
    /// A deal of somebody, made then; answers its id.
    pub(crate) fn add_deal(&mut self, contact: &str, stage: &str, made_at: i64) -> String {
        let key = format!("d{:03}", self.records.len());
        let fields = [
            ("stage".to_owned(), Value::Text(stage.to_owned())),
            ("made".to_owned(), Value::At(WallTime(made_at))),
        ];
        let entry = Entry {
            contact: Some(contact.to_owned()),
            fields: fields.into(),
            writes: 0,
        };
        self.records.insert((Object::Deal, key.clone()), entry);
        format!("id-{key}")
    }

    /// A person moves a deal to another stage.
    pub(crate) fn move_deal(&mut self, id: &str, stage: &str) {
        let key = id.strip_prefix("id-").unwrap().to_owned();
        let entry = self.records.get_mut(&(Object::Deal, key)).unwrap();
        entry
            .fields
            .insert("stage".to_owned(), Value::Text(stage.to_owned()));
    }

    fn deals(&self) -> impl Iterator<Item = FoundDeal> {
        let deals = self.records.iter();
        let deals = deals.filter(|((object, _), _)| *object == Object::Deal);
        deals.map(|((_, key), entry)| FoundDeal {
            crm_id: format!("id-{key}"),
            contact: entry.contact.clone(),
            open: !matches!(entry.fields.get("stage"), Some(Value::Text(stage)) if OVER.contains(&stage.as_str())),
            created: match entry.fields.get("made") {
                Some(Value::At(at)) => Some(*at),
                _ => None,
            },
        })
    }

    pub(crate) fn list_deals(&self, operation: &Operation) -> Interpretation {
        let from: usize = operation
            .after
            .as_deref()
            .map_or(0, |mark| mark.parse().unwrap());
        let (found, more) = match operation.items.first() {
            None => {
                let open: Vec<FoundDeal> = self.deals().filter(|deal| deal.open).collect();
                let more = open.len() > from + PAGE;
                (open.into_iter().skip(from).take(PAGE).collect(), more)
            }
            Some(item) if item.contact.is_some() => {
                let (mut found, mut more) = (Vec::new(), false);
                for item in &operation.items {
                    let of: Vec<FoundDeal> = self
                        .deals()
                        .filter(|deal| deal.contact == item.contact)
                        .collect();
                    more |= of.len() > from + PAGE;
                    let linked = of.into_iter().skip(from).take(PAGE);
                    found.extend(linked.map(|deal| FoundDeal {
                        open: true,
                        created: None,
                        ..deal
                    }));
                }
                (found, more)
            }
            Some(_) => {
                let asked = |deal: &FoundDeal| {
                    operation
                        .items
                        .iter()
                        .any(|it| it.crm_id.as_ref() == Some(&deal.crm_id))
                };
                let found: Vec<FoundDeal> = self.deals().filter(asked).collect();
                let found = found.into_iter().map(|deal| FoundDeal {
                    contact: None,
                    ..deal
                });
                (found.collect(), false)
            }
        };
        Interpretation {
            account: AccountSignal::Fine,
            items: vec![ItemOutcome::Deals(found)],
            next_page: more.then(|| (from + PAGE).to_string()),
        }
    }
}
