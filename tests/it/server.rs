//! The target of the tests that can run on either: the shared local Keyspaces, or the plain Cassandra at
//! `KEYSPACES_TEST_CASSANDRA` (host:port).

use keyspaces::Session;
use keyspaces_local::Local;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The shared local Keyspaces; `None` if the tests run against a plain Cassandra.
pub(crate) async fn local() -> Option<&'static Local> {
    keyspaces_testing::local().await.expect("a local Keyspaces starts")
}

/// Connects a session for one test, because each test has its own runtime.
pub(crate) async fn session() -> Session {
    keyspaces_testing::builder().await.expect("a target").connect().await.expect("it connects")
}

/// Creates a table with these columns for one test. Returns its name as `keyspace.table`.
pub(crate) async fn table(session: &Session, columns: &str) -> String {
    table_with(session, columns, "").await
}

/// The same as [`table`], with options.
pub(crate) async fn table_with(session: &Session, columns: &str, options: &str) -> String {
    static CREATED: OnceCell<()> = OnceCell::const_new();
    CREATED.get_or_init(|| keyspace(session, "it")).await;
    let table = format!("it.t{}", Uuid::new_v4().simple());
    session.define(&format!("CREATE TABLE {table} ({columns}) {options}")).await.expect("the table is created");
    table
}

/// Creates the keyspace with this name, quoted, if it does not exist.
pub(crate) async fn keyspace(session: &Session, name: &str) {
    session
        .define(&format!(
            "CREATE KEYSPACE IF NOT EXISTS \"{name}\" WITH REPLICATION = {{'class': 'SingleRegionStrategy'}}"
        ))
        .await
        .expect("the keyspace is created");
}
