//! Schemas of users: published ones, the output of DESCRIBE of several databases, and AWS's samples.

use serde_json::Value;

use super::client::{Client, ClientAnswer};
use super::local;

/// Sends the statements of a text one after the other, each after the one before has taken effect.
async fn define(client: &mut Client, keyspace: &str, text: &str) {
    for statement in keyspaces_cql::parse_script(text) {
        let statement = statement.unwrap();
        let answer = client.query(&text[statement.span().range()]).await;
        assert!(matches!(answer, ClientAnswer::Changed(_) | ClientAnswer::Void), "{statement}: {answer:?}");
        match &statement {
            keyspaces_cql::Statement::CreateTable(create) => client.active(keyspace, &create.table.name.text).await,
            keyspaces_cql::Statement::CreateType(create) => {
                let types = format!(
                    "SELECT status FROM system_schema_mcs.types WHERE keyspace_name = '{keyspace}' AND type_name = '{}'",
                    create.name.name.text
                );
                client.query_until(&types, |rows| rows.texts("status") == ["ACTIVE"]).await;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn clustering_columns_without_an_order_are_ascending() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("order_prefix").await;
    let create = "CREATE TABLE order_prefix.spans (service text, bucket int, took bigint, id blob, \
                  PRIMARY KEY ((service, bucket), took, id)) WITH CLUSTERING ORDER BY (took DESC)";
    define(&mut client, "order_prefix", create).await;
    let columns =
        "SELECT column_name, clustering_order FROM system_schema.columns WHERE keyspace_name = 'order_prefix'";
    let columns = client.rows(columns).await;
    assert_eq!(columns.texts("column_name"), ["bucket", "id", "service", "took"]);
    assert_eq!(columns.texts("clustering_order"), ["none", "asc", "none", "desc"]);
}

#[tokio::test]
async fn white_space_between_fields_and_columns_is_optional() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("empty_places").await;
    let text = "CREATE TYPE empty_places.checksum (\n version int,\n flavor int,\n value blob,\n);\
                CREATE TABLE empty_places.t (a int,, b int,, PRIMARY KEY (a),);";
    define(&mut client, "empty_places", text).await;
    let fields = "SELECT JSON field_names FROM system_schema.types WHERE keyspace_name = 'empty_places'";
    assert_eq!(client.rows(fields).await.texts("[json]"), ["{\"field_names\": [\"version\", \"flavor\", \"value\"]}"]);
}

#[tokio::test]
async fn a_field_of_a_user_defined_type_can_be_selected() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("fields").await;
    let text = "CREATE TYPE fields.addr (number text, street text, city text);\
                CREATE TABLE fields.homes (id int PRIMARY KEY, address frozen<addr>);\
                INSERT INTO fields.homes (id, address) VALUES (1, {number: '1', street: 'Pine', city: 'Town'});";
    define(&mut client, "fields", text).await;
    let select = "SELECT address.city FROM fields.homes WHERE id = 1";
    let rows = client.rows(select).await;
    assert_eq!((rows.columns.as_slice(), rows.text(0, "address.city")), (&["address.city".to_owned()][..], "Town"));
    let id = client.prepared(select).await;
    let ClientAnswer::Rows(rows) = client.execute(&id, Default::default()).await else { panic!("no rows") };
    assert_eq!(rows.text(0, "address.city"), "Town");
}

/// The options in the output of DESCRIBE of Amazon Keyspaces, Cassandra 2, 3.11, 4 and 5, and ScyllaDB.
const DESCRIBED: [(&str, &str); 5] = [
    (
        "of_keyspaces",
        "bloom_filter_fp_chance = 0.01 AND caching = {'class': 'com.amazonaws.cassandra.DefaultCaching'} AND comment = '' AND \
         compaction = {'class': 'com.amazonaws.cassandra.DefaultCompaction'} AND compression = {'class': \
         'com.amazonaws.cassandra.DefaultCompression'} AND crc_check_chance = 1.0 AND dclocal_read_repair_chance = 0.0 AND \
         default_time_to_live = 0 AND gc_grace_seconds = 7776000 AND max_index_interval = 2048 AND \
         memtable_flush_period_in_ms = 3600000 AND min_index_interval = 128 AND read_repair_chance = 0.0 AND \
         speculative_retry = '99PERCENTILE'",
    ),
    (
        "of_2",
        "bloom_filter_fp_chance = 0.01 AND caching = 'KEYS_ONLY' AND comment = '' AND compaction = {'class': \
         'org.example.None'} AND compression = {'sstable_compression': 'nothing'} AND index_interval = 128 AND \
         populate_io_cache_on_flush = 'false' AND replicate_on_write = 'true' AND speculative_retry = 'NONE'",
    ),
    (
        "of_311",
        "caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'} AND crc_check_chance = 1.0 AND \
         dclocal_read_repair_chance = 0.1 AND gc_grace_seconds = 864000 AND read_repair_chance = 0.0 AND \
         speculative_retry = '99PERCENTILE'",
    ),
    (
        "of_4_and_5",
        "ID = 5a1c395e-b41f-11e5-9f22-ba0be0483c18 AND additional_write_policy = '99p' AND allow_auto_snapshot = true AND \
         cdc = false AND extensions = {} AND incremental_backups = true AND memtable = 'default' AND read_repair = \
         'BLOCKING' AND speculative_retry = '99p'",
    ),
    (
        "of_scylla",
        "caching = {'enabled': 'true'} AND cdc = {'enabled': true, 'preimage': 'false'} AND paxos_grace_seconds = 864000 AND \
         tombstone_gc = {'mode': 'timeout', 'propagation_delay_in_seconds': '3600'} AND in_memory = false",
    ),
];

#[tokio::test]
async fn definitions_of_other_databases_are_accepted_and_ignored_options_shown_as_by_the_service() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("described").await;
    for (table, options) in DESCRIBED {
        let create = format!(
            "CREATE TABLE described.{table} (id text, at timeuuid, PRIMARY KEY (id, at)) WITH CLUSTERING ORDER BY (at ASC) AND \
             {options}"
        );
        define(&mut client, "described", &create).await;
        let alter = format!("ALTER TABLE described.{table} WITH gc_grace_seconds = 5");
        assert!(matches!(client.query(&alter).await, ClientAnswer::Changed(_)));
        client.active("described", table).await;
        let select = "bloom_filter_fp_chance, caching, cdc, comment, compaction, compression, crc_check_chance, \
                      dclocal_read_repair_chance, default_time_to_live, gc_grace_seconds, max_index_interval, \
                      memtable_flush_period_in_ms, min_index_interval, read_repair_chance, speculative_retry";
        let description = client
            .rows(&format!(
                "SELECT JSON {select} FROM system_schema.tables WHERE keyspace_name = 'described' AND table_name = '{table}'"
            ))
            .await;
        assert_eq!(
            description.texts("[json]"),
            [
                "{\"bloom_filter_fp_chance\": 0.01, \"caching\": {\"class\": \"com.amazonaws.cassandra.DefaultCaching\"}, \
              \"cdc\": null, \"comment\": \"\", \"compaction\": {\"class\": \
              \"com.amazonaws.cassandra.DefaultCompaction\"}, \"compression\": {\"class\": \
              \"com.amazonaws.cassandra.DefaultCompression\"}, \"crc_check_chance\": 1.0, \
              \"dclocal_read_repair_chance\": 0.0, \"default_time_to_live\": 0, \"gc_grace_seconds\": 7776000, \
              \"max_index_interval\": 2048, \"memtable_flush_period_in_ms\": 3600000, \"min_index_interval\": 128, \
              \"read_repair_chance\": 0.0, \"speculative_retry\": \"99PERCENTILE\"}"
            ],
            "{table}"
        );
    }
}

#[tokio::test]
async fn cdc_stream_has_its_own_tags() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("stream_tags").await;
    let create = "CREATE TABLE stream_tags.t (a int PRIMARY KEY) WITH TAGS = {'stage': 'test'} AND CDC = TRUE AND \
                  CUSTOM_PROPERTIES = {'cdc_specification': {'view_type': 'NEW_IMAGE', 'propagate_tags': 'TABLE'}, \
                  'warm_throughput': {'read_units_per_second': 13000}}";
    define(&mut client, "stream_tags", create).await;
    let arn = "SELECT latest_stream_arn FROM system_schema_mcs.tables WHERE keyspace_name = 'stream_tags' AND table_name = 't'";
    let arn = client.rows(arn).await.text(0, "latest_stream_arn").to_owned();
    let tags = format!("SELECT JSON tags, resource_type FROM system_schema_mcs.tags WHERE resource_id = '{arn}'");
    let description = |tags: &str| vec![format!("{{\"tags\": {{{tags}}}, \"resource_type\": \"stream\"}}")];
    assert_eq!(client.rows(&tags).await.texts("[json]"), description("\"stage\": \"test\""));
    for (alter, expected) in [
        ("ADD TAGS_FOR_CDC {'owner': 'me'}", "\"owner\": \"me\", \"stage\": \"test\""),
        ("DROP TAGS_FOR_CDC {'stage': 'test'}", "\"owner\": \"me\""),
    ] {
        let answer = client.query(&format!("ALTER TABLE stream_tags.t {alter}")).await;
        assert!(matches!(answer, ClientAnswer::Changed(_)), "{answer:?}");
        client.active("stream_tags", "t").await;
        assert_eq!(client.rows(&tags).await.texts("[json]"), description(expected), "{alter}");
    }
    let properties = "SELECT JSON custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = 'stream_tags'";
    let properties = client.rows(properties).await;
    let warm = "\"warm_throughput\": {\"read_units_per_second\": \"13000\"}";
    assert!(properties.text(0, "[json]").contains(warm), "{}", properties.text(0, "[json]"));
    client.query("DROP TABLE stream_tags.t").await;
    client.query_until(&tags, |rows| rows.values.is_empty()).await;
}

#[tokio::test]
async fn reserved_word_requires_quotes_as_a_name() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("reserved").await;
    let refused = |what: &str| (0x2000, format!("keyspaces-local: line 1, column {what}: write it in double quotes"));
    for (text, what) in [
        (
            "CREATE TABLE reserved.t (id int PRIMARY KEY, order int)",
            "46: expected a column or PRIMARY KEY, found 'order', which is reserved",
        ),
        (
            "CREATE TABLE reserved.t (id int PRIMARY KEY, default int)",
            "46: expected a column or PRIMARY KEY, found 'default', which is reserved",
        ),
        ("SELECT unset FROM reserved.t", "8: expected a column or a value, found 'unset', which is reserved"),
        ("CREATE TYPE reserved.enum (a int)", "22: expected a user-defined type, found 'enum', which is reserved"),
    ] {
        assert_eq!(client.query(text).await.refused(), refused(what), "{text}");
    }
    let text = "CREATE TYPE reserved.\"enum\" (\"default\" int);\
                CREATE TABLE reserved.t (id int PRIMARY KEY, \"order\" frozen<\"enum\">, \"unset\" int) WITH comment = 'c' AND \
                gc_grace_seconds = 1;\
                INSERT INTO reserved.t (id, \"order\", \"unset\") VALUES (1, {\"default\": 2}, 3);";
    define(&mut client, "reserved", text).await;
    let rows = client.rows("SELECT \"order\".\"default\", \"unset\" FROM reserved.t").await;
    assert_eq!(rows.ints("unset"), [3]);
}

/// A JSON value as a CQL literal.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("'{key}': {}", literal(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The DESCRIBE that cqlsh prints of a table, from the same rows, with the name `shown`.
async fn described(client: &mut Client, keyspace: &str, table: &str, new_name: &str) -> String {
    let condition = format!("WHERE keyspace_name = '{keyspace}' AND table_name = '{table}'");
    let read = |rows: &super::client::ResultSet| -> Vec<Value> {
        rows.texts("[json]").iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    };
    let mut columns = read(&client.rows(&format!("SELECT JSON * FROM system_schema.columns {condition}")).await);
    columns.sort_by_key(|column| column["position"].as_i64());
    let word = |column: &Value, field: &str| column[field].as_str().unwrap().to_owned();
    let name = |column: &Value| format!("\"{}\"", word(column, "column_name"));
    let of_kind = |kind: &str| columns.iter().filter(|column| column["kind"] == kind).collect::<Vec<_>>();
    let definitions = columns.iter().map(|column| {
        let is_static = if column["kind"] == "static" { " static" } else { "" };
        format!("{} {}{is_static}", name(column), word(column, "type"))
    });
    let clustering = of_kind("clustering");
    let names = |columns: &[&Value]| columns.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ");
    let order = clustering.iter().map(|column| format!("{} {}", name(column), word(column, "clustering_order")));
    let options = &read(&client.rows(&format!("SELECT JSON * FROM system_schema.tables {condition}")).await)[0];
    let ignored = ["keyspace_name", "table_name", "flags", "id", "extensions"];
    let options = options.as_object().unwrap().iter();
    let options = options.filter(|(name, value)| !value.is_null() && !ignored.contains(&name.as_str()));
    let options = options.map(|(name, value)| format!(" AND {name} = {}", literal(value)));
    format!(
        "CREATE TABLE {keyspace}.{new_name} ({}, PRIMARY KEY (({}), {})) WITH CLUSTERING ORDER BY ({}){}",
        definitions.collect::<Vec<_>>().join(", "),
        names(&of_kind("partition_key")),
        names(&clustering),
        order.collect::<Vec<_>>().join(", "),
        options.collect::<String>()
    )
}

#[tokio::test]
async fn a_description_creates_the_same_table() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("describes").await;
    let text = "CREATE TYPE describes.\"Kind\" (\"default\" int, b frozen<map<text, int>>);\
                CREATE TABLE describes.t (a int, \"order\" text, c timeuuid, d blob, \"E\" list<frozen<\"Kind\">> static, f \
                tuple<int, text>, PRIMARY KEY ((a, \"order\"), c, d)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s \
                new' AND default_time_to_live = 60 AND cdc = true;";
    define(&mut client, "describes", text).await;
    let again = described(&mut client, "describes", "t", "again").await;
    assert!(again.contains("compaction = {'class': 'com.amazonaws.cassandra.DefaultCompaction'}"), "{again}");
    define(&mut client, "describes", &again).await;
    assert_eq!(described(&mut client, "describes", "again", "again").await, again);
}

#[tokio::test]
async fn a_description_creates_the_same_keyspace() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("shown_keyspace").await;
    let select = "SELECT JSON replication, durable_writes FROM system_schema.keyspaces WHERE keyspace_name = ";
    let description = client.rows(&format!("{select}'shown_keyspace'")).await.text(0, "[json]").to_owned();
    let row: Value = serde_json::from_str(&description).unwrap();
    let create = format!(
        "CREATE KEYSPACE shown_again WITH replication = {} AND durable_writes = {}",
        literal(&row["replication"]),
        row["durable_writes"]
    );
    assert!(matches!(client.query(&create).await, ClientAnswer::Changed(_)), "{create}");
    let again = client.query_until(&format!("{select}'shown_again'"), |rows| !rows.values.is_empty()).await;
    assert_eq!(again.text(0, "[json]"), description);
}
