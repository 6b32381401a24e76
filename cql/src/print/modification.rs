//! INSERT, UPDATE, DELETE and BATCH.

use std::fmt::{self, Display, Formatter};

use super::{Joined, commas, if_some};
use crate::statement::{
    Assignment, AssignmentOperation, Batch, BatchKind, Delete, Insert, InsertContent, JsonDefault, Modification,
    Update, Using, UsingKind, UsingParameter,
};

impl Display for Insert {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "INSERT INTO {} ", self.table)?;
        match &self.content {
            InsertContent::Values { columns, values } => {
                write!(f, "({}) VALUES ({})", commas(columns), commas(values))?
            }
            InsertContent::Json { json, default } => {
                write!(f, "JSON {json}")?;
                f.write_str(match default {
                    None => "",
                    Some(JsonDefault::Null) => " DEFAULT NULL",
                    Some(JsonDefault::Unset) => " DEFAULT UNSET",
                })?;
            }
        }
        f.write_str(if_some(&self.if_not_exists, " IF NOT EXISTS"))?;
        self.using.iter().try_for_each(|using| write!(f, " {using}"))
    }
}

impl Display for Update {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "UPDATE {}", self.table)?;
        self.using.iter().try_for_each(|using| write!(f, " {using}"))?;
        write!(f, " SET {} WHERE {}", commas(&self.assignments), Joined(&self.relations, " AND "))?;
        self.condition.iter().try_for_each(|condition| write!(f, " {condition}"))
    }
}

impl Display for Assignment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (target, value) = (&self.target, &self.value);
        match (self.operation, self.shorthand) {
            (AssignmentOperation::Set, _) => write!(f, "{target} = {value}"),
            (AssignmentOperation::Add, true) => write!(f, "{target} += {value}"),
            (AssignmentOperation::Subtract, true) => write!(f, "{target} -= {value}"),
            (AssignmentOperation::Add, false) => write!(f, "{target} = {target} + {value}"),
            (AssignmentOperation::Subtract, false) => write!(f, "{target} = {target} - {value}"),
            (AssignmentOperation::Prepend, _) => write!(f, "{target} = {value} + {target}"),
        }
    }
}

impl Display for Delete {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("DELETE ")?;
        if !self.targets.is_empty() {
            write!(f, "{} ", commas(&self.targets))?;
        }
        write!(f, "FROM {}", self.table)?;
        self.using.iter().try_for_each(|using| write!(f, " {using}"))?;
        write!(f, " WHERE {}", Joined(&self.relations, " AND "))?;
        self.condition.iter().try_for_each(|condition| write!(f, " {condition}"))
    }
}

impl Display for Batch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            BatchKind::Logged => "BEGIN BATCH ",
            BatchKind::Unlogged => "BEGIN UNLOGGED BATCH ",
            BatchKind::Counter => "BEGIN COUNTER BATCH ",
        })?;
        self.using.iter().try_for_each(|using| write!(f, "{using} "))?;
        self.statements.iter().try_for_each(|statement| write!(f, "{statement}; "))?;
        f.write_str("APPLY BATCH")
    }
}

impl Display for Modification {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert(insert) => insert.fmt(f),
            Self::Update(update) => update.fmt(f),
            Self::Delete(delete) => delete.fmt(f),
        }
    }
}

impl Display for Using {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "USING {}", Joined(&self.parameters, " AND "))
    }
}

impl Display for UsingParameter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.kind {
            UsingKind::Ttl => write!(f, "TTL {}", self.value),
            UsingKind::Timestamp => write!(f, "TIMESTAMP {}", self.value),
        }
    }
}
