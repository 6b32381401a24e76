//! Keyspaces, tables and types: CREATE, ALTER, DROP, RESTORE; and USE.

use super::{CqlType, Term};
use crate::{
    KeyspaceDefinition, Name, PropertyError, QualifiedName, Span, TableDefinition, TableError, TableRestore,
    TypeDefinition,
};

/// `CREATE KEYSPACE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateKeyspace {
    /// Where.
    pub span: Span,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// Its name.
    pub keyspace: Name,
    /// After `WITH`.
    pub options: Vec<KeyspaceOption>,
}

/// `ALTER KEYSPACE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlterKeyspace {
    /// Where.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// Its name.
    pub keyspace: Name,
    /// What is changed.
    pub change: AlterKeyspaceChange,
}

/// What an [`AlterKeyspace`] changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AlterKeyspaceChange {
    /// `WITH …`
    With(Vec<KeyspaceOption>),
    /// `ADD TAGS {…}`
    AddTags(Term),
    /// `DROP TAGS {…}`
    DropTags(Term),
}

/// `DROP KEYSPACE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DropKeyspace {
    /// Where.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// Its name.
    pub keyspace: Name,
}

/// One `name = value` after WITH, of whatever statement; values can be maps of maps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WithOption {
    /// Before the `=`.
    pub name: Name,
    /// After it.
    pub value: Term,
    /// From the name to the value.
    pub span: Span,
}

/// An option of a keyspace.
pub type KeyspaceOption = WithOption;

impl CreateKeyspace {
    /// `replication = …`, its value with its place in the text.
    #[must_use]
    pub fn replication(&self) -> Option<&KeyspaceOption> {
        option(&self.options, "replication")
    }

    /// `durable_writes = …`
    #[must_use]
    pub fn durable_writes(&self) -> Option<&KeyspaceOption> {
        option(&self.options, "durable_writes")
    }

    /// The keyspace that it makes.
    ///
    /// # Errors
    ///
    /// A rule refuses its options, or Keyspaces is not known to have them.
    pub fn definition(&self) -> Result<KeyspaceDefinition, PropertyError> {
        crate::keyspace::definition(self)
    }
}

/// The option of this name, of several the last.
#[must_use]
pub fn option<'t>(options: &'t [WithOption], name: &str) -> Option<&'t WithOption> {
    options.iter().rev().find(|option| option.name.text == name)
}

/// An option of a table.
pub type TableOption = WithOption;

/// `CREATE TABLE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateTable {
    /// Where.
    pub span: Span,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// Its name.
    pub table: QualifiedName,
    /// Its columns.
    pub columns: Vec<ColumnDefinition>,
    /// `PRIMARY KEY (…)` among the columns; of several, all.
    pub primary_keys: Vec<PrimaryKey>,
    /// `WITH CLUSTERING ORDER BY (…)`
    pub clustering_order: Vec<ClusteringOrder>,
    /// `WITH COMPACT STORAGE`
    pub compact_storage: Option<Span>,
    /// After `WITH`, without the clustering order.
    pub options: Vec<TableOption>,
}

impl CreateTable {
    /// The table that it makes.
    ///
    /// # Errors
    ///
    /// What keeps it from making one: Cassandra's rules for every table, and Keyspaces' own.
    pub fn definition(&self) -> Result<TableDefinition, TableError> {
        crate::table::create::definition(self)
    }
}

/// One column of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub column_type: CqlType,
    /// `STATIC`
    pub is_static: Option<Span>,
    /// `PRIMARY KEY` after the column.
    pub primary_key: Option<Span>,
    /// From the name to the last of it.
    pub span: Span,
}

/// `PRIMARY KEY ((a, b), c)`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PrimaryKey {
    /// `a, b`
    pub partition_key: Vec<Name>,
    /// `c`
    pub clustering_columns: Vec<Name>,
    /// Where.
    pub span: Span,
}

/// One column of a CLUSTERING ORDER BY.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusteringOrder {
    /// The column.
    pub column: Name,
    /// Its order.
    pub order: Order,
    /// Where.
    pub span: Span,
}

/// Ascending or descending.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Order {
    /// `ASC`, also where nothing is said.
    #[default]
    Ascending,
    /// `DESC`
    Descending,
}

/// `ALTER TABLE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlterTable {
    /// Where.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// Its name.
    pub table: QualifiedName,
    /// What is changed.
    pub change: AlterTableChange,
}

/// What an [`AlterTable`] changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AlterTableChange {
    /// `ADD (a int, b text)`
    Add(Vec<ColumnDefinition>),
    /// `ADD a int, b text`: several columns without parentheses, as Cassandra 4 takes them
    AddWithoutParentheses(Vec<ColumnDefinition>),
    /// `DROP (a, b)`
    Drop(Vec<Name>),
    /// `RENAME a TO b AND c TO d`
    Rename(Vec<(Name, Name)>),
    /// `ALTER a TYPE int`
    ColumnType(Name, CqlType),
    /// `DROP COMPACT STORAGE`
    DropCompactStorage(Span),
    /// `ADD TAGS {…}`
    AddTags(Term),
    /// `DROP TAGS {…}`
    DropTags(Term),
    /// `ADD TAGS_FOR_CDC {…}`
    AddStreamTags(Term),
    /// `DROP TAGS_FOR_CDC {…}`
    DropStreamTags(Term),
    /// `WITH …`
    With(Vec<TableOption>),
}

/// `DROP TABLE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DropTable {
    /// Where.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// Its name.
    pub table: QualifiedName,
}

/// `RESTORE TABLE … FROM TABLE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestoreTable {
    /// Where.
    pub span: Span,
    /// The table to be made.
    pub table: QualifiedName,
    /// The table it is made from.
    pub source: QualifiedName,
    /// After `WITH`.
    pub options: Vec<TableOption>,
}

impl RestoreTable {
    /// What it restores.
    ///
    /// # Errors
    ///
    /// A rule refuses its options or the name of its target, or Keyspaces is not known to have them.
    pub fn definition(&self) -> Result<TableRestore, PropertyError> {
        crate::table::restore::definition(self)
    }
}

/// `CREATE TYPE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateType {
    /// Where.
    pub span: Span,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// Its name.
    pub name: QualifiedName,
    /// Its fields.
    pub fields: Vec<FieldDefinition>,
}

impl CreateType {
    /// The type that it makes.
    #[must_use]
    pub fn definition(&self) -> TypeDefinition {
        crate::user_type::definition(self)
    }
}

/// One field of a user-defined type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldDefinition {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub field_type: CqlType,
}

/// `DROP TYPE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DropType {
    /// Where.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// Its name.
    pub name: QualifiedName,
}

/// `USE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Use {
    /// Where.
    pub span: Span,
    /// The keyspace for names without one.
    pub keyspace: Name,
}
