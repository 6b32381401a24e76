//! The program as its users run it, with one local Keyspaces for the whole run.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod interrupted;
mod local;
mod output;
mod places;
mod service;
mod statuses;
mod terminal;
mod transcripts;
