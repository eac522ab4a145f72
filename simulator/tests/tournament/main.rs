//! The tournament: ours keeps every criterion, the others show what they are known for, and the output is what is promised.

mod command;
mod scenarios;
