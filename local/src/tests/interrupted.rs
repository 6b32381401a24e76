//! Definitions that are interrupted by the end of the gateway or by a lost answer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Client, ClientAnswer};
use super::{INVALID, Time, another, local};
use crate::names::Names;
use crate::upstream::InternalConnection;

const CREATE_KEYSPACE: &str = "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}";
const STATUSES: &str = "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks'";

/// The state that a killed gateway left: it had stored a definition, and had sent it to Cassandra if `case` is true.
async fn killed(name: &str, connection: &InternalConnection, case: bool) -> Vec<(String, String)> {
    let names = Names::new(&format!("kept {name}"));
    let time = Time::new();
    let start = || async {
        let builder = another().await.instance(name).ddl_delay(Duration::from_secs(60)).clock(time.clock());
        builder.start().await.unwrap()
    };
    let local = start().await;
    let mut client = Client::connect(&local).await;
    client.query(CREATE_KEYSPACE).await;
    time.pass(60);
    for table in ["altered", "added", "dropped"] {
        client.query(&format!("CREATE TABLE ks.{table} (a int PRIMARY KEY)")).await;
    }
    client.query("CREATE TYPE ks.y (a int)").await;
    time.pass(60);
    client.query("CREATE TABLE ks.uses (a int PRIMARY KEY, b frozen<y>)").await;
    time.pass(60);
    assert_eq!(client.rows("SELECT * FROM ks.uses").await.columns, ["a", "b"]);
    drop(client);
    local.close().await.unwrap();

    let ks = names.quoted_keyspace("ks");
    let due = time.millis() + 60_000;
    let row = |kind: &str, name: &str, status: &str, options: &str| json!({"keyspace_name": "ks", "kind": kind, "name": name, "status": status, "due": due, "options": options});
    let ttl = "ALTER TABLE t WITH default_time_to_live = 60 AND CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}";
    for (kind, thing, status, options, text) in [
        ("table", "created", "CREATING", "", format!("CREATE TABLE {ks}.created (a int PRIMARY KEY)")),
        ("table", "altered", "UPDATING", ttl, format!("ALTER TABLE {ks}.altered WITH default_time_to_live = 60")),
        ("table", "added", "UPDATING", "", format!("ALTER TABLE {ks}.added ADD b int")),
        ("table", "dropped", "DELETING", "", format!("DROP TABLE {ks}.dropped")),
        // Cassandra refuses, because a table uses the type.
        ("type", "y", "DELETING", "", format!("DROP TYPE {ks}.y")),
    ] {
        let mut written = row(kind, thing, status, options);
        written["pending"] = text.clone().into();
        if status != "CREATING" {
            let mut before = row(kind, thing, "ACTIVE", "");
            before["due"] = serde_json::Value::Null;
            written["before"] = before.to_string().into();
        }
        connection.insert(&format!("{}.things", names.inner()), &written).await.unwrap();
        if case && kind == "table" {
            connection.run(&text, &[]).await.unwrap();
        }
    }

    let local = start().await;
    let mut client = Client::connect(&local).await;
    let statuses = client.rows(STATUSES).await;
    let statuses_by_table = statuses.texts("table_name").into_iter().zip(statuses.texts("status"));
    let statuses_by_table = statuses_by_table.map(|(table, status)| (table.to_owned(), status.to_owned())).collect();
    time.pass(60);
    let statuses = client.rows(STATUSES).await;
    assert_eq!(statuses.texts("table_name"), ["added", "altered", "created", "uses"]);
    assert_eq!(statuses.texts("status"), ["ACTIVE"; 4]);
    assert_eq!(client.rows("SELECT * FROM ks.added").await.columns, ["a", "b"]);
    assert_eq!(client.rows("SELECT * FROM ks.created").await.columns, ["a"]);
    let types = client.rows("SELECT status FROM system_schema_mcs.types WHERE keyspace_name = 'ks'").await;
    assert_eq!(types.texts("status"), ["ACTIVE"]);
    drop(client);
    local.close().await.unwrap();

    let of_cassandra = connection
        .select(
            "SELECT JSON table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = ?",
            &[&names.keyspace("ks")],
        )
        .await
        .unwrap();
    assert!(of_cassandra.contains(&json!({"table_name": "altered", "default_time_to_live": 60})), "{of_cassandra:?}");
    assert!(of_cassandra.iter().all(|row| row["table_name"] != "dropped"), "{of_cassandra:?}");
    // The dropped objects do not reappear.
    let local = start().await;
    let statuses = Client::connect(&local).await.rows(STATUSES).await;
    assert_eq!(statuses.texts("table_name"), ["added", "altered", "created", "uses"]);
    local.close().await.unwrap();
    statuses_by_table
}

#[tokio::test]
async fn definitions_that_a_killed_gateway_had_not_sent_are_sent_by_the_next_one() {
    let connection = InternalConnection::new(local().await.cassandra_address());
    for case in [false, true] {
        let statuses_by_table = killed(&crate::random::hex_32(), &connection, case).await;
        let expected = [
            ("added", "UPDATING"),
            ("altered", "UPDATING"),
            ("created", "CREATING"),
            ("dropped", "DELETING"),
            ("uses", "ACTIVE"),
        ];
        assert_eq!(
            statuses_by_table,
            expected.map(|(table, status)| (table.to_owned(), status.to_owned())),
            "told: {case}"
        );
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_read_ends_the_start_with_an_explanation() {
    let name = crate::random::hex_32();
    let connection = InternalConnection::new(local().await.cassandra_address());
    let local = another().await.instance(&name).ddl_delay(Duration::ZERO).start().await.unwrap();
    Client::connect(&local).await.query(CREATE_KEYSPACE).await;
    local.close().await.unwrap();
    let inner = Names::new(&format!("kept {name}")).inner().to_owned();
    let broken =
        json!({"keyspace_name": "ks", "kind": "table", "name": "t", "status": "ACTIVE", "options": "nonsense"});
    connection.insert(&format!("{inner}.things"), &broken).await.unwrap();
    let text = another().await.instance(&name).start().await.unwrap_err().to_string();
    assert!(text.contains("the state of this instance in Cassandra cannot be read: options of {"), "{text}");
    assert!(text.ends_with("; start the version that wrote it, or another instance"), "{text}");
}

/// A proxy between a gateway and Cassandra. It closes the connection at the next statements with these beginnings, each
/// before or after it is executed.
#[derive(Clone, Default)]
pub(super) struct FaultyProxy {
    pub(super) disconnects: Arc<Mutex<VecDeque<(&'static str, bool)>>>,
}

impl FaultyProxy {
    pub(super) async fn serve(self, to: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(self.clone().connection(client, to));
            }
        });
        address
    }

    async fn connection(self, client: TcpStream, to: SocketAddr) -> Option<()> {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_cassandra, mut to_cassandra) = TcpStream::connect(to).await.ok()?.into_split();
        let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            tokio::select! {
                read = from_client.read(&mut request) => {
                    let request = &request[..read.ok().filter(|read| *read > 0)?];
                    // The text of a QUERY begins after the header and the length of the text.
                    let text = String::from_utf8_lossy(request.get(13..).unwrap_or_default()).into_owned();
                    let is_next = |(begins, _): &mut (&'static str, bool)| text.starts_with(*begins);
                    let disconnect = self.disconnects.lock().unwrap().pop_front_if(is_next);
                    if let Some((_, false)) = disconnect {
                        return None;
                    }
                    to_cassandra.write_all(request).await.ok()?;
                    if disconnect.is_some() {
                        from_cassandra.readable().await.ok()?;
                        return None;
                    }
                }
                read = from_cassandra.read(&mut answer) => {
                    let answer = &answer[..read.ok().filter(|read| *read > 0)?];
                    to_client.write_all(answer).await.ok()?;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_definition_whose_answer_is_lost_is_executed_once_and_answered() {
    let proxy = FaultyProxy::default();
    let address = proxy.clone().serve(local().await.cassandra_address()).await;
    let builder = another().await.cassandra(address.to_string()).ddl_delay(Duration::ZERO);
    let gateway = builder.start().await.unwrap();
    let mut client = Client::connect(&gateway).await;
    client.query(CREATE_KEYSPACE).await;
    for executed in [false, true] {
        for (statement, begins, done) in [
            ("CREATE TABLE ks.t (a int PRIMARY KEY)", "CREATE TABLE", "CREATED"),
            ("ALTER TABLE ks.t ADD b int", "ALTER TABLE", "UPDATED"),
            ("ALTER TABLE ks.t WITH comment = 'c'", "ALTER TABLE", "UPDATED"),
            ("DROP TABLE ks.t", "DROP TABLE", "DROPPED"),
        ] {
            proxy.disconnects.lock().unwrap().push_back((begins, executed));
            let answer = client.query(statement).await;
            let expected = [done, "TABLE", "ks", "t"].map(str::to_owned).to_vec();
            assert_eq!(answer, ClientAnswer::Changed(expected), "{statement}, executed: {executed}");
            assert!(proxy.disconnects.lock().unwrap().is_empty(), "{statement} was not interrupted");
            let table_count = client.rows(STATUSES).await.values.len();
            assert_eq!(table_count, usize::from(done != "DROPPED"), "{statement}, executed: {executed}");
        }
    }
    gateway.close().await.unwrap();
}

#[tokio::test]
async fn a_definition_that_failed_twice_without_cassandra_is_completed_when_due() {
    const ENDED: &str = "keyspaces-local: the connection to the backing Cassandra ended";
    let proxy = FaultyProxy::default();
    let address = proxy.clone().serve(local().await.cassandra_address()).await;
    let time = Time::new();
    let builder = another().await.cassandra(address.to_string()).ddl_delay(Duration::from_secs(60));
    let gateway = builder.clock(time.clock()).start().await.unwrap();
    let mut client = Client::connect(&gateway).await;
    client.query(CREATE_KEYSPACE).await;
    time.pass(60);
    for executed in [[false, false], [false, true], [true, false]] {
        for (statement, begins, columns) in [
            ("CREATE TABLE ks.t (a int PRIMARY KEY)", "CREATE TABLE", Some(&["a"][..])),
            ("ALTER TABLE ks.t ADD b int", "ALTER TABLE", Some(&["a", "b"])),
            ("DROP TABLE ks.t", "DROP TABLE", None),
        ] {
            proxy.disconnects.lock().unwrap().extend(executed.map(|executed| (begins, executed)));
            let case = format!("{statement}, executed: {executed:?}");
            let lost = client.query(statement).await.refused();
            assert_eq!(lost, (0, ENDED.to_owned()), "{case}");
            assert!(proxy.disconnects.lock().unwrap().is_empty(), "{case}: not interrupted");
            // The definition is in progress nevertheless.
            let (code, again) = client.query("ALTER TABLE ks.t ADD c int").await.refused();
            let busy = ["unconfigured table ks.t", "is being updated", "is being deleted"];
            assert!(code == INVALID && busy.iter().any(|busy| again.contains(busy)), "{case}: {again}");
            time.pass(60);
            let statuses = client.rows(STATUSES).await;
            match columns {
                Some(columns) => {
                    assert_eq!(statuses.texts("status"), ["ACTIVE"], "{case}");
                    assert_eq!(client.rows("SELECT * FROM ks.t").await.columns, columns, "{case}");
                }
                None => assert!(statuses.values.is_empty(), "{case}"),
            }
        }
    }
    // When the definition is due, Cassandra is unreachable once more: a query then gets an error, and a later one finds
    // it complete.
    proxy.disconnects.lock().unwrap().extend([("CREATE TABLE", false); 3]);
    assert_eq!(client.query("CREATE TABLE ks.t (a int PRIMARY KEY)").await.refused(), (0, ENDED.to_owned()));
    time.pass(60);
    assert_eq!(client.query(STATUSES).await.refused(), (0, ENDED.to_owned()));
    assert_eq!(client.rows(STATUSES).await.texts("status"), ["ACTIVE"]);
    gateway.close().await.unwrap();
}

#[tokio::test]
async fn a_definition_completed_when_due_is_in_the_history_of_its_table() {
    const ALL: &str = "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks'";
    const CREATE: &str = "CREATE TABLE ks.t (a int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {'point_in_time_recovery': \
                          {'status': 'enabled'}}";
    let proxy = FaultyProxy::default();
    let address = proxy.clone().serve(local().await.cassandra_address()).await;
    let time = Time::new();
    let builder = another().await.cassandra(address.to_string()).ddl_delay(Duration::from_secs(60));
    let gateway = builder.clock(time.clock()).start().await.unwrap();
    let mut client = Client::connect(&gateway).await;
    client.query(CREATE_KEYSPACE).await;
    time.pass(60);
    let lost = |begins| proxy.disconnects.lock().unwrap().extend([(begins, false); 2]);
    lost("CREATE TABLE");
    assert_eq!(client.query(CREATE).await.refused().0, 0);
    time.pass(60);
    client.query_until(ALL, |rows| rows.texts("status") == ["ACTIVE"]).await;
    lost("ALTER TABLE");
    assert_eq!(client.query("ALTER TABLE ks.t ADD b int").await.refused().0, 0);
    // This makes the gateway cache the layout of the table until the table changes.
    assert_eq!(client.query("INSERT INTO ks.t (a) VALUES (0)").await, ClientAnswer::Void);
    time.pass(60);
    client.query_until(ALL, |rows| rows.texts("status") == ["ACTIVE"]).await;
    assert_eq!(client.query("INSERT INTO ks.t (a, b) VALUES (1, 2)").await, ClientAnswer::Void);
    time.pass(1);
    lost("DROP TABLE");
    assert_eq!(client.query("DROP TABLE ks.t").await.refused().0, 0);
    time.pass(60);
    client.query_until(ALL, |rows| rows.values.is_empty()).await;
    let restore = client.query("RESTORE TABLE ks.again FROM TABLE ks.t").await;
    assert!(matches!(restore, ClientAnswer::Changed(_)), "{restore:?}");
    time.pass(60);
    client.query_until(ALL, |rows| rows.texts("status") == ["ACTIVE"]).await;
    assert_eq!(client.rows("SELECT b FROM ks.again WHERE a = 1").await.ints("b"), [2]);
    gateway.close().await.unwrap();
}

/// The step of a `DROP KEYSPACE` at which the gateway was killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum KilledStep {
    BeforeCassandraDroppedIt,
    AfterCassandraDroppedIt,
    /// One of the tables was stored as being deleted.
    AmongItsTables,
}

#[tokio::test]
async fn a_keyspace_whose_drop_was_interrupted_is_dropped_with_its_tables() {
    const TYPES: &str = "SELECT type_name, status FROM system_schema_mcs.types WHERE keyspace_name = 'ks'";
    const KEYSPACES: &str = "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name = 'ks'";
    let connection = InternalConnection::new(local().await.cassandra_address());
    for killed in
        [KilledStep::BeforeCassandraDroppedIt, KilledStep::AfterCassandraDroppedIt, KilledStep::AmongItsTables]
    {
        let (name, time) = (crate::random::hex_32(), Time::new());
        let names = Names::new(&format!("kept {name}"));
        let start = || async {
            let builder = another().await.instance(&name).ddl_delay(Duration::from_secs(60)).clock(time.clock());
            builder.start().await.unwrap()
        };
        let local = start().await;
        let mut client = Client::connect(&local).await;
        client.query(CREATE_KEYSPACE).await;
        time.pass(60);
        for create in ["TABLE ks.t (a int PRIMARY KEY)", "TABLE ks.u (a int PRIMARY KEY)", "TYPE ks.y (a int)"] {
            client.query(&format!("CREATE {create}")).await;
        }
        time.pass(60);
        assert_eq!(client.rows(STATUSES).await.texts("status"), ["ACTIVE"; 2]);
        drop(client);
        local.close().await.unwrap();

        let due = time.millis() + 60_000;
        let things = format!("{}.things", names.inner());
        let text = format!("DROP KEYSPACE {}", names.quoted_keyspace("ks"));
        let row = |kind: &str, name: &str, status: &str| json!({"keyspace_name": "ks", "kind": kind, "name": name, "status": status, "options": ""});
        let mut dropped = row("keyspace", "", "DELETING");
        dropped["due"] = due.into();
        if killed != KilledStep::AmongItsTables {
            dropped["pending"] = text.as_str().into();
            dropped["before"] = row("keyspace", "", "ACTIVE").to_string().into();
        } else {
            let mut table = row("table", "t", "DELETING");
            table["due"] = due.into();
            connection.insert(&things, &table).await.unwrap();
        }
        connection.insert(&things, &dropped).await.unwrap();
        if killed != KilledStep::BeforeCassandraDroppedIt {
            connection.run(&text, &[]).await.unwrap();
        }

        let local = start().await;
        let mut client = Client::connect(&local).await;
        assert_eq!(client.rows(STATUSES).await.texts("status"), ["DELETING"; 2], "{killed:?}");
        assert_eq!(client.rows(TYPES).await.texts("status"), ["DELETING"], "{killed:?}");
        let unconfigured = (INVALID, "unconfigured keyspace ks".to_owned());
        assert_eq!(client.query("SELECT * FROM ks.t").await.refused(), unconfigured, "{killed:?}");
        let busy = "keyspaces-local: keyspace ks is being deleted: wait until system_schema_mcs says that this is over";
        assert_eq!(client.query(CREATE_KEYSPACE).await.refused(), (INVALID, busy.to_owned()), "{killed:?}");
        time.pass(60);
        for gone in [STATUSES, TYPES, KEYSPACES] {
            assert!(client.rows(gone).await.values.is_empty(), "{killed:?}: {gone}");
        }
        assert!(matches!(client.query(CREATE_KEYSPACE).await, ClientAnswer::Changed(_)), "{killed:?}");
        time.pass(60);
        client.query("DROP KEYSPACE ks").await;
        drop(client);
        local.close().await.unwrap();
        assert!(
            connection
                .select(&format!("SELECT JSON name FROM {things} WHERE keyspace_name = 'ks' AND kind = 'table'"), &[])
                .await
                .unwrap()
                .is_empty()
        );
    }
}
