//! Statements of Cassandra that Keyspaces lacks.

use crate::{QualifiedName, Span};

/// A statement that is known by its first words only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsupportedStatement {
    /// Where.
    pub span: Span,
    /// Which statement.
    pub kind: UnsupportedKind,
    /// The tables that it names, where that can be told.
    pub tables: Vec<QualifiedName>,
    /// Its text, comments taken out, one space between its parts.
    pub text: String,
}

macro_rules! unsupported_kinds {
    ($($variant:ident $name:literal,)*) => {
        /// Which statement an [`UnsupportedStatement`] is.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum UnsupportedKind {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl UnsupportedKind {
            /// Each with its first words.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its first words.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

unsupported_kinds! {
    Truncate "TRUNCATE",
    CreateIndex "CREATE INDEX",
    CreateCustomIndex "CREATE CUSTOM INDEX",
    DropIndex "DROP INDEX",
    AlterType "ALTER TYPE",
    CreateTrigger "CREATE TRIGGER",
    DropTrigger "DROP TRIGGER",
    CreateFunction "CREATE FUNCTION",
    CreateOrReplaceFunction "CREATE OR REPLACE FUNCTION",
    DropFunction "DROP FUNCTION",
    CreateAggregate "CREATE AGGREGATE",
    CreateOrReplaceAggregate "CREATE OR REPLACE AGGREGATE",
    DropAggregate "DROP AGGREGATE",
    CreateMaterializedView "CREATE MATERIALIZED VIEW",
    AlterMaterializedView "ALTER MATERIALIZED VIEW",
    DropMaterializedView "DROP MATERIALIZED VIEW",
    CreateRole "CREATE ROLE",
    AlterRole "ALTER ROLE",
    DropRole "DROP ROLE",
    CreateUser "CREATE USER",
    AlterUser "ALTER USER",
    DropUser "DROP USER",
    AddIdentity "ADD IDENTITY",
    DropIdentity "DROP IDENTITY",
    Grant "GRANT",
    Revoke "REVOKE",
    List "LIST",
    Describe "DESCRIBE",
    Desc "DESC",
}
