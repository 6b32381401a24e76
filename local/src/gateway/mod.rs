//! What clients connect to: TLS and SigV4 in front, a real Cassandra behind.

mod bound;
mod connection;
mod consistency;
mod frame;
mod layout;
pub(crate) mod lease;
mod limits;
mod metadata;
mod notation;
mod own;
mod paging;
mod prepared;
mod record;
mod request;
mod statement;
#[cfg(test)]
mod tests;
mod understand;
mod upstream;
mod values;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::auth::{Authority, Clock};
use crate::error::{Error, ErrorKind};
use crate::journal::Journal;
use crate::schema::{self, Names, Schema};
use crate::topology::{Listeners, Partitioner, Topology};

pub use consistency::Consistency;
pub(crate) use frame::Frame;
use lease::Lease;
pub(crate) use metadata::{is_schema_change, restored, schema_change};
pub(crate) use own::{Failed, Own};
pub(crate) use understand::{not_emulated, refused_by};

/// The codes of ERROR frames.
pub(crate) mod error_code {
    pub(crate) const SERVER_ERROR: i32 = 0x0000;
    pub(crate) const PROTOCOL_ERROR: i32 = 0x000A;
    pub(crate) const SYNTAX_ERROR: i32 = 0x2000;
    pub(crate) const UNAUTHORIZED: i32 = 0x2100;
    pub(crate) const INVALID: i32 = 0x2200;
    pub(crate) const ALREADY_EXISTS: i32 = 0x2400;
    pub(crate) const UNPREPARED: i32 = 0x2500;
}

/// What a gateway is told.
pub(crate) struct Settings {
    /// Where it listens.
    pub(crate) listeners: Listeners,
    /// The Region that it pretends to be, which is the data center and the rack of all nodes.
    pub(crate) region: String,
    /// Must be what Cassandra runs with.
    pub(crate) partitioner: Partitioner,
    /// Whose tables and keyspaces it serves.
    pub(crate) instance: Instance,
    /// How long definitions take, and which keys are not to be used.
    pub(crate) schema: schema::Settings,
    /// What time it is.
    pub(crate) clock: Clock,
}

/// What several gateways over one Cassandra are told apart by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Instance {
    /// Everything is there again when a gateway with the same name starts over the same Cassandra.
    Kept(String),
    /// Everything is dropped when the gateway is closed, or if it never is, by one that starts later.
    Passing,
    /// Nothing needs to be dropped: Cassandra ends with it.
    Alone,
}

/// A gateway. Dropped, it stops serving; only [`close`](Self::close) drops what a passing instance has in Cassandra.
#[derive(Debug)]
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    lease: Option<Lease>,
    listening: JoinSet<()>,
}

/// What all connections share.
struct Shared {
    tls: TlsAcceptor,
    authority: Arc<Authority>,
    cassandra: SocketAddr,
    journal: Journal,
    prepared: prepared::Prepared,
    layouts: layout::Layouts,
    /// For the rows that Cassandra is asked for at once.
    rows: Semaphore,
    schema: Schema,
    clock: Clock,
}

impl Gateway {
    /// Prepares Cassandra and begins to serve.
    pub(crate) async fn start(
        settings: Settings,
        tls: Arc<ServerConfig>,
        authority: Arc<Authority>,
        cassandra: SocketAddr,
    ) -> Result<Self, Error> {
        let Settings { listeners, region, partitioner, instance, schema, clock } = settings;
        let name = match &instance {
            Instance::Kept(name) => format!("kept {name}"),
            Instance::Passing | Instance::Alone => crate::random::hex_32(),
        };
        let names = Names::new(&name);
        let lease = match instance {
            Instance::Passing => {
                Some(Lease::take(cassandra, names.inner()).await.map_err(|failed| unusable(cassandra, failed))?)
            }
            Instance::Kept(_) | Instance::Alone => None,
        };
        let topology = Topology::new(&region, partitioner, &listeners.peers);
        let schema = Schema::open(Own::new(cassandra), names, &topology, schema, Arc::clone(&clock));
        let schema = schema.await.map_err(|failed| unusable(cassandra, failed))?;
        let shared = Arc::new(Shared {
            tls: tls.into(),
            authority,
            cassandra,
            journal: Journal::new(),
            prepared: prepared::Prepared::new(),
            layouts: layout::Layouts::default(),
            rows: Semaphore::new(paging::ROWS_AT_ONCE as usize),
            schema,
            clock,
        });
        let mut listening = JoinSet::new();
        for socket in listeners.sockets {
            listening.spawn(listen(socket, Arc::clone(&shared)));
        }
        Ok(Self { shared, lease, listening })
    }

    /// What was received.
    pub(crate) fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// Ends every connection and, of a passing instance, drops everything.
    pub(crate) async fn close(mut self) -> Result<(), Error> {
        self.listening.shutdown().await;
        let Some(lease) = self.lease else { return Ok(()) };
        let dropped = async {
            self.shared.schema.drop_everything().await?;
            lease.give_back().await
        };
        dropped.await.map_err(|failed: Failed| {
            Error::new(ErrorKind::Gateway, "what this instance has in Cassandra could not be dropped")
                .with_source(failed)
        })
    }
}

fn unusable(cassandra: SocketAddr, failed: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Gateway, format!("the Cassandra at {cassandra} cannot be used: {failed}")).with_source(failed)
}

/// Accepts connections until it is dropped, and then they end too.
async fn listen(socket: TcpListener, shared: Arc<Shared>) {
    /// After what cannot be helped at once, as when there are no more file descriptors.
    const PAUSE: Duration = Duration::from_millis(50);
    let mut connections = JoinSet::new();
    loop {
        match socket.accept().await {
            Ok((stream, client)) => {
                connections.spawn(connection::serve(Arc::clone(&shared), stream, client));
            }
            Err(error) => {
                tracing::debug!(%error, "no connection accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("cassandra", &self.cassandra).finish_non_exhaustive()
    }
}
