//! The tables of the service's system keyspaces (DG:working-with-keyspaces), with the columns of Cassandra 3.11 for the
//! tables that Cassandra has, too.
//!
//! That `system_schema` has `functions`, `aggregates`, `triggers`, `indexes`, `views` and `dropped_columns`, all empty
//! here, is unverified: all common drivers read them. The types of columns that only the service has are unverified,
//! too.

use super::SchemaObject;

/// A system table.
#[derive(Debug)]
pub(crate) struct SystemTable {
    pub(crate) keyspace: &'static str,
    pub(crate) name: &'static str,
    /// The columns and the key, in the syntax of `CREATE TABLE`.
    pub(crate) columns: &'static str,
}

impl SystemTable {
    /// The name of the table in the inner keyspace.
    pub(crate) fn inner_name(&self) -> String {
        format!("{}{SEPARATOR}{}", self.keyspace, self.name)
    }
}

/// Separates keyspace and table; neither name contains it.
const SEPARATOR: &str = "__";

/// The system keyspaces.
pub(crate) const KEYSPACES: [&str; 4] = ["system", "system_schema", "system_schema_mcs", "system_multiregion_info"];

/// The system table of this name.
pub(crate) fn find(keyspace: &str, name: &str) -> Option<&'static SystemTable> {
    ALL.iter().find(|table| table.keyspace == keyspace && table.name == name)
}

/// Whether a table shows the earliest restorable timestamps of others.
pub(crate) fn shows_restorable_timestamps(table: &SchemaObject) -> bool {
    [MCS, MULTIREGION].contains(&table.keyspace.as_str()) && table.name == "tables"
}

/// Whether the service allows queries of this table by columns that are not in its key.
pub(crate) fn needs_filtering(table: &SchemaObject) -> bool {
    table.keyspace == MCS && table.name == "tags"
}

/// Whether this is one of the [`KEYSPACES`].
pub(crate) fn is_system(keyspace: &str) -> bool {
    KEYSPACES.contains(&keyspace)
}

/// Keyspace and name of a table of the inner keyspace.
pub(crate) fn split(inner_name: &str) -> Option<(&str, &str)> {
    inner_name.split_once(SEPARATOR).filter(|(keyspace, _)| is_system(keyspace))
}

const fn table(keyspace: &'static str, name: &'static str, columns: &'static str) -> SystemTable {
    SystemTable { keyspace, name, columns }
}

const SYSTEM: &str = KEYSPACES[0];
const SCHEMA: &str = KEYSPACES[1];
const MCS: &str = KEYSPACES[2];
const MULTIREGION: &str = KEYSPACES[3];

macro_rules! table_settings {
    () => {
        "bloom_filter_fp_chance double, caching frozen<map<text, text>>, cdc boolean, comment text, \
         compaction frozen<map<text, text>>, compression frozen<map<text, text>>, crc_check_chance double, \
         dclocal_read_repair_chance double, default_time_to_live int, extensions frozen<map<text, blob>>, \
         gc_grace_seconds int, id uuid, max_index_interval int, memtable_flush_period_in_ms int, \
         min_index_interval int, read_repair_chance double, speculative_retry text"
    };
}

const KEYSPACE_COLUMNS: &str =
    "keyspace_name text PRIMARY KEY, durable_writes boolean, replication frozen<map<text, text>>";
const TABLE_COLUMNS: &str = concat!(
    "keyspace_name text, table_name text, flags frozen<set<text>>, ",
    table_settings!(),
    ", PRIMARY KEY (keyspace_name, table_name)"
);
const MCS_TABLE_COLUMNS: &str = concat!(
    "keyspace_name text, table_name text, flags frozen<set<text>>, ",
    table_settings!(),
    ", creation_time timestamp, custom_properties map<text, frozen<map<text, text>>>, \
     cdc_specification frozen<map<text, text>>, latest_stream_arn text, status text, \
     PRIMARY KEY (keyspace_name, table_name)"
);
const COLUMN_COLUMNS: &str = "keyspace_name text, table_name text, column_name text, clustering_order text, \
     column_name_bytes blob, kind text, position int, type text, PRIMARY KEY (keyspace_name, table_name, column_name)";
const TRIGGER_COLUMNS: &str = "keyspace_name text, table_name text, trigger_name text, \
     options frozen<map<text, text>>, PRIMARY KEY (keyspace_name, table_name, trigger_name)";
const VIEW_COLUMNS: &str = concat!(
    "keyspace_name text, view_name text, base_table_id uuid, base_table_name text, include_all_columns boolean, \
     where_clause text, ",
    table_settings!(),
    ", PRIMARY KEY (keyspace_name, view_name)"
);
const INDEX_COLUMNS: &str = "keyspace_name text, table_name text, index_name text, kind text, \
     options frozen<map<text, text>>, PRIMARY KEY (keyspace_name, table_name, index_name)";
const FUNCTION_COLUMNS: &str = "keyspace_name text, function_name text, argument_types frozen<list<text>>, \
     argument_names frozen<list<text>>, body text, called_on_null_input boolean, language text, return_type text, \
     PRIMARY KEY (keyspace_name, function_name, argument_types)";
const AGGREGATE_COLUMNS: &str = "keyspace_name text, aggregate_name text, argument_types frozen<list<text>>, \
     final_func text, initcond text, return_type text, state_func text, state_type text, \
     PRIMARY KEY (keyspace_name, aggregate_name, argument_types)";

/// All system tables.
pub(crate) static ALL: &[SystemTable] = &[
    table(
        SYSTEM,
        "local",
        "key text PRIMARY KEY, bootstrapped text, broadcast_address inet, cluster_name text, cql_version text, \
         data_center text, gossip_generation int, host_id uuid, listen_address inet, native_protocol_version text, \
         partitioner text, rack text, release_version text, rpc_address inet, schema_version uuid, \
         thrift_version text, tokens set<text>, truncated_at map<uuid, blob>",
    ),
    table(
        SYSTEM,
        "peers",
        "peer inet PRIMARY KEY, data_center text, host_id uuid, preferred_ip inet, rack text, release_version text, \
         rpc_address inet, schema_version uuid, tokens set<text>",
    ),
    table(
        SYSTEM,
        "size_estimates",
        "keyspace_name text, table_name text, range_start text, range_end text, mean_partition_size bigint, \
         partitions_count bigint, PRIMARY KEY (keyspace_name, table_name, range_start, range_end)",
    ),
    table(SYSTEM, "prepared_statements", "prepared_id blob PRIMARY KEY, logged_keyspace text, query_string text"),
    table(SCHEMA, "keyspaces", KEYSPACE_COLUMNS),
    table(SCHEMA, "tables", TABLE_COLUMNS),
    table(SCHEMA, "columns", COLUMN_COLUMNS),
    table(
        SCHEMA,
        "types",
        "keyspace_name text, type_name text, field_names frozen<list<text>>, field_types frozen<list<text>>, \
         PRIMARY KEY (keyspace_name, type_name)",
    ),
    table(
        SCHEMA,
        "dropped_columns",
        "keyspace_name text, table_name text, column_name text, dropped_time timestamp, kind text, type text, \
         PRIMARY KEY (keyspace_name, table_name, column_name)",
    ),
    table(SCHEMA, "triggers", TRIGGER_COLUMNS),
    table(SCHEMA, "views", VIEW_COLUMNS),
    table(SCHEMA, "indexes", INDEX_COLUMNS),
    table(SCHEMA, "functions", FUNCTION_COLUMNS),
    table(SCHEMA, "aggregates", AGGREGATE_COLUMNS),
    table(MCS, "keyspaces", KEYSPACE_COLUMNS),
    table(MCS, "tables", MCS_TABLE_COLUMNS),
    table(
        MCS,
        "tables_history",
        "keyspace_name text, table_name text, event_time timestamp, creation_time timestamp, \
         custom_properties map<text, frozen<map<text, text>>>, event text, \
         PRIMARY KEY (keyspace_name, table_name, event_time)",
    ),
    table(MCS, "columns", COLUMN_COLUMNS),
    table(
        MCS,
        "tags",
        "resource_id text PRIMARY KEY, keyspace_name text, resource_name text, resource_type text, \
         tags map<text, text>",
    ),
    table(
        MCS,
        "types",
        "keyspace_name text, type_name text, field_names frozen<list<text>>, field_types frozen<list<text>>, \
         max_nesting_depth int, last_modified_timestamp timestamp, status text, \
         direct_referring_tables frozen<list<text>>, direct_parent_types frozen<list<text>>, \
         PRIMARY KEY (keyspace_name, type_name)",
    ),
    table(
        MCS,
        "autoscaling",
        "keyspace_name text, table_name text, \
         provisioned_read_capacity_autoscaling_update frozen<map<text, text>>, \
         provisioned_write_capacity_autoscaling_update frozen<map<text, text>>, \
         PRIMARY KEY ((keyspace_name, table_name))",
    ),
    table(MCS, "triggers", TRIGGER_COLUMNS),
    table(MCS, "views", VIEW_COLUMNS),
    table(MCS, "indexes", INDEX_COLUMNS),
    table(MCS, "functions", FUNCTION_COLUMNS),
    table(MCS, "aggregates", AGGREGATE_COLUMNS),
    table(
        MULTIREGION,
        "tables",
        "keyspace_name text, table_name text, region text, status text, \
         custom_properties map<text, frozen<map<text, text>>>, PRIMARY KEY ((keyspace_name, table_name), region)",
    ),
    table(
        MULTIREGION,
        "keyspaces",
        "keyspace_name text, region text, status text, tables_replication_progress text, \
         PRIMARY KEY (keyspace_name, region)",
    ),
    table(
        MULTIREGION,
        "autoscaling",
        "keyspace_name text, table_name text, region text, \
         provisioned_read_capacity_autoscaling_update frozen<map<text, text>>, \
         provisioned_write_capacity_autoscaling_update frozen<map<text, text>>, \
         PRIMARY KEY ((keyspace_name, table_name), region)",
    ),
    table(
        MULTIREGION,
        "types",
        "keyspace_name text, type_name text, region text, status text, PRIMARY KEY ((keyspace_name, type_name), region)",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for table in ALL {
            assert_eq!(split(&table.inner_name()), Some((table.keyspace, table.name)));
            assert!(std::ptr::eq(find(table.keyspace, table.name).unwrap(), table));
        }
        assert!(find("system", "peers_v2").is_none());
        assert_eq!(split("users__old"), None);
    }
}
