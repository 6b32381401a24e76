//! A client for Amazon Keyspaces.

mod error;

pub use error::{Error, ErrorKind};
