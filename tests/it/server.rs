//! What tests run against that make sense on either: the shared local Keyspaces, or the plain Cassandra at
//! `KEYSPACES_TEST_CASSANDRA` (host:port).

use keyspaces::{Endpoint, Session};
use keyspaces_local::Local;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The shared local Keyspaces; `None` where the tests run against a plain Cassandra.
pub(crate) async fn local() -> Option<&'static Local> {
    if std::env::var_os("KEYSPACES_TEST_CASSANDRA").is_some() {
        return None;
    }
    Some(crate::local::shared().await)
}

/// A session of the test's own, because each test has a runtime of its own.
pub(crate) async fn session() -> Session {
    let Some(local) = local().await else {
        let address = std::env::var("KEYSPACES_TEST_CASSANDRA").expect("it was there");
        let endpoint = Endpoint::cassandra(address).expect("host:port");
        return Session::builder().endpoint(endpoint).connect().await.expect("it connects");
    };
    crate::local::signed(local).connect().await.expect("it connects")
}

/// A table of the test's own with these columns, as `keyspace.table`.
pub(crate) async fn table(session: &Session, columns: &str) -> String {
    table_with(session, columns, "").await
}

/// As [`table`], with options.
pub(crate) async fn table_with(session: &Session, columns: &str, options: &str) -> String {
    static CREATED: OnceCell<()> = OnceCell::const_new();
    CREATED.get_or_init(|| keyspace(session, "it")).await;
    let table = format!("it.t{}", Uuid::new_v4().simple());
    session.define(&format!("CREATE TABLE {table} ({columns}) {options}")).await.expect("the table is created");
    table
}

/// The keyspace of this name, taken as it is.
pub(crate) async fn keyspace(session: &Session, name: &str) {
    session
        .define(&format!(
            "CREATE KEYSPACE IF NOT EXISTS \"{name}\" WITH REPLICATION = {{'class': 'SingleRegionStrategy'}}"
        ))
        .await
        .expect("the keyspace is created");
}
