//! Which addresses the driver gets for the peers that the system tables name.
//!
//! The driver waits for every node of the ring and sets no deadline after TCP, so one silent peer would hold up the
//! whole of a session. And the service's `system.local` names an address where nothing listens, under the host id of
//! one of the peers. Both are settled here, where the driver asks for the address to connect to.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

use super::health::Trouble;
use crate::handshake::{Attempt, Depth, Handshake, Stage};

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
    depth: Mutex<Depth>,
    limit: Duration,
    probed: Arc<Mutex<HashMap<SocketAddr, Probed>>>,
    hosts: Mutex<HashMap<Uuid, Host>>,
    asked: Notify,
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
    last: Option<(Instant, Verdict)>,
    running: Option<WeakShared<BoxFuture<'static, Verdict>>>,
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
    fn of(attempt: Attempt) -> Self {
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

    /// One that took its time needs no more of it: the driver has asked for all rows by then.
    fn wait_for_a_sibling(&self) -> Duration {
        if matches!(self, Self::Silent(_)) { Duration::ZERO } else { SIBLING }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct LeftOut(String);

impl Translator {
    /// Takes each address as far as `depth`, within `limit`.
    pub(super) fn new(handshake: Handshake, depth: Depth, limit: Duration) -> Self {
        let depth = Mutex::new(depth);
        Self { handshake, depth, limit, probed: Arc::default(), hosts: Mutex::default(), asked: Notify::new() }
    }

    /// Notes an address that has just passed as a contact point: peers are among them.
    pub(super) fn passed(&self, address: SocketAddr) {
        keep(&self.probed, address, Verdict::Passed);
    }

    /// From now on a peer is taken through all that a connection of a pool goes through. At first that costs too much;
    /// in a session that runs, a peer that turns silent late would hold up the driver's worker, and what it says to the
    /// credentials would be known to the driver only.
    pub(super) fn deepen(&self) {
        let mut depth = lock(&self.depth);
        *depth = (*depth).max(Depth::Authentication);
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
        if let Some(host) = lock(&self.hosts).get_mut(&host_id) {
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
        lock(&self.hosts).get(&host_id)?.given
    }

    /// What was wrong with a host the last time that something was, and how often.
    pub(super) fn trouble(&self, host_id: Uuid) -> Option<Trouble> {
        lock(&self.hosts).get(&host_id)?.trouble.clone()
    }

    /// Why addresses were left out, as far as it is remembered; not those that are being probed.
    pub(super) fn left_out(&self) -> Vec<String> {
        let probed = lock(&self.probed);
        let last = probed.values().filter_map(|probed| probed.last.as_ref()?.1.problem());
        let mut reasons: Vec<String> = last.map(str::to_owned).collect();
        reasons.sort();
        reasons
    }

    fn note(&self, host_id: Uuid, named: SocketAddr) {
        let mut hosts = lock(&self.hosts);
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
        let running = {
            let mut probed = lock(&self.probed);
            let known = probed.get(&address);
            if let Some((at, verdict)) = known.and_then(|known| known.last.as_ref())
                && at.elapsed() < verdict.holds_for()
            {
                return verdict.clone();
            }
            match known.and_then(|known| known.running.as_ref()?.upgrade()) {
                Some(running) => running,
                None => {
                    let started = self.start(address).shared();
                    entry(&mut probed, address).running = started.downgrade();
                    started
                }
            }
        };
        running.await
    }

    fn start(&self, address: SocketAddr) -> BoxFuture<'static, Verdict> {
        let (handshake, probed) = (self.handshake.clone(), Arc::clone(&self.probed));
        let (depth, limit) = (*lock(&self.depth), self.limit);
        async move {
            let verdict = Verdict::of(handshake.try_at(address, depth, Instant::now() + limit).await);
            keep(&probed, address, verdict.clone());
            verdict
        }
        .boxed()
    }

    /// Another address under the same host id that passes.
    async fn sibling(&self, host_id: Uuid, named: SocketAddr, wait: Duration) -> Option<SocketAddr> {
        let other = || {
            let hosts = lock(&self.hosts);
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
        let others: Vec<SocketAddr> =
            lock(&self.hosts).values().flat_map(|host| &host.named).copied().filter(|other| *other != silent).collect();
        join_all(others.into_iter().map(|other| self.probe(other)))
            .await
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Passed))
    }

    /// One of the endpoint's addresses, looked up anew, that passes; not the same one for every host.
    async fn one_of_the_endpoint(&self, host_id: Uuid) -> Option<SocketAddr> {
        let addresses = self.handshake.resolve(Instant::now() + self.limit).await.ok()?;
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

fn keep(probed: &Mutex<HashMap<SocketAddr, Probed>>, address: SocketAddr, verdict: Verdict) {
    *entry(&mut lock(probed), address) = Probed { last: Some((Instant::now(), verdict)), running: None };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
