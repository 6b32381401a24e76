//! What the tests run against: one local Keyspaces for the whole run, or the plain Cassandra at
//! `KEYSPACES_TEST_CASSANDRA` (host:port).

use keyspaces::{Endpoint, Session};
use keyspaces_local::Local;
use uuid::Uuid;

/// The shared local Keyspaces; `None` where the tests run against a plain Cassandra.
pub(crate) async fn local() -> Option<&'static Local> {
    if std::env::var_os("KEYSPACES_TEST_CASSANDRA").is_some() {
        return None;
    }
    Some(Local::shared().await.expect("a local Keyspaces starts"))
}

/// A session of the test's own, because each test has a runtime of its own.
pub(crate) async fn session() -> Session {
    let builder = match local().await {
        Some(local) => {
            let own = local.credentials();
            Session::builder()
                .region(local.region())
                .endpoint(
                    Endpoint::explicit(local.host(), local.port(), local.server_name()).expect("it is well formed"),
                )
                .trust_pem(local.ca_pem())
                .expect("it is PEM")
                .static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref())
        }
        None => {
            let address = std::env::var("KEYSPACES_TEST_CASSANDRA").expect("it was there");
            Session::builder().endpoint(Endpoint::cassandra(address).expect("host:port"))
        }
    };
    builder.connect().await.expect("it connects")
}

/// A table of the test's own with these columns, as `keyspace.table`.
pub(crate) async fn table(session: &Session, columns: &str) -> String {
    table_with(session, columns, "").await
}

/// As [`table`], with options.
pub(crate) async fn table_with(session: &Session, columns: &str, options: &str) -> String {
    let keyspace = "it";
    session
        .define(&format!(
            "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH REPLICATION = {{'class': 'SingleRegionStrategy'}}"
        ))
        .await
        .expect("the keyspace is created");
    let table = format!("{keyspace}.t{}", Uuid::new_v4().simple());
    session.define(&format!("CREATE TABLE {table} ({columns}) {options}")).await.expect("the table is created");
    table
}
