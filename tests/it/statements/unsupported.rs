//! Features of Cassandra that Keyspaces lacks.

use keyspaces::{Endpoint, Row, Session};

use crate::local::shared;
use crate::server::{is_keyspaces, session, table};

#[tokio::test]
async fn unsupported_statement_is_refused_alike_by_every_call() {
    if !is_keyspaces() {
        return;
    }
    let session = session().await;
    for (text, words) in [
        (
            "TRUNCATE it.t",
            "TRUNCATE it.t failed: Amazon Keyspaces refuses TRUNCATE. Drop the table, wait until it is gone from \
             system_schema_mcs.tables, and create it again. (DG:cassandra-apis). schema().drop_and_recreate_table() does this",
        ),
        (
            "CREATE INDEX ON it.t (v)",
            "CREATE INDEX it.t failed: Amazon Keyspaces refuses secondary indexes. Write the rows to a second table \
             as well, with the column that you look up as its key. (DG:cassandra-apis)",
        ),
    ] {
        let rows = session.rows::<Row>(text, ()).try_collect::<Vec<_>>().await;
        assert_eq!(rows.unwrap_err().to_string(), words);
        assert_eq!(session.execute(text, ()).await.unwrap_err().to_string(), words);
        assert_eq!(session.define(text).await.unwrap_err().to_string(), words);
        assert_eq!(session.prepare::<keyspaces::Write<()>>(text).await.err().map(|it| it.to_string()).unwrap(), words);
    }
}

#[tokio::test]
async fn plain_cassandra_allows_truncate_and_indexes() {
    let address = match std::env::var("KEYSPACES_TEST_CASSANDRA") {
        Ok(address) => address,
        Err(_) => shared().await.cassandra_address().to_string(),
    };
    let endpoint = Endpoint::cassandra(address).unwrap();
    let session = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let keyspace = format!("plain{}", uuid::Uuid::new_v4().simple());
    let create = format!("CREATE KEYSPACE {keyspace} WITH REPLICATION = {{'class': 'SingleRegionStrategy'}}");
    session.define(&create).await.unwrap();
    session.define(&format!("CREATE TABLE {keyspace}.t (id int PRIMARY KEY, v int)")).await.unwrap();
    session.execute(&format!("INSERT INTO {keyspace}.t (id, v) VALUES (1, 2)"), ()).await.unwrap();

    session.define(&format!("CREATE INDEX ON {keyspace}.t (v)")).await.unwrap();
    let all = format!("SELECT id, v FROM {keyspace}.t");
    let rows = |session: &Session| session.rows::<(i32, i32)>(&all, ()).try_collect::<Vec<_>>();
    assert_eq!(rows(&session).await.unwrap(), [(1, 2)]);
    session.execute(&format!("TRUNCATE {keyspace}.t"), ()).await.unwrap();
    assert_eq!(rows(&session).await.unwrap(), []);
    session.define(&format!("DROP KEYSPACE {keyspace}")).await.unwrap();
}

#[tokio::test]
async fn known_service_refusal_carries_the_advice_of_its_rule() {
    if !is_keyspaces() {
        return;
    }
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, v int").await;
    let insert = session.execute(&format!("INSERT INTO {table} (id, v) VALUES (1, 1) USING TTL 60"), ()).await;
    assert_eq!(
        insert.unwrap_err().to_string(),
        format!(
            "INSERT INTO {table} failed: refused by the server; the server's message: \"TTL is not yet supported.\". Turn it \
             on: custom_properties = {{'ttl': {{'status': 'enabled'}}}}; it cannot be turned off again. \
             (DG:troubleshooting.cql; DG:TTL-how-to-create-table)"
        )
    );
}
