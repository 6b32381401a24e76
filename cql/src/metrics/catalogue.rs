//! The catalogue of all metrics.

use super::Unit::{Bytes, Count, Milliseconds, Percent};
use super::{
    AnyStatistic, Description, Latencies, Levels, Metric, OnlyMaximum, OnlySampleCount, OnlySum, PerAccount,
    PerOperation, PerReplica, PerStream, PerTable, SumAndSampleCount,
};

macro_rules! metrics {
    ($($(#[$doc:meta])* $constant:ident: $dimensions:ident, $statistics:ident = $name:literal, $unit:ident, $emitted:literal $(, $source:literal)?;)*) => {
        $(
            $(#[$doc])*
            #[doc = concat!("`", $name, "`: ", $emitted, ".")]
            pub const $constant: Metric<$dimensions, $statistics> = Metric::new($name, $unit, $emitted)$(.with_source($source))?;
        )*

        /// Every metric as data. A name may occur twice: some metrics of change data capture streams have the names of
        /// table metrics.
        pub fn all() -> impl Iterator<Item = Description> {
            const ALL: &[Description] = &[$($constant.description()),*];
            ALL.iter().copied()
        }
    };
}

metrics! {
    ACCOUNT_MAX_TABLE_LEVEL_READS: PerAccount, OnlyMaximum = "AccountMaxTableLevelReads", Count,
        "the quota of read capacity units a second that one table of the account may use";
    ACCOUNT_MAX_TABLE_LEVEL_WRITES: PerAccount, OnlyMaximum = "AccountMaxTableLevelWrites", Count,
        "the quota of write capacity units a second that one table of the account may use";
    ACCOUNT_PROVISIONED_READ_CAPACITY_UTILIZATION: PerAccount, Levels = "AccountProvisionedReadCapacityUtilization", Percent,
        "the share of the account's quota that is provisioned for reads, every five minutes";
    ACCOUNT_PROVISIONED_WRITE_CAPACITY_UTILIZATION: PerAccount, Levels = "AccountProvisionedWriteCapacityUtilization", Percent,
        "the share of the account's quota that is provisioned for writes, every five minutes";
    MAX_PROVISIONED_TABLE_READ_CAPACITY_UTILIZATION: PerAccount, Levels = "MaxProvisionedTableReadCapacityUtilization", Percent,
        "the share of the quota that the table with the most provisioned reads has, every five minutes";
    MAX_PROVISIONED_TABLE_WRITE_CAPACITY_UTILIZATION: PerAccount, Levels = "MaxProvisionedTableWriteCapacityUtilization", Percent,
        "the share of the quota that the table with the most provisioned writes has, every five minutes";
    BILLABLE_TABLE_SIZE_IN_BYTES: PerTable, Levels = "BillableTableSizeInBytes", Bytes,
        "the encoded size of all rows of a table, every four to six hours";
    CONDITIONAL_CHECK_FAILED_REQUESTS: PerTable, AnyStatistic = "ConditionalCheckFailedRequests", Count,
        "conditional writes whose condition was false, which are billed too; no data points if there are none";
    CONSUMED_READ_CAPACITY_UNITS: PerTable, AnyStatistic = "ConsumedReadCapacityUnits", Count,
        "read units: the Sum of a minute divided by 60 is the rate a second, and the SampleCount is the number of requests";
    CONSUMED_WRITE_CAPACITY_UNITS: PerTable, AnyStatistic = "ConsumedWriteCapacityUnits", Count,
        "write units: the Sum of a minute divided by 60 is the rate a second, and the SampleCount is the number of requests";
    PROVISIONED_READ_CAPACITY_UNITS: PerTable, Levels = "ProvisionedReadCapacityUnits", Count,
        "the provisioned read capacity, every five minutes, of provisioned tables only";
    PROVISIONED_WRITE_CAPACITY_UNITS: PerTable, Levels = "ProvisionedWriteCapacityUnits", Count,
        "the provisioned write capacity, every five minutes, of provisioned tables only";
    PER_CONNECTION_REQUEST_RATE_EXCEEDED: PerOperation, SumAndSampleCount = "PerConnectionRequestRateExceeded", Count,
        "requests above the 3,000 a second that a connection accepts, including replicated writes; no data points if there are none";
    READ_THROTTLE_EVENTS: PerOperation, SumAndSampleCount = "ReadThrottleEvents", Count,
        "reads over the capacity of the table, the account, the connection or the partition; no data points if there are none";
    WRITE_THROTTLE_EVENTS: PerOperation, SumAndSampleCount = "WriteThrottleEvents", Count,
        "writes over the capacity of the table, the account, the connection or the partition; no data points if there are none";
    STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED: PerOperation, SumAndSampleCount = "StoragePartitionThroughputCapacityExceeded", Count,
        "requests over the 3,000 RCU or 1,000 WCU of one partition; no data points if there are none";
    REPLICATION_LATENCY: PerReplica, Levels = "ReplicationLatency", Milliseconds,
        "the time that writes take to reach another Region, stored in the Region they were sent to; multi-Region tables only";
    RETURNED_ITEM_COUNT_BY_SELECT: PerOperation, AnyStatistic = "ReturnedItemCountBySelect", Count,
        "rows that SELECTs without a full primary key returned";
    SUCCESSFUL_REQUEST_COUNT: PerOperation, OnlySampleCount = "SuccessfulRequestCount", Count,
        "successful requests";
    SUCCESSFUL_REQUEST_LATENCY: PerOperation, Latencies = "SuccessfulRequestLatency", Milliseconds,
        "the time that successful requests took inside the service; percentiles are not listed";
    SYSTEM_ERRORS: PerOperation, SumAndSampleCount = "SystemErrors", Count,
        "requests that the service failed with ServerError; no data points if there are none";
    USER_ERRORS: PerOperation, SumAndSampleCount = "UserErrors", Count,
        "requests that the service refused with InvalidRequest; no data points if there are none";
    SYSTEM_RECONCILIATION_DELETES: PerTable, OnlySum = "SystemReconciliationDeletes", Count,
        "tombstones cleaned up in tables with client-side timestamps, which are billed";
    TTL_DELETES: PerTable, OnlySum = "TTLDeletes", Count,
        "the units that expired rows cost, billed by the KB of each row";
    /// The statistics of stream metrics are not documented; these are assumed from the metrics of tables.
    STREAM_RETURNED_RECORDS_COUNT: PerStream, AnyStatistic = "ReturnedRecordsCount", Count,
        "records that GetRecords returned", "DG:CDC, statistics assumed";
    /// The statistics are assumed, as for [`STREAM_RETURNED_RECORDS_COUNT`].
    STREAM_SUCCESSFUL_REQUEST_LATENCY: PerStream, Latencies = "SuccessfulRequestLatency", Milliseconds,
        "the time that successful calls of the streams API took", "DG:CDC, statistics assumed";
    /// The statistics are assumed, as for [`STREAM_RETURNED_RECORDS_COUNT`].
    STREAM_SYSTEM_ERRORS: PerStream, SumAndSampleCount = "SystemErrors", Count,
        "calls of the streams API that failed with HTTP 500", "DG:CDC, statistics assumed";
    /// The statistics are assumed, as for [`STREAM_RETURNED_RECORDS_COUNT`].
    STREAM_USER_ERRORS: PerStream, SumAndSampleCount = "UserErrors", Count,
        "calls of the streams API that failed with HTTP 400", "DG:CDC, statistics assumed";
}

/// The metrics with this name: none, one, or one of tables and one of streams.
pub fn with_name(name: &str) -> impl Iterator<Item = Description> {
    all().filter(move |metric| metric.name == name)
}
