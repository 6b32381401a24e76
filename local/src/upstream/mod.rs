//! The backing Cassandra: connections, and the layouts of its tables.

mod connection;
mod internal;
mod layout;
mod lease;

pub(crate) use connection::{Channel, ConnectionLost, Upstream, connection_lost};
pub(crate) use internal::{InternalConnection, InternalRequestError, check_answer};
pub(crate) use layout::{Column, Layout, Layouts, is_among};
pub(crate) use lease::Lease;
