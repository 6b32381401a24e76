//! The first attempt: the driver connects at once, and peers are probed only if that takes long.
//!
//! If there is no problem, this takes no longer than the driver alone. The driver does not report what it waits for. So
//! if it takes too long, first the contact points and then the peers are probed in parallel. If a probe finds a peer
//! that the driver may wait for without success, the driver starts again without that peer.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use scylla::cluster::Node;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use tracing::debug;

use super::{ConnectFailure, Connected, Connecting, FIRST_ATTEMPT_SHARE};
use crate::handshake::{HandshakeAttempt, HandshakeDepth, resolve};
use crate::session::defaults::{PROBE_TIMEOUT, longest_probe, probe_timeout};
use crate::session::driver;
use crate::session::ready::{FirstPeerFilter, ReadyWhen};
use crate::session::translator::Translator;

/// How often to check for the first connection of a pool that the driver does not wait for. The driver does not notify.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

pub(super) async fn first_attempt(connecting: &Connecting<'_>) -> Result<Connected, ConnectFailure> {
    let limit = connecting.started + connecting.settings.connect_timeout.mul_f64(FIRST_ATTEMPT_SHARE);
    let probe_limit = (connecting.started + PROBE_TIMEOUT).min(limit);
    let addresses = resolve(connecting.handshake, probe_limit).await?;
    let translator = Arc::new(Translator::new(connecting.handshake.clone(), &addresses));
    let reachable = {
        let building = pin!(build_without_probes(connecting, &addresses, Arc::clone(&translator), limit));
        let probing = pin!(probe_if_slow(connecting, &addresses, &translator, probe_limit));
        match select(building, probing).await {
            Either::Left((built, _)) => {
                let connected = built?;
                if !needs_another_build(connecting, &connected, limit).await {
                    return connecting.verify(connected, None, limit).await;
                }
                Vec::new()
            }
            Either::Right((reachable, _)) => reachable?,
        }
    };
    debug!("connecting again, with peers that pass a probe");
    let contact_points = if reachable.is_empty() {
        let limit = (Instant::now() + PROBE_TIMEOUT).min(limit);
        connecting.contact_points(&addresses, HandshakeDepth::Authentication, limit).await?.passed
    } else {
        reachable
    };
    connecting.build(&contact_points, translator, HandshakeDepth::Options, None, limit).await
}

async fn build_without_probes(
    connecting: &Connecting<'_>,
    addresses: &[SocketAddr],
    translator: Arc<Translator>,
    limit: Instant,
) -> Result<Connected, ConnectFailure> {
    const PASSED: &str = "the endpoint's name was resolved";
    let mut builder =
        driver::builder(connecting.handshake, connecting.settings, addresses, Arc::clone(&translator) as _);
    let first_peer = match connecting.settings.ready_when {
        ReadyWhen::EveryPeer => None,
        ReadyWhen::OnePeer => Some(Arc::new(FirstPeerFilter::new(addresses))),
    };
    if let Some(first_peer) = &first_peer {
        builder = builder.host_filter(Arc::clone(first_peer) as _);
    }
    match timeout_at(limit, driver::build(builder)).await {
        Ok(Ok(driver)) => Ok(Connected { driver: Arc::new(driver), translator, first_peer }),
        Ok(Err(error)) => Err(connecting.driver_error(PASSED, error).into()),
        Err(_) => Err(connecting.timeout_failure(PASSED)),
    }
}

/// Probes the contact points, and then the peers, if the driver takes too long. Completes only when a probe finds an
/// address that the driver may be waiting for without success; otherwise, it stays pending. Returns the contact points
/// that passed a probe, if they were probed.
///
/// # Errors
///
/// If no contact point passes.
async fn probe_if_slow(
    connecting: &Connecting<'_>,
    addresses: &[SocketAddr],
    translator: &Translator,
    probe_limit: Instant,
) -> Result<Vec<HandshakeAttempt>, ConnectFailure> {
    let mut passed = Vec::new();
    if timeout(connecting.settings.probe_after, translator.wait_for_first_translation()).await.is_err() {
        let probing = pin!(connecting.contact_points(addresses, HandshakeDepth::Options, probe_limit));
        if let Either::Right((reached, translating)) =
            select(pin!(translator.wait_for_first_translation()), probing).await
        {
            let reached = reached?;
            passed = reached.passed;
            // The driver tries the contact points one by one, and may have started with a silent one.
            if reached.unanswered > 0 && timeout(connecting.settings.probe_after, translating).await.is_err() {
                return Ok(passed);
            }
        }
    }
    let topology_read = translator.wait_for_first_translation().await;
    sleep(connecting.settings.probe_after).await;
    let started = Instant::now();
    if !translator
        .probe_translated(|_| true, HandshakeDepth::Options, topology_read + probe_timeout(&passed))
        .await
        .all_passed
    {
        return Ok(passed);
    }
    // A peer may be silent at a later stage. The later stages take about as long as the measured ones, which take long
    // if the endpoint is distant or this machine is busy.
    let deadline = Instant::now() + PROBE_TIMEOUT.max(longest_probe(&passed).max(started.elapsed()) * 4);
    if !translator.probe_translated(|_| true, HandshakeDepth::Authentication, deadline).await.any_silent {
        return pending().await;
    }
    // No contact points, because the silent peer may be one that passed.
    Ok(Vec::new())
}

/// Probes the peers that the driver did not connect to. Returns whether building again may connect more of them: no
/// peer is connected, or an address refused TCP and can be replaced. From then on, each address has to pass a probe.
async fn needs_another_build(connecting: &Connecting<'_>, connected: &Connected, limit: Instant) -> bool {
    let translator = &connected.translator;
    wait_for_second_pools(connecting, connected).await;
    let state = connected.driver.get_cluster_state();
    let enabled = state.get_nodes_info().iter().filter(|node| node.is_enabled());
    let (connected_peers, missing): (Vec<&Arc<Node>>, Vec<_>) = enabled.partition(|node| node.is_connected());
    for node in &connected_peers {
        translator.record_passed(connected.address(node), HandshakeDepth::Authentication);
    }
    let now = Instant::now();
    // Longer for a distant endpoint, whose peers answer slowly.
    let limit_of_a_probe =
        translator.first_translation().map_or(PROBE_TIMEOUT, |first| PROBE_TIMEOUT.max((now - first) * 2));
    translator.require_probe(HandshakeDepth::Options, limit_of_a_probe);
    if missing.is_empty() {
        return false;
    }
    let is_missing = |host_id| missing.iter().any(|node| node.host_id == host_id);
    let summary =
        translator.probe_translated(is_missing, HandshakeDepth::Options, (now + PROBE_TIMEOUT).min(limit)).await;
    connected_peers.is_empty() || summary.any_refused
}

/// Waits until the hosts with two rows are connected. The row of `system.local` has the host id of a peer, so the
/// driver opens two pools for that host, and may report the state of the pool that it did not wait for.
async fn wait_for_second_pools(connecting: &Connecting<'_>, connected: &Connected) {
    let state = connected.driver.get_cluster_state();
    let is_due =
        |node: &Arc<Node>| node.is_enabled() && !node.is_connected() && connected.translator.has_two_rows(node.host_id);
    let mut ticks = interval(POLL_INTERVAL);
    let waiting = async {
        while state.get_nodes_info().iter().any(is_due) {
            ticks.tick().await;
        }
    };
    // A peer not connected by then is probed.
    let _ = timeout(connecting.settings.probe_after, waiting).await;
}
