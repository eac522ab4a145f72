//! The oracle: a faithful run is judged clean, and each planted defect is found, alone and by its name.
//!
//! The faithful run is written by the product's own planner and translation, so these tests also say that what the traffic
//! expects of a CRM and what the product writes are the same, though reasoned apart.

mod clean;
mod planted;
mod writer;
