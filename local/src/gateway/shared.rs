//! The state that the connections of a gateway share.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::connection_handle::GatewayCommand;
use super::prepared::PreparedStatements;
use crate::auth::Authority;
use crate::ca::Ca;
use crate::cassandra::CassandraExit;
use crate::clock::Clock;
use crate::credential_store::CredentialStore;
use crate::fault::Faults;
use crate::history::History;
use crate::journal::Journal;
use crate::metering::Metering;
use crate::names::Names;
use crate::protocol::Frame;
use crate::schema::{self, Definition, DefinitionRefusal, Schema};
use crate::throttle::Throttling;
use crate::topology::{Partitioner, Topology};
use crate::upstream::{InternalConnection, InternalRequestError, Layouts, connection_lost};

/// The maximum number of rows that all connections together request from Cassandra at once: each may have 1 MB, and
/// Cassandra has a heap of 512 MB.
pub(super) const ROWS_AT_ONCE: u32 = 32;

/// The state that all connections share, until a restart replaces it.
pub(crate) struct Shared {
    pub(super) tls: Arc<Ca>,
    pub(super) authority: Arc<Authority>,
    pub(super) service_specific: Arc<CredentialStore>,
    pub(super) cassandra: SocketAddr,
    pub(super) cassandra_exit: CassandraExit,
    pub(super) journal: Journal,
    pub(super) prepared: PreparedStatements,
    pub(super) layouts: Layouts,
    /// Permits for rows that are requested from Cassandra at the same time.
    pub(super) rows: Semaphore,
    /// Permits for requests beyond those that each connection may always have in progress.
    pub(super) requests: Arc<Semaphore>,
    /// Permits for bytes of requests beyond those that each connection may always have in memory.
    pub(super) request_bytes: Arc<Semaphore>,
    /// Permits for answers with rows beyond those that each connection may always have in memory.
    pub(super) answers: Arc<Semaphore>,
    pub(super) schema: Schema,
    pub(super) history: Arc<History>,
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    pub(super) throttling: Throttling,
    pub(super) metering: Metering,
    /// The commands of faults for the gateway as a whole.
    pub(super) commands: mpsc::UnboundedSender<GatewayCommand>,
    pub(super) region: String,
    pub(super) partitioner: Partitioner,
    pub(super) schema_settings: schema::SchemaSettings,
    pub(super) instance: String,
    /// One permit for each client connection that may still be opened.
    pub(super) connections: Arc<Semaphore>,
    pub(super) max_connections: usize,
}

impl Shared {
    /// The shared state of a restarted gateway: whatever is not in Cassandra is new.
    pub(super) async fn reopened(&self) -> Result<Self, schema::SchemaError> {
        let topology = self.schema.topology();
        // The histories are read from Cassandra, so the writes of closed connections have to be recorded before, and no
        // baseline of the old histories may remove entries of the new ones.
        self.history.wait_until_idle().await;
        let names = Names::new(&self.instance);
        let opened = open(self.cassandra, names, &topology, self.schema_settings.clone(), &self.clock);
        let (schema, history) = opened.await?;
        Ok(Self {
            tls: Arc::clone(&self.tls),
            authority: Arc::clone(&self.authority),
            service_specific: Arc::clone(&self.service_specific),
            cassandra: self.cassandra,
            cassandra_exit: self.cassandra_exit.clone(),
            journal: self.journal.clone(),
            prepared: PreparedStatements::new(),
            layouts: Layouts::default(),
            rows: Semaphore::new(ROWS_AT_ONCE as usize),
            requests: Arc::clone(&self.requests),
            request_bytes: Arc::clone(&self.request_bytes),
            answers: Arc::clone(&self.answers),
            schema,
            history,
            clock: Arc::clone(&self.clock),
            faults: self.faults.clone(),
            throttling: self.throttling.clone(),
            metering: self.metering.clone(),
            commands: self.commands.clone(),
            region: self.region.clone(),
            partitioner: self.partitioner,
            schema_settings: self.schema_settings.clone(),
            instance: self.instance.clone(),
            connections: Arc::clone(&self.connections),
            max_connections: self.max_connections,
        })
    }

    /// The service-specific credentials that IAM's operations created.
    pub(crate) fn service_specific(&self) -> &CredentialStore {
        &self.service_specific
    }

    /// The counts of requests and capacity.
    pub(crate) fn metering(&self) -> &Metering {
        &self.metering
    }

    /// The schema. Call [`apply_due_changes`](Self::apply_due_changes) before reading it.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The histories of the tables with point-in-time recovery.
    #[cfg(test)]
    pub(crate) fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Applies the changes of the schema that are due.
    pub(crate) async fn apply_due_changes(&self) -> Result<(), InternalRequestError> {
        let settled = self.schema.apply_due_changes().await;
        if !matches!(settled, Ok(false)) {
            self.layouts.invalidate();
        }
        settled.map(drop)
    }

    /// Executes a definition, and returns Cassandra's answer. It runs in a task of its own, so that it is completed
    /// even if its client disconnects.
    pub(crate) async fn define(self: &Arc<Self>, definition: Definition) -> Result<Frame, DefinitionRefusal> {
        self.layouts.invalidate();
        let shared = Arc::clone(self);
        let defining = tokio::spawn(async move {
            let answer = shared.schema.define(&definition).await;
            shared.layouts.invalidate();
            shared.layouts.record_change(&definition.object);
            answer
        });
        defining.await.map_err(|_| connection_lost())?
    }
}

/// Opens the schema of an instance and the histories of its tables.
pub(super) async fn open(
    cassandra: SocketAddr,
    names: Names,
    topology: &Topology,
    settings: schema::SchemaSettings,
    clock: &Clock,
) -> Result<(Schema, Arc<History>), schema::SchemaError> {
    let (connection, names) = (InternalConnection::new(cassandra), Arc::new(names));
    let data_center = Schema::prepare(&connection, &names, topology).await?;
    let history = History::open(cassandra, Arc::clone(&names), Arc::clone(clock), settings.history_bytes).await?;
    let recorded = Box::new(Arc::clone(&history));
    let schema = Schema::open(connection, names, data_center, topology, settings, Arc::clone(clock), recorded).await?;
    Ok((schema, history))
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("cassandra", &self.cassandra).finish_non_exhaustive()
    }
}
