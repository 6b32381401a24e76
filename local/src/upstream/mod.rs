//! The Cassandra behind: connections to it, and what its tables look like.

mod connection;
mod internal;
mod layout;
mod lease;

pub(crate) use connection::{Channel, ConnectionLost, Upstream, lost};
pub(crate) use internal::{InternalConnection, InternalRequestError, accepted};
pub(crate) use layout::{Column, Layout, Layouts, is_among};
pub(crate) use lease::Lease;
