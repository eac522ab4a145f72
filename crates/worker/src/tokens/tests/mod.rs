//! Tokens against a real broker and a fake token address.

mod crashes;
mod keys;
mod renewals;
mod trouble;
mod world;
