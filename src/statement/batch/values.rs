//! The values of a batch as the driver requests them: statement by statement.

use std::slice;

use scylla::serialize::SerializationError;
use scylla::serialize::batch::{BatchValues, BatchValuesIterator};
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;

use super::BatchEntry;

pub(super) struct BatchEntryValues<'m> {
    pub(super) entries: &'m [BatchEntry],
    /// The values of all entries.
    pub(super) bytes: &'m [u8],
}

pub(super) struct Iter<'m> {
    entries: slice::Iter<'m, BatchEntry>,
    bytes: &'m [u8],
}

impl BatchValues for BatchEntryValues<'_> {
    type BatchValuesIter<'r>
        = Iter<'r>
    where
        Self: 'r;

    fn batch_values_iter(&self) -> Iter<'_> {
        Iter { entries: self.entries.iter(), bytes: self.bytes }
    }
}

impl BatchValuesIterator<'_> for Iter<'_> {
    fn serialize_next(
        &mut self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Option<Result<(), SerializationError>> {
        self.entries.next().map(|entry| entry.values(self.bytes).serialize(context, writer))
    }

    fn is_empty_next(&mut self) -> Option<bool> {
        self.entries.next().map(|entry| entry.count == 0)
    }

    fn skip_next(&mut self) -> Option<()> {
        self.entries.next().map(drop)
    }
}
