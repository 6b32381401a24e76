//! INSERT, UPDATE, DELETE and BATCH.

use super::{Relation, Target, Term};
use crate::{Addition, Name, QualifiedName, Span};

/// `INSERT INTO …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Insert {
    /// The place in the text.
    pub span: Span,
    /// The table.
    pub table: QualifiedName,
    /// The columns and values, or the JSON.
    pub content: InsertContent,
    /// `IF NOT EXISTS`
    pub if_not_exists: Option<Span>,
    /// `USING …`
    pub using: Option<Using>,
}

/// The content of an [`Insert`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InsertContent {
    /// `(a, b) VALUES (1, 2)`
    Values {
        /// The columns.
        columns: Vec<Name>,
        /// The values. Cassandra refuses the statement if there are not as many values as columns.
        values: Vec<Term>,
    },
    /// `JSON '{…}'`
    Json {
        /// A string or a bind marker.
        json: Term,
        /// `DEFAULT …`
        default: Option<JsonDefault>,
    },
}

/// What happens to the columns that the JSON does not set.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum JsonDefault {
    /// `DEFAULT NULL`, the default: they are deleted.
    Null,
    /// `DEFAULT UNSET`: they keep their values.
    Unset,
}

/// `UPDATE …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Update {
    /// The place in the text.
    pub span: Span,
    /// The table.
    pub table: QualifiedName,
    /// `USING …`
    pub using: Option<Using>,
    /// The assignments after `SET`.
    pub assignments: Vec<Assignment>,
    /// The relations after `WHERE`, combined by AND.
    pub relations: Vec<Relation>,
    /// `IF …`
    pub condition: Option<Condition>,
}

impl Update {
    /// The assignments that add to a column or subtract from it. [`AssignmentOperation::Prepend`] is not included, because
    /// only lists have it.
    pub fn additions(&self) -> impl Iterator<Item = Addition<'_>> {
        crate::effect::additions(self)
    }
}

/// One assignment of an [`Update`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assignment {
    /// The column or the part of a column that is set.
    pub target: Target,
    /// The operation.
    pub operation: AssignmentOperation,
    /// The value.
    pub value: Term,
    /// Whether it was written with `+=` or `-=`.
    pub shorthand: bool,
    /// The place in the text.
    pub span: Span,
}

/// The operation of an [`Assignment`].
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
    /// The place in the text.
    pub span: Span,
    /// The columns and parts of columns to delete; empty if the whole row is deleted.
    pub targets: Vec<Target>,
    /// The table.
    pub table: QualifiedName,
    /// `USING …`
    pub using: Option<Using>,
    /// The relations after `WHERE`, combined by AND.
    pub relations: Vec<Relation>,
    /// `IF …`
    pub condition: Option<Condition>,
}

/// `BEGIN BATCH … APPLY BATCH`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// The place in the text.
    pub span: Span,
    /// The kind of the batch.
    pub kind: BatchKind,
    /// `USING …` for all statements.
    pub using: Option<Using>,
    /// The statements.
    pub statements: Vec<Modification>,
}

/// The kind of a [`Batch`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BatchKind {
    /// `BEGIN BATCH`
    Logged,
    /// `BEGIN UNLOGGED BATCH`
    Unlogged,
    /// `BEGIN COUNTER BATCH`
    Counter,
}

/// A statement that may be in a [`Batch`].
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
    /// The parameters, in order.
    pub parameters: Vec<UsingParameter>,
    /// The span from `USING` to the last value.
    pub span: Span,
}

/// One parameter of [`Using`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsingParameter {
    /// The kind of the parameter.
    pub kind: UsingKind,
    /// An integer or a bind marker.
    pub value: Term,
    /// The span from the keyword to the value.
    pub span: Span,
}

/// The kind of a parameter of [`Using`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UsingKind {
    /// `TTL`: the time to live in seconds.
    Ttl,
    /// `TIMESTAMP`: the write time in microseconds since 1970.
    Timestamp,
}

impl Using {
    /// The seconds after `TTL`. If there are several, the last one has effect.
    #[must_use]
    pub fn ttl(&self) -> Option<&Term> {
        self.parameter(UsingKind::Ttl)
    }

    /// The microseconds after `TIMESTAMP`. If there are several, the last one has effect.
    #[must_use]
    pub fn timestamp(&self) -> Option<&Term> {
        self.parameter(UsingKind::Timestamp)
    }

    fn parameter(&self, kind: UsingKind) -> Option<&Term> {
        self.parameters.iter().rev().find(|parameter| parameter.kind == kind).map(|parameter| &parameter.value)
    }
}

impl Modification {
    /// The table that the statement changes.
    #[must_use]
    pub fn table(&self) -> &QualifiedName {
        match self {
            Self::Insert(insert) => &insert.table,
            Self::Update(update) => &update.table,
            Self::Delete(delete) => &delete.table,
        }
    }

    /// The place of the statement in the text.
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

    /// Whether the statement has a condition.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        match self {
            Self::Insert(insert) => insert.if_not_exists.is_some(),
            Self::Update(update) => update.condition.is_some(),
            Self::Delete(delete) => delete.condition.is_some(),
        }
    }
}
