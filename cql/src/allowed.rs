//! The lists of features that Keyspaces is known to have. A feature on no list is unknown, never allowed.

use crate::QualifiedName;
use crate::statement::{NativeType, Operator, TermKind, WithOption};

/// A function that Keyspaces has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllowedFunction {
    /// Whether the function returns the same value for the same arguments each time.
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

/// `ttl` and `writetime` are in the list above: their values depend on the time of the call.
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

/// Whether the function converts between a blob and another native type, like `blobAsInt` and `intAsBlob`.
fn converts_a_blob(name: &str) -> bool {
    let type_name = name.strip_prefix("blobas").or_else(|| name.strip_suffix("asblob"));
    let native = type_name.and_then(NativeType::from_name);
    native.is_some_and(|native| native != NativeType::Blob && native_type(native))
}

/// Whether Keyspaces has the type (`DG:cassandra-apis`). `duration` is not in the page's table: unverified, so not allowed.
pub(crate) fn native_type(native: NativeType) -> bool {
    native != NativeType::Duration
}

/// The operators of a WHERE (`DG:cql.dml.select`).
pub(crate) fn operator(operator: Operator) -> bool {
    condition_operator(operator) || matches!(operator, Operator::In | Operator::Contains | Operator::ContainsKey)
}

/// The operators of an IF (`DG:cql.dml.update`, which refers to the operators of `DG:cql.dml.select`).
pub(crate) fn condition_operator(operator: Operator) -> bool {
    operator == Operator::Equal || operator.is_range()
}

/// The values that `UPDATE system.local SET partitioner` accepts (`DG:working-with-partitioners`).
pub(crate) const PARTITIONERS: &[&str] = &[
    "com.amazonaws.cassandra.DefaultPartitioner",
    "org.apache.cassandra.dht.Murmur3Partitioner",
    "org.apache.cassandra.dht.RandomPartitioner",
];

/// `DG:cql.ddl.keyspace`
pub(crate) const CREATE_KEYSPACE_OPTIONS: &[&str] = &["replication", "durable_writes", "tags"];

/// Keyspace options that ScyllaDB and later versions of Cassandra print. It is inferred that Keyspaces ignores them.
pub(crate) fn is_ignored_keyspace_option(option: &WithOption) -> bool {
    ["consistency", "fast_path", "storage", "tablets"].contains(&option.name.text.as_str())
}

/// `DG:cql.ddl.keyspace`
pub(crate) const ALTER_KEYSPACE_OPTIONS: &[&str] = &["replication", "client_side_timestamps"];

/// The options in the guide's grammar (`DG:cql.ddl.table`), and `comment`, which the service stores (`API:CreateTable`).
pub(crate) const CREATE_TABLE_OPTIONS: &[&str] =
    &["autoscaling_settings", "cdc", "comment", "custom_properties", "default_time_to_live", "tags"];

/// Options that Keyspaces accepts and ignores, whatever their value. `DG:functional-differences` names the options of
/// compaction, compression, caching, garbage collection and bloom filters, and `DG:TTL-how-to-create-table` shows the first
/// twelve in the output of `DESCRIBE`. It is inferred that the rest, which other versions and ScyllaDB print, is ignored
/// too.
const IGNORED_OPTIONS: &[&str] = &[
    "bloom_filter_fp_chance",
    "caching",
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
    // Cassandra 2
    "index_interval",
    "populate_io_cache_on_flush",
    "replicate_on_write",
    // Cassandra 4 and 5
    "additional_write_policy",
    "allow_auto_snapshot",
    "extensions",
    "id",
    "incremental_backups",
    "memtable",
    "read_repair",
    // ScyllaDB
    "in_memory",
    "paxos_grace_seconds",
    "per_partition_rate_limit",
    "scylla_encryption_options",
    "synchronous_updates",
    "tombstone_gc",
];

/// Whether Keyspaces accepts the table option and ignores it. ScyllaDB's `cdc` is a map, which Keyspaces does not accept.
pub(crate) fn is_ignored(option: &WithOption) -> bool {
    let name = option.name.text.as_str();
    let is_map = matches!(option.value.kind, TermKind::Map(_) | TermKind::Set(_));
    IGNORED_OPTIONS.contains(&name) || (name == "cdc" && is_map)
}

/// `DG:cql.ddl.table`
pub(crate) const ALTER_TABLE_OPTIONS: &[&str] = CREATE_TABLE_OPTIONS;

/// `DG:cql.ddl.table`
pub(crate) const RESTORE_TABLE_OPTIONS: &[&str] =
    &["autoscaling_settings", "custom_properties", "restore_timestamp", "tags"];
