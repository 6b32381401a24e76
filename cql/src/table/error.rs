//! Why a CREATE TABLE makes no table.

use std::error::Error;
use std::fmt;

use super::{PropertyError, PropertyProblem};
use crate::statement::NativeType;
use crate::{Rule, Span};

/// Why a CREATE TABLE makes no table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableError {
    /// What in the text is wrong.
    pub span: Span,
    /// What is wrong with it.
    pub problem: TableProblem,
}

/// What is wrong in a [`TableError`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TableProblem {
    /// There is no primary key.
    NoPrimaryKey,
    /// There is more than one.
    SeveralPrimaryKeys,
    /// Two columns have this name.
    ColumnTwice(String),
    /// The primary key names this column, which is not there.
    KeyColumnMissing(String),
    /// The primary key names this column twice.
    KeyColumnTwice(String),
    /// This column is in the primary key, and static.
    StaticKeyColumn(String),
    /// This column is static, and there are no clustering columns.
    StaticWithoutClustering(String),
    /// CLUSTERING ORDER BY names other columns than the first clustering columns, or names them in another order.
    ClusteringOrder,
    /// This column of the key is a collection, or a type of several parts, that is not frozen.
    KeyNotFrozen(String),
    /// This column of the key has a type that is not CQL's own. It may be a user-defined type, which has to be frozen in a
    /// key, or a mistyped one.
    KeyTypeNotNative {
        /// The column.
        column: String,
        /// The name of its type.
        named: String,
        /// The type of CQL with almost this name.
        similar: Option<NativeType>,
    },
    /// In the type of this column a collection is inside another and not frozen.
    NotFrozenInside(String),
    /// This rule refuses it.
    Refused(&'static Rule),
    /// It is not known whether Keyspaces has it; the words fit after "it is not known whether Amazon Keyspaces has".
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
            Self::ColumnTwice(name) => write!(f, "two columns have the name {name}"),
            Self::KeyColumnMissing(name) => {
                write!(f, "PRIMARY KEY names {name}, which is no column of the table")
            }
            Self::KeyColumnTwice(name) => write!(f, "PRIMARY KEY names {name} twice"),
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
                    write!(f, ", but {}", similar.name())?;
                }
                write!(f, "; a user-defined type in a key is written frozen<{named}>")
            }
            Self::NotFrozenInside(name) => {
                write!(f, "in the type of {name} a collection is inside another: write frozen<…> around the inner one")
            }
            Self::Refused(rule) => rule.fmt(f),
            Self::Unknown(what) => write!(f, "it is not known whether Amazon Keyspaces has {what}"),
        }
    }
}

impl Error for TableError {}

impl From<PropertyError> for TableError {
    fn from(error: PropertyError) -> Self {
        let problem = match error.problem {
            PropertyProblem::Refused(rule) => TableProblem::Refused(rule),
            PropertyProblem::Unknown(what) => TableProblem::Unknown(what),
        };
        Self { span: error.span, problem }
    }
}

impl TableError {
    pub(super) fn refused(span: Span, rule: &'static Rule) -> Self {
        Self { span, problem: TableProblem::Refused(rule) }
    }
}
