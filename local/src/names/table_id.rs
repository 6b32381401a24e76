//! The identity of a table.

use std::fmt;

use super::SchemaObject;

/// A table between its creation and its drop. A later table of the same name has another id.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct TableId {
    pub(crate) table: SchemaObject,
    /// When it was created, in milliseconds since 1970.
    pub(crate) created: u64,
}

impl TableId {
    pub(crate) const fn new(table: SchemaObject, created: u64) -> Self {
        Self { table, created }
    }

    /// Parses the text that [`Display`](fmt::Display) writes.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (created, name) = text.split_once(':')?;
        let (keyspace, table) = name.split_once('.')?;
        Some(Self::new(SchemaObject::table(keyspace, table), created.parse().ok()?))
    }
}

/// Writes, for example, `1790000000000:ks.t`.
impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}.{}", self.created, self.table.keyspace, self.table.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_values_round_trip() {
        let table_id = TableId::new(SchemaObject::table("ks", "A table.of: mine"), 7);
        assert_eq!(table_id.to_string(), "7:ks.A table.of: mine");
        assert_eq!(TableId::read(&table_id.to_string()), Some(table_id));
    }
}
