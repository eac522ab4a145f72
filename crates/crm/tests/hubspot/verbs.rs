//! Every verb, by the name that the fixtures use.

use callflume_core::vendor::Verb;

pub(crate) const VERBS: [(&str, Verb); 9] = [
    ("read_by_key", Verb::ReadByKey),
    ("read_by_email", Verb::ReadByEmail),
    ("search_by_phone", Verb::SearchByPhone),
    ("upsert_by_key", Verb::UpsertByKey),
    ("update_by_id", Verb::UpdateById),
    ("update_by_key", Verb::UpdateByKey),
    ("create", Verb::Create),
    ("list", Verb::List),
    ("probe", Verb::Probe),
];
