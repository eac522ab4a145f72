//! The query language, as far as it is spoken here: one object, its own fields and those of the records it refers to, one
//! step away (`Opportunity.IsClosed`), conditions, an order, a limit.
//!
//! `SELECT field, … | COUNT() FROM object [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n]`. Conditions compare with `=`, `!=`,
//! `<>`, `<`, `>`, `<=`, `>=`, `LIKE`, `IN` and `NOT IN`, joined by `AND`, `OR`, `NOT` and parentheses; `AND` and `OR` side
//! by side need parentheses, as the vendor's do. What isn't spoken (subqueries, date words, aggregates) is refused, never
//! taken for something else.

mod condition;
mod lex;
mod parse;

pub(super) use condition::{Operand, operand};
pub(super) use parse::{Order, Query, Selected, parse};
