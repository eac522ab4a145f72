//! Close's limits: requests per second, per API key and endpoint group (method and path).
//!
//! Source: the page "Rate limits" of the developer documentation, autumn 2026. It publishes the rule, not the figures:
//! those of each group are in the `RateLimit` header of its answers, and some groups are stricter. The profiles hold the
//! documentation's example figures and a cautious start; the header lowers them at once. The organisation's limit is
//! three times the key's in every group, so one key alone never meets it.
//!
//! Two verbs may go to either of two groups and are charged in both: a contact's probe (the event log, then a search),
//! and a call's update (the call, or the contact that holds its sentiment).

use callflume_core::effect::Object;
use callflume_core::vendor::{Charge, Verb, WindowSpec};

/// Index of the group of searches.
pub const SEARCH: usize = 0;
/// Index of the group that makes leads, and with them people.
pub const LEAD_CREATE: usize = 1;
/// Index of the group that changes contacts.
pub const CONTACT_UPDATE: usize = 2;
/// Index of the group that lists contacts.
pub const CONTACT_LIST: usize = 3;
/// Index of the group that reads the event log.
pub const EVENT_LIST: usize = 4;
/// Index of the first group of calls: made, changed, listed; three more of notes, tasks and opportunities each follow.
pub const CALL_CREATE: usize = 5;

/// Names of the groups by their indices.
const NAMES: [&str; 17] = [
    "search",
    "lead_create",
    "contact_update",
    "contact_list",
    "event_list",
    "call_create",
    "call_update",
    "call_list",
    "note_create",
    "note_update",
    "note_list",
    "task_create",
    "task_update",
    "task_list",
    "opportunity_create",
    "opportunity_update",
    "opportunity_list",
];

/// One request in each group, by its index.
static ONE: [Charge; 17] = {
    let mut all = [Charge::one(0); 17];
    let mut index = 0;
    while index < 17 {
        all[index] = Charge::one(index);
        index += 1;
    }
    all
};
static CONTACT_PROBE: [Charge; 2] = [Charge::one(EVENT_LIST), Charge::one(SEARCH)];
static CALL_UPDATE: [Charge; 2] = [Charge::one(CALL_CREATE + 1), Charge::one(CONTACT_UPDATE)];

/// The group that a verb goes to; the first of two where it may go to either.
pub const fn group(verb: Verb, object: Object) -> usize {
    let records = match object {
        Object::Contact => {
            return match verb {
                Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone => SEARCH,
                Verb::Create | Verb::UpsertByKey => LEAD_CREATE,
                Verb::UpdateById | Verb::UpdateByKey => CONTACT_UPDATE,
                Verb::List => CONTACT_LIST,
                Verb::Probe => EVENT_LIST,
            };
        }
        Object::Call => CALL_CREATE,
        Object::Note => CALL_CREATE + 3,
        Object::Task => CALL_CREATE + 6,
        Object::Deal => CALL_CREATE + 9,
    };
    match verb {
        Verb::Create | Verb::UpsertByKey => records,
        Verb::UpdateById | Verb::UpdateByKey => records + 1,
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::List | Verb::Probe => {
            records + 2
        }
    }
}

/// What a request of this verb costs: one in its group, or in both that it may go to.
pub fn charges(verb: Verb, object: Object) -> &'static [Charge] {
    match (verb, object) {
        (Verb::Probe, Object::Contact) => &CONTACT_PROBE,
        (Verb::UpdateById, Object::Call) => &CALL_UPDATE,
        _ => {
            let group = group(verb, object);
            ONE.get(group..=group).unwrap_or_default()
        }
    }
}

/// The name of a group.
pub(crate) fn name(group: usize) -> &'static str {
    NAMES.get(group).copied().unwrap_or_default()
}

const fn windows(search: u32, others: u32, span_ms: u64) -> [WindowSpec; 17] {
    let mut all = [const { WindowSpec::rolling("search", 1, 1) }; 17];
    let mut index = 0;
    while index < 17 {
        let limit = if index == SEARCH { search } else { others };
        all[index] = WindowSpec::rolling(NAMES[index], limit, span_ms);
        index += 1;
    }
    all
}

static CAUTIOUS: [WindowSpec; 17] = windows(5, 5, 1_000);
static DOC_EXAMPLE: [WindowSpec; 17] = windows(20, 20, 1_000);
static STRICT_SEARCH: [WindowSpec; 17] = windows(5, 20, 1_000);
static HEADER_EXAMPLE: [WindowSpec; 17] = windows(100, 100, 5_000);

/// Every profile by its id, one window per endpoint group.
pub static PROFILES: &[(&str, &[WindowSpec])] = &[
    ("cautious", &CAUTIOUS),
    ("doc_example", &DOC_EXAMPLE),
    ("strict_search", &STRICT_SEARCH),
    ("header_example", &HEADER_EXAMPLE),
];

#[cfg(test)]
mod tests {
    use callflume_core::vendor::Span;

    use super::*;

    #[test]
    fn every_group_has_a_window_of_its_own() {
        for (id, search, others, span_ms) in [
            ("cautious", 5, 5, 1_000),
            ("doc_example", 20, 20, 1_000),
            ("strict_search", 5, 20, 1_000),
            ("header_example", 100, 100, 5_000),
        ] {
            let (_, windows) = PROFILES.iter().find(|(known, _)| *known == id).unwrap();
            for (index, window) in windows.iter().enumerate() {
                let limit = if index == SEARCH { search } else { others };
                assert_eq!(
                    (window.name, window.limit, window.span),
                    (name(index), limit, Span::RollingMs(span_ms)),
                    "{id}"
                );
            }
        }
    }

    #[test]
    fn a_request_is_charged_where_it_goes() {
        for (verb, object, expect) in [
            (Verb::ReadByKey, Object::Contact, &["search"][..]),
            (Verb::ReadByEmail, Object::Contact, &["search"]),
            (Verb::SearchByPhone, Object::Contact, &["search"]),
            (Verb::UpsertByKey, Object::Contact, &["lead_create"]),
            (Verb::Create, Object::Contact, &["lead_create"]),
            (Verb::UpdateById, Object::Contact, &["contact_update"]),
            (Verb::List, Object::Contact, &["contact_list"]),
            (Verb::Probe, Object::Contact, &["event_list", "search"]),
            (Verb::Create, Object::Call, &["call_create"]),
            (
                Verb::UpdateById,
                Object::Call,
                &["call_update", "contact_update"],
            ),
            (Verb::Probe, Object::Call, &["call_list"]),
            (Verb::Create, Object::Note, &["note_create"]),
            (Verb::Probe, Object::Note, &["note_list"]),
            (Verb::Create, Object::Task, &["task_create"]),
            (Verb::UpdateById, Object::Task, &["task_update"]),
            (Verb::Create, Object::Deal, &["opportunity_create"]),
            (Verb::UpdateById, Object::Deal, &["opportunity_update"]),
            (Verb::Probe, Object::Deal, &["opportunity_list"]),
        ] {
            let charged: Vec<&str> = charges(verb, object)
                .iter()
                .map(|charge| name(charge.window))
                .collect();
            assert_eq!(charged, expect, "{verb:?} {object}");
        }
    }
}
