//! The values that the statements of an event table bind.

use std::any::type_name;

use chrono::{DateTime, Utc};
use scylla::serialize::SerializationError;
use scylla::serialize::row::{
    BuiltinSerializationError, BuiltinSerializationErrorKind, BuiltinTypeCheckError, BuiltinTypeCheckErrorKind,
    RowSerializationContext, SerializeRow,
};
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::RowWriter;

use super::partition::{Partition, Slice};
use super::statements::PartitionQuery;
use crate::tables::Event;

/// Values by the names of their columns. A statement binds the values of the columns that it names.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnValues<'v> {
    partition: &'v Partition,
    /// The values for `event_time`, in the order of the statement: one time, or the first and the last of a slice.
    times: [Option<DateTime<Utc>>; 2],
    event_type: Option<&'v str>,
    payload: Option<&'v str>,
}

impl<'v> ColumnValues<'v> {
    pub(super) fn for_event(partition: &'v Partition, event: &'v Event) -> Self {
        let (event_type, payload) = (Some(event.event_type.as_str()), Some(event.payload.as_str()));
        Self { event_type, payload, ..Self::for_time(partition, event.event_time) }
    }

    pub(super) fn for_time(partition: &'v Partition, time: DateTime<Utc>) -> Self {
        Self { partition, times: [Some(time), None], event_type: None, payload: None }
    }

    pub(super) fn for_slice(partition: &'v Partition, slice: Slice) -> Self {
        Self { partition, times: [Some(slice.first), Some(slice.last)], event_type: None, payload: None }
    }

    pub(super) fn for_query(partition: &'v Partition, query: &'v PartitionQuery) -> Self {
        Self { event_type: query.event_type.as_deref(), ..Self::for_slice(partition, query.slice) }
    }
}

impl SerializeRow for ColumnValues<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let mut times = self.times.into_iter().flatten();
        for column in context.columns() {
            let time;
            let value: Option<&dyn SerializeValue> = match column.name() {
                "device_id" => Some(&self.partition.device),
                "event_date" => Some(&self.partition.date),
                "shard" => Some(&self.partition.shard),
                "event_time" => {
                    time = times.next();
                    time.as_ref().map(|time| time as _)
                }
                "event_type" => self.event_type.as_ref().map(|event_type| event_type as _),
                "payload" => self.payload.as_ref().map(|payload| payload as _),
                _ => None,
            };
            let rust_name = type_name::<Self>();
            let Some(value) = value else {
                let kind = BuiltinTypeCheckErrorKind::ValueMissingForColumn { name: column.name().to_owned() };
                return Err(SerializationError::new(BuiltinTypeCheckError { rust_name, kind }));
            };
            value.serialize(column.typ(), writer.make_cell_writer()).map_err(|err| {
                let kind =
                    BuiltinSerializationErrorKind::ColumnSerializationFailed { name: column.name().to_owned(), err };
                SerializationError::new(BuiltinSerializationError { rust_name, kind })
            })?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        false
    }
}
