//! An analysed DML statement (SELECT, INSERT, UPDATE, DELETE or BATCH), with everything that the later stages need.

use std::sync::Arc;

use keyspaces_cql::Statement;
use keyspaces_cql::statement::{Modification, TermKind};

use super::capacity::CapacityPlan;
use crate::lock::Mutex;
use crate::names::{SchemaObject, system_tables};
use crate::schema::Features;
use crate::statement::{StatementText, is_nondeterministic};

/// A DML statement that the service accepts, judging by its text alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct DmlStatement {
    pub(super) text: StatementText,
    pub(super) tree: Arc<Statement>,
    /// The tables that it reads or writes, by the client's names.
    pub(super) tables: Vec<SchemaObject>,
    /// Whether it is a SELECT.
    pub(super) reads: bool,
    /// Whether it is a write with IF.
    pub(super) conditional: bool,
    /// The features that it needs of each of its tables.
    pub(super) required_features: Vec<Features>,
    pub(super) checks: Checks,
    pub(super) capacity_plan: CachedCapacityPlan,
}

impl DmlStatement {
    /// Whether it reads or writes a system table.
    pub(super) fn has_system_table(&self) -> bool {
        self.tables.iter().any(|table| system_tables::is_system(&table.keyspace))
    }

    /// Whether it is a SELECT with ALLOW FILTERING and something to filter by.
    pub(super) fn filters(&self) -> bool {
        matches!(self.checks, Checks::Read { filters: true, .. })
    }

    /// Whether it is a SELECT with a LIMIT.
    pub(super) fn has_limit(&self) -> bool {
        matches!(self.checks, Checks::Read { limited: true, .. })
    }

    /// Whether it is a write that calls a function whose value changes from call to call.
    pub(super) fn is_nondeterministic(&self) -> bool {
        matches!(self.checks, Checks::Write { nondeterministic: true, .. })
    }

    /// Whether limits other than the sizes of its rows have to be checked once its values are known. `logged` is
    /// whether it is in a logged batch.
    pub(super) fn needs_value_checks(&self, logged: bool) -> bool {
        match self.checks {
            Checks::Read { lists, .. } => lists,
            Checks::Write { deletes, ttl, timestamps, .. } => deletes || ttl || timestamps || logged,
        }
    }
}

/// The checks of a statement that need its values or its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Checks {
    /// Whether it filters rows, whether it has lists after IN that are bound as a whole, and whether it has a LIMIT.
    Read { filters: bool, lists: bool, limited: bool },
    /// Whether it may delete more than one row, whether its time to live is bound, whether it has a timestamp, and
    /// whether it calls a nondeterministic function. The sizes of its values are always checked.
    Write { deletes: bool, ttl: bool, timestamps: bool, nondeterministic: bool },
}

impl Checks {
    pub(super) fn new(statement: &Statement) -> Self {
        let (mut ttl, mut timestamps) = (false, false);
        for using in statement.usings() {
            ttl |= using.ttl().is_some_and(|ttl| matches!(ttl.kind, TermKind::Marker(_)));
            timestamps |= using.timestamp().is_some();
        }
        let deletes = match statement {
            Statement::Select(select) => {
                return Self::Read {
                    filters: select.allow_filtering.is_some() && !select.relations.is_empty(),
                    lists: statement.in_widths().iter().any(|list| list.width.is_none()),
                    limited: select.limit.is_some(),
                };
            }
            Statement::Batch(batch) => {
                batch.statements.iter().any(|modification| matches!(modification, Modification::Delete(_)))
            }
            other => matches!(other, Statement::Delete(_)),
        };
        Self::Write { deletes, ttl, timestamps, nondeterministic: is_nondeterministic(statement) }
    }
}

/// The capacity plan of a statement, with the number of definitions after which it was made: a prepared statement is
/// planned once for each state of the schema.
#[derive(Debug, Default)]
pub(super) struct CachedCapacityPlan(Mutex<Option<(u64, Arc<CapacityPlan>)>>);

impl CachedCapacityPlan {
    /// The plan that was made after this number of definitions.
    pub(super) fn get(&self, definitions: u64) -> Option<Arc<CapacityPlan>> {
        let cached = self.0.lock();
        cached.as_ref().filter(|(after, _)| *after == definitions).map(|(_, plan)| Arc::clone(plan))
    }

    pub(super) fn set(&self, definitions: u64, plan: &Arc<CapacityPlan>) {
        *self.0.lock() = Some((definitions, Arc::clone(plan)));
    }
}

impl Clone for CachedCapacityPlan {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().clone()))
    }
}

/// A plan follows from its statement, so it does not count for equality.
impl PartialEq for CachedCapacityPlan {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for CachedCapacityPlan {}
