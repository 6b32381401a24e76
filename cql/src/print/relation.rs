//! Relations and conditions.

use std::fmt::{self, Display, Formatter};

use super::{Joined, commas};
use crate::statement::{Comparand, Condition, Operator, Relation, Subject, Target};

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Single(target) => target.fmt(f)?,
            Subject::Tuple(columns) => write!(f, "({})", commas(columns))?,
            Subject::Token(columns) => write!(f, "TOKEN({})", commas(columns))?,
        }
        write!(f, " {}", self.operator)?;
        match &self.comparand {
            Comparand::Term(term) => write!(f, " {term}"),
            Comparand::Values(values) => write!(f, " ({})", commas(values)),
            Comparand::Range(range) => write!(f, " {} AND {}", range.0, range.1),
            Comparand::Nothing => Ok(()),
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => column.fmt(f),
            Self::Element { column, key } => write!(f, "{column}[{key}]"),
            Self::Field { column, field } => write!(f, "{column}.{field}"),
        }
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::Contains => "CONTAINS",
            Self::ContainsKey => "CONTAINS KEY",
            Self::NotContains => "NOT CONTAINS",
            Self::NotContainsKey => "NOT CONTAINS KEY",
            Self::Like => "LIKE",
            Self::Between => "BETWEEN",
            Self::IsNotNull => "IS NOT NULL",
        })
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(_) => f.write_str("IF EXISTS"),
            Self::Holds(relations) => write!(f, "IF {}", Joined(relations, " AND ")),
        }
    }
}
