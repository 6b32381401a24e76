//! Stores the service-specific credentials of an instance in Cassandra, so that they outlive the program, as the tables
//! do.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::auth::Authority;
use crate::auth::service_specific::{ServiceSpecificCredential, ServiceSpecificCredentials};
use crate::upstream::{InternalConnection, InternalRequestError};

/// The credentials of an instance: in memory, where logins are checked, and in Cassandra.
#[derive(Debug)]
pub(crate) struct CredentialStore {
    connection: InternalConnection,
    table: String,
    authority: Arc<Authority>,
    /// Held from the check to the end of the write, so that two changes do not start from the same state.
    changing: Mutex<()>,
}

/// The exclusive right to change credentials. A change that Cassandra does not accept is not made in memory either.
#[derive(Debug)]
pub(crate) struct CredentialChange<'a> {
    store: &'a CredentialStore,
    _changing: MutexGuard<'a, ()>,
}

impl CredentialStore {
    /// Loads the credentials that an earlier process of this instance stored.
    pub(crate) async fn open(
        connection: InternalConnection,
        inner_keyspace: &str,
        authority: Arc<Authority>,
    ) -> Result<Self, InternalRequestError> {
        let table = format!("{inner_keyspace}.service_specific_credentials");
        let columns = "id text PRIMARY KEY, user_name text, service_user_name text, created bigint, active boolean, \
                       password_sha256 text";
        connection.run(&format!("CREATE TABLE IF NOT EXISTS {table} ({columns})"), &[]).await?;
        let select = format!("SELECT JSON * FROM {table}");
        let rows = connection.select(&select, &[]).await?;
        let stored: Option<Vec<ServiceSpecificCredential>> = rows.iter().map(credential).collect();
        authority.service_specific().replace_all(stored.ok_or(InternalRequestError::MalformedAnswer(select))?);
        Ok(Self { connection, table, authority, changing: Mutex::default() })
    }

    /// The credentials.
    pub(crate) fn all(&self) -> &ServiceSpecificCredentials {
        self.authority.service_specific()
    }

    /// Waits for the change in progress.
    pub(crate) async fn change(&self) -> CredentialChange<'_> {
        CredentialChange { store: self, _changing: self.changing.lock().await }
    }
}

impl CredentialChange<'_> {
    /// Adds a credential, or replaces the one with its id.
    pub(crate) async fn put(&self, credential: ServiceSpecificCredential) -> Result<(), InternalRequestError> {
        self.store.connection.insert(&self.store.table, &row(&credential)).await?;
        self.store.all().put(credential);
        Ok(())
    }

    pub(crate) async fn remove(&self, id: &str) -> Result<(), InternalRequestError> {
        let delete = format!("DELETE FROM {} WHERE id = ?", self.store.table);
        self.store.connection.run(&delete, &[id]).await?;
        self.store.all().remove(id);
        Ok(())
    }
}

fn row(credential: &ServiceSpecificCredential) -> Value {
    let ServiceSpecificCredential { id, user, service_user, created, is_active, password } = credential;
    json!({
        "id": id, "user_name": user, "service_user_name": service_user, "created": created.timestamp_millis(),
        "active": is_active, "password_sha256": hex::encode(password),
    })
}

fn credential(row: &Value) -> Option<ServiceSpecificCredential> {
    let text = |column: &str| row[column].as_str();
    let mut password = [0; 32];
    hex::decode_to_slice(text("password_sha256")?, &mut password).ok()?;
    Some(ServiceSpecificCredential {
        id: text("id")?.to_owned(),
        user: text("user_name")?.to_owned(),
        service_user: text("service_user_name")?.to_owned(),
        created: DateTime::from_timestamp_millis(row["created"].as_i64()?)?,
        is_active: row["active"].as_bool()?,
        password,
    })
}
