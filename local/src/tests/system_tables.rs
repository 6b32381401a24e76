use std::collections::BTreeSet;
use std::net::IpAddr;

use super::client::{Client, ClientAnswer, RequestOptions};
use super::{INVALID, another, local};
use crate::names::system_tables;

/// The queries of the official drivers when they connect.
const DRIVER_QUERIES: [&str; 31] = [
    "SELECT * FROM system.local",
    "SELECT * FROM system.local WHERE key='local'",
    "SELECT * FROM system.peers",
    "SELECT cluster_name FROM system.local",
    "select cluster_name from system.local where key = 'local'",
    "SELECT schema_version FROM system.local",
    "SELECT schema_version FROM system.local WHERE key='local'",
    "SELECT peer, host_id, rpc_address, schema_version FROM system.peers",
    "SELECT peer, rpc_address, schema_version FROM system.peers",
    "SELECT host_id, rpc_address, data_center, rack, tokens FROM system.peers",
    "SELECT host_id, rpc_address, data_center, rack, tokens, cluster_name FROM system.local WHERE key='local'",
    "SELECT keyspace_name, replication, durable_writes FROM system_schema.keyspaces",
    "SELECT keyspace_name, type_name, field_names, field_types FROM system_schema.types",
    "SELECT keyspace_name, table_name, column_name, kind, position, type FROM system_schema.columns",
    "SELECT keyspace_name, table_name FROM system_schema.tables",
    "SELECT keyspace_name, view_name, base_table_name FROM system_schema.views",
    "SELECT * FROM system_schema.keyspaces",
    "SELECT * FROM system_schema.tables",
    "SELECT * FROM system_schema.columns",
    "SELECT * FROM system_schema.types",
    "SELECT * FROM system_schema.functions",
    "SELECT * FROM system_schema.aggregates",
    "SELECT * FROM system_schema.triggers",
    "SELECT * FROM system_schema.indexes",
    "SELECT * FROM system_schema.views",
    "SELECT * FROM system_schema.dropped_columns",
    "SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'app'",
    "SELECT * FROM system_schema.tables WHERE keyspace_name = 'app' AND table_name = 't'",
    "SELECT * FROM system_schema.columns WHERE keyspace_name = 'app' AND table_name = 't'",
    "SELECT * FROM system_schema.indexes WHERE keyspace_name = 'app' AND table_name = 't'",
    "SELECT keyspace_name, table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = 'a' AND table_name = 'b'",
];

#[tokio::test]
async fn the_queries_of_drivers_work_as_query_and_prepared_at_one_and_local_quorum() {
    let mut client = Client::connect(local().await).await;
    for text in DRIVER_QUERIES {
        let id = client.prepared(text).await;
        for level in [1, 6] {
            for answer in [
                client.query_with(text, RequestOptions::consistency(level)).await,
                client.execute(&id, RequestOptions::consistency(level)).await,
                client
                    .execute(
                        &id,
                        RequestOptions {
                            skip_metadata: true,
                            page_size: Some(1024),
                            ..RequestOptions::consistency(level)
                        },
                    )
                    .await,
            ] {
                assert!(matches!(answer, ClientAnswer::Rows(_)), "{text}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_system_table_can_be_read_under_its_own_name() {
    let mut client = Client::connect(local().await).await;
    for table in system_tables::ALL {
        let key = match (table.keyspace, table.name) {
            ("system_schema_mcs", "tags") => " WHERE resource_id = 'x'",
            ("system_schema_mcs", "autoscaling") | ("system_multiregion_info", "tables" | "autoscaling") => {
                " WHERE keyspace_name = 'x' AND table_name = 'x'"
            }
            _ => "",
        };
        let rows = client.rows(&format!("SELECT * FROM {}.{}{key}", table.keyspace, table.name)).await;
        assert_eq!(rows.table, (table.keyspace.to_owned(), table.name.to_owned()));
        assert_eq!(
            client.query(&format!("USE {}", table.keyspace)).await,
            ClientAnswer::Keyspace(table.keyspace.to_owned())
        );
        let rows = client.rows(&format!("SELECT * FROM {}{key}", table.name)).await;
        assert_eq!(rows.table, (table.keyspace.to_owned(), table.name.to_owned()));
    }
}

#[tokio::test]
async fn system_local_row_has_the_values_of_the_service() {
    let mut client = Client::connect(local().await).await;
    let rows = client.rows("SELECT JSON * FROM system.local").await;
    let row: serde_json::Value = serde_json::from_str(rows.text(0, "[json]")).unwrap();
    for (column, value) in [
        ("cluster_name", "Amazon Keyspaces"),
        ("release_version", "3.11.2"),
        ("cql_version", "3.4.4"),
        ("native_protocol_version", "4"),
        ("partitioner", "org.apache.cassandra.dht.Murmur3Partitioner"),
        ("data_center", "us-east-1"),
        ("rack", "us-east-1"),
        ("rpc_address", "127.0.0.10"),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    let port = local().await.port();
    assert!(tokio::net::TcpStream::connect(("127.0.0.10", port)).await.is_err());
}

#[tokio::test]
async fn system_peers_has_nine_rows_the_first_with_the_local_host_id() {
    let mut client = Client::connect(local().await).await;
    let peers =
        client.rows("SELECT peer, rpc_address, host_id, schema_version, release_version FROM system.peers").await;
    let addresses: BTreeSet<IpAddr> = peers
        .values
        .iter()
        .map(|row| IpAddr::from(<[u8; 4]>::try_from(&row[0].as_ref().unwrap()[..]).unwrap()))
        .collect();
    assert_eq!(addresses, (1..=9).map(|last| IpAddr::from([127, 0, 0, last])).collect());
    let ids: BTreeSet<_> = peers.values.iter().map(|row| row[2].clone()).collect();
    assert_eq!(ids.len(), 9);
    let local_row = client.rows("SELECT host_id, schema_version FROM system.local").await;
    let first = peers.values.iter().find(|row| row[0].as_deref() == Some(&[127, 0, 0, 1])).unwrap();
    assert_eq!(first[2], local_row.values[0][0]);
    assert!(peers.values.iter().all(|row| row[0] == row[1] && row[3] == local_row.values[0][1]));
}

#[tokio::test]
async fn system_peers_is_empty_without_peers() {
    let local = another().await.peers(0).region("eu-west-1").start().await.unwrap();
    let mut client = Client::connect(&local).await;
    assert_eq!(client.rows("SELECT * FROM system.peers").await.values.len(), 0);
    assert_eq!(client.rows("SELECT data_center FROM system.local").await.texts("data_center"), ["eu-west-1"]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn system_tables_support_any_select_and_errors_use_client_names() {
    let mut client = Client::connect(local().await).await;
    let id = client.prepared("SELECT keyspace_name AS k FROM system_schema.keyspaces WHERE keyspace_name = ?").await;
    let ClientAnswer::Rows(rows) =
        client.execute(&id, RequestOptions { values: &[b"system_schema_mcs"], ..RequestOptions::default() }).await
    else {
        panic!()
    };
    assert_eq!(rows.texts("k"), ["system_schema_mcs"]);
    let ClientAnswer::Rows(rows) = client
        .query_with(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name IN ('system', 'nosuch') LIMIT 2",
            RequestOptions::default(),
        )
        .await
    else {
        panic!()
    };
    assert_eq!(rows.texts("table_name"), ["local", "peers"]);
    let refused = client.query("SELECT nosuch FROM system.local").await.refused();
    assert_eq!(refused, (INVALID, "Undefined column name nosuch in table system.local".into()));
    let ClientAnswer::Rows(page) = client
        .query_with("SELECT * FROM system.peers", RequestOptions { page_size: Some(4), ..RequestOptions::default() })
        .await
    else {
        panic!()
    };
    let state = page.paging_state.expect("more pages");
    let with = RequestOptions { page_size: Some(100), paging_state: Some(&state), ..RequestOptions::default() };
    let ClientAnswer::Rows(rest) = client.query_with("SELECT * FROM system.peers", with).await else { panic!() };
    assert_eq!((page.values.len(), rest.values.len()), (4, 5));
}

#[tokio::test]
async fn tables_that_the_service_lacks_are_unconfigured_as_drivers_expect() {
    let mut client = Client::connect(local().await).await;
    for (table, text) in [
        ("system.peers_v2", "unconfigured table system.peers_v2"),
        ("system.clients", "unconfigured table system.clients"),
        ("system_schema.scylla_tables", "unconfigured table system_schema.scylla_tables"),
        ("system_virtual_schema.keyspaces", "unconfigured keyspace system_virtual_schema"),
        ("system_views.settings", "unconfigured keyspace system_views"),
        ("system_traces.sessions", "unconfigured keyspace system_traces"),
        ("system_auth.roles", "unconfigured keyspace system_auth"),
    ] {
        let select = format!("SELECT * FROM {table}");
        assert_eq!(client.query(&select).await.refused(), (INVALID, text.to_owned()));
        assert_eq!(client.prepare(&select).await.refused(), (INVALID, text.to_owned()));
    }
}

#[tokio::test]
async fn cassandras_own_keyspaces_and_the_inner_keyspace_are_hidden() {
    let mut client = Client::connect(local().await).await;
    let rows = client.rows("SELECT keyspace_name FROM system_schema.keyspaces").await;
    let names = rows.texts("keyspace_name");
    assert!(names.contains(&"system") && names.contains(&"system_multiregion_info"));
    assert!(names.iter().all(|name| !name.starts_with("kl") && !name.contains("auth")), "{names:?}");
    let rows = client.rows("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system'").await;
    assert_eq!(rows.texts("table_name"), ["local", "peers", "prepared_statements", "size_estimates"]);
    let prefix = crate::names::Names::new("whatever").inner().to_owned();
    let refused = client.query(&format!("SELECT * FROM {prefix}.state")).await.refused();
    assert_eq!(refused, (INVALID, format!("unconfigured keyspace {prefix}")));
}

#[tokio::test]
async fn system_tables_cannot_be_written() {
    let mut client = Client::connect(local().await).await;
    for statement in [
        "INSERT INTO system.local (key) VALUES ('x')",
        "DELETE FROM system_schema_mcs.tables WHERE keyspace_name = 'a'",
        "UPDATE system.local SET rack = 'x' WHERE key = 'local'",
        "DROP TABLE system.local",
        "DROP KEYSPACE system",
        "CREATE TABLE system.x (a int PRIMARY KEY)",
        "CREATE KEYSPACE system_auth WITH replication = {'class': 'SingleRegionStrategy'}",
    ] {
        let text = "keyspaces-local: Amazon Keyspaces refuses changes in the system keyspaces, except for the \
                    partitioner in system.local. Keep your tables in a keyspace of your own. \
                    (DG:working-with-keyspaces)";
        assert_eq!(client.query(statement).await.refused(), (INVALID, text.to_owned()), "{statement}");
    }
    let partitioner = "org.apache.cassandra.dht.RandomPartitioner";
    let update = format!("UPDATE system.local SET partitioner = '{partitioner}' WHERE key = 'local'");
    assert_eq!(
        client.query(&update).await.refused().1,
        "keyspaces-local: not emulated: another partitioner: it is chosen when the local service is started"
    );
}

/// The queries of system tables that the guide shows, each with its page and the number of rows here.
const GUIDE_QUERIES: &[(&str, &str, usize)] = &[
    ("DG:keyspaces-create", "SELECT * FROM system_schema_mcs.keyspaces WHERE keyspace_name = 'guide'", 1),
    (
        "DG:tables-create",
        "SELECT keyspace_name, table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = 'guide' AND \
         table_name = 'guide'",
        1,
    ),
    (
        "DG:ReadWriteCapacityMode.OnDemand",
        "SELECT * from system_schema_mcs.tables where keyspace_name = 'guide' and table_name = 'guide'",
        1,
    ),
    (
        "DG:Tagging.Operations.view.table",
        "SELECT * FROM system_schema_mcs.tags WHERE keyspace_name = 'guide' AND resource_name = 'guide'",
        // Here the keyspace has the same name as its table.
        2,
    ),
    (
        "DG:Tagging.Operations.view.keyspace",
        "SELECT * FROM system_schema_mcs.tags WHERE keyspace_name = 'guide' AND resource_type = 'keyspace'",
        1,
    ),
    (
        "DG:Tagging.Operations.view.table",
        "SELECT * FROM system_schema_mcs.tags WHERE resource_id = \
         'arn:aws:cassandra:us-east-1:111122223333:/keyspace/guide/table/guide'",
        1,
    ),
    (
        "DG:autoscaling.viewPolicy",
        "SELECT * FROM system_schema_mcs.autoscaling WHERE keyspace_name = 'guide' AND table_name = 'guide'",
        1,
    ),
    (
        "DG:tables-mrr-view",
        "SELECT * FROM system_multiregion_info.autoscaling WHERE keyspace_name = 'guide' AND table_name = 'guide'",
        0,
    ),
    (
        "DG:tables-mrr-create-default",
        "SELECT * from system_multiregion_info.tables WHERE keyspace_name = 'guide' AND table_name = 'guide'",
        0,
    ),
    (
        "DG:keyspaces-multi-region-replica-status",
        "SELECT keyspace_name, region, status, tables_replication_progress FROM system_multiregion_info.keyspaces WHERE \
         keyspace_name = 'guide'",
        0,
    ),
];

#[tokio::test]
async fn the_queries_of_the_guide_work_as_query_and_prepared() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("guide").await;
    assert!(matches!(client.query("ALTER KEYSPACE guide ADD TAGS {'key1': 'val1'}").await, ClientAnswer::Changed(_)));
    client
        .table(
            "guide",
            "guide",
            "(a int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 1, \
             'write_capacity_units': 1}} AND AUTOSCALING_SETTINGS = {'provisioned_write_capacity_autoscaling_update': \
             {'maximum_units': 10, 'minimum_units': 5, 'scaling_policy': {'target_tracking_scaling_policy_configuration': \
             {'target_value': 50}}}} AND TAGS = {'key1': 'val1', 'key2': 'val2'}",
        )
        .await;
    for (source, text, rows) in GUIDE_QUERIES {
        assert_eq!(client.rows(text).await.values.len(), *rows, "{source}: {text}");
        let id = client.prepared(text).await;
        let ClientAnswer::Rows(prepared) = client.execute(&id, RequestOptions::default()).await else {
            panic!("{source}: {text}")
        };
        assert_eq!(prepared.values.len(), *rows, "{source}: {text}");
    }
}

#[tokio::test]
async fn queries_of_system_tables_that_the_guide_rules_out_are_refused() {
    let mut client = Client::connect(local().await).await;
    let tags = "keyspaces-local: Amazon Keyspaces refuses a SELECT from system_schema_mcs.tags without = on resource_id, on \
                keyspace_name and resource_name, or on keyspace_name and resource_type. Compare one of these with = in the \
                WHERE. (DG:Tagging.Operations.view.keyspace; DG:Tagging.Operations.view.table)";
    let names = "keyspaces-local: Amazon Keyspaces refuses a SELECT from the system tables of auto scaling and of tables in \
                 several Regions without = on keyspace_name and table_name. Compare both with = in the WHERE. \
                 (DG:working-with-keyspaces)";
    for (text, refusal) in [
        ("SELECT * FROM system_schema_mcs.tags", tags),
        ("SELECT * FROM system_schema_mcs.tags WHERE keyspace_name = 'ks'", tags),
        ("SELECT * FROM system_schema_mcs.tags WHERE keyspace_name = 'ks' ALLOW FILTERING", tags),
        ("SELECT * FROM system_schema_mcs.tags WHERE resource_name = 't'", tags),
        ("SELECT * FROM system_schema_mcs.autoscaling", names),
        ("SELECT * FROM system_schema_mcs.autoscaling WHERE keyspace_name = 'ks'", names),
        ("SELECT * FROM system_multiregion_info.tables WHERE keyspace_name = 'ks'", names),
        ("SELECT * FROM system_multiregion_info.autoscaling WHERE keyspace_name = 'ks'", names),
    ] {
        assert_eq!(client.query(text).await.refused(), (INVALID, refusal.to_owned()), "{text}");
        assert_eq!(client.prepare(text).await.refused(), (INVALID, refusal.to_owned()), "{text}");
    }
    assert_eq!(client.query("USE system_schema_mcs").await, ClientAnswer::Keyspace("system_schema_mcs".to_owned()));
    assert_eq!(client.query("SELECT * FROM tags").await.refused(), (INVALID, tags.to_owned()));
}
