//! The first try: the driver connects at once, and peers are probed only if that takes long.
//!
//! If all is well, this costs no more than the driver alone. The driver does not report what it waits for, so if it takes
//! longer than it should, the contact points and then the peers are probed in parallel. If a probe finds a peer for which
//! the driver may wait in vain, the driver starts again without that peer.

use crate::handshake::resolve;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use scylla::cluster::Node;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use tracing::debug;

use super::{Connected, Connecting, FIRST_SHARE, Miss};
use crate::handshake::{Depth, HandshakeAttempt};
use crate::session::defaults::{PROBE_TIMEOUT, longest, probe_timeout};
use crate::session::driver;
use crate::session::ready::{FirstPeer, ReadyWhen};
use crate::session::topology::Translator;

/// The driver sends no notice when a pool that it does not wait for gets its first connection.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

pub(super) async fn first(connecting: &Connecting<'_>) -> Result<Connected, Miss> {
    let limit = connecting.started + connecting.settings.connect_timeout.mul_f64(FIRST_SHARE);
    let probe_limit = (connecting.started + PROBE_TIMEOUT).min(limit);
    let addresses = resolve(connecting.handshake, probe_limit).await?;
    let translator = Arc::new(Translator::new(connecting.handshake.clone(), &addresses));
    let reached = {
        let building = pin!(build_at_once(connecting, &addresses, Arc::clone(&translator), limit));
        let doubting = pin!(doubts(connecting, &addresses, &translator, probe_limit));
        match select(building, doubting).await {
            Either::Left((built, _)) => {
                let connected = built?;
                if !is_in_doubt(connecting, &connected, limit).await {
                    return connecting.inspect(connected, None, limit).await;
                }
                Vec::new()
            }
            Either::Right((reached, _)) => reached?,
        }
    };
    debug!("connecting again, with peers that pass a probe");
    let contact_points = if reached.is_empty() {
        let limit = (Instant::now() + PROBE_TIMEOUT).min(limit);
        connecting.contact_points(&addresses, Depth::Authentication, limit).await?.passed
    } else {
        reached
    };
    connecting.build(&contact_points, translator, Depth::Options, None, limit).await
}

async fn build_at_once(
    connecting: &Connecting<'_>,
    addresses: &[SocketAddr],
    translator: Arc<Translator>,
    limit: Instant,
) -> Result<Connected, Miss> {
    const PASSED: &str = "the endpoint's name was looked up";
    let mut builder =
        driver::builder(connecting.handshake, connecting.settings, addresses, Arc::clone(&translator) as _);
    let first_peer = match connecting.settings.ready_when {
        ReadyWhen::EveryPeer => None,
        ReadyWhen::OnePeer => Some(Arc::new(FirstPeer::new(addresses))),
    };
    if let Some(first_peer) = &first_peer {
        builder = builder.host_filter(Arc::clone(first_peer) as _);
    }
    match timeout_at(limit, driver::build(builder)).await {
        Ok(Ok(driver)) => Ok(Connected { driver: Arc::new(driver), translator, first_peer }),
        Ok(Err(error)) => Err(connecting.driver_failed(PASSED, error).into()),
        Err(_) => Err(connecting.no_session_in_time(PASSED)),
    }
}

/// Completes when the driver may be waiting in vain. Returns the contact points that passed a probe, if they were probed.
///
/// # Errors
///
/// If no contact point passes.
async fn doubts(
    connecting: &Connecting<'_>,
    addresses: &[SocketAddr],
    translator: &Translator,
    probe_limit: Instant,
) -> Result<Vec<HandshakeAttempt>, Miss> {
    let mut passed = Vec::new();
    if timeout(connecting.settings.probe_after, translator.is_asked()).await.is_err() {
        let probing = pin!(connecting.contact_points(addresses, Depth::Options, probe_limit));
        if let Either::Right((reached, asked)) = select(pin!(translator.is_asked()), probing).await {
            let reached = reached?;
            passed = reached.passed;
            // The driver tries the contact points one by one, and may have started with a silent one.
            if reached.unanswered > 0 && timeout(connecting.settings.probe_after, asked).await.is_err() {
                return Ok(passed);
            }
        }
    }
    let asked = translator.is_asked().await;
    sleep(connecting.settings.probe_after).await;
    let began = Instant::now();
    if !translator.check(|_| true, Depth::Options, asked + probe_timeout(&passed)).await.all_passed {
        return Ok(passed);
    }
    // A peer may be silent at a later stage. From far away, or on a busy machine, the later stages take as long again as
    // the stages measured.
    let deadline = Instant::now() + PROBE_TIMEOUT.max(longest(&passed).max(began.elapsed()) * 4);
    if !translator.check(|_| true, Depth::Authentication, deadline).await.any_silent {
        return pending().await;
    }
    // The silent peer may be a contact point that passed.
    Ok(Vec::new())
}

/// Whether some peers are not connected but might be after a probe of their addresses.
async fn is_in_doubt(connecting: &Connecting<'_>, connected: &Connected, limit: Instant) -> bool {
    let translator = &connected.translator;
    wait_for_second_pools(connecting, connected).await;
    let state = connected.driver.get_cluster_state();
    let enabled = state.get_nodes_info().iter().filter(|node| node.is_enabled());
    let (well, missing): (Vec<&Arc<Node>>, Vec<_>) = enabled.partition(|node| node.is_connected());
    for node in &well {
        translator.passed(connected.address(node), Depth::Authentication);
    }
    let now = Instant::now();
    // A distant peer is slow, not silent.
    let took = translator.first_asked().map_or(PROBE_TIMEOUT, |asked| PROBE_TIMEOUT.max((now - asked) * 2));
    translator.distrust(Depth::Options, took);
    if missing.is_empty() {
        return false;
    }
    let is_missing = |host_id| missing.iter().any(|node| node.host_id == host_id);
    let checked = translator.check(is_missing, Depth::Options, (now + PROBE_TIMEOUT).min(limit)).await;
    well.is_empty() || checked.any_refused
}

/// The row of `system.local` has the host id of a peer. The driver opens two pools for that host and may show the pool that
/// it did not wait for.
async fn wait_for_second_pools(connecting: &Connecting<'_>, connected: &Connected) {
    let state = connected.driver.get_cluster_state();
    let is_due =
        |node: &Arc<Node>| node.is_enabled() && !node.is_connected() && connected.translator.has_two_rows(node.host_id);
    let mut ticks = interval(LOOK_INTERVAL);
    let waiting = async {
        while state.get_nodes_info().iter().any(is_due) {
            ticks.tick().await;
        }
    };
    // A peer not connected by then is probed.
    let _ = timeout(connecting.settings.probe_after, waiting).await;
}
