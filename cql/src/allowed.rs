//! The lists of what Keyspaces is known to have. What is on none of them is unknown, never allowed.

use crate::QualifiedName;
use crate::statement::{NativeType, Operator};

/// A function that Keyspaces has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllowedFunction {
    /// Whether it gives the same value for the same arguments each time.
    pub(crate) deterministic: bool,
}

/// The function of this name, if Keyspaces has it (`DG:cql.functions`); functions with a keyspace are user-defined.
pub(crate) fn function(name: &QualifiedName) -> Option<AllowedFunction> {
    let text = name.name.text.as_str();
    if name.keyspace.is_some() {
        return None;
    }
    let deterministic = DETERMINISTIC_FUNCTIONS.contains(&text) || converts_a_blob(text);
    (deterministic || NON_DETERMINISTIC_FUNCTIONS.contains(&text)).then_some(AllowedFunction { deterministic })
}

/// `now()` and `uuid()` in every statement since 2025-09-08 (`DG:doc-history`).
const NON_DETERMINISTIC_FUNCTIONS: &[&str] =
    &["currentdate", "currenttime", "currenttimestamp", "currenttimeuuid", "now", "ttl", "uuid", "writetime"];

/// `ttl` and `writetime` are above: what they give depends on when they are asked.
const DETERMINISTIC_FUNCTIONS: &[&str] = &[
    "dateof",
    "fromjson",
    "maxtimeuuid",
    "mintimeuuid",
    "todate",
    "tojson",
    "token",
    "totimestamp",
    "tounixtimestamp",
    "unixtimestampof",
];

/// `blobAsInt` and `intAsBlob`, for every native type but blob itself.
fn converts_a_blob(name: &str) -> bool {
    let type_name = name.strip_prefix("blobas").or_else(|| name.strip_suffix("asblob"));
    let native = type_name.and_then(NativeType::named);
    native.is_some_and(|native| native != NativeType::Blob && native_type(native))
}

/// Whether Keyspaces has the type (`DG:cassandra-apis`). `duration` is not in its table: unverified, so not allowed.
pub(crate) fn native_type(native: NativeType) -> bool {
    native != NativeType::Duration
}

/// The operators of a WHERE (`DG:cql.dml.select`).
pub(crate) fn operator(operator: Operator) -> bool {
    condition_operator(operator) || matches!(operator, Operator::In | Operator::Contains | Operator::ContainsKey)
}

/// The operators of an IF (`DG:cql.dml.update`, where `operator` is what `DG:cql.dml.select` says it is).
pub(crate) fn condition_operator(operator: Operator) -> bool {
    operator == Operator::Equal || operator.is_range()
}

/// What `UPDATE system.local SET partitioner` may set (`DG:working-with-partitioners`).
pub(crate) const PARTITIONERS: &[&str] = &[
    "com.amazonaws.cassandra.DefaultPartitioner",
    "org.apache.cassandra.dht.Murmur3Partitioner",
    "org.apache.cassandra.dht.RandomPartitioner",
];

/// `DG:cql.ddl.keyspace`
pub(crate) const CREATE_KEYSPACE_OPTIONS: &[&str] = &["replication", "durable_writes", "tags"];

/// `DG:cql.ddl.keyspace`
pub(crate) const ALTER_KEYSPACE_OPTIONS: &[&str] = &["replication", "client_side_timestamps", "durable_writes"];

/// The first five are Keyspaces' own (`DG:cql.ddl.table`). The others are Cassandra's: `DG:functional-differences` says that
/// compaction, compression, caching, garbage collection and bloom filters are ignored; the rest stands in what `DESCRIBE`
/// prints of a table (`DG:TTL-how-to-create-table`), from which it is inferred that it may be said.
pub(crate) const CREATE_TABLE_OPTIONS: &[&str] = &[
    "autoscaling_settings",
    "cdc",
    "custom_properties",
    "default_time_to_live",
    "tags",
    "bloom_filter_fp_chance",
    "caching",
    "comment",
    "compaction",
    "compression",
    "crc_check_chance",
    "dclocal_read_repair_chance",
    "gc_grace_seconds",
    "max_index_interval",
    "memtable_flush_period_in_ms",
    "min_index_interval",
    "read_repair_chance",
    "speculative_retry",
];

/// Whether Keyspaces takes the option of a table and ignores it. `DG:functional-differences` has those of compaction,
/// compression, caching, garbage collection and bloom filters; that those of read repair, of the index of a file and of
/// flushing are ignored too is inferred.
pub(crate) fn is_ignored(option: &str) -> bool {
    const HEEDED: &[&str] =
        &["autoscaling_settings", "cdc", "comment", "custom_properties", "default_time_to_live", "tags"];
    CREATE_TABLE_OPTIONS.contains(&option) && !HEEDED.contains(&option)
}

/// `DG:cql.ddl.table`
pub(crate) const ALTER_TABLE_OPTIONS: &[&str] = CREATE_TABLE_OPTIONS;

/// `DG:cql.ddl.table`
pub(crate) const RESTORE_TABLE_OPTIONS: &[&str] =
    &["autoscaling_settings", "custom_properties", "restore_timestamp", "tags"];
