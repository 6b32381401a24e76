//! The first try: the driver connects at once, and nobody is probed unless that takes long.
//!
//! Where all is well, this costs what the driver costs by itself. The driver does not tell what it waits for, so once it
//! has taken longer than it should, probes of the contact points and then of the peers run beside it. If they find
//! somebody for whom it may wait in vain, it starts anew without those.

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

/// The driver tells nobody when a pool that it does not wait for has its first connection.
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

/// Ends when the driver may be waiting in vain, with the contact points that passed a probe, if they were probed.
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
            // It tries one after the other, and may have begun with one that is silent.
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
    // Somebody may be silent at a later stage. From far away, or with a busy machine, those take as long again as the ones
    // that were timed.
    let deadline = Instant::now() + PROBE_TIMEOUT.max(longest(&passed).max(began.elapsed()) * 4);
    if !translator.check(|_| true, Depth::Authentication, deadline).await.any_silent {
        return pending().await;
    }
    // A contact point that passed may be the silent one.
    Ok(Vec::new())
}

/// Whether some peers are not connected that could be if their addresses were looked into.
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
    // What is far away is slow, and not silent.
    let took = translator.first_asked().map_or(PROBE_TIMEOUT, |asked| PROBE_TIMEOUT.max((now - asked) * 2));
    translator.distrust(Depth::Options, took);
    if missing.is_empty() {
        return false;
    }
    let is_missing = |host_id| missing.iter().any(|node| node.host_id == host_id);
    let checked = translator.check(is_missing, Depth::Options, (now + PROBE_TIMEOUT).min(limit)).await;
    well.is_empty() || checked.any_refused
}

/// The row of `system.local` has the host id of a peer. Of the two pools that the driver makes for that host, it may
/// show the one that it did not wait for.
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
    // What is not connected by then is looked into.
    let _ = timeout(connecting.settings.probe_after, waiting).await;
}
