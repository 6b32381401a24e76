//! Connects step by step and reports what each step found.

use crate::handshake::resolve;
use crate::saturated::saturated;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use tokio::time::Instant;

use super::builder::Builder;
use super::defaults::probe_timeout;
use super::pool_advice::REQUESTS_PER_CONNECTION;
use super::report::{Report, in_short};
use super::set_up::set_up;
use super::settings::Settings;
use super::{PoolAdvice, ReadyWhen, Session};
use crate::auth::Identity;
use crate::handshake::{
    Depth, EC2_PERMISSIONS, Handshake, HandshakeAttempt, HandshakeFailure, Picture, Stage, TlsFound,
};

/// The least connections of a pool if there is only one peer (`DG:troubleshooting.serverless`).
const FEWEST_TO_ONE_PEER: usize = 9;

/// The most peers probed. A public endpoint lists nine, but the server could list any number.
const MOST_PROBED: usize = 50;

pub(super) async fn diagnose(builder: &Builder) -> Report {
    let started = Instant::now();
    let (handshake, settings) = match set_up(builder).await {
        Ok(prepared) => prepared,
        Err(error) => {
            let mut report = Report::new("No endpoint to connect to");
            report.failed("configuration", &error);
            return report;
        }
    };
    let endpoint = handshake.endpoint();
    let mut report = Report::new(match endpoint.server_name() {
        Some(name) => format!("Amazon Keyspaces at {endpoint}, verified as {name}"),
        None => format!("A plain Cassandra at {endpoint}"),
    });
    if let Some((picture, probe)) = connection(&handshake, started + settings.connect_timeout, &mut report).await {
        topology(&handshake, &picture, probe.min(settings.connect_timeout), &mut report).await;
        pool(builder.pool_advice, &settings, &picture, endpoint.is_cassandra(), &mut report);
        if picture.fault().is_none() {
            session(handshake, settings, &mut report).await;
        }
    }
    report
}

/// Opens one connection and reports its stages. If it reads the system tables, returns them with the time that a probe of a
/// peer may take.
async fn connection(handshake: &Handshake, deadline: Instant, report: &mut Report) -> Option<(Picture, Duration)> {
    let addresses = match resolve(handshake, deadline).await {
        Ok(addresses) => addresses,
        Err(failure) => {
            report.failed("addresses", &failure.error);
            return None;
        }
    };
    report.right("addresses", listed(addresses.iter().map(SocketAddr::ip)));
    let attempts =
        join_all(addresses.into_iter().map(|address| handshake.try_at(address, Depth::SystemTables, deadline))).await;
    let reached = |attempt: &HandshakeAttempt| attempt.failure.as_ref().map(|failure| failure.stage);
    // The attempt that came farthest says most; `None` means that it passed every stage.
    let told = attempts.iter().max_by_key(|attempt| (reached(attempt).is_none(), reached(attempt)))?;
    stages(handshake, told, report);
    for other in attempts.iter().filter(|other| other.address != told.address) {
        if let Some(failure) = &other.failure {
            // Not a problem, because another address answers: `localhost` has two addresses, and often only one is served.
            report.right("other address", format!("{}: {}", other.address, in_short(&failure.error)));
        }
    }
    Some((told.picture.clone()?, probe_timeout([told])))
}

fn stages(handshake: &Handshake, attempt: &HandshakeAttempt, report: &mut Report) {
    let took = |stage| attempt.passed.iter().find(|(passed, _)| *passed == stage).map(|(_, took)| *took);
    if let Some(took) = took(Stage::Tcp) {
        report.right("TCP", format!("connected with {} in {took:.1?}", attempt.address));
    }
    if let (Some(tls), Some(took)) = (&attempt.tls, took(Stage::Tls)) {
        certificate(tls, took, report);
    }
    if let Some(took) = took(Stage::Options) {
        report.right("CQL", format!("v4, answered in {took:.1?}"));
    }
    let authenticated = attempt.failure.as_ref().is_none_or(|failure| failure.stage > Stage::Authentication);
    if let (true, Some(took)) = (authenticated, took(Stage::Authentication)) {
        let name = attempt.authenticator.as_deref().unwrap_or("the server");
        report.right(
            "authentication",
            format!("{}; accepted by {name} in {took:.1?}", handshake.authenticator().describe()),
        );
    } else if attempt.failure.is_none() {
        report.right("authentication", "the server does not ask who we are");
    }
    expiry(handshake, report);
    if let Some(picture) = &attempt.picture {
        let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "unknown".to_owned());
        report.right(
            "server",
            format!(
                "{}, release {}, partitioner {}, data center {}",
                text(&picture.cluster_name),
                text(&picture.release_version),
                text(&picture.partitioner),
                text(&picture.data_center)
            ),
        );
    }
    if let Some(failure) = &attempt.failure {
        report.failed(subject(failure), &failure.error);
    }
}

fn certificate(tls: &TlsFound, took: Duration, report: &mut Report) {
    let TlsFound { version, leaf, root } = tls;
    report.right("TLS", format!("{version}, in {took:.1?}"));
    report.right(
        "certificate",
        format!(
            "for {}; valid until {}; root {}",
            listed(&leaf.names),
            DateTime::from_timestamp(leaf.not_after, 0).map_or_else(|| "an unknown date".to_owned(), date),
            root.as_deref().unwrap_or("unknown")
        ),
    );
}

fn subject(failure: &HandshakeFailure) -> &'static str {
    match failure.stage {
        Stage::Resolve => "addresses",
        Stage::Tcp => "TCP",
        Stage::Tls => "TLS",
        Stage::Options | Stage::Startup => "CQL",
        Stage::Credentials => "credentials",
        Stage::Authentication => "authentication",
        Stage::Register | Stage::SystemTables => "system tables",
    }
}

fn expiry(handshake: &Handshake, report: &mut Report) {
    let Identity::SigV4 { source, expiry: Some(expiry), .. } = handshake.authenticator().describe() else { return };
    match expiry {
        None => report.right("credentials", format!("from {source}; they do not say when they expire")),
        Some(at) => match at.duration_since(SystemTime::now()) {
            Ok(left) => {
                let minutes = left.as_secs() / 60;
                report.right("credentials", format!("from {source}; they expire on {}, in {minutes} min", date(at)));
            }
            Err(_) => report.wrong(
                "credentials",
                format!("from {source}; they expired on {}", date(at)),
                "Renew them where they come from, and check this machine's clock",
            ),
        },
    }
}

async fn topology(handshake: &Handshake, picture: &Picture, probe: Duration, report: &mut Report) {
    let peers = picture.visible_peers();
    if let Some(fault) = picture.fault() {
        report.wrong("peers", fault, EC2_PERMISSIONS);
        return;
    }
    if handshake.endpoint().is_cassandra() {
        report.right("peers", format!("{} beside this node", peers.len()));
    } else if peers.len() < 2 {
        let text = if peers.is_empty() { "none is visible" } else { "only one is visible" };
        report.wrong("peers", text, EC2_PERMISSIONS);
    } else {
        report.right("peers", format!("{} are visible: {}", peers.len(), listed(&peers)));
    }
    let limit = Instant::now() + probe;
    let port = handshake.endpoint().port();
    let addresses = peers.iter().take(MOST_PROBED).map(|peer| SocketAddr::new(*peer, port));
    let probed = join_all(addresses.map(|peer| handshake.try_at(peer, Depth::Authentication, limit))).await;
    for attempt in probed {
        if let Some(failure) = &attempt.failure {
            report.wrong(
                "peer",
                format!("{}: {}", attempt.address, in_short(&failure.error)),
                failure.error.advice().unwrap_or(super::PEERS_REACHABLE),
            );
        }
    }
}

fn pool(advice: Option<PoolAdvice>, settings: &Settings, picture: &Picture, is_cassandra: bool, report: &mut Report) {
    let connections = settings.connections_per_host.get();
    let peers = picture.visible_peers().len().max(1);
    let requests = saturated::<u64>(connections.saturating_mul(peers)).saturating_mul(REQUESTS_PER_CONNECTION);
    let text = format!(
        "{connections} connections to each of {peers} peers: {requests} requests per second at the \
         {REQUESTS_PER_CONNECTION} a connection that AWS plans with"
    );
    let advice = advice.map(|advice| advice.over(saturated::<u32>(peers)));
    match advice {
        Some(advice) if advice.connections_per_host() > connections => {
            report.wrong("pool", text, format!("AWS's formula asks for {advice}: set Builder::connections_per_host"));
        }
        None if peers == 1 && !is_cassandra && connections < FEWEST_TO_ONE_PEER => report.wrong(
            "pool",
            text,
            format!("With one peer AWS asks for {FEWEST_TO_ONE_PEER} or more: set Builder::connections_per_host"),
        ),
        _ => report.right("pool", text),
    }
}

async fn session(handshake: Handshake, settings: Settings, report: &mut Report) {
    let started = Instant::now();
    let settings = Settings { ready_when: ReadyWhen::EveryPeer, ..settings };
    match Session::open(handshake, settings, started).await {
        Ok(session) => {
            let took = started.elapsed();
            let peers = session.peers();
            let connected = peers.iter().filter(|peer| peer.is_connected()).count();
            report.right("session", format!("connected with {connected} of {} peers in {took:.1?}", peers.len()));
        }
        Err(error) => report.failed("session", &error),
    }
}

fn date(at: impl Into<DateTime<Utc>>) -> String {
    at.into().format("%Y-%m-%d %H:%M UTC").to_string()
}

fn listed(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
