//! Contacts known to this process: alias → CRM id → record.
//!
//! The memory tier in front of the contact bucket. Bounded: the entries used longest ago go first; what is gone is read from the bucket
//! again. Only the owner of an account writes its contacts, so an entry here is never older than the bucket.

use std::collections::BTreeMap;

use crate::record::ContactRecord;

/// Most contacts kept in memory, about 400 bytes each.
pub const CONTACTS_MAX: usize = 20_000;

#[derive(Debug)]
struct Entry {
    record: ContactRecord,
    aliases: Vec<String>,
    used: u64,
}

/// Bounded map of contacts.
#[derive(Debug)]
pub struct ContactCache {
    max: usize,
    clock: u64,
    by_id: BTreeMap<String, Entry>,
    by_alias: BTreeMap<String, String>,
    by_use: BTreeMap<u64, String>,
}

impl Default for ContactCache {
    fn default() -> Self {
        Self::bounded(CONTACTS_MAX)
    }
}

impl ContactCache {
    /// A cache of at most `max` contacts.
    pub const fn bounded(max: usize) -> Self {
        Self {
            max,
            clock: 0,
            by_id: BTreeMap::new(),
            by_alias: BTreeMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    /// The contact known by one of these aliases; they all become its aliases.
    pub fn find(&mut self, aliases: &[String]) -> Option<ContactRecord> {
        let id = aliases
            .iter()
            .find_map(|alias| self.by_alias.get(alias))?
            .clone();
        let record = self.by_id.get(&id)?.record.clone();
        self.insert(record.clone(), aliases);
        Some(record)
    }

    /// The contact with this CRM id.
    pub fn by_id(&self, crm_id: &str) -> Option<&ContactRecord> {
        self.by_id.get(crm_id).map(|entry| &entry.record)
    }

    /// Adds or replaces a contact.
    pub fn insert(&mut self, record: ContactRecord, aliases: &[String]) {
        self.clock += 1;
        let id = record.crm_id.clone();
        let mut known = match self.by_id.remove(&id) {
            Some(old) => {
                self.by_use.remove(&old.used);
                old.aliases
            }
            None => Vec::new(),
        };
        for alias in aliases {
            self.by_alias.insert(alias.clone(), id.clone());
            if !known.contains(alias) {
                known.push(alias.clone());
            }
        }
        self.by_use.insert(self.clock, id.clone());
        self.by_id.insert(
            id,
            Entry {
                record,
                aliases: known,
                used: self.clock,
            },
        );
        while self.by_id.len() > self.max {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            self.forget(&oldest);
        }
    }

    /// Notes that the bucket knows a contact by these aliases: [`ContactRecord::aliases`] holds what it knows.
    pub fn told(&mut self, crm_id: &str, aliases: &[String]) {
        if let Some(entry) = self.by_id.get_mut(crm_id) {
            entry.record.called(aliases);
        }
    }

    /// Drops a contact.
    pub fn forget(&mut self, crm_id: &str) {
        if let Some(entry) = self.by_id.remove(crm_id) {
            self.by_use.remove(&entry.used);
            for alias in entry.aliases {
                if self.by_alias.get(&alias).is_some_and(|id| id == crm_id) {
                    self.by_alias.remove(&alias);
                }
            }
        }
    }

    /// Contacts held.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> ContactRecord {
        ContactRecord {
            crm_id: id.into(),
            ..ContactRecord::default()
        }
    }

    #[test]
    fn the_contact_used_longest_ago_goes_first_with_its_aliases() {
        let mut cache = ContactCache::bounded(2);
        cache.insert(record("1"), &["a".into(), "b".into()]);
        cache.insert(record("2"), &["c".into()]);
        assert!(cache.find(&["b".into()]).is_some());
        cache.insert(record("3"), &["d".into()]);
        assert!(cache.find(&["c".into()]).is_none());
        assert!(
            cache.find(&["a".into()]).is_some() && cache.find(&["x".into(), "d".into()]).is_some()
        );
        assert_eq!(
            (cache.len(), cache.by_use.len(), cache.by_alias.len()),
            (2, 2, 4)
        );
        cache.forget("1");
        assert!(cache.find(&["a".into()]).is_none());
    }
}
