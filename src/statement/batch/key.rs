//! The primary keys of tables, each read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::lock::locked;
use crate::{Select, Session};

const COLUMNS: &str = "SELECT column_name, kind FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?";

/// The primary-key columns of a table, which identify the row of a write.
#[derive(Debug, Default)]
pub(in crate::statement) struct PrimaryKey {
    pub(in crate::statement) partition: Vec<String>,
    pub(in crate::statement) clustering: Vec<String>,
    pub(in crate::statement) statics: Vec<String>,
}

/// The primary keys read so far. Their number is bounded by the number of tables the program uses.
#[derive(Default)]
pub(in crate::statement) struct PrimaryKeys {
    known: Mutex<HashMap<(String, String), Arc<PrimaryKey>>>,
}

impl PrimaryKeys {
    pub(in crate::statement) fn clear(&self) {
        locked(&self.known).clear();
    }
}

/// Returns the primary key of a table; `None` if it cannot be read.
pub(in crate::statement) async fn primary_key(
    session: &Session,
    keyspace: &str,
    table: &str,
) -> Option<Arc<PrimaryKey>> {
    let name = (keyspace.to_owned(), table.to_owned());
    let keys = session.statements().keys();
    if let Some(key) = locked(&keys.known).get(&name) {
        return Some(Arc::clone(key));
    }
    match read_primary_key(session, keyspace, table).await {
        Ok(key) if !key.partition.is_empty() => {
            let key = Arc::new(key);
            locked(&keys.known).insert(name, Arc::clone(&key));
            Some(key)
        }
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(%error, keyspace, table, "the primary key cannot be read: the server checks the batch");
            None
        }
    }
}

async fn read_primary_key(session: &Session, keyspace: &str, table: &str) -> Result<PrimaryKey, crate::Error> {
    let columns: Select<(&str, &str), (String, String)> = session.prepare(COLUMNS).await?;
    let mut columns = columns.rows((keyspace, table));
    let mut key = PrimaryKey::default();
    while let Some((column, kind)) = columns.try_next().await? {
        match kind.as_str() {
            "partition_key" => key.partition.push(column),
            "clustering" => key.clustering.push(column),
            "static" => key.statics.push(column),
            _ => {}
        }
    }
    Ok(key)
}
