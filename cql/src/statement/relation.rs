//! Relations of WHERE and conditions of IF.

use super::Term;
use crate::{Name, Span};

/// `column = 5`, `token(id) > ?`, `(a, b) IN ((1, 2), (3, 4))`: one relation of a WHERE or one condition of an IF.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Relation {
    /// The left side.
    pub subject: Subject,
    /// The operator.
    pub operator: Operator,
    /// The place of the operator in the text.
    pub operator_span: Span,
    /// The right side.
    pub comparand: Comparand,
    /// The span from the left side to the right side.
    pub span: Span,
}

impl Relation {
    /// The columns of the left side, in the order of the text.
    pub fn columns(&self) -> impl Iterator<Item = &Name> {
        crate::facts::columns(self)
    }

    /// The column and the value, if the relation compares one column with one value by `=`.
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

/// A column or a part of a column, which an UPDATE sets, a DELETE deletes or a relation compares.
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
        /// The field of the type.
        field: Name,
    },
}

impl Target {
    /// The column itself, or the column of the part.
    #[must_use]
    pub fn column(&self) -> &Name {
        match self {
            Self::Column(column) | Self::Element { column, .. } | Self::Field { column, .. } => column,
        }
    }
}

/// The operator of a [`Relation`].
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
    /// One value; after IN, a bind marker for the whole list.
    Term(Term),
    /// The values in parentheses after IN.
    Values(Vec<Term>),
    /// The two values after BETWEEN.
    Range(Box<(Term, Term)>),
    /// Nothing: IS NOT NULL has no right side.
    Nothing,
}
