//! A statement that creates, changes or drops something.

use keyspaces_cql::Statement;

use super::Thing;

/// What a definition does, and the text with which Cassandra does its part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Definition {
    pub(crate) change: Change,
    pub(crate) thing: Thing,
    /// `IF NOT EXISTS` or `IF EXISTS`
    pub(crate) conditional: bool,
    /// The types that it uses.
    pub(crate) types: Vec<Thing>,
    /// As the client said it.
    pub(crate) statement: Statement,
    /// With Cassandra's names, and without what only the service has; nothing if that is all of it.
    pub(crate) text: Option<String>,
    /// The table that a RESTORE TABLE restores.
    pub(crate) source: Option<Thing>,
}

/// What happens to the thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Create,
    Alter,
    Drop,
    Restore,
}
