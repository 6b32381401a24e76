//! SELECT.

use super::{Order, Relation, Target, Term};
use crate::{Name, QualifiedName, Span};

/// `SELECT …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Select {
    /// Where.
    pub span: Span,
    /// `JSON`
    pub json: Option<Span>,
    /// `DISTINCT`
    pub distinct: Option<Span>,
    /// What is read.
    pub selection: Selection,
    /// From which table.
    pub table: QualifiedName,
    /// After `WHERE`; all of them hold.
    pub relations: Vec<Relation>,
    /// After `GROUP BY`.
    pub group_by: Vec<Term>,
    /// After `ORDER BY`.
    pub order_by: Vec<Ordering>,
    /// `PER PARTITION LIMIT`
    pub per_partition_limit: Option<Limit>,
    /// `LIMIT`
    pub limit: Option<Limit>,
    /// `ALLOW FILTERING`
    pub allow_filtering: Option<Span>,
}

/// What a [`Select`] reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selection {
    /// `*`
    All(Span),
    /// Columns and what is made of them.
    Selectors(Vec<Selector>),
}

/// A column, or something made of columns, under a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selector {
    /// What is read.
    pub term: Term,
    /// After `AS`.
    pub alias: Option<Name>,
}

/// One column of an ORDER BY.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ordering {
    /// The column.
    pub target: Target,
    /// `ASC` if nothing is said.
    pub order: Order,
    /// Where.
    pub span: Span,
}

/// The number of a LIMIT: an integer or a marker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// How many.
    pub rows: Term,
    /// From the keyword to the number.
    pub span: Span,
}
