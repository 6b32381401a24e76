//! Definitions that are cut short: by the end of the gateway, or by an answer that is lost.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Answer, Client};
use super::{Time, another, local};
use crate::gateway::Own;
use crate::schema::Names;

const CREATE_KEYSPACE: &str = "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}";
const STATUSES: &str = "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks'";

/// What a gateway leaves that is killed after it has written a definition down, and before (`told` is false) or after it
/// has told Cassandra.
async fn killed(name: &str, own: &Own, told: bool) -> Vec<(String, String)> {
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
    let due = time.clock()().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64 + 60_000;
    let row = |kind: &str, name: &str, status: &str, options: &str| json!({"keyspace_name": "ks", "kind": kind, "name": name, "status": status, "due": due, "options": options});
    let ttl = "ALTER TABLE t WITH default_time_to_live = 60 AND CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}";
    for (kind, thing, status, options, text) in [
        ("table", "created", "CREATING", "", format!("CREATE TABLE {ks}.created (a int PRIMARY KEY)")),
        ("table", "altered", "UPDATING", ttl, format!("ALTER TABLE {ks}.altered WITH default_time_to_live = 60")),
        ("table", "added", "UPDATING", "", format!("ALTER TABLE {ks}.added ADD b int")),
        ("table", "dropped", "DELETING", "", format!("DROP TABLE {ks}.dropped")),
        // Cassandra cannot: a table uses it.
        ("type", "y", "DELETING", "", format!("DROP TYPE {ks}.y")),
    ] {
        let mut written = row(kind, thing, status, options);
        written["pending"] = text.clone().into();
        if status != "CREATING" {
            let mut before = row(kind, thing, "ACTIVE", "");
            before["due"] = serde_json::Value::Null;
            written["before"] = before.to_string().into();
        }
        own.insert(&format!("{}.things", names.inner()), &written).await.unwrap();
        if told && kind == "table" {
            own.run(&text, &[]).await.unwrap();
        }
    }

    let local = start().await;
    let mut client = Client::connect(&local).await;
    let statuses = client.rows(STATUSES).await;
    let shown = statuses.texts("table_name").into_iter().zip(statuses.texts("status"));
    let shown = shown.map(|(table, status)| (table.to_owned(), status.to_owned())).collect();
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

    let of_cassandra = own
        .select(
            "SELECT JSON table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = ?",
            &[&names.keyspace("ks")],
        )
        .await
        .unwrap();
    assert!(of_cassandra.contains(&json!({"table_name": "altered", "default_time_to_live": 60})), "{of_cassandra:?}");
    assert!(of_cassandra.iter().all(|row| row["table_name"] != "dropped"), "{of_cassandra:?}");
    // Nothing comes back.
    let local = start().await;
    let statuses = Client::connect(&local).await.rows(STATUSES).await;
    assert_eq!(statuses.texts("table_name"), ["added", "altered", "created", "uses"]);
    local.close().await.unwrap();
    shown
}

#[tokio::test]
async fn what_a_killed_gateway_had_not_told_cassandra_the_next_one_tells_it() {
    let own = Own::new(local().await.cassandra_address());
    for told in [false, true] {
        let shown = killed(&crate::random::hex_32(), &own, told).await;
        let expected = [
            ("added", "UPDATING"),
            ("altered", "UPDATING"),
            ("created", "CREATING"),
            ("dropped", "DELETING"),
            ("uses", "ACTIVE"),
        ];
        assert_eq!(shown, expected.map(|(table, status)| (table.to_owned(), status.to_owned())), "told: {told}");
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_read_ends_the_start_with_words() {
    let name = crate::random::hex_32();
    let own = Own::new(local().await.cassandra_address());
    let local = another().await.instance(&name).ddl_delay(Duration::ZERO).start().await.unwrap();
    Client::connect(&local).await.query(CREATE_KEYSPACE).await;
    local.close().await.unwrap();
    let inner = Names::new(&format!("kept {name}")).inner().to_owned();
    let broken =
        json!({"keyspace_name": "ks", "kind": "table", "name": "t", "status": "ACTIVE", "options": "nonsense"});
    own.insert(&format!("{inner}.things"), &broken).await.unwrap();
    let text = another().await.instance(&name).start().await.unwrap_err().to_string();
    assert!(text.contains("what Cassandra keeps of this instance cannot be read: options of {"), "{text}");
    assert!(text.ends_with("; start the version that wrote it, or another instance"), "{text}");
}

/// Between a gateway and Cassandra: closes the connection once, before or after a statement that begins so is carried out.
#[derive(Clone)]
struct Between {
    strike: Arc<Mutex<Option<(&'static str, bool)>>>,
}

impl Between {
    async fn serve(self, to: SocketAddr) -> SocketAddr {
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
                    // A QUERY's text begins after the header and its length.
                    let text = String::from_utf8_lossy(request.get(13..).unwrap_or_default()).into_owned();
                    let strikes = |(begins, _): &mut (&'static str, bool)| text.starts_with(*begins);
                    let struck = self.strike.lock().unwrap().take_if(strikes);
                    if let Some((_, false)) = struck {
                        return None;
                    }
                    to_cassandra.write_all(request).await.ok()?;
                    if struck.is_some() {
                        from_cassandra.read(&mut answer).await.ok()?;
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
async fn a_definition_whose_answer_is_lost_is_carried_out_once_and_answered() {
    let between = Between { strike: Arc::default() };
    let address = between.clone().serve(local().await.cassandra_address()).await;
    let builder = another().await.cassandra(address.to_string()).ddl_delay(Duration::ZERO);
    let gateway = builder.start().await.unwrap();
    let mut client = Client::connect(&gateway).await;
    client.query(CREATE_KEYSPACE).await;
    for carried_out in [false, true] {
        for (statement, begins, done) in [
            ("CREATE TABLE ks.t (a int PRIMARY KEY)", "CREATE TABLE", "CREATED"),
            ("ALTER TABLE ks.t ADD b int", "ALTER TABLE", "UPDATED"),
            ("ALTER TABLE ks.t WITH comment = 'c'", "ALTER TABLE", "UPDATED"),
            ("DROP TABLE ks.t", "DROP TABLE", "DROPPED"),
        ] {
            *between.strike.lock().unwrap() = Some((begins, carried_out));
            let answer = client.query(statement).await;
            let expected = [done, "TABLE", "ks", "t"].map(str::to_owned).to_vec();
            assert_eq!(answer, Answer::Changed(expected), "{statement}, carried out: {carried_out}");
            assert!(between.strike.lock().unwrap().is_none(), "{statement} was not struck");
            let there = client.rows(STATUSES).await.values.len();
            assert_eq!(there, usize::from(done != "DROPPED"), "{statement}, carried out: {carried_out}");
        }
    }
    gateway.close().await.unwrap();
}
