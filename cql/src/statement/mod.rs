//! The syntax tree that [`parse`](crate::parse) returns: statements and their parts, each with its place in the text.

mod cql_type;
mod definition;
mod modification;
mod relation;
mod select;
mod term;
mod unsupported;

pub use cql_type::{CqlType, CqlTypeKind, NativeType};
pub use definition::{
    AlterKeyspace, AlterKeyspaceChange, AlterTable, AlterTableChange, ClusteringOrder, ColumnDefinition,
    CreateKeyspace, CreateTable, CreateType, DropKeyspace, DropTable, DropType, FieldDefinition, KeyspaceOption,
    PrimaryKey, RestoreTable, SortOrder, TableOption, Use, WithOption, option,
};
pub use modification::{
    Assignment, AssignmentOperation, Batch, BatchKind, Condition, Delete, Insert, InsertContent, JsonDefault,
    Modification, Update, Using, UsingKind, UsingParameter,
};
pub use relation::{Comparand, Operator, Relation, Subject, Target};
pub use select::{Limit, Ordering, Select, Selection, Selector};
pub use term::{
    Access, Arithmetic, ArithmeticOperator, BindMarker, Call, Cast, Constant, ConstantKind, Term, TermKind, TypeHint,
};
pub use unsupported::{UnsupportedKind, UnsupportedStatement};

use crate::{Effect, Function, Idempotence, InWidth, Name, Portable, QualifiedName, Span};

/// One statement of CQL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Statement {
    /// `SELECT`
    Select(Box<Select>),
    /// `INSERT`
    Insert(Insert),
    /// `UPDATE`
    Update(Update),
    /// `DELETE`
    Delete(Delete),
    /// `BEGIN [UNLOGGED | COUNTER] BATCH … APPLY BATCH`
    Batch(Batch),
    /// `CREATE KEYSPACE`
    CreateKeyspace(CreateKeyspace),
    /// `ALTER KEYSPACE`
    AlterKeyspace(AlterKeyspace),
    /// `DROP KEYSPACE`
    DropKeyspace(DropKeyspace),
    /// `CREATE TABLE`
    CreateTable(CreateTable),
    /// `ALTER TABLE`
    AlterTable(AlterTable),
    /// `DROP TABLE`
    DropTable(DropTable),
    /// `RESTORE TABLE`, which only Keyspaces has
    RestoreTable(RestoreTable),
    /// `CREATE TYPE`
    CreateType(CreateType),
    /// `DROP TYPE`
    DropType(DropType),
    /// `USE`
    Use(Use),
    /// A statement of Cassandra that Keyspaces lacks, recognised by its first words: `TRUNCATE`, `CREATE INDEX`, …
    Unsupported(UnsupportedStatement),
}

impl Statement {
    /// The span from the first to the last word of the statement, without a `;` after it.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Select(it) => it.span,
            Self::Insert(it) => it.span,
            Self::Update(it) => it.span,
            Self::Delete(it) => it.span,
            Self::Batch(it) => it.span,
            Self::CreateKeyspace(it) => it.span,
            Self::AlterKeyspace(it) => it.span,
            Self::DropKeyspace(it) => it.span,
            Self::CreateTable(it) => it.span,
            Self::AlterTable(it) => it.span,
            Self::DropTable(it) => it.span,
            Self::RestoreTable(it) => it.span,
            Self::CreateType(it) => it.span,
            Self::DropType(it) => it.span,
            Self::Use(it) => it.span,
            Self::Unsupported(it) => it.span,
        }
    }

    /// The effect of the statement.
    ///
    /// `SET n = n + ?` adds to a counter, a list, a set or a map, depending on the type of `n`, which the text does not show.
    /// It counts as an [`Effect::Increment`] here; [`Update::additions`] lists the columns for callers that know their types.
    /// With a number after the sign the column is a counter. With `[…]` or `{…}` it is a collection, and the effect an
    /// [`Effect::Write`].
    #[must_use]
    pub fn effect(&self) -> Effect {
        crate::effect::effect(self)
    }

    /// Whether the statement writes only if a condition holds; for a batch, whether any of its statements does.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        crate::effect::is_conditional(self)
    }

    /// The tables that the statement and, in a batch, its statements name, in the order of the text. A table that is named
    /// twice is listed twice.
    #[must_use]
    pub fn tables(&self) -> Vec<&QualifiedName> {
        crate::effect::tables(self)
    }

    /// The keyspace that a CREATE KEYSPACE, ALTER KEYSPACE, DROP KEYSPACE or USE names.
    #[must_use]
    pub fn named_keyspace(&self) -> Option<&Name> {
        crate::effect::named_keyspace(self)
    }

    /// The functions that the statement calls, in the order of the text. A function that is called twice is listed twice.
    #[must_use]
    pub fn functions(&self) -> Vec<Function<'_>> {
        crate::facts::functions(self)
    }

    /// The user-defined types that columns, fields, type hints and casts name, in the order of the text.
    #[must_use]
    pub fn user_types(&self) -> Vec<&QualifiedName> {
        crate::facts::user_types(self)
    }

    /// The bind markers, in the order of their values.
    #[must_use]
    pub fn bind_markers(&self) -> Vec<&BindMarker> {
        crate::facts::bind_markers(self)
    }

    /// `USING …` of the statement itself, not of the statements in a batch.
    #[must_use]
    pub fn using(&self) -> Option<&Using> {
        crate::facts::using(self)
    }

    /// Each `USING …` of the statement and of the statements in a batch.
    #[must_use]
    pub fn usings(&self) -> Vec<&Using> {
        crate::facts::usings(self)
    }

    /// The conditions after `IF` of the statement and of the statements in a batch.
    #[must_use]
    pub fn conditions(&self) -> Vec<&Relation> {
        crate::facts::conditions(self)
    }

    /// Each IN with the number of its values. Keyspaces splits a SELECT into as many subqueries as the product of the widths
    /// (`DG:in.select`).
    #[must_use]
    pub fn in_widths(&self) -> Vec<InWidth> {
        crate::facts::in_widths(self)
    }

    /// The number after the LIMIT of a SELECT: an integer or a bind marker.
    #[must_use]
    pub fn limit(&self) -> Option<&Term> {
        crate::facts::limit(self)
    }

    /// Whether the statement may be sent twice.
    ///
    /// Reads are idempotent, and so are writes that set columns to values or delete them. Statements that cannot be judged
    /// count as not idempotent. A write without `USING TIMESTAMP` that is sent again is a new write: it overwrites what
    /// others wrote in between, and its TTL starts again. With `USING TIMESTAMP` it stays the same write, but not every such
    /// write is idempotent: a counter has no timestamp, and a value is appended to a list again. Bound values are
    /// assumed to be the same each time, except for bound JSON, because the server evaluates its `"now"`.
    #[must_use]
    pub fn idempotence(&self) -> Idempotence {
        crate::idempotence::idempotence(self)
    }

    /// The tables and types that the statement reads, writes or defines, in the order of the text. The types of columns are
    /// not included: without a keyspace they belong to the keyspace of their table.
    #[must_use]
    pub fn qualified_names(&self) -> Vec<&QualifiedName> {
        crate::default_keyspace::qualified_names(self)
    }

    /// The text of the statement with `keyspace` before every name without a keyspace; `None` if there is no such name.
    /// `text` is the text that the statement was parsed from.
    ///
    /// ```
    /// let text = "SELECT name FROM people -- of the shop";
    /// let statement = keyspaces_cql::parse(text).expect("it is CQL");
    /// let complete = statement.qualify_names(text, "shop");
    /// assert_eq!(complete.as_deref(), Some("SELECT name FROM shop.people -- of the shop"));
    /// ```
    #[must_use]
    pub fn qualify_names(&self, text: &str, keyspace: &str) -> Option<String> {
        crate::default_keyspace::qualify_names(self, text, keyspace)
    }

    /// The part of the statement that a plain Cassandra can execute. Replication is not changed.
    #[must_use]
    pub fn portable(&self) -> Portable {
        crate::portable::portable(self)
    }

    /// The same definition without the options that Keyspaces accepts and ignores; `None` if nothing is left.
    #[must_use]
    pub fn without_ignored_options(&self) -> Option<Self> {
        crate::portable::without_ignored_options(self)
    }

    /// The same tree with empty spans, to compare two statements regardless of their texts.
    #[must_use]
    pub fn without_spans(&self) -> Self {
        crate::tree::without_spans(self)
    }

    /// Whether both statements are equal apart from their spans.
    #[must_use]
    pub fn eq_ignoring_spans(&self, other: &Self) -> bool {
        crate::tree::eq_ignoring_spans(self, other)
    }
}
