//! Statements of Cassandra that Keyspaces lacks.

use crate::{QualifiedName, Span};

/// A statement of Cassandra that Keyspaces lacks, recognised by its first words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsupportedStatement {
    /// The place in the text.
    pub span: Span,
    /// The kind of the statement.
    pub kind: UnsupportedKind,
    /// The tables that the statement names, as far as they are recognised.
    pub tables: Vec<QualifiedName>,
    /// The text without comments, with one space between its tokens.
    pub text: String,
}

macro_rules! unsupported_kinds {
    ($($variant:ident $name:literal,)*) => {
        /// The kind of an [`UnsupportedStatement`].
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum UnsupportedKind {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl UnsupportedKind {
            /// All kinds.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// The first words of the statement.
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
