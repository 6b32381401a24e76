//! What clients connect to: TLS and SigV4 in front, a real Cassandra behind.

mod account;
mod analyse;
mod bound;
mod cells;
mod connection;
mod define;
mod doors;
mod inject;
mod json;
mod limits;
mod link;
mod nondeterministic;
mod paging;
mod prepared;
mod recorded;
mod renamed;
mod script;
mod statement;
mod text;
mod written;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::auth::Authority;
use crate::ca::Ca;
use crate::cassandra::Fate;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::fault::Faults;
use crate::history::History;
use crate::journal::Journal;
use crate::metering::Metering;
use crate::names::Names;
use crate::schema::{self, Schema};
use crate::throttle::Throttling;
use crate::topology::{Listeners, Partitioner, Topology};

use crate::upstream::{Failed, InternalConnection, Layouts, Lease};
pub(crate) use doors::{Doors, Stuck};
pub(crate) use script::Script;
#[cfg(test)]
pub(crate) use text::counter;

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
    /// What goes wrong on request.
    pub(crate) faults: Faults,
    /// What is throttled.
    pub(crate) throttling: Throttling,
    /// What becomes of Cassandra.
    pub(crate) fate: Fate,
    /// How many clients may be connected at once.
    pub(crate) max_connections: usize,
    /// Keyspaces, tables and types that are there from the beginning.
    pub(crate) script: Option<Script>,
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
    doors: Arc<Doors>,
    lease: Option<Lease>,
    _obeying: JoinSet<()>,
}

/// What all connections share.
pub(crate) struct Shared {
    tls: Arc<Ca>,
    authority: Arc<Authority>,
    cassandra: SocketAddr,
    fate: Fate,
    journal: Journal,
    prepared: prepared::Prepared,
    layouts: Layouts,
    /// For the rows that Cassandra is asked for at once.
    rows: Semaphore,
    /// For the requests beyond those that each connection may always have worked on.
    requests: Arc<Semaphore>,
    /// For the bytes of requests beyond those that each connection may always have in memory.
    request_bytes: Arc<Semaphore>,
    /// The same for answers with rows.
    answers: Arc<Semaphore>,
    schema: Schema,
    history: Arc<History>,
    clock: Clock,
    faults: Faults,
    throttling: Throttling,
    metering: Metering,
    /// What faults want done to the gateway as a whole.
    orders: mpsc::UnboundedSender<link::Order>,
    region: String,
    partitioner: Partitioner,
    schema_settings: schema::Settings,
    instance: String,
    /// One permit for each connection of a client that may still be opened.
    connections: Arc<Semaphore>,
    max_connections: usize,
}

impl Gateway {
    /// Prepares Cassandra and begins to serve.
    pub(crate) async fn start(
        settings: Settings,
        tls: Arc<Ca>,
        authority: Arc<Authority>,
        cassandra: SocketAddr,
    ) -> Result<Self, Error> {
        let Settings { listeners, region, partitioner, instance, schema, clock, faults, throttling, .. } = settings;
        let Settings { fate, max_connections, script, .. } = settings;
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
        let topology = Topology::new(&region, partitioner, &listeners.peers);
        let opened = open(cassandra, names, &topology, schema, &clock).await;
        let (schema, history) = opened.map_err(|failed| unusable(cassandra, failed))?;
        if let Some(script) = script {
            script.run(&schema).await?;
        }
        let (orders, to_obey) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            tls,
            authority,
            cassandra,
            fate,
            journal: Journal::new(),
            prepared: prepared::Prepared::new(),
            layouts: Layouts::default(),
            rows: Semaphore::new(paging::ROWS_AT_ONCE as usize),
            requests: Arc::new(Semaphore::new(connection::SHARED_REQUESTS)),
            request_bytes: Arc::new(Semaphore::new(connection::SHARED_REQUEST_BYTES)),
            answers: Arc::new(Semaphore::new(connection::SHARED_ANSWERS)),
            schema,
            history,
            metering: Metering::new(Arc::clone(&clock)),
            clock,
            faults,
            throttling,
            orders,
            region,
            partitioner,
            schema_settings,
            instance: name,
            connections: Arc::new(Semaphore::new(max_connections)),
            max_connections,
        });
        let doors = Doors::open(listeners.sockets, shared).map_err(|error| {
            Error::new(ErrorKind::Listen, "an address that is listened at does not tell itself").with_source(error)
        })?;
        let doors = Arc::new(doors);
        let mut obeying = JoinSet::new();
        obeying.spawn(Arc::clone(&doors).obey(to_obey));
        Ok(Self { doors, lease, _obeying: obeying })
    }

    /// What was received.
    pub(crate) fn journal(&self) -> Journal {
        self.doors.shared().journal.clone()
    }

    /// What was consumed.
    pub(crate) fn metering(&self) -> Metering {
        self.doors.shared().metering.clone()
    }

    /// Where clients come in.
    pub(crate) fn doors(&self) -> &Arc<Doors> {
        &self.doors
    }

    /// Ends every connection and, of a passing instance, drops everything.
    pub(crate) async fn close(self) -> Result<(), Error> {
        self.doors.close_all().await;
        let Some(lease) = self.lease else { return Ok(()) };
        let dropped = async {
            self.doors.shared().schema.drop_everything().await?;
            lease.give_back().await
        };
        dropped.await.map_err(|failed: Failed| {
            Error::new(ErrorKind::Gateway, "what this instance has in Cassandra could not be dropped")
                .with_source(failed)
        })
    }
}

impl Shared {
    /// The same after the end of everything that is not in Cassandra.
    async fn begun_again(&self) -> Result<Self, schema::Unusable> {
        let topology = self.schema.topology();
        // What clients that are gone have written has to be in the histories, and nothing may be forgotten behind the back
        // of those that are opened now.
        self.history.landed().await;
        let names = Names::new(&self.instance);
        let opened = open(self.cassandra, names, &topology, self.schema_settings.clone(), &self.clock);
        let (schema, history) = opened.await?;
        Ok(Self {
            tls: Arc::clone(&self.tls),
            authority: Arc::clone(&self.authority),
            cassandra: self.cassandra,
            fate: self.fate.clone(),
            journal: self.journal.clone(),
            prepared: prepared::Prepared::new(),
            layouts: Layouts::default(),
            rows: Semaphore::new(paging::ROWS_AT_ONCE as usize),
            requests: Arc::clone(&self.requests),
            request_bytes: Arc::clone(&self.request_bytes),
            answers: Arc::clone(&self.answers),
            schema,
            history,
            clock: Arc::clone(&self.clock),
            faults: self.faults.clone(),
            throttling: self.throttling.clone(),
            metering: self.metering.clone(),
            orders: self.orders.clone(),
            region: self.region.clone(),
            partitioner: self.partitioner,
            schema_settings: self.schema_settings.clone(),
            instance: self.instance.clone(),
            connections: Arc::clone(&self.connections),
            max_connections: self.max_connections,
        })
    }
}

/// Opens the schema of an instance, and the histories of its tables.
async fn open(
    cassandra: SocketAddr,
    names: Names,
    topology: &Topology,
    settings: schema::Settings,
    clock: &Clock,
) -> Result<(Schema, Arc<History>), schema::Unusable> {
    let (own, names) = (InternalConnection::new(cassandra), Arc::new(names));
    let data_center = Schema::prepare(&own, &names, topology).await?;
    let history = History::open(cassandra, Arc::clone(&names), Arc::clone(clock), settings.history_bytes).await?;
    let recorded = Box::new(Arc::clone(&history));
    let schema = Schema::open(own, names, data_center, topology, settings, Arc::clone(clock), recorded).await?;
    Ok((schema, history))
}

fn unusable(cassandra: SocketAddr, failed: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Gateway, format!("the Cassandra at {cassandra} cannot be used: {failed}")).with_source(failed)
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("cassandra", &self.cassandra).finish_non_exhaustive()
    }
}
