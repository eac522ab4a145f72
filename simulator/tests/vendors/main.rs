//! One oracle for every CRM: a faithful run is judged clean, and each planted defect is found, alone and by its name, in
//! each vendor's fake.
//!
//! The run is written by the product's own planner and translation, one request per effect; what the oracle makes of what
//! the CRM then holds is its own reading. So these tests also say that both agree on where each vendor keeps what.

mod planted;
mod spending;
mod strangers;
mod together;
mod writer;
