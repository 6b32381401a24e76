//! The driver's configuration. Each default of the driver that does harm on Keyspaces is replaced here, and only here.
//!
//! The driver's rarely needed futures are boxed here. A future that is held by value is compiled in each crate and each
//! codegen unit that holds it, and the driver's futures are large: without boxes, the code that connects was compiled
//! nine times.

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
        // The only consistency of a write. A statement that reads sets its own consistency.
        .consistency(WRITE_CONSISTENCY)
        // The driver's default sends LOCAL_SERIAL with every request. Whether the service accepts that is unverified.
        .serial_consistency(None)
        // The driver's retry policies cannot wait, so they would flood a throttled table; this crate repeats attempts
        // itself.
        .retry_policy(Arc::new(FallthroughRetryPolicy))
        // The service's tokens are not i64, so the driver replaces them with random ones. A token-aware policy would
        // then send each partition to one node, and some nodes would get forty times as many requests as others.
        .load_balancing_policy(Arc::new(Rotation::default()))
        .request_timeout(Some(settings.attempt_timeout.min(settings.call_timeout)))
        .speculative_execution_policy(None)
        .build();

    let mut identity = SelfIdentity::new()
        .with_custom_driver_name(env!("CARGO_PKG_NAME"))
        // The driver's default is the version of scylla-cql.
        .with_custom_driver_version(env!("CARGO_PKG_VERSION"));
    if let Some(name) = &settings.application_name {
        identity.set_application_name(name.clone());
    }

    SessionBuilder::new()
        // With a name instead of addresses, the driver would try the addresses one by one and wait for a silent one for
        // ever. The translator handles later changes of DNS.
        .known_nodes_addr(contact_points)
        .tls_context(handshake.tls().cloned().map(TlsContext::from))
        .authenticator_provider(handshake.authenticator().as_driver_provider())
        .address_translator(translator)
        // If the service lacks or refuses one schema table, the driver discards the topology too, and reads it again
        // every second.
        .fetch_schema_metadata(false)
        .fetch_full_schema_metadata(false)
        // By default the driver reads peers again only after a server event, and the service is not known to send any.
        .periodic_metadata_fetch_mode(PeriodicFetchMode::FullMetadata)
        // The session refreshes the metadata itself, to notice a refresh that hangs.
        .cluster_metadata_refresh_interval(NEVER)
        .metadata_request_clientside_timeout(KEEPALIVE_TIMEOUT)
        // Only ScyllaDB receives this timeout. With its default of 30 s, the driver warns at every start that the
        // client-side timeout is shorter.
        .metadata_request_serverside_timeout(KEEPALIVE_TIMEOUT)
        // Schema agreement does not show whether a table has been created, and can report a failure for DDL that
        // succeeded.
        .auto_await_schema_agreement(false)
        .refresh_metadata_on_auto_schema_agreement(false)
        // The report would send 800 bytes about this program's configuration to every server, in STARTUP.
        .driver_config_reporting(false)
        .custom_identity(identity)
        .pool_size(PoolSize::PerHost(settings.connections_per_host))
        .disallow_shard_aware_port(true)
        // `prepare` sends a request to every node and has no deadline of its own, so a half-open connection would block
        // it for 60 s.
        .keepalive_interval(KEEPALIVE_INTERVAL)
        .keepalive_timeout(KEEPALIVE_TIMEOUT)
        .connection_timeout(PROBE_TIMEOUT)
        .default_execution_profile_handle(profile.into_handle())
}

/// Builds the driver session, boxed.
pub(super) fn build(builder: SessionBuilder) -> BoxFuture<'static, Result<Session, NewSessionError>> {
    async move { builder.build().await }.boxed()
}

/// Reads the list of peers, boxed.
pub(super) fn refresh_metadata(driver: &Session) -> BoxFuture<'_, Result<(), MetadataError>> {
    driver.refresh_metadata().boxed()
}

/// Prepares a text on every peer, boxed.
pub(crate) fn prepare<'d>(
    driver: &'d Session,
    text: &'d str,
) -> BoxFuture<'d, Result<PreparedStatement, PrepareError>> {
    driver.prepare(text).boxed()
}
