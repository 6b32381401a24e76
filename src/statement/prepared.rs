//! A text as the server prepared it, shared by all statements that were made of it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use scylla::statement::prepared::PreparedStatement;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a text that turned out to be up to date is not prepared anew, however often values do not fit it.
const CHECKED_FOR: Duration = Duration::from_secs(1);

/// A prepared text, and whether its table is still the one that it was prepared for.
pub(crate) struct Prepared {
    pub(super) statement: PreparedStatement,
    /// Keyspace and table, of a text that names one.
    table: Option<(String, String)>,
    prepared_at: Instant,
    /// When it was last found to be up to date.
    checked: Mutex<Option<Instant>>,
    table_id: Mutex<Option<Uuid>>,
    /// Whether the server has other columns for this text now.
    outdated: AtomicBool,
}

impl Prepared {
    pub(super) fn new(statement: PreparedStatement, table: Option<(String, String)>, table_id: Option<Uuid>) -> Self {
        Self {
            statement,
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

    /// Whether it is time to prepare the text anew because values do not fit; counts as doing so.
    pub(super) fn begins_check(&self) -> bool {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = checked.is_none_or(|at| at.elapsed() >= CHECKED_FOR);
        if is_due {
            *checked = Some(Instant::now());
        }
        is_due
    }

    /// Whether both bind the same values and give the same columns.
    pub(super) fn has_the_columns_of(&self, other: &Self) -> bool {
        let (one, other) = (&self.statement, &other.statement);
        one.get_variable_col_specs().as_slice() == other.get_variable_col_specs().as_slice()
            && one.get_current_result_set_col_specs().get().as_slice()
                == other.get_current_result_set_col_specs().get().as_slice()
    }

    /// Whether this is the id of the table that it was prepared for.
    pub(super) fn is_of_table(&self, id: Uuid) -> bool {
        *self.table_id.lock().unwrap_or_else(PoisonError::into_inner) == Some(id)
    }

    pub(super) fn belongs_to_table(&self, id: Uuid) {
        *self.table_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    pub(super) fn is_outdated(&self) -> bool {
        // Nothing else is read by it.
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
