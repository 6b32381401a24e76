//! Statements typed by their effect.

mod batches;
mod conditional;
mod holding_on;
mod lacking;
mod limits;
mod lost_answers;
mod preparing;
mod reading_and_writing;
mod throttled;
mod tracing;
