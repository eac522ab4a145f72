//! The publisher against a real broker: what it promises, and what it says when it can't keep it.

mod broker;
mod promises;
mod refusals;
