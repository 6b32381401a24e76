//! Relations of WHERE and conditions of IF.

use super::Term;
use crate::{Name, Span};

/// `column = 5`, `token(id) > ?`, `(a, b) IN ((1, 2), (3, 4))`: one relation of a WHERE or one condition of an IF.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Relation {
    /// The left side.
    pub subject: Subject,
    /// What stands between.
    pub operator: Operator,
    /// Where the operator stands.
    pub operator_span: Span,
    /// The right side.
    pub comparand: Comparand,
    /// From the left side to the right.
    pub span: Span,
}

impl Relation {
    /// The columns that it is about, in the order of the text.
    pub fn columns(&self) -> impl Iterator<Item = &Name> {
        crate::facts::columns(self)
    }

    /// The column that it compares with one value for equality, and that value.
    #[must_use]
    pub fn equality(&self) -> Option<(&Name, &Term)> {
        crate::facts::equality(self)
    }
}

/// The left side of a [`Relation`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A column or a part of one.
    Single(Target),
    /// `(a, b)`
    Tuple(Vec<Name>),
    /// `token(a, b)`
    Token(Vec<Name>),
}

/// A column, or a part of it: what an UPDATE sets, a DELETE removes, a relation compares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// `column`
    Column(Name),
    /// `column[key]`
    Element {
        /// The collection.
        column: Name,
        /// The key in a map, or the index in a list.
        key: Term,
    },
    /// `column.field`
    Field {
        /// The column of a user-defined type.
        column: Name,
        /// The field of it.
        field: Name,
    },
}

impl Target {
    /// The column that it is or is in.
    #[must_use]
    pub fn column(&self) -> &Name {
        match self {
            Self::Column(column) | Self::Element { column, .. } | Self::Field { column, .. } => column,
        }
    }
}

/// What stands between the sides of a [`Relation`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `IN`
    In,
    /// `NOT IN`
    NotIn,
    /// `CONTAINS`
    Contains,
    /// `CONTAINS KEY`
    ContainsKey,
    /// `NOT CONTAINS`
    NotContains,
    /// `NOT CONTAINS KEY`
    NotContainsKey,
    /// `LIKE`
    Like,
    /// `BETWEEN … AND …`
    Between,
    /// `IS NOT NULL`
    IsNotNull,
}

impl Operator {
    /// `<`, `<=`, `>` or `>=`
    #[must_use]
    pub fn is_range(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }
}

/// The right side of a [`Relation`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Comparand {
    /// One value; after IN a marker for the whole list.
    Term(Term),
    /// `(1, 2, 3)` after IN.
    Values(Vec<Term>),
    /// `1 AND 3` after BETWEEN.
    Range(Box<(Term, Term)>),
    /// Nothing, after IS NOT NULL.
    Nothing,
}
