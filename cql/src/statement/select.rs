//! SELECT.

use super::{Relation, SortOrder, Target, Term};
use crate::{Name, QualifiedName, Span};

/// `SELECT …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Select {
    /// The place in the text.
    pub span: Span,
    /// `JSON`
    pub json: Option<Span>,
    /// `DISTINCT`
    pub distinct: Option<Span>,
    /// The selected columns.
    pub selection: Selection,
    /// The table.
    pub table: QualifiedName,
    /// The relations after `WHERE`, combined by AND.
    pub relations: Vec<Relation>,
    /// The terms after `GROUP BY`.
    pub group_by: Vec<Term>,
    /// The columns after `ORDER BY`.
    pub order_by: Vec<Ordering>,
    /// `PER PARTITION LIMIT`
    pub per_partition_limit: Option<Limit>,
    /// `LIMIT`
    pub limit: Option<Limit>,
    /// `ALLOW FILTERING`
    pub allow_filtering: Option<Span>,
}

/// The columns that a [`Select`] reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selection {
    /// `*`
    All(Span),
    /// Columns, and terms that contain columns.
    Selectors(Vec<Selector>),
}

/// A selected term and its alias.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selector {
    /// The term.
    pub term: Term,
    /// The alias after `AS`.
    pub alias: Option<Name>,
}

/// One column of an ORDER BY.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ordering {
    /// The column.
    pub target: Target,
    /// The order. Default: ascending.
    pub order: SortOrder,
    /// The place in the text.
    pub span: Span,
}

/// The number of rows of a LIMIT.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// An integer or a bind marker.
    pub rows: Term,
    /// The span from the keyword to the number.
    pub span: Span,
}
