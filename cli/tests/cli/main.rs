//! Runs the program as users do, against one local Keyspaces for all tests.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod interrupted;
mod local;
mod output;
mod service;
mod statuses;
mod targets;
mod terminal;
mod transcripts;
