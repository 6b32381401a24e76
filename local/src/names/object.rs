//! Keyspaces, tables and types, by the client's names.

use std::fmt;

/// A keyspace, a table or a type, by the client's names.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct SchemaObject {
    pub(crate) keyspace: String,
    pub(crate) kind: ObjectKind,
    /// Empty for the keyspace itself.
    pub(crate) name: String,
}

/// The kind of a [`SchemaObject`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum ObjectKind {
    Keyspace,
    Table,
    Type,
}

impl SchemaObject {
    pub(crate) fn keyspace(keyspace: impl Into<String>) -> Self {
        Self { keyspace: keyspace.into(), kind: ObjectKind::Keyspace, name: String::new() }
    }

    pub(crate) fn table(keyspace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { keyspace: keyspace.into(), kind: ObjectKind::Table, name: name.into() }
    }

    pub(crate) fn user_type(keyspace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { keyspace: keyspace.into(), kind: ObjectKind::Type, name: name.into() }
    }
}

impl ObjectKind {
    /// The word in the stored state.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Keyspace => "keyspace",
            Self::Table => "table",
            Self::Type => "type",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Keyspace, Self::Table, Self::Type].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Writes, for example, `keyspace ks` or `table ks.t`.
impl fmt::Display for SchemaObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.keyspace)?;
        if self.kind == ObjectKind::Keyspace { Ok(()) } else { write!(f, ".{}", self.name) }
    }
}
