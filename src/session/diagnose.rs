//! Connects step by step and reports the result of each step.

use crate::handshake::resolve;
use crate::saturated::saturated;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use tokio::time::Instant;

use super::builder::SessionBuilder;
use super::configure::configure;
use super::defaults::probe_timeout;
use super::diagnosis::{Diagnosis, short_text};
use super::pool_advice::REQUESTS_PER_CONNECTION;
use super::settings::Settings;
use super::{PoolAdvice, ReadyWhen, Session};
use crate::auth::Identity;
use crate::handshake::{
    EC2_PERMISSIONS, Handshake, HandshakeAttempt, HandshakeDepth, HandshakeFailure, HandshakeStage, TlsDetails,
    Topology,
};

/// The minimum number of connections of a pool if there is only one peer (`DG:troubleshooting.serverless`).
const MIN_CONNECTIONS_TO_ONE_PEER: usize = 9;

/// The maximum number of peers to probe. A public endpoint lists nine, but a server could list any number.
const MAX_PROBED: usize = 50;

pub(super) async fn diagnose(builder: &SessionBuilder) -> Diagnosis {
    let started = Instant::now();
    let (handshake, settings) = match configure(builder).await {
        Ok(prepared) => prepared,
        Err(error) => {
            let mut diagnosis = Diagnosis::new("No endpoint to connect to");
            diagnosis.add_error("configuration", &error);
            return diagnosis;
        }
    };
    let endpoint = handshake.endpoint();
    let mut diagnosis = Diagnosis::new(match endpoint.server_name() {
        Some(name) => format!("Amazon Keyspaces at {endpoint}, verified as {name}"),
        None => format!("A plain Cassandra at {endpoint}"),
    });
    if let Some((topology, probe)) =
        report_connection(&handshake, started + settings.connect_timeout, &mut diagnosis).await
    {
        report_peers(&handshake, &topology, probe.min(settings.connect_timeout), &mut diagnosis).await;
        report_pool(builder.pool_advice, &settings, &topology, endpoint.is_cassandra(), &mut diagnosis);
        if topology.problem().is_none() {
            report_session(handshake, settings, &mut diagnosis).await;
        }
    }
    diagnosis
}

/// Opens one connection and reports its stages. If it reads the system tables, returns them with the time that a probe
/// of a peer may take.
async fn report_connection(
    handshake: &Handshake,
    deadline: Instant,
    diagnosis: &mut Diagnosis,
) -> Option<(Topology, Duration)> {
    let addresses = match resolve(handshake, deadline).await {
        Ok(addresses) => addresses,
        Err(failure) => {
            diagnosis.add_error("addresses", &failure.error);
            return None;
        }
    };
    diagnosis.add_ok("addresses", joined(addresses.iter().map(SocketAddr::ip)));
    let attempts = join_all(
        addresses.into_iter().map(|address| handshake.attempt(address, HandshakeDepth::SystemTables, deadline)),
    )
    .await;
    let failed_stage = |attempt: &HandshakeAttempt| attempt.failure.as_ref().map(|failure| failure.stage);
    // The attempt that reached the latest stage is the most informative; `None` means that it passed every stage.
    let best = attempts.iter().max_by_key(|attempt| (failed_stage(attempt).is_none(), failed_stage(attempt)))?;
    report_stages(handshake, best, diagnosis);
    for other in attempts.iter().filter(|other| other.address != best.address) {
        if let Some(failure) = &other.failure {
            // Not a problem, because another address answers: `localhost` has two addresses, and often only one is
            // served.
            diagnosis.add_ok("other address", format!("{}: {}", other.address, short_text(&failure.error)));
        }
    }
    Some((best.topology.clone()?, probe_timeout([best])))
}

fn report_stages(handshake: &Handshake, attempt: &HandshakeAttempt, diagnosis: &mut Diagnosis) {
    let took = |stage| attempt.passed.iter().find(|(passed, _)| *passed == stage).map(|(_, took)| *took);
    if let Some(took) = took(HandshakeStage::Tcp) {
        diagnosis.add_ok("TCP", format!("connected with {} in {took:.1?}", attempt.address));
    }
    if let (Some(tls), Some(took)) = (&attempt.tls, took(HandshakeStage::Tls)) {
        report_certificate(tls, took, diagnosis);
    }
    if let Some(took) = took(HandshakeStage::Options) {
        diagnosis.add_ok("CQL", format!("v4, answered in {took:.1?}"));
    }
    let authenticated = attempt.failure.as_ref().is_none_or(|failure| failure.stage > HandshakeStage::Authentication);
    if let (true, Some(took)) = (authenticated, took(HandshakeStage::Authentication)) {
        let name = attempt.authenticator.as_deref().unwrap_or("the server");
        diagnosis.add_ok(
            "authentication",
            format!("{}; accepted by {name} in {took:.1?}", handshake.authenticator().identity()),
        );
    } else if attempt.failure.is_none() {
        diagnosis.add_ok("authentication", "the server does not require authentication");
    }
    report_expiry(handshake, diagnosis);
    if let Some(topology) = &attempt.topology {
        let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "unknown".to_owned());
        diagnosis.add_ok(
            "server",
            format!(
                "{}, release {}, partitioner {}, data center {}",
                text(&topology.cluster_name),
                text(&topology.release_version),
                text(&topology.partitioner),
                text(&topology.data_center)
            ),
        );
    }
    if let Some(failure) = &attempt.failure {
        diagnosis.add_error(subject(failure), &failure.error);
    }
}

fn report_certificate(tls: &TlsDetails, took: Duration, diagnosis: &mut Diagnosis) {
    let TlsDetails { version, leaf, root } = tls;
    diagnosis.add_ok("TLS", format!("{version}, in {took:.1?}"));
    diagnosis.add_ok(
        "certificate",
        format!(
            "for {}; valid until {}; root {}",
            joined(&leaf.names),
            DateTime::from_timestamp(leaf.not_after, 0).map_or_else(|| "an unknown date".to_owned(), date),
            root.as_deref().unwrap_or("unknown")
        ),
    );
}

fn subject(failure: &HandshakeFailure) -> &'static str {
    match failure.stage {
        HandshakeStage::Resolve => "addresses",
        HandshakeStage::Tcp => "TCP",
        HandshakeStage::Tls => "TLS",
        HandshakeStage::Options | HandshakeStage::Startup => "CQL",
        HandshakeStage::Credentials => "credentials",
        HandshakeStage::Authentication => "authentication",
        HandshakeStage::Register | HandshakeStage::SystemTables => "system tables",
    }
}

fn report_expiry(handshake: &Handshake, diagnosis: &mut Diagnosis) {
    let Identity::SigV4 { source, expiry: Some(expiry), .. } = handshake.authenticator().identity() else { return };
    match expiry {
        None => diagnosis.add_ok("credentials", format!("from {source}; they have no expiry")),
        Some(at) => match at.duration_since(SystemTime::now()) {
            Ok(left) => {
                let minutes = left.as_secs() / 60;
                diagnosis
                    .add_ok("credentials", format!("from {source}; they expire on {}, in {minutes} min", date(at)));
            }
            Err(_) => diagnosis.add_problem(
                "credentials",
                format!("from {source}; they expired on {}", date(at)),
                "Renew them at their source, and check this machine's clock",
            ),
        },
    }
}

async fn report_peers(handshake: &Handshake, topology: &Topology, probe: Duration, diagnosis: &mut Diagnosis) {
    let peers = topology.visible_peers();
    if let Some(fault) = topology.problem() {
        diagnosis.add_problem("peers", fault, EC2_PERMISSIONS);
        return;
    }
    if handshake.endpoint().is_cassandra() {
        diagnosis.add_ok("peers", format!("{} besides this node", peers.len()));
    } else if peers.len() < 2 {
        let text = if peers.is_empty() { "none is visible" } else { "only one is visible" };
        diagnosis.add_problem("peers", text, EC2_PERMISSIONS);
    } else {
        diagnosis.add_ok("peers", format!("{} are visible: {}", peers.len(), joined(&peers)));
    }
    let limit = Instant::now() + probe;
    let port = handshake.endpoint().port();
    let addresses = peers.iter().take(MAX_PROBED).map(|peer| SocketAddr::new(*peer, port));
    let probed = join_all(addresses.map(|peer| handshake.attempt(peer, HandshakeDepth::Authentication, limit))).await;
    for attempt in probed {
        if let Some(failure) = &attempt.failure {
            diagnosis.add_problem(
                "peer",
                format!("{}: {}", attempt.address, short_text(&failure.error)),
                failure.error.advice().unwrap_or(super::PEERS_REACHABLE),
            );
        }
    }
}

fn report_pool(
    advice: Option<PoolAdvice>,
    settings: &Settings,
    topology: &Topology,
    is_cassandra: bool,
    diagnosis: &mut Diagnosis,
) {
    let connections = settings.connections_per_host.get();
    let peers = topology.visible_peers().len().max(1);
    let requests = saturated::<u64>(connections.saturating_mul(peers)).saturating_mul(REQUESTS_PER_CONNECTION);
    let text = format!(
        "{connections} connections to each of {peers} peers: {requests} requests per second, with the \
         {REQUESTS_PER_CONNECTION} per connection that AWS plans"
    );
    let advice = advice.map(|advice| advice.with_endpoints(saturated::<u32>(peers)));
    match advice {
        Some(advice) if advice.connections_per_host() > connections => {
            diagnosis.add_problem(
                "pool",
                text,
                format!("AWS's formula gives {advice}: set SessionBuilder::connections_per_host"),
            );
        }
        None if peers == 1 && !is_cassandra && connections < MIN_CONNECTIONS_TO_ONE_PEER => diagnosis.add_problem(
            "pool",
            text,
            format!(
                "With one peer AWS recommends {MIN_CONNECTIONS_TO_ONE_PEER} or more: set \
                 SessionBuilder::connections_per_host"
            ),
        ),
        _ => diagnosis.add_ok("pool", text),
    }
}

async fn report_session(handshake: Handshake, settings: Settings, diagnosis: &mut Diagnosis) {
    let started = Instant::now();
    let settings = Settings { ready_when: ReadyWhen::EveryPeer, ..settings };
    match Session::open(handshake, settings, started).await {
        Ok(session) => {
            let took = started.elapsed();
            let peers = session.peers();
            let connected = peers.iter().filter(|peer| peer.is_connected()).count();
            diagnosis.add_ok("session", format!("connected with {connected} of {} peers in {took:.1?}", peers.len()));
        }
        Err(error) => diagnosis.add_error("session", &error),
    }
}

fn date(at: impl Into<DateTime<Utc>>) -> String {
    at.into().format("%Y-%m-%d %H:%M UTC").to_string()
}

fn joined(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
