//! A client's statement: its text, parsed once, the edits that Cassandra needs, and the values that come with it.

mod bound_markers;
mod edits;
mod json;
mod modification;
mod nondeterministic;
mod serialized;
mod text;

pub(crate) use bound_markers::BoundMarkers;
pub(crate) use edits::name_edits;
pub(crate) use json::row as json_row;
pub(crate) use modification::{ModificationRef, is_logged_batch, modifications};
pub(crate) use nondeterministic::{evaluate, is_nondeterministic};
pub(crate) use serialized::{PlannedValues, SerializedValues, markers};
#[cfg(test)]
pub(crate) use text::counter;
pub(crate) use text::{StatementText, parse};
