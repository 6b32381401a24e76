//! The tree that [`parse`](crate::parse) gives: statements and their parts, each with its place in the text.

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
    CreateKeyspace, CreateTable, CreateType, DropKeyspace, DropTable, DropType, FieldDefinition, KeyspaceOption, Order,
    PrimaryKey, RestoreTable, TableOption, Use, WithOption, option,
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
    /// CQL of Cassandra that Keyspaces lacks, known by its first words only: `TRUNCATE`, `CREATE INDEX`, …
    Unsupported(UnsupportedStatement),
}

impl Statement {
    /// Where it stands, from its first word to its last; a `;` after it is not part of it.
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

    /// What it does.
    ///
    /// `SET n = n + ?` adds to a counter, a list, a set or a map: the text does not say which, the type of `n` does. It is
    /// an [`Effect::Increment`] here; who knows the type can ask [`Update::additions`] which columns it is about. With a
    /// number after the sign it is a counter, with `[…]` or `{…}` a collection, which makes it an [`Effect::Write`].
    #[must_use]
    pub fn effect(&self) -> Effect {
        crate::effect::effect(self)
    }

    /// Whether it writes only if a condition holds; a batch, if any of its statements does.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        crate::effect::is_conditional(self)
    }

    /// Every table that it names, in the order of the text, those in a batch included; one that is named twice comes twice.
    #[must_use]
    pub fn tables(&self) -> Vec<&QualifiedName> {
        crate::effect::tables(self)
    }

    /// The keyspace that a CREATE, ALTER or DROP KEYSPACE or a USE is about.
    #[must_use]
    pub fn named_keyspace(&self) -> Option<&Name> {
        crate::effect::named_keyspace(self)
    }

    /// The functions that it calls, in the order of the text, one that is called twice twice.
    #[must_use]
    pub fn functions(&self) -> Vec<Function<'_>> {
        crate::facts::functions(self)
    }

    /// The names of the user-defined types in it, in the order of the text: of columns, fields, type hints and casts.
    #[must_use]
    pub fn user_types(&self) -> Vec<&QualifiedName> {
        crate::facts::user_types(self)
    }

    /// Its bind markers, in the order in which values are bound to them.
    #[must_use]
    pub fn bind_markers(&self) -> Vec<&BindMarker> {
        crate::facts::bind_markers(self)
    }

    /// `USING …` of the statement itself; a batch's statements have their own.
    #[must_use]
    pub fn using(&self) -> Option<&Using> {
        crate::facts::using(self)
    }

    /// Each `USING …` in it, those of a batch's statements included.
    #[must_use]
    pub fn usings(&self) -> Vec<&Using> {
        crate::facts::usings(self)
    }

    /// What has to hold after each `IF` in it, in the statements of a batch as well.
    #[must_use]
    pub fn conditions(&self) -> Vec<&Relation> {
        crate::facts::conditions(self)
    }

    /// Each IN with the number of its values. A SELECT's widths multiplied is the number of subqueries that Keyspaces makes
    /// of it (`DG:in.select`).
    #[must_use]
    pub fn in_widths(&self) -> Vec<InWidth> {
        crate::facts::in_widths(self)
    }

    /// The number after the LIMIT of a SELECT: an integer or a bind marker.
    #[must_use]
    pub fn limit(&self) -> Option<&Term> {
        crate::facts::limit(self)
    }

    /// Whether it may be sent twice.
    ///
    /// What cannot be told is not idempotent. A statement that reads is, and one that sets columns to values or deletes
    /// them. Sent again, a write without `USING TIMESTAMP` is a new write: it wins over what others wrote in between, and
    /// its TTL begins anew. With a timestamp of its own it stays the write that it was, which makes nothing idempotent that
    /// is not: a counter has no timestamp, and what is appended to a list is appended again. A bind value is taken to be
    /// the same each time, whatever the application does to make it; but for JSON, whose `"now"` it is the server that reads.
    #[must_use]
    pub fn idempotence(&self) -> Idempotence {
        crate::idempotence::idempotence(self)
    }

    /// The names of tables and types that this statement reads, writes or defines, in the order of the text. The types of
    /// columns are not among them: without a keyspace they belong to the keyspace of their table.
    #[must_use]
    pub fn qualified_names(&self) -> Vec<&QualifiedName> {
        crate::default_keyspace::qualified_names(self)
    }

    /// The text of this statement with `keyspace` before every name that has none, or `None` if there is no such name.
    /// `text` is the text that this statement was parsed from.
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

    /// The part of it that a plain Cassandra can carry out. Replication is not looked at.
    #[must_use]
    pub fn portable(&self) -> Portable {
        crate::portable::portable(self)
    }

    /// The same definition without the options that Keyspaces takes and ignores; `None` if nothing is left.
    #[must_use]
    pub fn without_ignored_options(&self) -> Option<Self> {
        crate::portable::without_ignored_options(self)
    }

    /// The same tree with every span empty, to compare what two texts mean.
    #[must_use]
    pub fn without_spans(&self) -> Self {
        crate::tree::without_spans(self)
    }

    /// Whether both are the same tree, wherever its parts stand.
    #[must_use]
    pub fn eq_ignoring_spans(&self, other: &Self) -> bool {
        crate::tree::eq_ignoring_spans(self, other)
    }
}
