//! The errors of a CREATE TABLE.

use std::error::Error;
use std::fmt;

use super::{PropertyError, PropertyProblem};
use crate::statement::NativeType;
use crate::{Rule, Span};

/// An error that prevents a CREATE TABLE from defining a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableError {
    /// The faulty part of the text.
    pub span: Span,
    /// The problem.
    pub problem: TableProblem,
}

/// The problem of a [`TableError`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TableProblem {
    /// There is no primary key.
    NoPrimaryKey,
    /// There is more than one primary key.
    SeveralPrimaryKeys,
    /// Two columns have this name.
    DuplicateColumn(String),
    /// The primary key names this column, which the table does not have.
    MissingKeyColumn(String),
    /// The primary key names this column twice.
    DuplicateKeyColumn(String),
    /// This column is in the primary key and static.
    StaticKeyColumn(String),
    /// This column is static, but the table has no clustering columns.
    StaticWithoutClustering(String),
    /// CLUSTERING ORDER BY names other columns than the first clustering columns, or names them in another order.
    ClusteringOrder,
    /// This key column is a collection or a multi-part type that is not frozen.
    KeyNotFrozen(String),
    /// This key column has a type that is not native to CQL. The type may be a user-defined type, which has to be frozen in
    /// a key, or a misspelt native type.
    KeyTypeNotNative {
        /// The column.
        column: String,
        /// The name of the column's type.
        named: String,
        /// The native type with almost the same name.
        similar: Option<NativeType>,
    },
    /// The type of this column has a collection inside another collection that is not frozen.
    NotFrozenInside(String),
    /// This rule refuses the table.
    Refused(&'static Rule),
    /// It is not known whether Keyspaces has this feature; the words fit after "it is not known whether Amazon Keyspaces
    /// has".
    Unknown(String),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl fmt::Display for TableProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrimaryKey => f.write_str("the table has no PRIMARY KEY"),
            Self::SeveralPrimaryKeys => f.write_str("the table has more than one PRIMARY KEY"),
            Self::DuplicateColumn(name) => write!(f, "two columns have the name {name}"),
            Self::MissingKeyColumn(name) => {
                write!(f, "PRIMARY KEY names {name}, which is not a column of the table")
            }
            Self::DuplicateKeyColumn(name) => write!(f, "PRIMARY KEY names {name} twice"),
            Self::StaticKeyColumn(name) => write!(f, "{name} is in the PRIMARY KEY and cannot be STATIC"),
            Self::StaticWithoutClustering(name) => {
                write!(f, "{name} cannot be STATIC: the table has no clustering columns")
            }
            Self::ClusteringOrder => f.write_str(
                "CLUSTERING ORDER BY names clustering columns from the first on, in the order of the PRIMARY KEY",
            ),
            Self::KeyNotFrozen(name) => {
                write!(f, "{name} is in the PRIMARY KEY: write frozen<…> around its type")
            }
            Self::KeyTypeNotNative { column, named, similar } => {
                write!(f, "{column} is in the PRIMARY KEY, and CQL has no type {named}")?;
                if let Some(similar) = similar {
                    write!(f, " (did you mean {}?)", similar.name())?;
                }
                write!(f, "; a user-defined type in a key is written frozen<{named}>")
            }
            Self::NotFrozenInside(name) => {
                write!(f, "in the type of {name} a collection is inside another: write frozen<…> around the inner one")
            }
            Self::Refused(rule) => rule.fmt(f),
            Self::Unknown(feature) => write!(f, "it is not known whether Amazon Keyspaces has {feature}"),
        }
    }
}

impl Error for TableError {}

impl From<PropertyError> for TableError {
    fn from(error: PropertyError) -> Self {
        let problem = match error.problem {
            PropertyProblem::Refused(rule) => TableProblem::Refused(rule),
            PropertyProblem::Unknown(feature) => TableProblem::Unknown(feature),
        };
        Self { span: error.span, problem }
    }
}

impl TableError {
    pub(super) fn refused(span: Span, rule: &'static Rule) -> Self {
        Self { span, problem: TableProblem::Refused(rule) }
    }
}
