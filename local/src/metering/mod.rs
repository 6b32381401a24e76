//! What was consumed and what was throttled, as the service's metrics count it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::names::SchemaObject;
use crate::throttle::{Exceeded, Use};

/// What each table's statements have consumed, and how often they were throttled; cheap to clone, every clone shows the
/// same. It is counted from the start, and a restart of the gateway loses nothing of it.
///
/// The size of a row that is written is estimated as the guide does ([`keyspaces_cql::units`]) from what the statement says
/// of the row. What a read consumes goes by the bytes that came back. A statement that fails consumes nothing.
#[derive(Clone, Debug, Default)]
pub struct Metering(Arc<Mutex<BTreeMap<SchemaObject, [Metered; Operation::ALL.len()]>>>);

/// One table's statements of one kind, by the names that CloudWatch has for these numbers (`DG:metrics-dimensions`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Metered {
    /// The table's keyspace.
    pub keyspace: String,
    /// The table's name.
    pub table_name: String,
    /// What kind of statement.
    pub operation: Operation,
    /// Read units; at ONE and LOCAL_ONE there are halves.
    pub consumed_read_capacity_units: f64,
    /// Write units.
    pub consumed_write_capacity_units: f64,
    /// Statements that were carried out; of a batch, each of its tables counts once.
    pub successful_request_count: u64,
    /// Reads that were throttled, whatever they went over.
    pub read_throttle_events: u64,
    /// Writes that were throttled, whatever they went over.
    pub write_throttle_events: u64,
    /// Those of them that went over what a partition takes.
    pub storage_partition_throughput_capacity_exceeded: u64,
    /// Those of them that went over what a connection takes.
    pub per_connection_request_rate_exceeded: u64,
}

/// What kind of statement.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "CQL's own names")]
pub enum Operation {
    #[default]
    Select,
    Insert,
    Update,
    Delete,
    Batch,
}

impl Operation {
    const ALL: [Self; 5] = [Self::Select, Self::Insert, Self::Update, Self::Delete, Self::Batch];
}

impl Metering {
    /// All tables and kinds of statements of which there was one, by keyspace, table and kind.
    pub fn snapshot(&self) -> Vec<Metered> {
        let mut all = Vec::new();
        for (table, operations) in &*self.tables() {
            for (operation, metered) in Operation::ALL.into_iter().zip(operations) {
                if *metered != Metered::default() {
                    let (keyspace, table_name) = (table.keyspace.clone(), table.name.clone());
                    all.push(Metered { keyspace, table_name, operation, ..metered.clone() });
                }
            }
        }
        all
    }

    /// One table's statements of one kind; nothing but zeros if there was none.
    pub fn of(&self, keyspace: &str, table: &str, operation: Operation) -> Metered {
        let tables = self.tables();
        let operations = tables.get(&SchemaObject::table(keyspace, table));
        let metered = operations.map(|operations| operations[operation as usize].clone()).unwrap_or_default();
        Metered { keyspace: keyspace.to_owned(), table_name: table.to_owned(), operation, ..metered }
    }

    /// Begins again at zero.
    pub fn clear(&self) {
        self.tables().clear();
    }

    /// A statement was carried out; `first` is whether it counts for this table, or only its units do.
    pub(crate) fn consumed(&self, table: &SchemaObject, operation: Operation, side: Use, units: f64, first: bool) {
        self.change(table, operation, |metered| {
            match side {
                Use::Read => metered.consumed_read_capacity_units += units,
                Use::Write => metered.consumed_write_capacity_units += units,
            }
            metered.successful_request_count += u64::from(first);
        });
    }

    pub(crate) fn throttled(&self, table: &SchemaObject, operation: Operation, side: Use, exceeded: Exceeded) {
        self.change(table, operation, |metered| {
            match side {
                Use::Read => metered.read_throttle_events += 1,
                Use::Write => metered.write_throttle_events += 1,
            }
            match exceeded {
                Exceeded::Table => {}
                Exceeded::Partition => metered.storage_partition_throughput_capacity_exceeded += 1,
                Exceeded::Connection => metered.per_connection_request_rate_exceeded += 1,
            }
        });
    }

    fn change(&self, table: &SchemaObject, operation: Operation, change: impl FnOnce(&mut Metered)) {
        let mut tables = self.tables();
        if !tables.contains_key(table) {
            tables.insert(table.clone(), Default::default());
        }
        if let Some(operations) = tables.get_mut(table) {
            change(&mut operations[operation as usize]);
        }
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<SchemaObject, [Metered; Operation::ALL.len()]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttled_statement_counts_under_every_metric_that_it_concerns() {
        let (metering, table) = (Metering::default(), SchemaObject::table("ks", "t"));
        metering.throttled(&table, Operation::Insert, Use::Write, Exceeded::Partition);
        metering.throttled(&table, Operation::Insert, Use::Write, Exceeded::Table);
        metering.throttled(&table, Operation::Select, Use::Read, Exceeded::Connection);
        metering.consumed(&table, Operation::Select, Use::Read, 0.5, true);
        let json = serde_json::to_value(metering.snapshot()).unwrap();
        let expected = serde_json::json!([
            {
                "Keyspace": "ks", "TableName": "t", "Operation": "SELECT",
                "ConsumedReadCapacityUnits": 0.5, "ConsumedWriteCapacityUnits": 0.0, "SuccessfulRequestCount": 1,
                "ReadThrottleEvents": 1, "WriteThrottleEvents": 0,
                "StoragePartitionThroughputCapacityExceeded": 0, "PerConnectionRequestRateExceeded": 1,
            },
            {
                "Keyspace": "ks", "TableName": "t", "Operation": "INSERT",
                "ConsumedReadCapacityUnits": 0.0, "ConsumedWriteCapacityUnits": 0.0, "SuccessfulRequestCount": 0,
                "ReadThrottleEvents": 0, "WriteThrottleEvents": 2,
                "StoragePartitionThroughputCapacityExceeded": 1, "PerConnectionRequestRateExceeded": 0,
            },
        ]);
        assert_eq!(json, expected);
        assert_eq!(metering.of("ks", "t", Operation::Insert).write_throttle_events, 2);
        assert_eq!(metering.of("ks", "other", Operation::Insert).write_throttle_events, 0);
        metering.clear();
        assert!(metering.snapshot().is_empty());
    }
}
