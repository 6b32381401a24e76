//! INSERT, UPDATE, DELETE and BATCH.

use super::{Relation, Target, Term};
use crate::{Addition, Name, QualifiedName, Span};

/// `INSERT INTO …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Insert {
    /// Where.
    pub span: Span,
    /// Into which table.
    pub table: QualifiedName,
    /// What.
    pub content: InsertContent,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// `USING …`
    pub using: Option<Using>,
}

/// What an [`Insert`] writes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InsertContent {
    /// `(a, b) VALUES (1, 2)`
    Values {
        /// The columns.
        columns: Vec<Name>,
        /// The values; Cassandra refuses it if there are not as many as columns.
        values: Vec<Term>,
    },
    /// `JSON '{…}'`
    Json {
        /// A string or a marker.
        json: Term,
        /// `DEFAULT …`
        default: Option<JsonDefault>,
    },
}

/// What becomes of the columns that the JSON leaves out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum JsonDefault {
    /// `DEFAULT NULL`: they are deleted, as if nothing were said.
    Null,
    /// `DEFAULT UNSET`: they stay as they are.
    Unset,
}

/// `UPDATE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Update {
    /// Where.
    pub span: Span,
    /// Which table.
    pub table: QualifiedName,
    /// `USING …`
    pub using: Option<Using>,
    /// After `SET`.
    pub assignments: Vec<Assignment>,
    /// After `WHERE`; all of them hold.
    pub relations: Vec<Relation>,
    /// `IF …`
    pub condition: Option<Condition>,
}

impl Update {
    /// Its assignments that add or take away, [`AssignmentOperation::Prepend`] not among them: only lists have that.
    pub fn additions(&self) -> impl Iterator<Item = Addition<'_>> {
        crate::effect::additions(self)
    }
}

/// One assignment of an [`Update`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assignment {
    /// What is set.
    pub target: Target,
    /// How.
    pub operation: AssignmentOperation,
    /// The value.
    pub value: Term,
    /// Whether it was written with `+=` or `-=`.
    pub shorthand: bool,
    /// Where.
    pub span: Span,
}

/// What an [`Assignment`] does with its value.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AssignmentOperation {
    /// `c = value`
    Set,
    /// `c = c + value`
    Add,
    /// `c = c - value`
    Subtract,
    /// `c = value + c`
    Prepend,
}

/// `DELETE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delete {
    /// Where.
    pub span: Span,
    /// What of each row; empty: the row.
    pub targets: Vec<Target>,
    /// From which table.
    pub table: QualifiedName,
    /// `USING …`
    pub using: Option<Using>,
    /// After `WHERE`; all of them hold.
    pub relations: Vec<Relation>,
    /// `IF …`
    pub condition: Option<Condition>,
}

/// `BEGIN BATCH … APPLY BATCH`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// Where.
    pub span: Span,
    /// Logged, unless something else is said.
    pub kind: BatchKind,
    /// `USING …`, for all of its statements.
    pub using: Option<Using>,
    /// Its statements.
    pub statements: Vec<Modification>,
}

/// What kind of [`Batch`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BatchKind {
    /// `BEGIN BATCH`
    Logged,
    /// `BEGIN UNLOGGED BATCH`
    Unlogged,
    /// `BEGIN COUNTER BATCH`
    Counter,
}

/// What may be in a [`Batch`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Modification {
    /// `INSERT`
    Insert(Insert),
    /// `UPDATE`
    Update(Update),
    /// `DELETE`
    Delete(Delete),
}

/// `IF …` of an UPDATE or a DELETE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// `IF EXISTS`
    Exists(Span),
    /// `IF column = value AND …`
    Holds(Vec<Relation>),
}

/// `USING TTL 60 AND TIMESTAMP 5`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Using {
    /// In their order.
    pub parameters: Vec<UsingParameter>,
    /// From `USING` to the last value.
    pub span: Span,
}

/// One parameter of [`Using`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsingParameter {
    /// Which.
    pub kind: UsingKind,
    /// An integer or a marker.
    pub value: Term,
    /// From the keyword to the value.
    pub span: Span,
}

/// Which parameter of [`Using`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UsingKind {
    /// Seconds until it is gone.
    Ttl,
    /// Microseconds since 1970.
    Timestamp,
}

impl Using {
    /// The seconds after `TTL`: of several the last, which is what counts.
    #[must_use]
    pub fn ttl(&self) -> Option<&Term> {
        self.parameter(UsingKind::Ttl)
    }

    /// The microseconds after `TIMESTAMP`: of several the last, which is what counts.
    #[must_use]
    pub fn timestamp(&self) -> Option<&Term> {
        self.parameter(UsingKind::Timestamp)
    }

    fn parameter(&self, kind: UsingKind) -> Option<&Term> {
        self.parameters.iter().rev().find(|parameter| parameter.kind == kind).map(|parameter| &parameter.value)
    }
}

impl Modification {
    /// The table that it changes.
    #[must_use]
    pub fn table(&self) -> &QualifiedName {
        match self {
            Self::Insert(insert) => &insert.table,
            Self::Update(update) => &update.table,
            Self::Delete(delete) => &delete.table,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Insert(insert) => insert.span,
            Self::Update(update) => update.span,
            Self::Delete(delete) => delete.span,
        }
    }

    /// `USING …`
    #[must_use]
    pub fn using(&self) -> Option<&Using> {
        match self {
            Self::Insert(insert) => insert.using.as_ref(),
            Self::Update(update) => update.using.as_ref(),
            Self::Delete(delete) => delete.using.as_ref(),
        }
    }

    /// Whether it has a condition: `IF …`.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        match self {
            Self::Insert(insert) => insert.if_not_exists.is_some(),
            Self::Update(update) => update.condition.is_some(),
            Self::Delete(delete) => delete.condition.is_some(),
        }
    }
}
