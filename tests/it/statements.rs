//! Statements whose types follow from their effects.

mod batches;
mod changed_tables;
mod conditional;
mod default_keyspace;
mod holding_on;
mod lacking;
mod limits;
mod lost_answers;
mod one_use;
mod preparing;
mod reading_and_writing;
mod throttled;
mod tracing;
mod value_errors;
