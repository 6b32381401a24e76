//! Whether the tables of prepared statements are still those that they were prepared for.
//!
//! Version 4 of the protocol does not say so: a statement of a table that was dropped and created again is prepared anew by the
//! driver, and is then sent with values for the columns of the old table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keyspaces_cql::is_system_keyspace;
use tracing::{debug, info};
use uuid::Uuid;

use super::prepared::Prepared;
use crate::{Error, Session};

impl Session {
    /// Reads the ids of the tables of all prepared statements that are in use. The text of a statement whose table has
    /// another id is prepared anew; where its columns differ, statements that were made of it fail from now on.
    pub(crate) async fn check_tables(&self) {
        let mut by_keyspace: BTreeMap<String, Vec<Arc<Prepared>>> = BTreeMap::new();
        for prepared in self.statements().in_use() {
            if let Some((keyspace, _)) = prepared.table().filter(|(keyspace, _)| !is_system_keyspace(keyspace)) {
                by_keyspace.entry(keyspace.clone()).or_default().push(prepared);
            }
        }
        for (keyspace, statements) in by_keyspace {
            let ids = match self.table_ids(&keyspace).await {
                Ok(ids) => ids,
                Err(error) => {
                    debug!(%error, keyspace, "the ids of tables could not be read, and will be read again");
                    continue;
                }
            };
            for prepared in statements {
                // The server itself refuses a statement of a table that is not there.
                let id = prepared.table().and_then(|(_, table)| ids.get(table));
                if let Some(id) = id.filter(|id| !prepared.is_of_table(**id)) {
                    self.check_table(&prepared, *id).await;
                }
            }
            self.statements().note_table_ids(&keyspace, &ids);
        }
    }

    async fn table_ids(&self, keyspace: &str) -> Result<HashMap<String, Uuid>, Error> {
        let text = "SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = ?";
        let mut rows = self.rows::<(String, Option<Uuid>)>(text, (keyspace.to_owned(),));
        let mut ids = HashMap::new();
        while let Some((table, id)) = rows.try_next().await? {
            ids.extend(id.map(|id| (table, id)));
        }
        Ok(ids)
    }

    async fn check_table(&self, prepared: &Arc<Prepared>, id: Uuid) {
        let Ok(anew) = self.statements().prepared_beside(self, prepared).await else { return };
        if anew.has_the_columns_of(prepared) {
            return prepared.belongs_to_table(id);
        }
        info!(statement = prepared.text(), "a table has other columns than when a statement of it was prepared");
        prepared.becomes_outdated();
        self.statements().forget(prepared);
    }
}
