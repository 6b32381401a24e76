//! The definitions that tables with point-in-time recovery had over time, until 35 days after they were dropped.

use keyspaces_cql::{Statement, TableDefinition, parse};
use serde_json::json;

use super::RECOVERY_WINDOW;
use crate::names::{Names, SchemaObject};
use crate::upstream::{InternalConnection, InternalRequestError};

/// Writes and reads the former definitions of an instance's tables.
#[derive(Debug)]
pub(crate) struct DefinitionHistory<'a> {
    pub(crate) connection: &'a InternalConnection,
    pub(crate) names: &'a Names,
}

/// The definition of a table from a moment on. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DefinitionVersion {
    /// When the table was created, which tells it from other tables of the same name.
    pub(crate) created: u64,
    pub(crate) since: u64,
    pub(crate) definition: TableDefinition,
    /// Whether the table was dropped at this moment.
    pub(crate) dropped: bool,
}

impl DefinitionHistory<'_> {
    pub(crate) async fn prepare(&self) -> Result<(), InternalRequestError> {
        let columns = "keyspace_name text, table_name text, created bigint, since bigint, definition text, dropped boolean, \
                       PRIMARY KEY ((keyspace_name, table_name), created, since)";
        self.connection.run(&format!("CREATE TABLE IF NOT EXISTS {} ({columns})", self.table()), &[]).await
    }

    /// All versions of the tables that had this name, oldest first.
    pub(crate) async fn versions(&self, table: &SchemaObject) -> Result<Vec<DefinitionVersion>, InternalRequestError> {
        let statement = format!(
            "SELECT JSON created, since, definition, dropped FROM {} WHERE keyspace_name = ? AND table_name = ?",
            self.table()
        );
        let rows = self.connection.select(&statement, &[&table.keyspace, &table.name]).await?;
        let version = |row: &serde_json::Value| {
            let Ok(Statement::CreateTable(create)) = parse(row["definition"].as_str()?) else { return None };
            Some(DefinitionVersion {
                created: row["created"].as_u64()?,
                since: row["since"].as_u64()?,
                definition: create.definition().ok()?,
                dropped: row["dropped"].as_bool()?,
            })
        };
        rows.iter()
            .map(|row| version(row).ok_or_else(|| InternalRequestError::MalformedAnswer(statement.clone())))
            .collect()
    }

    pub(crate) async fn add(
        &self,
        table: &SchemaObject,
        version: &DefinitionVersion,
    ) -> Result<(), InternalRequestError> {
        let DefinitionVersion { created, since, definition, dropped } = version;
        let row = json!({
            "keyspace_name": table.keyspace, "table_name": table.name, "created": created, "since": since,
            "definition": definition.to_string(), "dropped": dropped,
        });
        self.connection.insert(&self.table(), &row).await
    }

    /// Forgets the table of this name that was created at this time.
    pub(crate) async fn forget(&self, table: &SchemaObject, created: u64) -> Result<(), InternalRequestError> {
        let statement =
            format!("DELETE FROM {} WHERE keyspace_name = ? AND table_name = ? AND created = {created}", self.table());
        self.connection.run(&statement, &[&table.keyspace, &table.name]).await
    }

    /// Forgets the tables that were dropped too long ago to be restored.
    pub(crate) async fn forget_expired(&self, now: u64) -> Result<(), InternalRequestError> {
        let statement = format!("SELECT JSON keyspace_name, table_name, created, since, dropped FROM {}", self.table());
        for row in self.connection.select(&statement, &[]).await? {
            let name = |field: &str| row[field].as_str().map(str::to_owned);
            let time = |field: &str| row[field].as_u64();
            let columns = (name("keyspace_name"), name("table_name"), time("created"), time("since"));
            let (Some(keyspace), Some(table), Some(created), Some(since)) = columns else {
                return Err(InternalRequestError::MalformedAnswer(statement));
            };
            if row["dropped"] == true && since + RECOVERY_WINDOW < now {
                self.forget(&SchemaObject::table(keyspace, table), created).await?;
            }
        }
        Ok(())
    }

    fn table(&self) -> String {
        format!("{}.past", self.names.inner())
    }
}
