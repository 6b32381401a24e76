//! The target of the tests that can run on any: the shared local Keyspaces, or the one that the environment names (see the
//! documentation of `keyspaces_testing`).

use keyspaces::Session;
use keyspaces_local::Local;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The shared local Keyspaces; `None` if the tests run against another target.
pub(crate) async fn local() -> Option<&'static Local> {
    keyspaces_testing::local().await.expect("a local Keyspaces starts")
}

/// Whether the tests run against Keyspaces, and not against a plain Cassandra.
pub(crate) fn is_keyspaces() -> bool {
    keyspaces_testing::is_keyspaces().expect("a target")
}

/// The keyspace of the tests' tables: that of `KEYSPACES_TEST_KEYSPACE`, or `it`. The names of the tests' other keyspaces
/// begin with it.
fn prefix() -> String {
    std::env::var("KEYSPACES_TEST_KEYSPACE").unwrap_or_else(|_| "it".to_owned())
}

/// The name of a keyspace that tests share.
pub(crate) fn keyspace_name(suffix: &str) -> String {
    format!("{}_{suffix}", prefix())
}

/// The name of a keyspace of one test.
pub(crate) fn new_keyspace_name() -> String {
    keyspace_name(&Uuid::new_v4().simple().to_string())
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
    let name = prefix();
    CREATED.get_or_init(|| keyspace(session, &name)).await;
    let table = format!("{name}.t{}", Uuid::new_v4().simple());
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
