//! Limits of logged batches (DG:batchStatements).

use std::collections::HashSet;

use keyspaces_cql::rules;

use super::BoundModification;
use super::range_delete::is_range;
use crate::protocol::{Refusal, not_emulated, refused_by};
use crate::statement::ModificationRef;
use crate::upstream::is_among;

/// Refuses a batch that breaks a rule which needs its values. `bytes` is the size of all rows.
pub(super) fn check(writes: &[BoundModification<'_>], bytes: usize) -> Result<(), Refusal> {
    if bytes > rules::MAX_LOGGED_BATCH_BYTES {
        return Err(refused_by(&rules::LOGGED_BATCH_TOO_LARGE));
    }
    let is_static =
        |write: &BoundModification<'_>| columns(write).any(|column| is_among(&write.layout.statics, column));
    if writes.len() > rules::MAX_LOGGED_STATEMENTS_WITH_STATIC && writes.iter().any(is_static) {
        return Err(refused_by(&rules::LOGGED_BATCH_TOO_LONG_WITH_STATIC));
    }
    if writes.iter().any(|write| write.layout.regular.iter().any(|column| column.cql_type == "counter")) {
        return Err(refused_by(&rules::COUNTER_IN_LOGGED_BATCH));
    }
    let deletes_rows = |write: &BoundModification<'_>| matches!(write.modification, ModificationRef::Delete(delete) if delete.targets.is_empty());
    if writes.iter().any(|write| deletes_rows(write) && is_range(write)) {
        return Err(refused_by(&rules::OPERATOR_IN_LOGGED_BATCH));
    }
    let mut rows = HashSet::new();
    for write in writes {
        let key: Option<Vec<_>> = write.layout.key().map(|column| write.values.value(&column.name)).collect();
        if let Some(key) = key.filter(|key| !key.is_empty())
            && !rows.insert((write.table, key))
        {
            return Err(refused_by(&rules::SAME_ROW_IN_LOGGED_BATCH));
        }
    }
    check_conditions(writes)
}

/// The service accepts conditions on several partitions and tables (DG:batchStatements). Cassandra 5 accepts them
/// within one partition only, so it could not execute such a batch as a whole.
fn check_conditions(writes: &[BoundModification<'_>]) -> Result<(), Refusal> {
    let partitions: HashSet<_> = writes.iter().map(|write| (write.table, write.values.partition())).collect();
    if partitions.len() > 1 && writes.iter().any(|write| write.modification.is_conditional()) {
        return Err(not_emulated("conditions in a logged batch over several partitions"));
    }
    Ok(())
}

/// The columns that a modification writes.
fn columns<'a>(write: &BoundModification<'a>) -> impl Iterator<Item = &'a str> {
    let deleted = match write.modification {
        ModificationRef::Delete(delete) => delete.targets.as_slice(),
        ModificationRef::Insert(_) | ModificationRef::Update(_) => &[],
    };
    write.values.all.iter().map(|value| value.column).chain(deleted.iter().map(|target| target.column().text.as_str()))
}
