//! Cleans up after instances that were killed over a Cassandra that runs on.
//!
//! An instance that drops its keyspaces when it ends has a row in a table that all instances share, with a mark that expires
//! unless the instance renews it. The next instance that starts drops the keyspaces of those whose mark has expired.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{InternalConnection, InternalRequestError};

/// One instance's right to its keyspaces, renewed until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    own: Arc<InternalConnection>,
    inner: String,
    _renewal: JoinSet<()>,
}

impl Lease {
    /// Enters an instance, whose keyspaces are `inner` and all that begin with `inner` and an underscore. Drops the keyspaces
    /// of expired instances.
    pub(crate) async fn take(cassandra: SocketAddr, inner: &str) -> Result<Self, InternalRequestError> {
        let own = Arc::new(InternalConnection::new(cassandra));
        own.run(KEYSPACE, &[]).await?;
        own.run(&format!("CREATE TABLE IF NOT EXISTS {TABLE} (inner text PRIMARY KEY, alive text)"), &[]).await?;
        own.run(&format!("INSERT INTO {TABLE} (inner) VALUES (?)"), &[inner]).await?;
        let renew = format!("UPDATE {TABLE} USING TTL {TERM} SET alive = 'yes' WHERE inner = ?");
        own.run(&renew, &[inner]).await?;
        sweep(&own).await?;

        let mut renewal = JoinSet::new();
        let (of_renewal, name) = (Arc::clone(&own), inner.to_owned());
        renewal.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(TERM / 10)).await;
                if let Err(failed) = of_renewal.run(&renew, &[&name]).await {
                    tracing::warn!("its keyspaces may be taken for those of one that is gone: {failed}");
                }
            }
        });
        Ok(Self { own, inner: inner.to_owned(), _renewal: renewal })
    }

    /// Takes the instance out of the table: its keyspaces are gone.
    pub(crate) async fn give_back(self) -> Result<(), InternalRequestError> {
        remove(&self.own, &self.inner).await
    }

    /// Leaves an instance as a process leaves it that was killed long enough ago.
    #[cfg(test)]
    pub(crate) async fn leave_expired(own: &InternalConnection, inner: &str) {
        own.run(&format!("INSERT INTO {TABLE} (inner) VALUES (?)"), &[inner]).await.unwrap();
        for keyspace in [inner.to_owned(), format!("{inner}_app")] {
            own.run(&KEYSPACE.replace("keyspaces_local", &keyspace), &[]).await.unwrap();
        }
    }
}

const KEYSPACE: &str = "CREATE KEYSPACE IF NOT EXISTS keyspaces_local \
                        WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
const TABLE: &str = "keyspaces_local.instances";

/// How many seconds the mark lives: long enough for a debugger, or a laptop that sleeps.
const TERM: u64 = 1200;

async fn sweep(own: &InternalConnection) -> Result<(), InternalRequestError> {
    let instances = own.select(&format!("SELECT JSON inner, alive FROM {TABLE}"), &[]).await?;
    let left = instances.iter().filter(|row| row["alive"].is_null()).filter_map(|row| row["inner"].as_str());
    for inner in left {
        let keyspaces = own.select("SELECT JSON keyspace_name FROM system_schema.keyspaces", &[]).await?;
        let prefix = format!("{inner}_");
        let names = keyspaces.iter().filter_map(|row| row["keyspace_name"].as_str());
        for name in names.filter(|name| *name == inner || name.starts_with(&prefix)) {
            own.run(&format!("DROP KEYSPACE IF EXISTS \"{}\"", name.replace('"', "\"\"")), &[]).await?;
        }
        remove(own, inner).await?;
    }
    Ok(())
}

async fn remove(own: &InternalConnection, inner: &str) -> Result<(), InternalRequestError> {
    own.run(&format!("DELETE FROM {TABLE} WHERE inner = ?"), &[inner]).await
}
