//! The INSERTs, UPDATEs and DELETEs of a statement.

use keyspaces_cql::Statement;
use keyspaces_cql::statement::{BatchKind, Delete, Insert, Modification, Update, Using};

/// One INSERT, UPDATE or DELETE, by itself or in a BATCH.
#[derive(Clone, Copy)]
pub(crate) enum ModificationRef<'a> {
    Insert(&'a Insert),
    Update(&'a Update),
    Delete(&'a Delete),
}

impl<'a> ModificationRef<'a> {
    pub(crate) fn using(self) -> Option<&'a Using> {
        match self {
            Self::Insert(insert) => insert.using.as_ref(),
            Self::Update(update) => update.using.as_ref(),
            Self::Delete(delete) => delete.using.as_ref(),
        }
    }

    pub(crate) fn is_conditional(self) -> bool {
        match self {
            Self::Insert(insert) => insert.if_not_exists.is_some(),
            Self::Update(update) => update.condition.is_some(),
            Self::Delete(delete) => delete.condition.is_some(),
        }
    }
}

/// The modifications of a statement, in their order; none for other statements.
pub(crate) fn modifications(statement: &Statement) -> Vec<ModificationRef<'_>> {
    match statement {
        Statement::Insert(insert) => vec![ModificationRef::Insert(insert)],
        Statement::Update(update) => vec![ModificationRef::Update(update)],
        Statement::Delete(delete) => vec![ModificationRef::Delete(delete)],
        Statement::Batch(batch) => batch
            .statements
            .iter()
            .map(|statement| match statement {
                Modification::Insert(insert) => ModificationRef::Insert(insert),
                Modification::Update(update) => ModificationRef::Update(update),
                Modification::Delete(delete) => ModificationRef::Delete(delete),
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn is_logged_batch(statement: &Statement) -> bool {
    matches!(statement, Statement::Batch(batch) if batch.kind == BatchKind::Logged)
}
