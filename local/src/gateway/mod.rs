//! The gateway between clients and Cassandra: TLS and SigV4 for clients, plain CQL to the backing Cassandra.

mod account;
mod analyse;
mod answer;
mod bound_statement;
mod capacity;
mod check;
mod connection;
mod connection_handle;
mod data_request;
mod dml;
mod inject;
mod limits;
mod listeners;
mod paging;
mod pipeline;
mod prepared;
mod request_context;
mod scope;
mod script;
mod shared;
mod startup;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::auth::Authority;
use crate::ca::Ca;
use crate::cassandra::CassandraExit;
use crate::clock::Clock;
use crate::credential_store::CredentialStore;
use crate::error::{Error, ErrorKind};
use crate::fault::Faults;
use crate::journal::Journal;
use crate::metering::Metering;
use crate::names::Names;
use crate::schema;
use crate::throttle::Throttling;
use crate::topology::{Partitioner, Sockets, Topology};
use crate::upstream::{InternalConnection, InternalRequestError, Layouts, Lease};
pub(crate) use listeners::{ListenerError, Listeners};
pub(crate) use script::Script;
pub(crate) use shared::Shared;

/// The settings of a gateway.
pub(crate) struct GatewaySettings {
    /// The sockets that it listens on.
    pub(crate) sockets: Sockets,
    /// The emulated Region. It is also the name of the data center and the rack of all nodes.
    pub(crate) region: String,
    /// The partitioner, which must be Cassandra's own.
    pub(crate) partitioner: Partitioner,
    /// The instance whose keyspaces and tables it serves.
    pub(crate) instance: Instance,
    /// The delays of definitions, and the inaccessible KMS keys.
    pub(crate) schema: schema::SchemaSettings,
    /// The clock that timestamps are taken from.
    pub(crate) clock: Clock,
    /// The faults that are injected.
    pub(crate) faults: Faults,
    /// The throttling of tables and connections.
    pub(crate) throttling: Throttling,
    /// The exit of Cassandra.
    pub(crate) cassandra_exit: CassandraExit,
    /// The maximum number of connected clients.
    pub(crate) max_connections: usize,
    /// The definitions that are executed before clients are accepted.
    pub(crate) script: Option<Script>,
}

/// How the state of a gateway is separated from that of other gateways over the same Cassandra.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Instance {
    /// State is kept under a name, for the next gateway with this name over the same Cassandra.
    Named(String),
    /// State is dropped when the gateway is closed, or by a later gateway if it was killed.
    Temporary,
    /// Nothing needs to be dropped, because Cassandra ends with the gateway.
    OwnCassandra,
}

/// A gateway. Dropping it stops serving; only [`close`](Self::close) drops the keyspaces of a temporary instance.
#[derive(Debug)]
pub(crate) struct Gateway {
    listeners: Arc<Listeners>,
    lease: Option<Lease>,
    _commands: JoinSet<()>,
}

impl Gateway {
    /// Prepares Cassandra and begins to serve.
    pub(crate) async fn start(
        settings: GatewaySettings,
        tls: Arc<Ca>,
        authority: Arc<Authority>,
        cassandra: SocketAddr,
    ) -> Result<Self, Error> {
        let GatewaySettings { sockets, region, partitioner, instance, schema, clock, faults, throttling, .. } =
            settings;
        let GatewaySettings { cassandra_exit, max_connections, script, .. } = settings;
        let schema_settings = schema.clone();
        let name = match &instance {
            Instance::Named(name) => format!("kept {name}"),
            Instance::Temporary | Instance::OwnCassandra => crate::random::hex_32(),
        };
        let names = Names::new(&name);
        let lease = match instance {
            Instance::Temporary => {
                Some(Lease::take(cassandra, names.inner()).await.map_err(|failed| unusable(cassandra, failed))?)
            }
            Instance::Named(_) | Instance::OwnCassandra => None,
        };
        let topology = Topology::new(&region, partitioner, &sockets.peers);
        let inner_keyspace = names.inner().to_owned();
        let opened = shared::open(cassandra, names, &topology, schema, &clock).await;
        let (schema, history) = opened.map_err(|failed| unusable(cassandra, failed))?;
        let connection = InternalConnection::new(cassandra);
        let credential_store = CredentialStore::open(connection, &inner_keyspace, Arc::clone(&authority)).await;
        let service_specific = Arc::new(credential_store.map_err(|failed| unusable(cassandra, failed))?);
        if let Some(script) = script {
            script.run(&schema).await?;
        }
        let (commands, received) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            tls,
            authority,
            service_specific,
            cassandra,
            cassandra_exit,
            journal: Journal::new(),
            prepared: prepared::PreparedStatements::new(),
            layouts: Layouts::default(),
            rows: Semaphore::new(shared::ROWS_AT_ONCE as usize),
            requests: Arc::new(Semaphore::new(connection::SHARED_REQUESTS)),
            request_bytes: Arc::new(Semaphore::new(connection::SHARED_REQUEST_BYTES)),
            answers: Arc::new(Semaphore::new(connection::SHARED_ANSWERS)),
            schema,
            history,
            metering: Metering::new(Arc::clone(&clock)),
            clock,
            faults,
            throttling,
            commands,
            region,
            partitioner,
            schema_settings,
            instance: name,
            connections: Arc::new(Semaphore::new(max_connections)),
            max_connections,
        });
        let listeners = Listeners::open(sockets.sockets, shared).map_err(|error| {
            Error::new(ErrorKind::Listen, "the address of a listening socket cannot be read").with_source(error)
        })?;
        let listeners = Arc::new(listeners);
        let mut running = JoinSet::new();
        running.spawn(Arc::clone(&listeners).run_commands(received));
        Ok(Self { listeners, lease, _commands: running })
    }

    /// The requests that were received.
    pub(crate) fn journal(&self) -> Journal {
        self.listeners.shared().journal.clone()
    }

    /// The capacity that was consumed.
    pub(crate) fn metering(&self) -> Metering {
        self.listeners.shared().metering.clone()
    }

    /// The listeners that clients connect to.
    pub(crate) fn listeners(&self) -> &Arc<Listeners> {
        &self.listeners
    }

    /// Closes every connection, and drops the keyspaces of a temporary instance.
    pub(crate) async fn close(self) -> Result<(), Error> {
        self.listeners.close_all().await;
        let Some(lease) = self.lease else { return Ok(()) };
        let dropped = async {
            self.listeners.shared().schema.drop_everything().await?;
            lease.release().await
        };
        dropped.await.map_err(|failed: InternalRequestError| {
            Error::new(ErrorKind::Gateway, "the keyspaces of this instance could not be dropped from Cassandra")
                .with_source(failed)
        })
    }
}

fn unusable(cassandra: SocketAddr, failed: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Gateway, format!("the Cassandra at {cassandra} cannot be used: {failed}")).with_source(failed)
}
