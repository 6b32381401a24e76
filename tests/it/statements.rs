//! Statements whose types follow from their effects.

mod batches;
mod changed_tables;
mod conditional;
mod default_keyspace;
mod limits;
mod lost_answers;
mod one_off;
mod preparing;
mod reading_and_writing;
mod retries;
mod throttled;
mod tracing;
mod unsupported;
mod value_errors;
