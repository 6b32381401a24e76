//! RESTORE TABLE: the restored table and its statuses during the restore.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyspaces_cql::RestorePoint;
use serde_json::{Value, json};

use super::client::{Client, ClientAnswer};
use super::{INVALID, RECOVERY, Time, another, local};
use crate::local::Local;
use crate::names::Names;
use crate::schema::Ddl;
use crate::upstream::InternalConnection;

/// A gateway with the keyspace `ks`, in which only restores take time.
pub(super) async fn gateway(time: &Time, restores_take: Duration) -> (Local, Client) {
    let builder = another().await.ddl_delay(Duration::ZERO).ddl_delay_of(Ddl::RestoreTable, restores_take);
    let local = builder.clock(time.clock()).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}").await;
    (local, client)
}

pub(super) fn changed(what: &str, table: &str) -> ClientAnswer {
    ClientAnswer::Changed([what, "TABLE", "ks", table].map(str::to_owned).to_vec())
}

/// The clock's current time in the form of `restore_timestamp`.
pub(super) fn now(time: &Time) -> String {
    RestorePoint::from(time.clock()()).to_string()
}

/// One column of a table's row in `system_schema_mcs.tables`.
pub(super) async fn shown(client: &mut Client, column: &str, table: &str) -> Value {
    let select = format!(
        "SELECT JSON {column} AS x FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = '{table}'"
    );
    let rows = client.rows(&select).await;
    let row = rows.texts("[json]").first().map_or(Value::Null, |row| serde_json::from_str(row).unwrap());
    row["x"].clone()
}

async fn json_rows(client: &mut Client, table: &str) -> Vec<String> {
    let rows = client.rows(&format!("SELECT JSON * FROM ks.{table}")).await;
    let mut rows: Vec<_> = rows.texts("[json]").into_iter().map(str::to_owned).collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn deleted_rows_are_restored_into_a_new_table() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::from_secs(60)).await;
    client.table("ks", "users", &format!("(id int PRIMARY KEY, name text) WITH {RECOVERY}")).await;
    for id in 1..=3 {
        client.query(&format!("INSERT INTO ks.users (id, name) VALUES ({id}, 'name {id}')")).await;
    }
    let before = json_rows(&mut client, "users").await;
    let moment = now(&time);
    time.pass(1);
    for id in [1, 2] {
        assert_eq!(client.query(&format!("DELETE FROM ks.users WHERE id = {id}")).await, ClientAnswer::Void);
    }
    client.query("UPDATE ks.users SET name = 'other' WHERE id = 3").await;
    let after = json_rows(&mut client, "users").await;
    time.pass(1);

    let restore = format!("RESTORE TABLE ks.restored FROM TABLE ks.users WITH restore_timestamp = '{moment}'");
    assert_eq!(client.query(&restore).await, changed("CREATED", "restored"));
    assert_eq!(client.query("RESTORE TABLE ks.latest FROM TABLE ks.users").await, changed("CREATED", "latest"));
    for table in ["restored", "latest"] {
        assert_eq!(shown(&mut client, "status", table).await, "RESTORING");
        let refused = client.query(&format!("SELECT * FROM ks.{table}")).await.refused();
        assert_eq!(refused, (INVALID, format!("unconfigured table ks.{table}")));
        let text = format!(
            "keyspaces-local: table ks.{table} is being restored: wait until system_schema_mcs says that this is over"
        );
        for change in [format!("DROP TABLE ks.{table}"), format!("ALTER TABLE ks.{table} ADD more int")] {
            assert_eq!(client.query(&change).await.refused(), (INVALID, text.clone()));
        }
    }
    let text =
        "keyspaces-local: table ks.latest is being restored: wait until system_schema_mcs says that this is over";
    assert_eq!(client.query("DROP KEYSPACE ks").await.refused(), (INVALID, text.to_owned()));
    time.pass(60);
    for table in ["restored", "latest"] {
        client.active("ks", table).await;
    }
    assert_eq!(json_rows(&mut client, "restored").await, before);
    assert_eq!(json_rows(&mut client, "latest").await, after);
    assert_eq!(json_rows(&mut client, "users").await, after);
    // The restored table works like any other.
    client.query("INSERT INTO ks.restored (id, name) VALUES (4, 'four')").await;
    assert_eq!(json_rows(&mut client, "restored").await.len(), 4);
    let events =
        "SELECT event FROM system_schema_mcs.tables_history WHERE keyspace_name = 'ks' AND table_name = 'restored'";
    assert_eq!(client.rows(events).await.texts("event"), ["RESTORE"]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_restored_table_has_its_sources_settings_except_tags_cdc_and_overrides() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::ZERO).await;
    let create = "(id int PRIMARY KEY, name text) WITH CDC = TRUE AND CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': \
                  'PROVISIONED', 'read_capacity_units': 50, 'write_capacity_units': 60}, 'point_in_time_recovery': {'status': \
                  'enabled'}, 'client_side_timestamps': {'status': 'enabled'}} AND TAGS = {'stage': 'test'} AND \
                  AUTOSCALING_SETTINGS = {'provisioned_write_capacity_autoscaling_update': {'minimum_units': 5, \
                  'maximum_units': 60, 'scaling_policy': {'target_tracking_scaling_policy_configuration': {'target_value': \
                  50}}}}";
    client.table("ks", "t", create).await;
    let moment = now(&time);
    time.pass(1);
    // The TTL setting is that of the moment, the other settings are the current ones.
    let less_capacity = "CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 40, \
                'write_capacity_units': 60}}";
    for alter in [less_capacity, "default_time_to_live = 60"] {
        assert_eq!(client.query(&format!("ALTER TABLE ks.t WITH {alter}")).await, changed("UPDATED", "t"));
        client.active("ks", "t").await;
    }
    time.pass(1);
    let restore = format!("RESTORE TABLE ks.then FROM TABLE ks.t WITH restore_timestamp = '{moment}'");
    let overridden = "RESTORE TABLE ks.other FROM TABLE ks.t WITH custom_properties = {'capacity_mode': {'throughput_mode': \
                      'PAY_PER_REQUEST'}, 'point_in_time_recovery': {'status': 'disabled'}} AND TAGS = {'of': 't'}";
    for (statement, table) in [(restore.as_str(), "then"), (overridden, "other")] {
        assert_eq!(client.query(statement).await, changed("CREATED", table));
        client.active("ks", table).await;
    }
    let units = json!({"throughput_mode": "PROVISIONED", "read_capacity_units": "40", "write_capacity_units": "60"});
    let then = shown(&mut client, "custom_properties", "then").await;
    assert_eq!((&then["capacity_mode"], &then["client_side_timestamps"]["status"]), (&units, &json!("enabled")));
    assert_eq!((&then["point_in_time_recovery"]["status"], &then["ttl"]), (&json!("enabled"), &Value::Null));
    let earliest = then["point_in_time_recovery"]["earliest_restorable_timestamp"].as_str().unwrap().to_owned();
    assert_eq!(earliest, now(&time), "it begins with the table");
    assert_eq!(shown(&mut client, "cdc", "then").await, false);
    assert_eq!(shown(&mut client, "default_time_to_live", "then").await, 0);
    let other = shown(&mut client, "custom_properties", "other").await;
    assert_eq!(other["capacity_mode"]["throughput_mode"], "PAY_PER_REQUEST");
    assert_eq!(other["point_in_time_recovery"], json!({"status": "disabled"}));
    assert_eq!((&other["ttl"]["status"], &other["cdc_specification"]), (&json!("enabled"), &Value::Null));
    assert_eq!(shown(&mut client, "default_time_to_live", "other").await, 60);
    for (table, tags, scaled) in [("then", None, 1), ("other", Some("{\"of\": \"t\"}"), 0)] {
        let scaling = format!(
            "SELECT * FROM system_schema_mcs.autoscaling WHERE keyspace_name = 'ks' AND table_name = '{table}'"
        );
        assert_eq!(client.rows(&scaling).await.values.len(), scaled, "{table}");
        let query = format!("arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/table/{table}");
        let rows = client
            .rows(&format!("SELECT toJson(tags) AS x FROM system_schema_mcs.tags WHERE resource_id = '{query}'"))
            .await;
        assert_eq!(rows.texts("x").first().copied(), tags, "{table}");
    }
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_restored_table_has_the_columns_of_the_moment() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::ZERO).await;
    client.query("CREATE TYPE ks.place (city text)").await;
    let create = format!(
        "(a int, b int, s frozen<place> STATIC, v text, PRIMARY KEY (a, b)) WITH CLUSTERING ORDER BY (b DESC) AND {RECOVERY}"
    );
    client.table("ks", "t", &create).await;
    client.query("INSERT INTO ks.t (a, b, s, v) VALUES (1, 2, {city: 'Bonn'}, 'v')").await;
    let before = json_rows(&mut client, "t").await;
    let moment = now(&time);
    time.pass(1);
    client.query("ALTER TABLE ks.t ADD w list<int>").await;
    client.active("ks", "t").await;
    client.query("INSERT INTO ks.t (a, b, w) VALUES (1, 3, [4])").await;
    let after = json_rows(&mut client, "t").await;
    time.pass(1);
    client.query(&format!("RESTORE TABLE ks.then FROM TABLE ks.t WITH restore_timestamp = '{moment}'")).await;
    client.query("RESTORE TABLE ks.later FROM TABLE ks.t").await;
    for (table, expected) in [("then", &before), ("later", &after)] {
        client.active("ks", table).await;
        assert_eq!(json_rows(&mut client, table).await, *expected, "{table}");
    }
    let order = "SELECT clustering_order, column_name FROM system_schema.columns WHERE keyspace_name = 'ks' AND table_name = 'then' \
                 AND column_name = 'b'";
    assert_eq!(client.rows(order).await.texts("clustering_order"), ["desc"]);
    local.close().await.unwrap();
}

/// DG:restoredeleted and DG:PointInTimeRecovery_HowItWorks.
#[tokio::test]
async fn a_dropped_table_can_be_restored_for_35_days_until_another_has_its_name() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::ZERO).await;
    for table in ["a", "b", "c"] {
        client.table("ks", table, &format!("(id int PRIMARY KEY) WITH {RECOVERY} AND comment = 'of {table}'")).await;
        client.query(&format!("INSERT INTO ks.{table} (id) VALUES (1)")).await;
    }
    let before = now(&time);
    time.pass(1);
    let dropped = now(&time);
    for table in ["a", "b", "c"] {
        assert_eq!(client.query(&format!("DROP TABLE ks.{table}")).await, changed("DROPPED", table));
    }
    let until = "SELECT JSON event, custom_properties FROM system_schema_mcs.tables_history WHERE keyspace_name = 'ks' AND \
                 table_name = 'a'";
    let rows = client.rows(until).await;
    let last: Value = serde_json::from_str(rows.texts("[json]").last().unwrap()).unwrap();
    let in_35_days = RestorePoint::from(time.clock()() + Duration::from_secs(35 * 24 * 3600)).to_string();
    assert_eq!(last["event"], "DELETE");
    let recovery = json!({"restorable_until_time": in_35_days, "status": "enabled"});
    assert_eq!(last["custom_properties"]["point_in_time_recovery"], recovery);

    let text = format!(
        "keyspaces-local: table ks.a cannot be restored: it was dropped at {dropped}, and a dropped table can be restored to \
         that moment alone: leave restore_timestamp out (DG:cql.ddl.table; the service's message is not known)"
    );
    let restore = format!("RESTORE TABLE ks.a2 FROM TABLE ks.a WITH restore_timestamp = '{before}'");
    assert_eq!(client.query(&restore).await.refused(), (INVALID, text));

    // A dropped table can be restored under its own name, too.
    time.pass(35 * 24 * 3600);
    for (target, source) in [("a2", "a"), ("b", "b")] {
        let restore = format!("RESTORE TABLE ks.{target} FROM TABLE ks.{source}");
        assert_eq!(client.query(&restore).await, changed("CREATED", target));
        client.active("ks", target).await;
        assert_eq!(json_rows(&mut client, target).await, ["{\"id\": 1}"]);
        assert_eq!(shown(&mut client, "comment", target).await, format!("of {source}"));
    }
    // Another table of the same name.
    client.table("ks", "a", "(id int PRIMARY KEY)").await;
    let text = "keyspaces-local: table ks.a cannot be restored: its point-in-time recovery is not enabled \
                (DG:cql.ddl.table; the service's message is not known)";
    assert_eq!(client.query("RESTORE TABLE ks.a3 FROM TABLE ks.a").await.refused(), (INVALID, text.to_owned()));
    client.query("DROP TABLE ks.a").await;
    let unconfigured = |table: &str| (INVALID, format!("unconfigured table ks.{table}"));
    assert_eq!(client.query("RESTORE TABLE ks.a3 FROM TABLE ks.a").await.refused(), unconfigured("a"));
    time.pass(1);
    assert_eq!(client.query("RESTORE TABLE ks.c2 FROM TABLE ks.c").await.refused(), unconfigured("c"));
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_table_dropped_with_its_keyspace_is_restored_into_another() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::ZERO).await;
    client.query("CREATE KEYSPACE gone WITH replication = {'class': 'SingleRegionStrategy'}").await;
    client.table("gone", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    client.query("INSERT INTO gone.t (id) VALUES (1)").await;
    time.pass(1);
    client.query("DROP KEYSPACE gone").await;
    time.pass(1);
    assert_eq!(client.query("RESTORE TABLE ks.t FROM TABLE gone.t").await, changed("CREATED", "t"));
    client.active("ks", "t").await;
    assert_eq!(json_rows(&mut client, "t").await, ["{\"id\": 1}"]);
    local.close().await.unwrap();
}

/// The state of a named instance whose gateway was killed while it restored `ks.t` as `ks.restored`.
async fn killed(name: &str, connection: &InternalConnection, source: &str) -> (Local, Client) {
    let names = Names::new(&format!("kept {name}"));
    let start = || async { another().await.instance(name).ddl_delay(Duration::ZERO).start().await.unwrap() };
    let local = start().await;
    let mut client = Client::connect(&local).await;
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}").await;
    client.table("ks", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    client.query("INSERT INTO ks.t (id) VALUES (1)").await;
    client.query("RESTORE TABLE ks.restored FROM TABLE ks.t").await;
    client.active("ks", "restored").await;
    drop(client);
    local.close().await.unwrap();

    let things = format!("{}.things", names.inner());
    let select = format!(
        "SELECT JSON created FROM {things} WHERE keyspace_name = 'ks' AND kind = 'table' AND name = '{source}'"
    );
    let created =
        connection.select(&select, &[]).await.unwrap().first().map_or(7, |row| row["created"].as_u64().unwrap());
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let rows_of = json!(["ks", source, created, millis]).to_string();
    let interrupted = json!({"keyspace_name": "ks", "kind": "table", "name": "restored", "status": "RESTORING", "due": millis, "rows_of": rows_of});
    connection.run(&format!("INSERT INTO {things} JSON ? DEFAULT UNSET"), &[&interrupted.to_string()]).await.unwrap();
    // This row is not in the source: a restarted restore begins with an empty table.
    connection
        .run(&format!("INSERT INTO {}.restored (id) VALUES (2)", names.quoted_keyspace("ks")), &[])
        .await
        .unwrap();
    let local = start().await;
    let client = Client::connect(&local).await;
    (local, client)
}

#[tokio::test]
async fn a_restore_interrupted_by_the_end_of_the_gateway_is_started_again() {
    let (connection, name) = (InternalConnection::new(local().await.cassandra_address()), crate::random::hex_32());
    let (local, mut client) = killed(&name, &connection, "t").await;
    client.active("ks", "restored").await;
    assert_eq!(json_rows(&mut client, "restored").await, ["{\"id\": 1}"]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn failed_restore_leaves_no_table() {
    let (connection, name) = (InternalConnection::new(local().await.cassandra_address()), crate::random::hex_32());
    let (local, mut client) = killed(&name, &connection, "nosuch").await;
    let query = "SELECT * FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 'restored'";
    client.query_until(query, |rows| rows.values.is_empty()).await;
    assert_eq!(
        client.query("SELECT * FROM ks.restored").await.refused(),
        (INVALID, "unconfigured table ks.restored".to_owned())
    );
    // The name can be used again.
    assert_eq!(client.query("RESTORE TABLE ks.restored FROM TABLE ks.t").await, changed("CREATED", "restored"));
    client.active("ks", "restored").await;
    assert_eq!(json_rows(&mut client, "restored").await, ["{\"id\": 1}"]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn the_history_of_a_dropped_table_is_removed_when_it_cannot_be_restored_any_more() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::ZERO).await;
    let shared = local.listeners().shared();
    let past = format!("SELECT JSON table_name, dropped FROM {}.past", shared.schema().names().inner());
    let connection = InternalConnection::new(local.cassandra_address());
    client.table("ks", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    time.pass(1);
    client.query("DROP TABLE ks.t").await;
    let tables = [json!({"table_name": "t", "dropped": false}), json!({"table_name": "t", "dropped": true})];
    drop(client);
    for (seconds, expected) in [(35 * 24 * 3600, tables.as_slice()), (1, &[])] {
        time.pass(seconds);
        local.restart(Duration::ZERO).await.unwrap();
        assert_eq!(connection.select(&past, &[]).await.unwrap(), expected);
    }
    local.close().await.unwrap();
}

#[tokio::test]
async fn restore_continues_after_a_gateway_restart() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::from_secs(60)).await;
    client.table("ks", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    client.query("INSERT INTO ks.t (id) VALUES (1)").await;
    time.pass(1);
    assert_eq!(client.query("RESTORE TABLE ks.restored FROM TABLE ks.t").await, changed("CREATED", "restored"));
    drop(client);
    local.restart(Duration::ZERO).await.unwrap();
    let mut client = Client::connect(&local).await;
    assert_eq!(shown(&mut client, "status", "restored").await, "RESTORING");
    time.pass(60);
    client.active("ks", "restored").await;
    assert_eq!(json_rows(&mut client, "restored").await, ["{\"id\": 1}"]);
    local.close().await.unwrap();
}

/// DG:PointInTimeRecovery_HowItWorks, "PITR restore of multi-Region tables".
#[tokio::test]
async fn multi_region_table_is_restored_in_every_region() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::from_secs(60)).await;
    let regions = "{'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': '3'}";
    for keyspace in ["wide", "wider"] {
        client.query(&format!("CREATE KEYSPACE {keyspace} WITH replication = {regions}")).await;
    }
    let units = |mode: &str| format!("'capacity_mode': {{'throughput_mode': 'PROVISIONED', {mode}}}");
    let with = format!(
        "CUSTOM_PROPERTIES = {{'point_in_time_recovery': {{'status': 'enabled'}}, {}}}",
        units("'read_capacity_units': 5, 'write_capacity_units': 6")
    );
    client.table("wide", "t", &format!("(id int PRIMARY KEY) WITH {with}")).await;
    client.query("INSERT INTO wide.t (id) VALUES (1)").await;
    time.pass(1);
    let restore = format!(
        "RESTORE TABLE wider.r FROM TABLE wide.t WITH custom_properties = {{{}, 'replica_updates': {{'eu-west-1': \
         {{'read_capacity_units': 9}}}}}}",
        units("'read_capacity_units': 7, 'write_capacity_units': 8")
    );
    let answer = ClientAnswer::Changed(["CREATED", "TABLE", "wider", "r"].map(str::to_owned).to_vec());
    assert_eq!(client.query(&restore).await, answer);
    let replicas = "SELECT region, status, toJson(custom_properties) AS x FROM system_multiregion_info.tables WHERE \
                    keyspace_name = 'wider' AND table_name = 'r'";
    let restoring = client.rows(replicas).await;
    assert_eq!(
        (restoring.texts("region"), restoring.texts("status")),
        (vec!["eu-west-1", "us-east-1"], vec!["RESTORING"; 2])
    );
    time.pass(60);
    let replicas_rows = client.query_until(replicas, |rows| rows.texts("status") == ["ACTIVE"; 2]).await;
    let units: Vec<_> =
        replicas_rows.texts("x").into_iter().map(|x| serde_json::from_str::<Value>(x).unwrap()).collect();
    let reads: Vec<_> = units.iter().map(|query| query["capacity_mode"]["read_capacity_units"].clone()).collect();
    assert_eq!(reads, ["9", "7"]);
    assert_eq!(client.rows("SELECT id FROM wider.r").await.ints("id"), [1]);
    local.close().await.unwrap();
}

/// DG:PointInTimeRecovery_HowItWorks: "A table doesn't have to be active to be restored."
#[tokio::test]
async fn tables_that_are_being_updated_and_counters_are_restored() {
    let time = Time::new();
    let builder = another().await.ddl_delay(Duration::ZERO).ddl_delay_of(Ddl::AlterTable, Duration::from_secs(60));
    let local = builder.clock(time.clock()).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}").await;
    client.table("ks", "t", &format!("(id int PRIMARY KEY, n counter) WITH {RECOVERY}")).await;
    for _ in 0..3 {
        client.query("UPDATE ks.t SET n = n + 2 WHERE id = 1").await;
    }
    time.pass(1);
    client.query("ALTER TABLE ks.t WITH comment = 'c'").await;
    assert_eq!(shown(&mut client, "status", "t").await, "UPDATING");
    assert_eq!(client.query("RESTORE TABLE ks.r FROM TABLE ks.t").await, changed("CREATED", "r"));
    client.active("ks", "r").await;
    assert_eq!(json_rows(&mut client, "r").await, ["{\"id\": 1, \"n\": 6}"]);
    assert_eq!(shown(&mut client, "comment", "r").await, "c");
    local.close().await.unwrap();
}
