//! A client for Amazon Keyspaces.

mod error;
mod tls;

#[cfg(test)]
mod stub;

pub use error::{Error, ErrorKind};
