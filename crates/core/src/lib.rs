//! Callflume's decisions, without IO.
//!
//! Everything that decides *what* happens lives here: what an event means, which effects it has, who owns an
//! account, when a request may leave, what an answer means for the effects it carried, when an event may be
//! acknowledged. Shells (`jetstream`, `worker`, `simulator`) carry out what is decided and report back.
//!
//! Never in this crate: a clock, randomness of its own, threads, tokio, the network, the file system, maps with
//! random iteration order. Time is an argument ([`time::Now`]), randomness a seed, answers are inputs. A test
//! (`tests/purity.rs`) reads the sources and fails on a breach.

pub mod account;
pub mod bulk;
pub mod cache;
pub mod card;
pub mod codes;
pub mod config;
pub mod deal;
pub mod dispatcher;
pub mod effect;
pub mod event;
pub mod foreign;
pub mod lane;
pub mod lookup;
pub mod ownership;
pub mod plan;
pub mod quota;
pub mod record;
pub mod reference;
pub mod seed;
pub mod time;
pub mod vendor;
pub mod voice;
