//! What clients connect to: TLS and SigV4 in front, a real Cassandra behind.

mod account;
mod analyse;
mod answer;
mod bound_statement;
mod capacity;
mod check;
mod connection;
mod data_request;
mod dml;
mod inject;
mod limits;
mod link;
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
use crate::cassandra::Fate;
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
    /// The Region that it plays. Data center and rack of all nodes have its name.
    pub(crate) region: String,
    /// The partitioner, which must be Cassandra's own.
    pub(crate) partitioner: Partitioner,
    /// The instance whose keyspaces and tables it serves.
    pub(crate) instance: Instance,
    /// How long definitions take, and which KMS keys are inaccessible.
    pub(crate) schema: schema::SchemaSettings,
    /// The clock that timestamps are taken from.
    pub(crate) clock: Clock,
    /// The faults that are injected.
    pub(crate) faults: Faults,
    /// The throttling of tables and connections.
    pub(crate) throttling: Throttling,
    /// How Cassandra ended, once it has.
    pub(crate) fate: Fate,
    /// How many clients may be connected at once.
    pub(crate) max_connections: usize,
    /// The definitions that are carried out before clients are accepted.
    pub(crate) script: Option<Script>,
}

/// How the state of a gateway is kept apart from that of others over the same Cassandra.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Instance {
    /// State is kept under a name, for the next gateway with this name over the same Cassandra.
    Kept(String),
    /// State is dropped when the gateway is closed, or by a later gateway if it was killed.
    Passing,
    /// Nothing needs to be dropped, because Cassandra ends with the gateway.
    Alone,
}

/// A gateway. Dropped, it stops serving; only [`close`](Self::close) drops what a passing instance has in Cassandra.
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
        let GatewaySettings { fate, max_connections, script, .. } = settings;
        let schema_settings = schema.clone();
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
        let topology = Topology::new(&region, partitioner, &sockets.peers);
        let inner_keyspace = names.inner().to_owned();
        let opened = shared::open(cassandra, names, &topology, schema, &clock).await;
        let (schema, history) = opened.map_err(|failed| unusable(cassandra, failed))?;
        let own = InternalConnection::new(cassandra);
        let kept = CredentialStore::open(own, &inner_keyspace, Arc::clone(&authority)).await;
        let service_specific = Arc::new(kept.map_err(|failed| unusable(cassandra, failed))?);
        if let Some(script) = script {
            script.run(&schema).await?;
        }
        let (commands, received) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            tls,
            authority,
            service_specific,
            cassandra,
            fate,
            journal: Journal::new(),
            prepared: prepared::Prepared::new(),
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

    /// Ends every connection. Drops everything that a passing instance has in Cassandra.
    pub(crate) async fn close(self) -> Result<(), Error> {
        self.listeners.close_all().await;
        let Some(lease) = self.lease else { return Ok(()) };
        let dropped = async {
            self.listeners.shared().schema.drop_everything().await?;
            lease.give_back().await
        };
        dropped.await.map_err(|failed: InternalRequestError| {
            Error::new(ErrorKind::Gateway, "what this instance has in Cassandra could not be dropped")
                .with_source(failed)
        })
    }
}

fn unusable(cassandra: SocketAddr, failed: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Gateway, format!("the Cassandra at {cassandra} cannot be used: {failed}")).with_source(failed)
}
