use std::time::Duration;

use super::client::{Client, ClientAnswer};
use super::{INVALID, Time, another, local};

const SINGLE_REGION: &str = "WITH replication = {'class': 'SingleRegionStrategy'}";

fn invalid(text: &str) -> (i32, String) {
    (INVALID, text.to_owned())
}

fn changed(parts: &[&str]) -> ClientAnswer {
    ClientAnswer::Changed(parts.iter().map(|part| (*part).to_owned()).collect())
}

#[tokio::test]
async fn a_created_object_can_be_used_after_the_delay_and_not_before() {
    let time = Time::new();
    let builder = another().await.ddl_delay(Duration::from_secs(60)).clock(time.clock());
    let local = builder.start().await.unwrap();
    let mut client = Client::connect(&local).await;

    let created = client.query(&format!("CREATE KEYSPACE app {SINGLE_REGION}")).await;
    assert_eq!(created, changed(&["CREATED", "KEYSPACE", "app"]));
    let seen = "SELECT * FROM system_schema_mcs.keyspaces WHERE keyspace_name = 'app'";
    time.pass(59);
    assert_eq!(client.rows(seen).await.values.len(), 0);
    let create = "CREATE TABLE app.t (a int PRIMARY KEY)";
    for early in ["USE app", create, "SELECT * FROM app.t", "CREATE TYPE app.y (a int)"] {
        assert_eq!(client.query(early).await.refused(), invalid("unconfigured keyspace app"), "{early}");
    }
    time.pass(1);
    assert_eq!(client.rows(seen).await.texts("keyspace_name"), ["app"]);
    assert_eq!(client.query("USE app").await, ClientAnswer::Keyspace("app".into()));

    assert_eq!(client.query("CREATE TABLE t (a int PRIMARY KEY)").await, changed(&["CREATED", "TABLE", "app", "t"]));
    let status = "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'app' AND table_name = 't'";
    time.pass(59);
    assert_eq!(client.rows(status).await.texts("status"), ["CREATING"]);
    for early in ["SELECT * FROM app.t", "INSERT INTO t (a) VALUES (1)", "ALTER TABLE t ADD b int", "DROP TABLE t"] {
        assert_eq!(client.query(early).await.refused(), invalid("unconfigured table app.t"), "{early}");
    }
    assert_eq!(client.prepare("SELECT * FROM app.t").await.refused(), invalid("unconfigured table app.t"));
    let batched = client.batch(&[Ok("INSERT INTO t (a) VALUES (1)")], 6).await;
    assert_eq!(batched.refused(), invalid("unconfigured table app.t"));
    time.pass(1);
    assert_eq!(client.query("INSERT INTO t (a) VALUES (1)").await, ClientAnswer::Void);
    assert_eq!(client.rows(status).await.texts("status"), ["ACTIVE"]);

    assert_eq!(client.query("ALTER TABLE t ADD b int").await, changed(&["UPDATED", "TABLE", "app", "t"]));
    assert_eq!(client.rows(status).await.texts("status"), ["UPDATING"]);
    assert_eq!(client.rows("SELECT * FROM t").await.columns, ["a", "b"]);
    let busy = "keyspaces-local: table app.t is being updated: wait until system_schema_mcs says that this is over";
    assert_eq!(client.query("ALTER TABLE t ADD c int").await.refused(), invalid(busy));
    time.pass(60);
    assert_eq!(client.rows(status).await.texts("status"), ["ACTIVE"]);

    let id = client.prepared("SELECT * FROM app.t").await;
    assert_eq!(client.query("DROP TABLE t").await, changed(&["DROPPED", "TABLE", "app", "t"]));
    assert_eq!(client.rows(status).await.texts("status"), ["DELETING"]);
    assert_eq!(client.query("SELECT * FROM t").await.refused(), invalid("unconfigured table app.t"));
    assert_eq!(client.execute(&id, Default::default()).await.refused(), invalid("unconfigured table app.t"));
    let busy = "keyspaces-local: table app.t is being deleted: wait until system_schema_mcs says that this is over";
    assert_eq!(client.query(create).await.refused(), invalid(busy));
    time.pass(60);
    assert_eq!(client.rows(status).await.values.len(), 0);
    assert_eq!(client.query(create).await, changed(&["CREATED", "TABLE", "app", "t"]));

    let busy = "keyspaces-local: table app.t is being created: wait until system_schema_mcs says that this is over";
    assert_eq!(client.query("DROP KEYSPACE app").await.refused(), invalid(busy));
    time.pass(60);
    assert_eq!(client.query("DROP KEYSPACE app").await, changed(&["DROPPED", "KEYSPACE", "app"]));
    assert_eq!(client.rows(status).await.texts("status"), ["DELETING"]);
    assert_eq!(client.rows(seen).await.values.len(), 1);
    assert_eq!(client.query("SELECT * FROM app.t").await.refused(), invalid("unconfigured keyspace app"));
    time.pass(60);
    assert_eq!(client.rows(seen).await.values.len(), 0);
    assert_eq!(client.rows(status).await.values.len(), 0);
    local.close().await.unwrap();
}

#[tokio::test]
async fn creating_an_existing_object_is_refused_with_cassandras_text() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("exists").await;
    client.table("exists", "t", "(a int PRIMARY KEY)").await;
    let ClientAnswer::Refused(code, text, rest) =
        client.query(&format!("CREATE KEYSPACE exists {SINGLE_REGION}")).await
    else {
        panic!()
    };
    assert_eq!((code, text.as_str()), (0x2400, "Cannot add existing keyspace \"exists\""));
    assert_eq!(&rest[..], b"\0\x06exists\0\0");
    let ClientAnswer::Refused(code, text, rest) = client.query("CREATE TABLE exists.t (a int PRIMARY KEY)").await
    else {
        panic!()
    };
    assert_eq!((code, text.as_str()), (0x2400, "Cannot add already existing table \"t\" to keyspace \"exists\""));
    assert_eq!(&rest[..], b"\0\x06exists\0\x01t");
    for again in [
        format!("CREATE KEYSPACE IF NOT EXISTS exists {SINGLE_REGION}"),
        "CREATE TABLE IF NOT EXISTS exists.t (a int PRIMARY KEY)".into(),
        "DROP TABLE IF EXISTS exists.nosuch".into(),
        "DROP TABLE IF EXISTS nosuch.t".into(),
        "DROP KEYSPACE IF EXISTS nosuch".into(),
        "DROP TYPE IF EXISTS exists.nosuch".into(),
    ] {
        assert_eq!(client.query(&again).await, ClientAnswer::Void, "{again}");
    }
}

#[tokio::test]
async fn missing_objects_are_unconfigured() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("absent").await;
    for (statement, text) in [
        ("USE nosuch", "unconfigured keyspace nosuch"),
        ("USE system_auth", "unconfigured keyspace system_auth"),
        ("SELECT * FROM nosuch.t", "unconfigured keyspace nosuch"),
        ("SELECT * FROM absent.t", "unconfigured table absent.t"),
        ("SELECT * FROM absent.\"T\"", "unconfigured table absent.T"),
        ("INSERT INTO absent.t (a) VALUES (1)", "unconfigured table absent.t"),
        ("DROP TABLE absent.t", "unconfigured table absent.t"),
        ("ALTER TABLE absent.t ADD a int", "unconfigured table absent.t"),
        ("DROP KEYSPACE nosuch", "unconfigured keyspace nosuch"),
        ("CREATE TABLE nosuch.t (a int PRIMARY KEY)", "unconfigured keyspace nosuch"),
        ("DROP TYPE absent.y", "Type 'absent.y' doesn't exist"),
        ("SELECT * FROM t", "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"),
    ] {
        assert_eq!(client.query(statement).await.refused(), invalid(text), "{statement}");
    }
}

#[tokio::test]
async fn system_schema_shows_objects_by_the_clients_names() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("shown").await;
    assert_eq!(
        client.query("CREATE TYPE shown.address (street text)").await,
        changed(&["CREATED", "TYPE", "shown", "address"])
    );
    let status = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name = 'shown'";
    client.query_until(status, |rows| rows.texts("status") == ["ACTIVE"]).await;
    client.table("shown", "t", "(a int, b text, c frozen<address>, PRIMARY KEY (a, b))").await;
    let query = |table: &str, column: &str| format!("SELECT {column} FROM {table} WHERE keyspace_name = 'shown'");
    for system in ["system_schema", "system_schema_mcs"] {
        let tables = client.rows(&query(&format!("{system}.tables"), "table_name")).await;
        assert_eq!(tables.texts("table_name"), ["t"]);
        let columns = client.rows(&query(&format!("{system}.columns"), "column_name, kind, type")).await;
        assert_eq!(columns.texts("column_name"), ["a", "b", "c"]);
        assert_eq!(columns.texts("kind"), ["partition_key", "clustering", "regular"]);
        assert_eq!(columns.texts("type"), ["int", "text", "frozen<address>"]);
        let types = client.rows(&query(&format!("{system}.types"), "type_name")).await;
        assert_eq!(types.texts("type_name"), ["address"]);
        let select =
            format!("SELECT JSON replication, durable_writes FROM {system}.keyspaces WHERE keyspace_name = 'shown'");
        let rows = client.rows(&select).await;
        assert_eq!(
            rows.texts("[json]"),
            ["{\"replication\": {\"class\": \"org.apache.cassandra.locator.SimpleStrategy\", \
              \"replication_factor\": \"3\"}, \"durable_writes\": true}"]
        );
    }
    client.query("ALTER TABLE shown.t ADD d int").await;
    let columns = client.rows(&query("system_schema.columns", "column_name")).await;
    assert_eq!(columns.texts("column_name"), ["a", "b", "c", "d"]);
    let insert = "INSERT INTO shown.t (a, b, c) VALUES (1, 'x', {street: 'y'})";
    assert_eq!(client.query(insert).await, ClientAnswer::Void);
    assert_eq!(client.rows("SELECT c FROM shown.t").await.table, ("shown".into(), "t".into()));
}

#[tokio::test]
async fn a_client_that_disconnects_leaves_no_definition_incomplete() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("gone_away").await;
    let create = "CREATE TABLE gone_away.t (a int PRIMARY KEY)";
    let body = super::client::query_body(create, Default::default());
    let mut other = Client::connect(local().await).await;
    other.send(1, super::client::opcode::QUERY, &body).await;
    client
        .query_until("SELECT * FROM system_schema.tables WHERE keyspace_name = 'gone_away'", |rows| {
            !rows.values.is_empty()
        })
        .await;
    drop(other);
    client.active("gone_away", "t").await;
    assert_eq!(client.query("INSERT INTO gone_away.t (a) VALUES (1)").await, ClientAnswer::Void);
}
