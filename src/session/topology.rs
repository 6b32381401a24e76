//! Translates the peer addresses in the system tables into the addresses that the driver connects to.
//!
//! The driver waits for every node of the ring and sets no deadline after TCP, so one silent peer would block the whole
//! session. And the service's `system.local` names an address where nothing listens, under the host id of one of the peers.
//! The translator solves both problems, because the driver asks it for each address to connect to.
//!
//! A translator first trusts every peer: while a session connects for the first time, it returns a peer's address at once,
//! and the code that waits for the driver probes the peers in parallel if connecting takes long ([`Translator::check`]).
//! After [`Translator::distrust`], a peer has to pass a probe first.

use crate::handshake::resolve;
use crate::lock::locked;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, WeakShared, join_all};
use scylla::errors::{CustomTranslationError, TranslationError};
use scylla::policies::address_translator::{AddressTranslator, UntranslatedPeer};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tracing::debug;
use uuid::Uuid;

use super::defaults::{MAX_REMEMBERED_PEERS, PROBE_TIMEOUT};
use super::health::Trouble;
use crate::handshake::{Depth, Handshake, HandshakeAttempt, Stage};

/// How long a passed probe counts; a pool opens its connections within this time.
const STILL_WELL: Duration = Duration::from_secs(5);
/// How long a silent peer is not probed again, because each probe takes a second.
const STILL_SILENT: Duration = Duration::from_secs(2);
/// How long to wait for another row with the same host id. The driver asks about all rows of the system tables at once.
const SIBLING: Duration = Duration::from_millis(100);

/// The address translator of one session.
pub(super) struct Translator {
    handshake: Handshake,
    probing: Mutex<Probing>,
    probed: Arc<Mutex<HashMap<SocketAddr, Probed>>>,
    hosts: Mutex<HashMap<Uuid, Host>>,
    asked: Notify,
    first_asked: OnceLock<Instant>,
}

/// How far a peer is probed before the driver gets its address, and how long the probe may take.
#[derive(Clone, Copy, Debug)]
struct Probing {
    /// With [`Depth::Tcp`] the translator trusts peers and probes only loopback addresses, to see whether anything listens
    /// there. The row of `system.local` names a loopback address, and a probe of it never leaves this machine.
    depth: Depth,
    limit: Duration,
}

/// The addresses that the system tables name for one host id, and the address given to the driver.
#[derive(Clone, Debug, Default)]
struct Host {
    named: Vec<SocketAddr>,
    given: Option<SocketAddr>,
    trouble: Option<Trouble>,
}

/// The last verdict on an address, and the running probe, which all callers share. The probe is dropped with the last of
/// them.
#[derive(Default)]
struct Probed {
    last: Option<(Instant, Depth, Verdict)>,
    running: Option<(Depth, WeakShared<BoxFuture<'static, Verdict>>)>,
}

#[derive(Clone, Debug)]
enum Verdict {
    Passed,
    /// The TCP connection was refused at once: nothing listens there.
    Refused(String),
    Silent(String),
    /// The peer answers but cannot be used: it speaks plain text, or shows another certificate.
    Wrong(String),
}

impl Verdict {
    fn of(attempt: HandshakeAttempt) -> Self {
        match attempt.failure {
            None => Self::Passed,
            // Missing credentials are not the peer's fault; the driver's own connection will report them.
            Some(failure) if failure.stage == Stage::Credentials => Self::Passed,
            Some(failure) if failure.silent => Self::Silent(failure.error.to_string()),
            Some(failure) if failure.stage == Stage::Tcp => Self::Refused(failure.error.to_string()),
            Some(failure) => Self::Wrong(failure.error.to_string()),
        }
    }

    fn holds_for(&self) -> Duration {
        match self {
            Self::Passed => STILL_WELL,
            Self::Silent(_) => STILL_SILENT,
            Self::Refused(_) | Self::Wrong(_) => Duration::ZERO,
        }
    }

    fn problem(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Refused(why) | Self::Silent(why) | Self::Wrong(why) => Some(why),
        }
    }

    /// Whether this verdict, reached by a probe of depth `found` and now `age` old, still holds for a probe of `depth`.
    fn holds(&self, age: Duration, found: Depth, depth: Depth) -> bool {
        let is_deep_enough = !matches!(self, Self::Passed) || found >= depth;
        is_deep_enough && age < self.holds_for()
    }

    /// How long to wait for a sibling. After a silent probe, no time: the driver has asked about all rows by then.
    fn wait_for_a_sibling(&self) -> Duration {
        if matches!(self, Self::Silent(_)) { Duration::ZERO } else { SIBLING }
    }
}

/// The result of probing the peers that were given to the driver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) all_passed: bool,
    /// Whether some address refused; another address may replace it.
    pub(super) any_refused: bool,
    pub(super) any_silent: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct LeftOut(String);

impl Translator {
    /// Creates a translator that trusts every peer. The contact points count as passed, because peers are among them.
    pub(super) fn new(handshake: Handshake, contact_points: &[SocketAddr]) -> Self {
        let translator = Self {
            handshake,
            probing: Mutex::new(Probing { depth: Depth::Tcp, limit: PROBE_TIMEOUT }),
            probed: Arc::default(),
            hosts: Mutex::default(),
            asked: Notify::new(),
            first_asked: OnceLock::new(),
        };
        for address in contact_points {
            keep(&translator.probed, *address, Depth::Tcp, Verdict::Passed);
        }
        translator
    }

    /// From now on probes each address as far as `depth`, within `limit`, unless its verdict is known.
    pub(super) fn distrust(&self, depth: Depth, limit: Duration) {
        *locked(&self.probing) = Probing { depth, limit };
    }

    /// Records that an address passed a probe of `depth`.
    pub(super) fn passed(&self, address: SocketAddr, depth: Depth) {
        keep(&self.probed, address, depth, Verdict::Passed);
    }

    /// From now on a probe makes the full handshake of a pool's connection. While a session connects, that costs too much.
    /// In a running session, a peer that falls silent late in the handshake would block the driver's worker, and only the
    /// driver would see the peer's answer to the credentials.
    pub(super) fn deepen(&self) {
        let mut probing = locked(&self.probing);
        probing.depth = probing.depth.max(Depth::Authentication);
    }

    /// When the driver first asked for a peer's address; by then it has read the list of peers.
    pub(super) fn first_asked(&self) -> Option<Instant> {
        self.first_asked.get().copied()
    }

    /// Waits until the driver has asked for a peer's address.
    pub(super) async fn is_asked(&self) -> Instant {
        loop {
            let asked = self.asked.notified();
            if let Some(first) = self.first_asked() {
                return first;
            }
            asked.await;
        }
    }

    /// Probes the addresses given to the driver as far as `depth`, until `deadline` at the latest: those of hosts that `of`
    /// accepts and without a known verdict. Records the problem of each.
    pub(super) async fn check(&self, of: impl Fn(Uuid) -> bool, depth: Depth, deadline: Instant) -> Checked {
        let given: Vec<(Uuid, SocketAddr)> = locked(&self.hosts)
            .iter()
            .filter(|(host_id, _)| of(**host_id))
            .filter_map(|(host_id, host)| Some((*host_id, host.given?)))
            .collect();
        let probes = given.iter().map(|(_, address)| self.probe_to(*address, depth, deadline));
        let mut checked = Checked { all_passed: true, any_refused: false, any_silent: false };
        for ((host_id, _), verdict) in given.iter().zip(join_all(probes).await) {
            let Some(problem) = verdict.problem() else { continue };
            checked.all_passed = false;
            checked.any_refused |= matches!(verdict, Verdict::Refused(_));
            checked.any_silent |= matches!(verdict, Verdict::Silent(_));
            if let Some(host) = locked(&self.hosts).get_mut(host_id) {
                Trouble::note(&mut host.trouble, problem.to_owned());
            }
        }
        checked
    }

    /// Whether the driver opens two pools for this host, because two rows have its host id.
    pub(super) fn has_two_rows(&self, host_id: Uuid) -> bool {
        locked(&self.hosts).get(&host_id).is_some_and(|host| host.named.len() > 1)
    }

    /// Returns the address to connect to in place of `named`.
    ///
    /// That is `named` itself if it passes the probe, or else the address of a peer with the same host id. If there is
    /// none, an address that refuses is replaced by one of the endpoint's. A silent address is left out, so that it costs a
    /// second and not the session. If no other peer answers either, peers cannot be reached from this machine, and the
    /// silent address is replaced too. An address that answers but is not trusted is left out.
    async fn translate(&self, host_id: Uuid, named: SocketAddr) -> Result<SocketAddr, LeftOut> {
        self.note(host_id, named);
        let verdict = self.probe(named).await;
        let problem = verdict.problem().map(str::to_owned);
        let result = match verdict {
            Verdict::Passed => Ok(named),
            verdict => match self.sibling(host_id, named, verdict.wait_for_a_sibling()).await {
                Some(sibling) => Ok(sibling),
                None => self.replace(host_id, named, verdict).await,
            },
        };
        match &result {
            Ok(given) if *given != named => debug!(%named, %given, "connecting to another address than the peer's own"),
            Ok(_) => {}
            Err(why) => debug!(%named, %why, "leaving a peer out"),
        }
        if let Some(host) = locked(&self.hosts).get_mut(&host_id) {
            host.given = result.as_ref().ok().copied();
            let has_sibling = host.given.is_some_and(|given| host.named.contains(&given));
            if let Some(problem) = problem.filter(|_| !has_sibling) {
                Trouble::note(&mut host.trouble, problem);
            }
        }
        result
    }

    /// Replaces or leaves out an address that did not pass and has no sibling.
    async fn replace(&self, host_id: Uuid, named: SocketAddr, verdict: Verdict) -> Result<SocketAddr, LeftOut> {
        match verdict {
            Verdict::Passed => Ok(named),
            Verdict::Refused(why) => self.one_of_the_endpoint(host_id).await.ok_or(LeftOut(why)),
            Verdict::Silent(why) if self.another_answers(named).await => Err(LeftOut(why)),
            Verdict::Silent(why) => self.one_of_the_endpoint(host_id).await.ok_or(LeftOut(why)),
            Verdict::Wrong(why) => Err(LeftOut(why)),
        }
    }

    /// The address given to the driver for this host id.
    pub(super) fn given(&self, host_id: Uuid) -> Option<SocketAddr> {
        locked(&self.hosts).get(&host_id)?.given
    }

    /// The last problem of a host, and the number of its problems.
    pub(super) fn trouble(&self, host_id: Uuid) -> Option<Trouble> {
        locked(&self.hosts).get(&host_id)?.trouble.clone()
    }

    /// The remembered reasons why addresses were left out, except for addresses that are being probed.
    pub(super) fn left_out(&self) -> Vec<String> {
        let probed = locked(&self.probed);
        let last = probed.values().filter_map(|probed| probed.last.as_ref()?.2.problem());
        let mut reasons: Vec<String> = last.map(str::to_owned).collect();
        reasons.sort();
        reasons
    }

    fn note(&self, host_id: Uuid, named: SocketAddr) {
        self.first_asked.get_or_init(Instant::now);
        let mut hosts = locked(&self.hosts);
        if hosts.len() >= MAX_REMEMBERED_PEERS && !hosts.contains_key(&host_id) {
            hosts.clear();
        }
        let host = hosts.entry(host_id).or_default();
        if !host.named.contains(&named) {
            // The service names two addresses for a host id. If host ids move between peers there may be more, and the
            // latest four are kept.
            if host.named.len() == 4 {
                host.named.remove(0);
            }
            host.named.push(named);
            self.asked.notify_waiters();
        }
    }

    async fn probe(&self, address: SocketAddr) -> Verdict {
        let Probing { depth, limit } = *locked(&self.probing);
        if depth == Depth::Tcp && !is_of_this_machine(address) {
            return Verdict::Passed;
        }
        self.probe_to(address, depth, Instant::now() + limit).await
    }

    async fn probe_to(&self, address: SocketAddr, depth: Depth, deadline: Instant) -> Verdict {
        let running = {
            let mut probed = locked(&self.probed);
            let known = probed.get(&address);
            if let Some((at, found, verdict)) = known.and_then(|known| known.last.as_ref())
                && verdict.holds(at.elapsed(), *found, depth)
            {
                return verdict.clone();
            }
            let running = known.and_then(|known| known.running.as_ref()).filter(|(running, _)| *running >= depth);
            match running.and_then(|(_, running)| running.upgrade()) {
                Some(running) => running,
                None => {
                    let started = self.start(address, depth, deadline).shared();
                    entry(&mut probed, address).running = started.downgrade().map(|running| (depth, running));
                    started
                }
            }
        };
        running.await
    }

    fn start(&self, address: SocketAddr, depth: Depth, deadline: Instant) -> BoxFuture<'static, Verdict> {
        let (handshake, probed) = (self.handshake.clone(), Arc::clone(&self.probed));
        async move {
            let verdict = Verdict::of(handshake.try_at(address, depth, deadline).await);
            keep(&probed, address, depth, verdict.clone());
            verdict
        }
        .boxed()
    }

    /// Finds another address with the same host id that passes a probe.
    async fn sibling(&self, host_id: Uuid, named: SocketAddr, wait: Duration) -> Option<SocketAddr> {
        let other = || {
            let hosts = locked(&self.hosts);
            let others = hosts.get(&host_id)?.named.iter().rev().copied().filter(|other| *other != named);
            Some(others.collect::<Vec<_>>()).filter(|others| !others.is_empty())
        };
        let waiting = async {
            loop {
                let asked = self.asked.notified();
                if let Some(others) = other() {
                    return others;
                }
                asked.await;
            }
        };
        for other in timeout(wait, waiting).await.ok()? {
            if matches!(self.probe(other).await, Verdict::Passed) {
                return Some(other);
            }
        }
        None
    }

    async fn another_answers(&self, silent: SocketAddr) -> bool {
        let others: Vec<SocketAddr> = locked(&self.hosts)
            .values()
            .flat_map(|host| &host.named)
            .copied()
            .filter(|other| *other != silent)
            .collect();
        join_all(others.into_iter().map(|other| self.probe(other)))
            .await
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Passed))
    }

    /// Looks up the endpoint again and returns one of its addresses that passes a probe, spread over the hosts by their
    /// ids.
    async fn one_of_the_endpoint(&self, host_id: Uuid) -> Option<SocketAddr> {
        let Probing { limit, .. } = *locked(&self.probing);
        let addresses = resolve(&self.handshake, Instant::now() + limit).await.ok()?;
        let verdicts = join_all(addresses.iter().map(|address| self.probe(*address))).await;
        let mut well: Vec<SocketAddr> = addresses
            .into_iter()
            .zip(verdicts)
            .filter_map(|(address, verdict)| matches!(verdict, Verdict::Passed).then_some(address))
            .collect();
        well.sort_unstable();
        let mut hasher = DefaultHasher::new();
        host_id.hash(&mut hasher);
        let turn =
            usize::try_from(hasher.finish() % u64::try_from(well.len()).ok().filter(|count| *count > 0)?).ok()?;
        well.get(turn).copied()
    }
}

#[async_trait]
impl AddressTranslator for Translator {
    async fn translate_address(&self, peer: &UntranslatedPeer) -> Result<SocketAddr, TranslationError> {
        self.translate(peer.host_id(), peer.untranslated_address())
            .await
            .map_err(|left_out| TranslationError::Custom(CustomTranslationError::new(left_out)))
    }
}

fn entry(probed: &mut HashMap<SocketAddr, Probed>, address: SocketAddr) -> &mut Probed {
    if probed.len() >= MAX_REMEMBERED_PEERS && !probed.contains_key(&address) {
        probed.clear();
    }
    probed.entry(address).or_default()
}

fn keep(probed: &Mutex<HashMap<SocketAddr, Probed>>, address: SocketAddr, depth: Depth, verdict: Verdict) {
    *entry(&mut locked(probed), address) = Probed { last: Some((Instant::now(), depth, verdict)), running: None };
}

/// Whether an address is on this machine, where a connection is accepted or refused at once.
fn is_of_this_machine(address: SocketAddr) -> bool {
    address.ip().is_loopback() || address.ip().is_unspecified()
}
