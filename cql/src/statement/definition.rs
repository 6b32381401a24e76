//! Keyspaces, tables and types: CREATE, ALTER, DROP, RESTORE; and USE.

use super::{CqlType, Term};
use crate::{
    KeyspaceDefinition, Name, PropertyError, QualifiedName, Span, TableDefinition, TableError, TableRestore,
    TypeDefinition,
};

/// `CREATE KEYSPACE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateKeyspace {
    /// The place in the text.
    pub span: Span,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// The name of the keyspace.
    pub keyspace: Name,
    /// The options after `WITH`.
    pub options: Vec<KeyspaceOption>,
}

/// `ALTER KEYSPACE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlterKeyspace {
    /// The place in the text.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// The name of the keyspace.
    pub keyspace: Name,
    /// The change.
    pub change: AlterKeyspaceChange,
}

/// The change of an [`AlterKeyspace`].
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
    /// The place in the text.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// The name of the keyspace.
    pub keyspace: Name,
}

/// One `name = value` after WITH. Values can be maps of maps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WithOption {
    /// The name before the `=`.
    pub name: Name,
    /// The value after the `=`.
    pub value: Term,
    /// The span from the name to the value.
    pub span: Span,
}

/// An option of a keyspace.
pub type KeyspaceOption = WithOption;

impl CreateKeyspace {
    /// The option `replication`.
    #[must_use]
    pub fn replication(&self) -> Option<&KeyspaceOption> {
        option(&self.options, "replication")
    }

    /// The option `durable_writes`.
    #[must_use]
    pub fn durable_writes(&self) -> Option<&KeyspaceOption> {
        option(&self.options, "durable_writes")
    }

    /// The keyspace that the statement creates.
    ///
    /// # Errors
    ///
    /// A rule refuses an option, or it is not known whether Keyspaces has it.
    pub fn definition(&self) -> Result<KeyspaceDefinition, PropertyError> {
        crate::keyspace::definition(self)
    }
}

/// The option of this name; the last one if there are several.
#[must_use]
pub fn option<'t>(options: &'t [WithOption], name: &str) -> Option<&'t WithOption> {
    options.iter().rev().find(|option| option.name.text == name)
}

/// An option of a table.
pub type TableOption = WithOption;

/// `CREATE TABLE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateTable {
    /// The place in the text.
    pub span: Span,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// The name of the table.
    pub table: QualifiedName,
    /// The columns.
    pub columns: Vec<ColumnDefinition>,
    /// `PRIMARY KEY (…)` among the columns; more than one is an error that the definition reports.
    pub primary_keys: Vec<PrimaryKey>,
    /// `WITH CLUSTERING ORDER BY (…)`
    pub clustering_order: Vec<ClusteringOrder>,
    /// `WITH COMPACT STORAGE`
    pub compact_storage: Option<Span>,
    /// The options after `WITH`, without the clustering order.
    pub options: Vec<TableOption>,
}

impl CreateTable {
    /// The table that the statement creates.
    ///
    /// # Errors
    ///
    /// The statement breaks one of Cassandra's rules for tables or a rule of Keyspaces.
    pub fn definition(&self) -> Result<TableDefinition, TableError> {
        crate::table::create::definition(self)
    }
}

/// One column of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ColumnDefinition {
    /// The name.
    pub name: Name,
    /// The type.
    pub column_type: CqlType,
    /// `STATIC`
    pub is_static: Option<Span>,
    /// `PRIMARY KEY` after the column.
    pub primary_key: Option<Span>,
    /// The span from the name to the end of the definition.
    pub span: Span,
}

/// `PRIMARY KEY ((a, b), c)`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PrimaryKey {
    /// `a, b`
    pub partition_key: Vec<Name>,
    /// `c`
    pub clustering_columns: Vec<Name>,
    /// The place in the text.
    pub span: Span,
}

/// One column of a CLUSTERING ORDER BY.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusteringOrder {
    /// The column.
    pub column: Name,
    /// The order of its values.
    pub order: SortOrder,
    /// The place in the text.
    pub span: Span,
}

/// Ascending or descending.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum SortOrder {
    /// `ASC`, the default.
    #[default]
    Ascending,
    /// `DESC`
    Descending,
}

/// `ALTER TABLE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlterTable {
    /// The place in the text.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// The name of the table.
    pub table: QualifiedName,
    /// The change.
    pub change: AlterTableChange,
}

/// The change of an [`AlterTable`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AlterTableChange {
    /// `ADD (a int, b text)`
    Add(Vec<ColumnDefinition>),
    /// `ADD a int, b text`: several columns without parentheses, which Cassandra 4 accepts
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
    /// The place in the text.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// The name of the table.
    pub table: QualifiedName,
}

/// `RESTORE TABLE … FROM TABLE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestoreTable {
    /// The place in the text.
    pub span: Span,
    /// The table to create.
    pub table: QualifiedName,
    /// The table to restore from.
    pub source: QualifiedName,
    /// The options after `WITH`.
    pub options: Vec<TableOption>,
}

impl RestoreTable {
    /// The restore that the statement requests.
    ///
    /// # Errors
    ///
    /// A rule refuses an option or the name of the new table, or it is not known whether Keyspaces has an option.
    pub fn definition(&self) -> Result<TableRestore, PropertyError> {
        crate::table::restore::definition(self)
    }
}

/// `CREATE TYPE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateType {
    /// The place in the text.
    pub span: Span,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// The name of the type.
    pub name: QualifiedName,
    /// The fields.
    pub fields: Vec<FieldDefinition>,
}

impl CreateType {
    /// The type that the statement creates.
    #[must_use]
    pub fn definition(&self) -> TypeDefinition {
        crate::user_type::definition(self)
    }
}

/// One field of a user-defined type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldDefinition {
    /// The name.
    pub name: Name,
    /// The type.
    pub field_type: CqlType,
}

/// `DROP TYPE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DropType {
    /// The place in the text.
    pub span: Span,
    /// `IF EXISTS`
    pub if_exists: Option<Span>,
    /// The name of the type.
    pub name: QualifiedName,
}

/// `USE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Use {
    /// The place in the text.
    pub span: Span,
    /// The keyspace for names without one.
    pub keyspace: Name,
}
