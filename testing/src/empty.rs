use std::collections::BTreeMap;

use keyspaces::value::CqlValue;
use keyspaces::{Error, ErrorKind, Row, Session};

/// Deletes all rows of all tables in the keyspace of the session. This is cheaper than a new keyspace for each test if many
/// tests use the same tables one after the other.
///
/// ```no_run
/// # async fn test(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// keyspaces_testing::empty_tables(&session).await?;
/// # Ok(()) }
/// ```
///
/// Keyspaces has no TRUNCATE (DG:cassandra-apis), so this reads and deletes every partition: use it for small tables only. A
/// deleted counter cannot be used again (a rule of Cassandra); create a new keyspace for tests with counters.
///
/// # Errors
///
/// [`Configuration`](keyspaces::ErrorKind::Configuration) if the session has no keyspace; the errors of reads and deletes.
pub async fn empty_tables(session: &Session) -> Result<(), Error> {
    let Some(keyspace) = session.keyspace() else {
        let attempted = "emptying the tables of the session's keyspace";
        return Err(Error::new(ErrorKind::Configuration, attempted, "the session has no keyspace")
            .with_advice("Take a session from keyspaces_testing::session(), or give it one with in_keyspace"));
    };
    let columns = "SELECT table_name, column_name, kind, position FROM system_schema.columns WHERE keyspace_name = ?";
    let mut columns = session.rows::<(String, String, String, i32)>(columns, (keyspace.to_owned(),));
    let mut keys: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
    while let Some((table, column, kind, position)) = columns.try_next().await? {
        if kind == "partition_key" {
            keys.entry(quoted(&table)).or_default().insert(position, quoted(&column));
        }
    }
    for (table, key) in keys {
        empty_table(session, &table, &key.into_values().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

async fn empty_table(session: &Session, table: &str, key: &[String]) -> Result<(), Error> {
    let mut rows = session.rows::<Row>(&format!("SELECT {} FROM {table}", key.join(", ")), ());
    let delete = format!("DELETE FROM {table} WHERE {} = ?", key.join(" = ? AND "));
    let mut deleted = None;
    while let Some(row) = rows.try_next().await? {
        let partition: Vec<CqlValue> = row.into_columns().filter_map(|(_, value)| value).collect();
        // The rows of a partition are adjacent, so one comparison is enough to delete each partition once.
        if deleted.as_ref() != Some(&partition) {
            session.execute(&delete, &partition).await?;
            deleted = Some(partition);
        }
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
