//! Statements typed by their effect.

mod batches;
mod conditional;
mod limits;
mod preparing;
mod reading_and_writing;
