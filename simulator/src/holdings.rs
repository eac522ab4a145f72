//! What a CRM holds, what was written to it and what came to its door, in neutral terms: all that the oracle reads of one.
//!
//! A view is made by whoever models the CRM, beside the model, and is the oracle's own reading of the vendor's documents:
//! where a value is kept and in which form. It must never ask the product's translation. Invariants: every applied write
//! is in [`Holdings::writes`] once and in order; a record says what it holds, never what somebody was told; a value that
//! the CRM has no place for is said so ([`Holdings::keeps`]), not passed over in silence.

use std::sync::Arc;

use callflume_core::effect::{Field, Object, Value};

/// One record, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRecord {
    /// What kind of record.
    pub object: Object,
    /// Its id, unique among records of the kind.
    pub id: String,
    /// Whether people still find it.
    pub alive: bool,
    /// A contact's national phone numbers; empty for other records.
    pub numbers: Vec<String>,
    /// Ids of the contacts it hangs on.
    pub contacts: Vec<String>,
    /// The text that tells it apart from others of its kind: the field with a call's id, a note's text, a title. None
    /// for contacts.
    pub label: Option<Arc<str>>,
}

/// What a write did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It was there before the first request.
    Seeded,
    /// It was made.
    Made,
    /// It was changed: fields, links or place.
    Changed,
    /// It was taken away.
    Removed,
}

/// A field that a write set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetField {
    /// The field.
    pub field: Field,
    /// What the CRM keeps of it, in the CRM's own form; [`Holdings::says`] reads it.
    pub text: Arc<str>,
    /// Whether something else stood there before.
    pub changed: bool,
}

/// One applied write of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldWrite {
    /// When, epoch milliseconds.
    pub at_ms: i64,
    /// [`Arrival::request_no`] of the request that did it; 0 for what was done from outside.
    pub request_no: u64,
    /// What kind of record.
    pub object: Object,
    /// Its id.
    pub id: String,
    /// What was done.
    pub deed: Deed,
    /// What was set, without fields that have no neutral name.
    pub fields: Vec<SetField>,
}

/// What a request was about, told by method and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// A search, a listing, a record read.
    LookUp,
    /// Records of this kind made or changed.
    Write(Object),
    /// Everything else: who am I, users, fields, unknown paths.
    Other,
}

/// One request as it came to the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// 1 for the first request.
    pub request_no: u64,
    /// When it came, epoch milliseconds.
    pub at_ms: i64,
    /// What it was about.
    pub errand: Errand,
    /// Answered that too much was asked, whatever the reason.
    pub throttled: bool,
    /// Met a full window.
    pub over_limit: bool,
    /// What it was charged, where the CRM has a price per operation; none where requests are counted.
    pub tokens: Option<u32>,
}

/// A CRM as the oracle sees it.
pub trait Holdings {
    /// Name of the CRM, lower case.
    fn vendor(&self) -> &'static str;

    /// Every record of the kinds that Callflume knows, also those that are gone, in the order of their making per kind.
    fn records(&self) -> Vec<HeldRecord>;

    /// Every applied write of these records, in order.
    fn writes(&self) -> Vec<HeldWrite>;

    /// Every request, in order of arrival.
    fn arrivals(&self) -> Vec<Arrival>;

    /// Whether this CRM has a place for a field of an effect with these values. What it has none for isn't expected.
    fn keeps(&self, object: Object, field: &Field, all: &[(Field, Value)]) -> bool;

    /// Whether a text that stands in a field is this value.
    fn says(&self, object: Object, field: &Field, value: &Value, text: &str) -> bool;

    /// Whether a field's place is its record's own; else a value there may be replaced by another record's.
    fn owns_place(&self, _object: Object, _field: &Field) -> bool {
        true
    }
}

impl<T: Holdings + ?Sized> Holdings for Box<T> {
    fn vendor(&self) -> &'static str {
        (**self).vendor()
    }

    fn records(&self) -> Vec<HeldRecord> {
        (**self).records()
    }

    fn writes(&self) -> Vec<HeldWrite> {
        (**self).writes()
    }

    fn arrivals(&self) -> Vec<Arrival> {
        (**self).arrivals()
    }

    fn keeps(&self, object: Object, field: &Field, all: &[(Field, Value)]) -> bool {
        (**self).keeps(object, field, all)
    }

    fn says(&self, object: Object, field: &Field, value: &Value, text: &str) -> bool {
        (**self).says(object, field, value, text)
    }

    fn owns_place(&self, object: Object, field: &Field) -> bool {
        (**self).owns_place(object, field)
    }
}
