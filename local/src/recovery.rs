//! Point-in-time recovery as the schema uses it: a trait for the histories of rows, and the history of definitions.

mod definition_history;

use std::fmt;
use std::pin::Pin;

use crate::names::{SchemaObject, TableId};
use crate::upstream::InternalRequestError;

pub(crate) use self::definition_history::{DefinitionHistory, DefinitionVersion};

/// The time for which a table can be restored: 35 days, in milliseconds (DG:PointInTimeRecovery_HowItWorks).
pub(crate) const RECOVERY_WINDOW: u64 = 35 * 24 * 3_600_000;

/// A change of a history in progress.
pub(crate) type HistoryChange<'a> = Pin<Box<dyn Future<Output = Result<(), InternalRequestError>> + Send + 'a>>;

/// The histories of tables: records the writes to them, and restores their rows.
pub(crate) trait RowHistory: fmt::Debug + Send + Sync {
    /// Records the writes to a table from now on.
    fn begin<'a>(&'a self, table: &'a TableId) -> HistoryChange<'a>;

    /// Reads the whole table into its history again, if the last attempt failed.
    fn retry_baseline(&self, table: &TableId);

    /// Whether a table can be restored from now on.
    fn has_baseline(&self, table: &TableId) -> bool;

    /// Whether the writes to a table are recorded.
    fn is_recorded(&self, table: &SchemaObject) -> bool;

    /// The earliest moment to which a table can be restored, in milliseconds since 1970, if there is one.
    fn earliest(&self, table: &TableId, now: u64) -> Option<u64>;

    /// Writes the rows that a table had at a moment, in milliseconds since 1970, to another one.
    fn restore<'a>(&'a self, table: &'a TableId, moment: u64, target: &'a SchemaObject) -> HistoryChange<'a>;

    /// Keeps the history of a dropped table for 35 days.
    fn end<'a>(&'a self, table: &'a TableId) -> HistoryChange<'a>;

    /// Forgets the history of a table.
    fn forget<'a>(&'a self, table: &'a TableId) -> HistoryChange<'a>;
}
