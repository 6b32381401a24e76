//! A statement that creates, changes or drops something.

use super::Thing;

/// What a definition does, and the text with which Cassandra does it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Definition {
    pub(crate) change: Change,
    pub(crate) thing: Thing,
    /// `IF NOT EXISTS` or `IF EXISTS`
    pub(crate) conditional: bool,
    /// The types that it uses.
    pub(crate) types: Vec<Thing>,
    /// With Cassandra's names.
    pub(crate) text: String,
}

/// What happens to the thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Create,
    Alter,
    Drop,
}
