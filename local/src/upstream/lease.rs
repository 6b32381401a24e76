//! Cleans up after instances that were killed over a Cassandra that runs on.
//!
//! An instance that drops its keyspaces when it ends has a row in a table that all instances share, with a mark that
//! expires unless the instance renews it. The next instance that starts drops the keyspaces of those whose mark has
//! expired.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{InternalConnection, InternalRequestError};

/// One instance's right to its keyspaces, renewed until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Arc<InternalConnection>,
    inner: String,
    _renewal: JoinSet<()>,
}

impl Lease {
    /// Registers an instance, whose keyspaces are `inner` and all that begin with `inner` and an underscore. Drops the
    /// keyspaces of expired instances.
    pub(crate) async fn take(cassandra: SocketAddr, inner: &str) -> Result<Self, InternalRequestError> {
        let connection = Arc::new(InternalConnection::new(cassandra));
        connection.run(KEYSPACE, &[]).await?;
        connection
            .run(&format!("CREATE TABLE IF NOT EXISTS {TABLE} (inner text PRIMARY KEY, alive text)"), &[])
            .await?;
        connection.run(&format!("INSERT INTO {TABLE} (inner) VALUES (?)"), &[inner]).await?;
        let renew = format!("UPDATE {TABLE} USING TTL {TTL_SECONDS} SET alive = 'yes' WHERE inner = ?");
        connection.run(&renew, &[inner]).await?;
        drop_expired_instances(&connection).await?;

        let mut renewal = JoinSet::new();
        let (renewing, name) = (Arc::clone(&connection), inner.to_owned());
        renewal.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(TTL_SECONDS / 10)).await;
                if let Err(failed) = renewing.run(&renew, &[&name]).await {
                    tracing::warn!("the lease of this instance could not be renewed, so another instance may drop its keyspaces: {failed}");
                }
            }
        });
        Ok(Self { connection, inner: inner.to_owned(), _renewal: renewal })
    }

    /// Removes the instance from the table, because its keyspaces were dropped.
    pub(crate) async fn release(self) -> Result<(), InternalRequestError> {
        remove(&self.connection, &self.inner).await
    }

    /// Leaves an instance as a process leaves it that was killed long enough ago.
    #[cfg(test)]
    pub(crate) async fn leave_expired(connection: &InternalConnection, inner: &str) {
        connection.run(&format!("INSERT INTO {TABLE} (inner) VALUES (?)"), &[inner]).await.unwrap();
        for keyspace in [inner.to_owned(), format!("{inner}_app")] {
            connection.run(&KEYSPACE.replace("keyspaces_local", &keyspace), &[]).await.unwrap();
        }
    }
}

const KEYSPACE: &str = "CREATE KEYSPACE IF NOT EXISTS keyspaces_local \
                        WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
const TABLE: &str = "keyspaces_local.instances";

/// The seconds after which the mark expires: long enough for a debugger or a sleeping laptop.
const TTL_SECONDS: u64 = 1200;

async fn drop_expired_instances(connection: &InternalConnection) -> Result<(), InternalRequestError> {
    let instances = connection.select(&format!("SELECT JSON inner, alive FROM {TABLE}"), &[]).await?;
    let expired = instances.iter().filter(|row| row["alive"].is_null()).filter_map(|row| row["inner"].as_str());
    for inner in expired {
        let keyspaces = connection.select("SELECT JSON keyspace_name FROM system_schema.keyspaces", &[]).await?;
        let prefix = format!("{inner}_");
        let names = keyspaces.iter().filter_map(|row| row["keyspace_name"].as_str());
        for name in names.filter(|name| *name == inner || name.starts_with(&prefix)) {
            connection.run(&format!("DROP KEYSPACE IF EXISTS \"{}\"", name.replace('"', "\"\"")), &[]).await?;
        }
        remove(connection, inner).await?;
    }
    Ok(())
}

async fn remove(connection: &InternalConnection, inner: &str) -> Result<(), InternalRequestError> {
    connection.run(&format!("DELETE FROM {TABLE} WHERE inner = ?"), &[inner]).await
}
