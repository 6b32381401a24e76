//! What the service takes in a logged batch (DG:batchStatements).

use std::collections::HashSet;

use keyspaces_cql::rules;

use super::range_delete::is_range;
use super::{What, Write};
use crate::protocol::{Refusal, not_emulated, refused_by};
use crate::upstream::is_among;

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
        let key: Option<Vec<_>> = write.layout.key().map(|column| write.cells.value(&column.name)).collect();
        if let Some(key) = key.filter(|key| !key.is_empty())
            && !seen.insert((write.table, key))
        {
            return Err(refused_by(&rules::SAME_ROW_IN_LOGGED_BATCH));
        }
    }
    conditions(writes)
}

/// The service takes conditions on several partitions and tables (DG:batchStatements). Cassandra 5 decides them within one
/// partition only, so that nothing behind could carry them out as one.
fn conditions(writes: &[Write<'_>]) -> Result<(), Refusal> {
    let is_conditional = |write: &Write<'_>| match write.what {
        What::Insert(insert) => insert.if_not_exists.is_some(),
        What::Update(update) => update.condition.is_some(),
        What::Delete(delete) => delete.condition.is_some(),
    };
    let partitions: HashSet<_> = writes.iter().map(|write| (write.table, write.cells.partition())).collect();
    if partitions.len() > 1 && writes.iter().any(is_conditional) {
        return Err(not_emulated("conditions in a logged batch over several partitions"));
    }
    Ok(())
}

impl<'a> Write<'a> {
    /// The columns that it writes.
    fn columns(&self) -> impl Iterator<Item = &'a str> {
        let deleted = match self.what {
            What::Delete(delete) => delete.targets.as_slice(),
            What::Insert(_) | What::Update(_) => &[],
        };
        self.cells.all.iter().map(|cell| cell.column).chain(deleted.iter().map(|target| target.column().text.as_str()))
    }
}
