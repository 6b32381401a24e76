//! A text as the server prepared it, shared by all statements made from it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use scylla::statement::prepared::PreparedStatement;
use tokio::time::Instant;
use uuid::Uuid;

use super::info::StatementInfo;
use super::markers::Markers;
use crate::lock::locked;

/// The least time between two checks that prepare a text again because values do not fit it.
const CHECKED_FOR: Duration = Duration::from_secs(1);

/// A prepared text, and whether its table is still the one that it was prepared for.
pub(crate) struct Prepared {
    pub(super) statement: PreparedStatement,
    markers: OnceLock<Arc<Markers>>,
    /// The keyspace and table, if the text names a table.
    table: Option<(String, String)>,
    prepared_at: Instant,
    /// When the text was last prepared again because values did not fit it.
    checked: Mutex<Option<Instant>>,
    table_id: Mutex<Option<Uuid>>,
    /// Whether the server now has other columns for this text.
    outdated: AtomicBool,
}

impl Prepared {
    pub(super) fn new(statement: PreparedStatement, table: Option<(String, String)>, table_id: Option<Uuid>) -> Self {
        Self {
            statement,
            markers: OnceLock::new(),
            table,
            prepared_at: Instant::now(),
            checked: Mutex::new(None),
            table_id: Mutex::new(table_id),
            outdated: AtomicBool::new(false),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.statement.get_statement()
    }

    pub(super) fn table(&self) -> Option<&(String, String)> {
        self.table.as_ref()
    }

    pub(super) fn is_older_than(&self, time: Instant) -> bool {
        self.prepared_at < time
    }

    /// The bind markers of the text; `info` belongs to the same text.
    pub(super) fn markers(&self, info: &StatementInfo) -> Arc<Markers> {
        let markers = self.markers.get_or_init(|| {
            let key = self.statement.get_variable_pk_indexes().iter().map(|key| key.index.into()).collect();
            Arc::new(Markers::of(info.tree(), self.statement.get_variable_col_specs().as_slice(), key))
        });
        Arc::clone(markers)
    }

    /// Whether the text may be prepared again now because values do not fit. If so, the check counts as begun.
    pub(super) fn begins_check(&self) -> bool {
        let mut checked = locked(&self.checked);
        let is_due = checked.is_none_or(|at| at.elapsed() >= CHECKED_FOR);
        if is_due {
            *checked = Some(Instant::now());
        }
        is_due
    }

    /// Whether both statements have the same bind markers and columns.
    pub(super) fn has_the_columns_of(&self, other: &PreparedStatement) -> bool {
        let one = &self.statement;
        one.get_variable_col_specs().as_slice() == other.get_variable_col_specs().as_slice()
            && one.get_current_result_set_col_specs().get().as_slice()
                == other.get_current_result_set_col_specs().get().as_slice()
    }

    pub(super) fn table_id(&self) -> Option<Uuid> {
        *locked(&self.table_id)
    }

    pub(super) fn belongs_to_table(&self, id: Uuid) {
        *locked(&self.table_id) = Some(id);
    }

    pub(super) fn is_outdated(&self) -> bool {
        // Relaxed, because the flag guards no other data.
        self.outdated.load(Ordering::Relaxed)
    }

    pub(super) fn becomes_outdated(&self) {
        self.outdated.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("table", &self.table).field("outdated", &self.outdated).finish_non_exhaustive()
    }
}
