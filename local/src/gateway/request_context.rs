//! The context of a request: its connection, and the state of the gateway.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use keyspaces_cql::KnownTables;

use super::Shared;
use super::answer::{Answer, cassandra_failed, from_cassandra, malformed_answer};
use super::scope::NameScope;
use crate::budget::Budget;
use crate::lock::Mutex;
use crate::names::SchemaObject;
use crate::protocol::{Frame, Refusal, metadata};
use crate::throttle::ConnectionRateLimit;
use crate::upstream::{Channel, Layout, Upstream, connection_lost};

/// The connection of a request, and the state that all connections share.
pub(super) struct RequestContext<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) upstream: &'a Arc<Upstream>,
    /// The keyspace of the connection, set by `USE`.
    pub(super) keyspace: &'a Mutex<Option<String>>,
    /// The address that the client has connected to.
    pub(super) peer: SocketAddr,
    /// Whether a fault makes the page empty.
    pub(super) empty_page: bool,
    /// The limit of the requests that the connection makes in a second.
    pub(super) rate_limit: &'a ConnectionRateLimit,
    /// The answers with rows that the connection may have in memory, each until it is written to the client.
    pub(super) answers: &'a Budget,
}

impl RequestContext<'_> {
    /// The columns of a table; no columns if Cassandra has no table of this name.
    pub(super) async fn layout(&self, stream: i16, table: &SchemaObject) -> Result<Arc<Layout>, Refusal> {
        let schema = &self.shared.schema;
        let default_ttl = || schema.options(table).and_then(|options| options.default_time_to_live);
        let expires = || default_ttl().is_some_and(|seconds| seconds > 0);
        let cassandra = Channel { upstream: self.upstream, stream };
        self.shared.layouts.find(cassandra, schema.names(), table, expires).await
    }

    /// The columns of these tables for the rules, without system tables and tables that do not exist.
    pub(super) async fn known_tables<'t>(
        &self,
        stream: i16,
        tables: impl IntoIterator<Item = &'t SchemaObject>,
    ) -> Result<KnownTables, Refusal> {
        let mut known = KnownTables::default();
        for table in tables.into_iter().collect::<HashSet<_>>() {
            if self.shared.schema.options(table).is_some() {
                let layout = self.layout(stream, table).await?;
                known.insert(Some(&table.keyspace), &table.name, Arc::clone(&layout.known));
            }
        }
        Ok(known)
    }

    /// Calls `f` with the scope in which a statement of this connection is read. `prepared` is whether it came in a
    /// PREPARE.
    pub(super) fn in_scope<T>(&self, prepared: bool, f: impl FnOnce(NameScope<'_>) -> T) -> T {
        let keyspace = self.keyspace.lock().clone();
        let (names, data_center) = (self.shared.schema.names(), self.shared.schema.data_center());
        f(NameScope { keyspace: keyspace.as_deref(), names, data_center, prepared })
    }

    /// Applies the changes of the schema that are due.
    pub(super) async fn apply_due_changes(&self) -> Result<(), Refusal> {
        self.shared.apply_due_changes().await.map_err(cassandra_failed)
    }

    /// Sends a request to Cassandra, and returns its answer with the client's names.
    pub(super) async fn forward(&self, request: Frame) -> Result<Answer, Refusal> {
        let answer = self.upstream.call(request).await.map_err(|_| connection_lost())?;
        Ok(from_cassandra(self.with_client_names(answer)?))
    }

    /// An answer of Cassandra with the client's names of keyspaces and tables in place of Cassandra's.
    pub(super) fn with_client_names(&self, answer: Frame) -> Result<Frame, Refusal> {
        metadata::with_client_names(answer, self.shared.schema.names()).map_err(malformed_answer)
    }
}
