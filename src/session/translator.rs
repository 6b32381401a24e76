//! Translates the addresses that the system tables list into the addresses that the driver connects to.
//!
//! The driver waits for every node of the ring and sets no deadline after TCP, so one silent peer would block the whole
//! session. In addition, the service's `system.local` lists an address where nothing listens, with the host id of one
//! of the peers. The translator solves both problems, because the driver calls it for each address before it connects.
//!
//! While a session connects for the first time, the translator returns each address without a probe; the code that
//! waits for the driver probes the peers in parallel if connecting takes long ([`Translator::probe_translated`]). After
//! [`Translator::require_probe`], an address has to pass a probe before the driver gets it.
//!
//! None of this affects which servers the session trusts: the TLS configuration verifies the certificate on every
//! connection.

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
use super::health::HealthProblem;
use crate::handshake::{Handshake, HandshakeAttempt, HandshakeDepth, HandshakeStage, resolve};
use crate::lock::locked;

/// How long a passed probe is valid; a pool opens its connections within this time.
const PASSED_VALID_FOR: Duration = Duration::from_secs(5);
/// How long the result of a silent probe is valid, because each probe of a silent peer takes a second.
const SILENT_VALID_FOR: Duration = Duration::from_secs(2);
/// How long to wait until the driver translates another address of the same host id. It translates the addresses of all
/// rows at the same time.
const SIBLING_TIMEOUT: Duration = Duration::from_millis(100);
/// The maximum number of addresses that are remembered for one host id. The service lists two; host ids that move
/// between peers may have more.
const MAX_ADDRESSES_OF_A_HOST: usize = 4;

/// The address translator of one session.
pub(super) struct Translator {
    handshake: Handshake,
    probe_settings: Mutex<ProbeSettings>,
    probes: Arc<Mutex<HashMap<SocketAddr, ProbeRecord>>>,
    hosts: Mutex<HashMap<Uuid, TranslatedHost>>,
    /// Notified when the driver translates an address that was not listed before.
    address_listed: Notify,
    first_translation: OnceLock<Instant>,
}

/// How far an address is probed before the driver gets it, and how long the probe may take.
#[derive(Clone, Copy, Debug)]
struct ProbeSettings {
    /// With [`HandshakeDepth::Tcp`], only loopback addresses are probed, to see whether anything listens there. The row of
    /// `system.local` lists a loopback address, and a probe of it never leaves this machine.
    depth: HandshakeDepth,
    limit: Duration,
}

/// The addresses that the system tables list for one host id, and the address that the driver got.
#[derive(Clone, Debug, Default)]
struct TranslatedHost {
    listed: Vec<SocketAddr>,
    translated: Option<SocketAddr>,
    problem: Option<HealthProblem>,
}

/// The last result for an address, and the running probe. All callers share the probe, and it is dropped with the last
/// of them.
#[derive(Default)]
struct ProbeRecord {
    /// When the last probe ended, how far it went, and its result.
    last: Option<(Instant, HandshakeDepth, ProbeResult)>,
    running: Option<(HandshakeDepth, WeakShared<BoxFuture<'static, ProbeResult>>)>,
}

#[derive(Clone, Debug)]
enum ProbeResult {
    Passed,
    /// The TCP connection was refused at once: nothing listens there.
    Refused(String),
    Silent(String),
    /// The peer answers but cannot be used, for instance because its certificate is not accepted.
    Unusable(String),
}

impl ProbeResult {
    fn new(attempt: HandshakeAttempt) -> Self {
        match attempt.failure {
            None => Self::Passed,
            // Missing credentials are not a problem of the peer, and the driver's own connection will report them.
            Some(failure) if failure.stage == HandshakeStage::Credentials => Self::Passed,
            Some(failure) if failure.silent => Self::Silent(failure.error.to_string()),
            Some(failure) if failure.stage == HandshakeStage::Tcp => Self::Refused(failure.error.to_string()),
            Some(failure) => Self::Unusable(failure.error.to_string()),
        }
    }

    fn valid_for(&self) -> Duration {
        match self {
            Self::Passed => PASSED_VALID_FOR,
            Self::Silent(_) => SILENT_VALID_FOR,
            Self::Refused(_) | Self::Unusable(_) => Duration::ZERO,
        }
    }

    fn problem(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Refused(why) | Self::Silent(why) | Self::Unusable(why) => Some(why),
        }
    }

    /// Whether this result of a probe of depth `found`, which is `age` old, can stand for a probe of `depth`.
    fn is_valid(&self, age: Duration, found: HandshakeDepth, depth: HandshakeDepth) -> bool {
        let is_deep_enough = !matches!(self, Self::Passed) || found >= depth;
        is_deep_enough && age < self.valid_for()
    }

    /// How long to wait for another address of the same host id. After a silent probe there is no need to wait, because
    /// the driver has translated the addresses of all rows by then.
    fn sibling_timeout(&self) -> Duration {
        if matches!(self, Self::Silent(_)) { Duration::ZERO } else { SIBLING_TIMEOUT }
    }
}

/// The combined results of probing the addresses that the driver got.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProbeSummary {
    pub(super) all_passed: bool,
    /// Whether an address refused TCP. Another address may replace it.
    pub(super) any_refused: bool,
    pub(super) any_silent: bool,
}

/// Why the driver gets no address for a peer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct PeerExcluded(String);

impl Translator {
    /// Creates a translator that does not probe. The contact points count as passed, because peers are among them.
    pub(super) fn new(handshake: Handshake, contact_points: &[SocketAddr]) -> Self {
        let translator = Self {
            handshake,
            probe_settings: Mutex::new(ProbeSettings { depth: HandshakeDepth::Tcp, limit: PROBE_TIMEOUT }),
            probes: Arc::default(),
            hosts: Mutex::default(),
            address_listed: Notify::new(),
            first_translation: OnceLock::new(),
        };
        for address in contact_points {
            record(&translator.probes, *address, HandshakeDepth::Tcp, ProbeResult::Passed);
        }
        translator
    }

    /// From now on, each address is probed as far as `depth` and within `limit`, unless a recent result is known.
    pub(super) fn require_probe(&self, depth: HandshakeDepth, limit: Duration) {
        *locked(&self.probe_settings) = ProbeSettings { depth, limit };
    }

    /// Records that an address passed a probe of `depth`.
    pub(super) fn record_passed(&self, address: SocketAddr, depth: HandshakeDepth) {
        record(&self.probes, address, depth, ProbeResult::Passed);
    }

    /// From now on, a probe makes the full handshake of a pool's connection. While a session connects, that would take
    /// too long. In a running session it is necessary: a peer that becomes silent late in the handshake would block the
    /// driver's worker, and only the driver would receive the peer's answer to the credentials.
    pub(super) fn require_full_handshake(&self) {
        let mut settings = locked(&self.probe_settings);
        settings.depth = settings.depth.max(HandshakeDepth::Authentication);
    }

    /// When the driver first translated a peer's address. By then, it has read the list of peers.
    pub(super) fn first_translation(&self) -> Option<Instant> {
        self.first_translation.get().copied()
    }

    /// Waits until the driver has translated a peer's address.
    pub(super) async fn wait_for_first_translation(&self) -> Instant {
        loop {
            let listed = self.address_listed.notified();
            if let Some(first) = self.first_translation() {
                return first;
            }
            listed.await;
        }
    }

    /// Probes the addresses that the driver got for the hosts that `filter` accepts, as far as `depth`, until
    /// `deadline` at the latest. Addresses with a recent result are not probed again. Records the problem of each host.
    pub(super) async fn probe_translated(
        &self,
        filter: impl Fn(Uuid) -> bool,
        depth: HandshakeDepth,
        deadline: Instant,
    ) -> ProbeSummary {
        let addresses: Vec<(Uuid, SocketAddr)> = locked(&self.hosts)
            .iter()
            .filter(|(host_id, _)| filter(**host_id))
            .filter_map(|(host_id, host)| Some((*host_id, host.translated?)))
            .collect();
        let probes = addresses.iter().map(|(_, address)| self.probe_to_depth(*address, depth, deadline));
        let mut summary = ProbeSummary { all_passed: true, any_refused: false, any_silent: false };
        for ((host_id, _), result) in addresses.iter().zip(join_all(probes).await) {
            let Some(problem) = result.problem() else { continue };
            summary.all_passed = false;
            summary.any_refused |= matches!(result, ProbeResult::Refused(_));
            summary.any_silent |= matches!(result, ProbeResult::Silent(_));
            if let Some(host) = locked(&self.hosts).get_mut(host_id) {
                HealthProblem::record(&mut host.problem, problem.to_owned());
            }
        }
        summary
    }

    /// Whether two rows have this host id. The driver then opens two pools for it.
    pub(super) fn has_two_rows(&self, host_id: Uuid) -> bool {
        locked(&self.hosts).get(&host_id).is_some_and(|host| host.listed.len() > 1)
    }

    /// Returns the address to connect to for an address that the system tables list:
    ///
    /// - If the listed address passes the probe, it is returned.
    /// - Otherwise, another address of the same host id that passes a probe is returned. If there is none, the result
    ///   depends on why the listed address did not pass:
    ///   - It refuses TCP: one of the endpoint's addresses is returned.
    ///   - It is silent: the peer is excluded, so that it delays the session by a second instead of blocking it. If no
    ///     other peer answers either, this machine cannot reach the peers, and one of the endpoint's addresses is
    ///     returned.
    ///   - It answers but cannot be used, for instance because its certificate is not accepted: the peer is excluded.
    async fn translate(&self, host_id: Uuid, listed: SocketAddr) -> Result<SocketAddr, PeerExcluded> {
        self.record_listed(host_id, listed);
        let probe = self.probe(listed).await;
        let problem = probe.problem().map(str::to_owned);
        let translation = match probe {
            ProbeResult::Passed => Ok(listed),
            failed => match self.sibling(host_id, listed, failed.sibling_timeout()).await {
                Some(sibling) => Ok(sibling),
                None => self.replace(host_id, listed, failed).await,
            },
        };
        match &translation {
            Ok(translated) if *translated != listed => {
                debug!(%listed, %translated, "connecting to another address than the listed one");
            }
            Ok(_) => {}
            Err(why) => debug!(%listed, %why, "leaving a peer out"),
        }
        if let Some(host) = locked(&self.hosts).get_mut(&host_id) {
            host.translated = translation.as_ref().ok().copied();
            let has_sibling = host.translated.is_some_and(|translated| host.listed.contains(&translated));
            if let Some(problem) = problem.filter(|_| !has_sibling) {
                HealthProblem::record(&mut host.problem, problem);
            }
        }
        translation
    }

    /// Replaces or excludes an address that did not pass, if no other address of the same host id passed.
    async fn replace(
        &self,
        host_id: Uuid,
        listed: SocketAddr,
        result: ProbeResult,
    ) -> Result<SocketAddr, PeerExcluded> {
        match result {
            ProbeResult::Passed => Ok(listed),
            ProbeResult::Refused(why) => self.endpoint_address(host_id).await.ok_or(PeerExcluded(why)),
            ProbeResult::Silent(why) if self.another_peer_answers(listed).await => Err(PeerExcluded(why)),
            ProbeResult::Silent(why) => self.endpoint_address(host_id).await.ok_or(PeerExcluded(why)),
            ProbeResult::Unusable(why) => Err(PeerExcluded(why)),
        }
    }

    /// The address that the driver got for this host id.
    pub(super) fn translated(&self, host_id: Uuid) -> Option<SocketAddr> {
        locked(&self.hosts).get(&host_id)?.translated
    }

    /// The last problem of a host, and the number of its problems.
    pub(super) fn problem(&self, host_id: Uuid) -> Option<HealthProblem> {
        locked(&self.hosts).get(&host_id)?.problem.clone()
    }

    /// The reasons why addresses did not pass their last probe, without the addresses that are being probed now.
    pub(super) fn exclusion_reasons(&self) -> Vec<String> {
        let probes = locked(&self.probes);
        let last = probes.values().filter_map(|record| record.last.as_ref()?.2.problem());
        let mut reasons: Vec<String> = last.map(str::to_owned).collect();
        reasons.sort();
        reasons
    }

    fn record_listed(&self, host_id: Uuid, listed: SocketAddr) {
        self.first_translation.get_or_init(Instant::now);
        let mut hosts = locked(&self.hosts);
        if hosts.len() >= MAX_REMEMBERED_PEERS && !hosts.contains_key(&host_id) {
            hosts.clear();
        }
        let host = hosts.entry(host_id).or_default();
        if !host.listed.contains(&listed) {
            if host.listed.len() == MAX_ADDRESSES_OF_A_HOST {
                host.listed.remove(0);
            }
            host.listed.push(listed);
            self.address_listed.notify_waiters();
        }
    }

    async fn probe(&self, address: SocketAddr) -> ProbeResult {
        let ProbeSettings { depth, limit } = *locked(&self.probe_settings);
        if depth == HandshakeDepth::Tcp && !is_local(address) {
            return ProbeResult::Passed;
        }
        self.probe_to_depth(address, depth, Instant::now() + limit).await
    }

    async fn probe_to_depth(&self, address: SocketAddr, depth: HandshakeDepth, deadline: Instant) -> ProbeResult {
        let running = {
            let mut probes = locked(&self.probes);
            let known = probes.get(&address);
            if let Some((at, found, result)) = known.and_then(|known| known.last.as_ref())
                && result.is_valid(at.elapsed(), *found, depth)
            {
                return result.clone();
            }
            let running = known.and_then(|known| known.running.as_ref()).filter(|(running, _)| *running >= depth);
            match running.and_then(|(_, running)| running.upgrade()) {
                Some(running) => running,
                None => {
                    let started = self.start_probe(address, depth, deadline).shared();
                    record_for(&mut probes, address).running = started.downgrade().map(|running| (depth, running));
                    started
                }
            }
        };
        running.await
    }

    fn start_probe(
        &self,
        address: SocketAddr,
        depth: HandshakeDepth,
        deadline: Instant,
    ) -> BoxFuture<'static, ProbeResult> {
        let (handshake, probes) = (self.handshake.clone(), Arc::clone(&self.probes));
        async move {
            let result = ProbeResult::new(handshake.attempt(address, depth, deadline).await);
            record(&probes, address, depth, result.clone());
            result
        }
        .boxed()
    }

    /// Finds another address of the same host id that passes a probe.
    async fn sibling(&self, host_id: Uuid, listed: SocketAddr, wait: Duration) -> Option<SocketAddr> {
        let other = || {
            let hosts = locked(&self.hosts);
            let others = hosts.get(&host_id)?.listed.iter().rev().copied().filter(|other| *other != listed);
            Some(others.collect::<Vec<_>>()).filter(|others| !others.is_empty())
        };
        let waiting = async {
            loop {
                let listed = self.address_listed.notified();
                if let Some(others) = other() {
                    return others;
                }
                listed.await;
            }
        };
        for other in timeout(wait, waiting).await.ok()? {
            if matches!(self.probe(other).await, ProbeResult::Passed) {
                return Some(other);
            }
        }
        None
    }

    async fn another_peer_answers(&self, silent: SocketAddr) -> bool {
        let others: Vec<SocketAddr> = locked(&self.hosts)
            .values()
            .flat_map(|host| &host.listed)
            .copied()
            .filter(|other| *other != silent)
            .collect();
        join_all(others.into_iter().map(|other| self.probe(other)))
            .await
            .iter()
            .any(|result| matches!(result, ProbeResult::Passed))
    }

    /// Resolves the endpoint's name again and returns one of its addresses that passes a probe. The host id decides
    /// which one, so that several hosts get different addresses.
    async fn endpoint_address(&self, host_id: Uuid) -> Option<SocketAddr> {
        let ProbeSettings { limit, .. } = *locked(&self.probe_settings);
        let addresses = resolve(&self.handshake, Instant::now() + limit).await.ok()?;
        let results = join_all(addresses.iter().map(|address| self.probe(*address))).await;
        let mut passed: Vec<SocketAddr> = addresses
            .into_iter()
            .zip(results)
            .filter_map(|(address, result)| matches!(result, ProbeResult::Passed).then_some(address))
            .collect();
        passed.sort_unstable();
        let mut hasher = DefaultHasher::new();
        host_id.hash(&mut hasher);
        let count = u64::try_from(passed.len()).ok().filter(|count| *count > 0)?;
        let index = usize::try_from(hasher.finish() % count).ok()?;
        passed.get(index).copied()
    }
}

#[async_trait]
impl AddressTranslator for Translator {
    async fn translate_address(&self, peer: &UntranslatedPeer) -> Result<SocketAddr, TranslationError> {
        self.translate(peer.host_id(), peer.untranslated_address())
            .await
            .map_err(|excluded| TranslationError::Custom(CustomTranslationError::new(excluded)))
    }
}

fn record_for(probes: &mut HashMap<SocketAddr, ProbeRecord>, address: SocketAddr) -> &mut ProbeRecord {
    if probes.len() >= MAX_REMEMBERED_PEERS && !probes.contains_key(&address) {
        probes.clear();
    }
    probes.entry(address).or_default()
}

fn record(
    probes: &Mutex<HashMap<SocketAddr, ProbeRecord>>,
    address: SocketAddr,
    depth: HandshakeDepth,
    result: ProbeResult,
) {
    *record_for(&mut locked(probes), address) =
        ProbeRecord { last: Some((Instant::now(), depth, result)), running: None };
}

/// Whether an address is on this machine, where a connection is accepted or refused at once.
fn is_local(address: SocketAddr) -> bool {
    address.ip().is_loopback() || address.ip().is_unspecified()
}
