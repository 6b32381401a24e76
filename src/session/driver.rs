//! How the driver is set up: each of its defaults that does harm on Keyspaces is replaced here, and nowhere else.
//!
//! Its futures that are rarely needed are boxed here too. A future that is held by value is compiled anew into each crate and
//! each codegen unit that holds it, and the driver's are large: connecting was there nine times.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::{Session, TlsContext};
use scylla::client::session_builder::SessionBuilder;
use scylla::client::{PoolSize, SelfIdentity};
use scylla::cluster::metadata::PeriodicFetchMode;
use scylla::errors::{MetadataError, NewSessionError, PrepareError};
use scylla::policies::address_translator::AddressTranslator;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::prepared::PreparedStatement;

use super::defaults::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PROBE_TIMEOUT};
use super::rotation::Rotation;
use super::settings::Settings;
use crate::consistency::WRITE_CONSISTENCY;
use crate::handshake::Handshake;

const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

pub(super) fn builder(
    handshake: &Handshake,
    settings: &Settings,
    contact_points: &[SocketAddr],
    translator: Arc<dyn AddressTranslator>,
) -> SessionBuilder {
    let profile = ExecutionProfile::builder()
        // The only one that a write can have; a read that differs says so itself.
        .consistency(WRITE_CONSISTENCY)
        // By default every request carries LOCAL_SERIAL. That the service takes it is unverified.
        .serial_consistency(None)
        // Its policies cannot wait, so on a throttled table they hammer; repeating is done outside.
        .retry_policy(Arc::new(FallthroughRetryPolicy))
        // Tokens of the service are no i64, so the driver rolls dice for them: aware of such tokens it sends each
        // partition to a node of its own, and some nodes get forty times what others get.
        .load_balancing_policy(Arc::new(Rotation::default()))
        .request_timeout(Some(settings.attempt_timeout.min(settings.call_timeout)))
        .speculative_execution_policy(None)
        .build();

    let mut identity = SelfIdentity::new()
        .with_custom_driver_name(env!("CARGO_PKG_NAME"))
        // Its own would be scylla-cql's.
        .with_custom_driver_version(env!("CARGO_PKG_VERSION"));
    if let Some(name) = &settings.application_name {
        identity.set_application_name(name.clone());
    }

    SessionBuilder::new()
        // Addresses that have just answered: the driver would try what DNS gives one after the other and wait for a
        // silent one without end. Later changes of DNS are the translator's.
        .known_nodes_addr(contact_points)
        .tls_context(handshake.tls().cloned().map(TlsContext::from))
        .authenticator_provider(handshake.authenticator().as_driver_provider())
        .address_translator(translator)
        // All or nothing: one schema table that the service lacks or refuses and the driver drops the topology too,
        // then reads it again every second.
        .fetch_schema_metadata(false)
        .fetch_full_schema_metadata(false)
        // By default peers are read again only after a server's event, and the service is not known to send any.
        .periodic_metadata_fetch_mode(PeriodicFetchMode::FullMetadata)
        // The session does it itself: so it knows when that hangs.
        .cluster_metadata_refresh_interval(NEVER)
        .metadata_request_clientside_timeout(KEEPALIVE_TIMEOUT)
        // Only a ScyllaDB is told of it; with the driver's own 30 s it warns at every start that the other is shorter.
        .metadata_request_serverside_timeout(KEEPALIVE_TIMEOUT)
        // Agreement of schema versions says nothing about a table that is being created, and can fail DDL that worked.
        .auto_await_schema_agreement(false)
        .refresh_metadata_on_auto_schema_agreement(false)
        // 800 bytes about this program's configuration, in STARTUP, to whatever server.
        .driver_config_reporting(false)
        .custom_identity(identity)
        .pool_size(PoolSize::PerHost(settings.connections_per_host))
        .disallow_shard_aware_port(true)
        // `prepare` asks every node and has no deadline of its own: a half-open connection would hold it up for 60 s.
        .keepalive_interval(KEEPALIVE_INTERVAL)
        .keepalive_timeout(KEEPALIVE_TIMEOUT)
        .connection_timeout(PROBE_TIMEOUT)
        .default_execution_profile_handle(profile.into_handle())
}

/// Connects.
pub(super) fn build(builder: SessionBuilder) -> BoxFuture<'static, Result<Session, NewSessionError>> {
    async move { builder.build().await }.boxed()
}

/// Reads which peers there are.
pub(super) fn refresh_metadata(driver: &Session) -> BoxFuture<'_, Result<(), MetadataError>> {
    driver.refresh_metadata().boxed()
}

/// Prepares a text on every peer.
pub(crate) fn prepare<'d>(
    driver: &'d Session,
    text: &'d str,
) -> BoxFuture<'d, Result<PreparedStatement, PrepareError>> {
    driver.prepare(text).boxed()
}
