//! What the quota engine learns: the reserve of a window and the course of a day, as state machines of their own.

mod advice;
mod day;
mod engine;
mod reserve;
mod scenario;
