//! Servers and generators that the tests and benches of this workspace share.
//!
//! [`stub`] is a server for tests of connecting and failing, [`instant`] one for benches. Both speak CQL v4 with the codec
//! in [`frame`], because the driver's codec writes no responses. It can read requests, but would only be a second codec here.
//! [`tables`] generates random table definitions.
#![allow(missing_docs, missing_debug_implementations, reason = "only tests and benches of this workspace use it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod frame;
pub mod instant;
pub mod stub;
pub mod tables;
