//! What tests run against that make sense on either: the shared local Keyspaces, or the plain Cassandra at
//! `KEYSPACES_TEST_CASSANDRA` (host:port).

use keyspaces::Session;
use keyspaces_local::Local;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The shared local Keyspaces; `None` where the tests run against a plain Cassandra.
pub(crate) async fn local() -> Option<&'static Local> {
    keyspaces_testing::local().await.expect("a local Keyspaces starts")
}

/// A session of the test's own, because each test has a runtime of its own.
pub(crate) async fn session() -> Session {
    keyspaces_testing::builder().await.expect("a place").connect().await.expect("it connects")
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
