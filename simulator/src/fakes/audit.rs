//! What the audits of the fakes have in common; the rest is each vendor's.

use serde_json::Value;

/// One field of a write, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldWrite {
    /// The vendor's name of it; a custom field's code.
    pub name: String,
    pub value: Value,
    /// Whether the value was another one before.
    pub changed: bool,
}

/// The first write of a request. Both are in order, and requests must be asked for in theirs.
pub(crate) fn first_writes<'a, W>(
    writes: &'a [W],
    request_no: impl Fn(&W) -> u64,
) -> impl FnMut(u64) -> Option<&'a W> {
    let mut writes = writes.iter().peekable();
    move |wanted| {
        while writes.next_if(|it| request_no(it) < wanted).is_some() {}
        writes.peek().copied().filter(|it| request_no(it) == wanted)
    }
}
