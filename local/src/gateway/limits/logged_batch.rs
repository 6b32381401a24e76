//! What the service takes in a logged batch (DG:batchStatements).

use std::collections::HashSet;

use keyspaces_cql::rules;
use keyspaces_cql::statement::{InsertContent, Relation, Term, TermKind};

use super::range_delete::is_range;
use super::{What, Write};
use crate::auth::Refusal;
use crate::gateway::layout::{Column, is_among};
use crate::gateway::understand::refused_by;

/// Refuses what the texts alone did not show. `bytes` is the size of all rows.
pub(super) fn check(writes: &[Write<'_>], bytes: usize) -> Result<(), Refusal> {
    if bytes > rules::MAX_LOGGED_BATCH_BYTES {
        return Err(refused_by(&rules::LOGGED_BATCH_TOO_LARGE));
    }
    let is_static = |write: &&Write<'_>| write.columns().any(|column| is_among(&write.layout.statics, column));
    if writes.len() > rules::MAX_LOGGED_STATEMENTS_WITH_STATIC && writes.iter().any(|write| is_static(&write)) {
        return Err(refused_by(&rules::LOGGED_BATCH_TOO_LONG_WITH_STATIC));
    }
    if writes.iter().any(|write| write.layout.regular.iter().any(|column| column.cql_type == "counter")) {
        return Err(refused_by(&rules::COUNTER_IN_LOGGED_BATCH));
    }
    let deletes_rows = |write: &Write<'_>| matches!(write.what, What::Delete(delete) if delete.targets.is_empty());
    if writes.iter().any(|write| deletes_rows(write) && is_range(write)) {
        return Err(refused_by(&rules::OPERATOR_IN_LOGGED_BATCH));
    }
    let mut seen = HashSet::new();
    for write in writes {
        let key: Option<Vec<_>> = write.layout.key().map(|column| part(write, column)).collect();
        if let Some(key) = key.filter(|key| !key.is_empty())
            && !seen.insert((write.table, key))
        {
            return Err(refused_by(&rules::SAME_ROW_IN_LOGGED_BATCH));
        }
    }
    Ok(())
}

/// A part of a row's key.
#[derive(Debug, Eq, Hash, PartialEq)]
enum Part {
    Bytes(Vec<u8>),
    /// A literal that is not turned into bytes here: it equals another of the same text.
    Text(String),
}

fn part(write: &Write<'_>, column: &Column) -> Option<Part> {
    let value = write.value(&column.name)?;
    match write.bound.encoded(value, &column.name, &column.cql_type) {
        Some(bytes) => Some(Part::Bytes(bytes)),
        None => matches!(value.kind, TermKind::Constant(_)).then(|| Part::Text(value.to_string())),
    }
}

impl<'a> Write<'a> {
    /// The columns that it writes.
    fn columns(&self) -> impl Iterator<Item = &'a str> {
        let columns: Vec<_> = match self.what {
            What::Insert(insert) => match &insert.content {
                InsertContent::Values { columns, .. } => columns.iter().collect(),
                InsertContent::Json { .. } => Vec::new(),
            },
            What::Update(update) => update.assignments.iter().map(|assignment| assignment.target.column()).collect(),
            What::Delete(delete) => delete.targets.iter().map(|target| target.column()).collect(),
        };
        columns.into_iter().map(|column| column.text.as_str())
    }

    /// The value that it names for a column of the key.
    fn value(&self, name: &str) -> Option<&'a Term> {
        let equal = |relations: &'a [Relation]| {
            relations.iter().filter_map(Relation::equality).find(|(column, _)| column.text == name)
        };
        match self.what {
            What::Insert(insert) => match &insert.content {
                InsertContent::Values { columns, values } => {
                    columns.iter().zip(values).find(|(column, _)| column.text == name).map(|(_, value)| value)
                }
                InsertContent::Json { .. } => None,
            },
            What::Update(update) => equal(&update.relations).map(|(_, value)| value),
            What::Delete(delete) => equal(&delete.relations).map(|(_, value)| value),
        }
    }
}
