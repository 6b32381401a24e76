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

/// The minimum time between two checks that prepare a text again because values do not fit it.
const MIN_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A prepared text, with the state of the check whether its table has changed since.
pub(crate) struct PreparedText {
    pub(super) statement: PreparedStatement,
    markers: OnceLock<Arc<Markers>>,
    /// The keyspace and table, if the text names a table.
    table: Option<(String, String)>,
    prepared_at: Instant,
    /// When the text was last prepared again because values did not fit it.
    last_checked: Mutex<Option<Instant>>,
    table_id: Mutex<Option<Uuid>>,
    /// Whether the server now has other columns for this text.
    outdated: AtomicBool,
}

impl PreparedText {
    pub(super) fn new(statement: PreparedStatement, table: Option<(String, String)>, table_id: Option<Uuid>) -> Self {
        Self {
            statement,
            markers: OnceLock::new(),
            table,
            prepared_at: Instant::now(),
            last_checked: Mutex::new(None),
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
            Arc::new(Markers::find(info.tree(), self.statement.get_variable_col_specs().as_slice(), key))
        });
        Arc::clone(markers)
    }

    /// Whether the text may be prepared again now because values do not fit. If so, records the start of this check.
    pub(super) fn begin_check(&self) -> bool {
        let mut last_checked = locked(&self.last_checked);
        let is_due = last_checked.is_none_or(|at| at.elapsed() >= MIN_CHECK_INTERVAL);
        if is_due {
            *last_checked = Some(Instant::now());
        }
        is_due
    }

    /// Whether both statements have the same bind markers and columns.
    pub(super) fn has_same_columns(&self, other: &PreparedStatement) -> bool {
        let one = &self.statement;
        one.get_variable_col_specs().as_slice() == other.get_variable_col_specs().as_slice()
            && one.get_current_result_set_col_specs().get().as_slice()
                == other.get_current_result_set_col_specs().get().as_slice()
    }

    pub(super) fn table_id(&self) -> Option<Uuid> {
        *locked(&self.table_id)
    }

    pub(super) fn set_table_id(&self, id: Uuid) {
        *locked(&self.table_id) = Some(id);
    }

    pub(super) fn is_outdated(&self) -> bool {
        // Relaxed, because the flag guards no other data.
        self.outdated.load(Ordering::Relaxed)
    }

    pub(super) fn mark_outdated(&self) {
        self.outdated.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for PreparedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedText")
            .field("table", &self.table)
            .field("outdated", &self.outdated)
            .finish_non_exhaustive()
    }
}
