//! What voice platforms report, read as drafts of events: one module per platform.
//!
//! Pure: bytes in, drafts out. A mapping never guesses whom a call was with and never invents an event time; what
//! it can't read it refuses with a code and the name of the field, never the field's value.

pub mod vapi;
