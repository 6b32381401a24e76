//! Which addresses the driver gets for the peers that the system tables name.
//!
//! The driver waits for every node of the ring and sets no deadline after TCP, so one silent peer would hold up the
//! whole of a session. And the service's `system.local` names an address where nothing listens, under the host id of
//! one of the peers. Both are settled here, where the driver asks for the address to connect to.
//!
//! A translator begins trusting: while a session is being connected for the first time, it lets a peer through at once,
//! and whoever waits for the driver probes the peers beside it if that takes long ([`Translator::check`]). After
//! [`Translator::distrust`] a peer has to pass a probe first.

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

use super::defaults::PROBE_TIMEOUT;
use super::health::Trouble;
use crate::handshake::{Depth, Handshake, HandshakeAttempt, Stage};

/// How long a peer that passed is taken to be well: a pool opens its connections in one go.
const STILL_WELL: Duration = Duration::from_secs(5);
/// How long a silent one is not asked again: it costs a second each time.
const STILL_SILENT: Duration = Duration::from_secs(2);
/// The driver asks for all rows of the system tables at once: how long to wait for the one that shares a host id.
const SIBLING: Duration = Duration::from_millis(100);
/// What is remembered of addresses; they come from the server.
const MOST_REMEMBERED: usize = 256;

/// The translator of one session.
pub(super) struct Translator {
    handshake: Handshake,
    probing: Mutex<Probing>,
    probed: Arc<Mutex<HashMap<SocketAddr, Probed>>>,
    hosts: Mutex<HashMap<Uuid, Host>>,
    asked: Notify,
    first_asked: OnceLock<Instant>,
}

/// How far a peer is taken before the driver gets its address, and how long that may take.
#[derive(Clone, Copy, Debug)]
struct Probing {
    /// With [`Depth::Tcp`] the translator trusts: only a loopback address is asked whether anybody listens there. The
    /// row of `system.local` names one, and asking it never leaves this machine.
    depth: Depth,
    limit: Duration,
}

/// The addresses that the system tables name for one host id, and the one that the driver got.
#[derive(Clone, Debug, Default)]
struct Host {
    named: Vec<SocketAddr>,
    given: Option<SocketAddr>,
    trouble: Option<Trouble>,
}

/// What is known of one address, and the probe that serves all who ask while it runs. It ends with the last of them.
#[derive(Default)]
struct Probed {
    last: Option<(Instant, Depth, Verdict)>,
    running: Option<(Depth, WeakShared<BoxFuture<'static, Verdict>>)>,
}

#[derive(Clone, Debug)]
enum Verdict {
    Passed,
    /// No TCP connection, and that at once: nobody is there.
    Refused(String),
    Silent(String),
    /// Somebody is there, and not one to speak with: plain text, another certificate.
    Wrong(String),
}

impl Verdict {
    fn of(attempt: HandshakeAttempt) -> Self {
        match attempt.failure {
            None => Self::Passed,
            // Not the peer's fault. What is wrong with the credentials, the driver's own connection will tell.
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

    /// Whether it holds for who wants `depth`, so long after it was found at `found`.
    fn holds(&self, age: Duration, found: Depth, depth: Depth) -> bool {
        let is_deep_enough = !matches!(self, Self::Passed) || found >= depth;
        is_deep_enough && age < self.holds_for()
    }

    /// One that took its time needs no more of it: the driver has asked for all rows by then.
    fn wait_for_a_sibling(&self) -> Duration {
        if matches!(self, Self::Silent(_)) { Duration::ZERO } else { SIBLING }
    }
}

/// What came of probing the peers that the driver was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) all_passed: bool,
    /// Where nobody listens, another address may serve instead.
    pub(super) any_refused: bool,
    pub(super) any_silent: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct LeftOut(String);

impl Translator {
    /// Trusts every peer, and these contact points: peers are among them.
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

    /// From now on takes each address as far as `depth` within `limit`, but for those of which that is known.
    pub(super) fn distrust(&self, depth: Depth, limit: Duration) {
        *locked(&self.probing) = Probing { depth, limit };
    }

    /// Notes an address that passed `depth`.
    pub(super) fn passed(&self, address: SocketAddr, depth: Depth) {
        keep(&self.probed, address, depth, Verdict::Passed);
    }

    /// From now on a peer is taken through all that a connection of a pool goes through. At first that costs too much;
    /// in a session that runs, a peer that turns silent late would hold up the driver's worker, and what it says to the
    /// credentials would be known to the driver only.
    pub(super) fn deepen(&self) {
        let mut probing = locked(&self.probing);
        probing.depth = probing.depth.max(Depth::Authentication);
    }

    /// When the driver asked for the address of a peer first; then it has read which there are.
    pub(super) fn first_asked(&self) -> Option<Instant> {
        self.first_asked.get().copied()
    }

    /// Waits until the driver asks for the address of a peer.
    pub(super) async fn is_asked(&self) -> Instant {
        loop {
            let asked = self.asked.notified();
            if let Some(first) = self.first_asked() {
                return first;
            }
            asked.await;
        }
    }

    /// Probes as far as `depth`, until `deadline` at the latest, the addresses that the driver was given for hosts that `of`
    /// accepts and that are not known to be well. Notes what is wrong with each.
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

    /// Whether the driver makes two pools for this host, because two rows have its host id.
    pub(super) fn has_two_rows(&self, host_id: Uuid) -> bool {
        locked(&self.hosts).get(&host_id).is_some_and(|host| host.named.len() > 1)
    }

    /// The address to connect to in place of `named`.
    ///
    /// Itself, if it passes; else that of a peer with the same host id. Without one, an address that refuses is replaced
    /// by one of the endpoint's. A silent one is left out, so that it costs a second and not the session; unless no
    /// other peer answers either, which says that peers cannot be reached from here: then it is replaced too. What
    /// answers and is not to be trusted is left out.
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

    /// For an address that did not pass and has no sibling.
    async fn replace(&self, host_id: Uuid, named: SocketAddr, verdict: Verdict) -> Result<SocketAddr, LeftOut> {
        match verdict {
            Verdict::Passed => Ok(named),
            Verdict::Refused(why) => self.one_of_the_endpoint(host_id).await.ok_or(LeftOut(why)),
            Verdict::Silent(why) if self.another_answers(named).await => Err(LeftOut(why)),
            Verdict::Silent(why) => self.one_of_the_endpoint(host_id).await.ok_or(LeftOut(why)),
            Verdict::Wrong(why) => Err(LeftOut(why)),
        }
    }

    /// Where the driver was sent for this host id.
    pub(super) fn given(&self, host_id: Uuid) -> Option<SocketAddr> {
        locked(&self.hosts).get(&host_id)?.given
    }

    /// What was wrong with a host the last time that something was, and how often.
    pub(super) fn trouble(&self, host_id: Uuid) -> Option<Trouble> {
        locked(&self.hosts).get(&host_id)?.trouble.clone()
    }

    /// Why addresses were left out, as far as it is remembered; not those that are being probed.
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
        if hosts.len() >= MOST_REMEMBERED && !hosts.contains_key(&host_id) {
            hosts.clear();
        }
        let host = hosts.entry(host_id).or_default();
        if !host.named.contains(&named) {
            // Two is what the service shows; host ids that wander may show more, and the latest count.
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

    /// Another address under the same host id that passes.
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

    /// One of the endpoint's addresses, looked up anew, that passes; not the same one for every host.
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
    if probed.len() >= MOST_REMEMBERED && !probed.contains_key(&address) {
        probed.clear();
    }
    probed.entry(address).or_default()
}

fn keep(probed: &Mutex<HashMap<SocketAddr, Probed>>, address: SocketAddr, depth: Depth, verdict: Verdict) {
    *entry(&mut locked(probed), address) = Probed { last: Some((Instant::now(), depth, verdict)), running: None };
}

/// A connection to such an address does not leave this machine, where it is refused or accepted at once.
fn is_of_this_machine(address: SocketAddr) -> bool {
    address.ip().is_loopback() || address.ip().is_unspecified()
}
