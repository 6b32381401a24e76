//! The tree that [`parse`](crate::parse) gives: statements and their parts, each with its place in the text.

mod cql_type;
mod definition;
mod modification;
mod other;
mod relation;
mod select;
mod term;

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
pub use other::{Other, OtherKind};
pub use relation::{Comparand, Operator, Relation, Subject, Target};
pub use select::{Limit, Ordering, Select, Selection, Selector};
pub use term::{
    Access, Arithmetic, ArithmeticOperator, BindMarker, Call, Cast, Constant, ConstantKind, Term, TermKind, TypeHint,
};

use crate::Span;

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
    Other(Other),
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
            Self::Other(it) => it.span,
        }
    }
}
