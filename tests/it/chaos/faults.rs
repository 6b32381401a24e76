//! The faults of a run and their times, which follow from the seed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use keyspaces::Session;
use keyspaces_local::fault::{Effect, Fault, Moment};
use keyspaces_local::journal::{Outcome, Received};
use keyspaces_local::{CapacityMode, Exceeded, Local};
use tokio::time::{Instant, sleep, sleep_until};

use super::history::{History, Tables};
use super::workload::{Statements, write_large};

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum FaultKind {
    ThrottleBurst,
    HotPartition,
    PeerLost,
    AllConnectionsClosed,
    AnswerLostAfterApplying,
    AnswerLostBefore,
    ClosedAfterApplying,
    ClosedBefore,
    HalfOpen,
    SlowPeer,
    Garbage,
    TruncatedFrame,
    ByteByByte,
    Overloaded,
    ServerError,
    CredentialsExpire,
    CertificateRenewed,
    Definition,
    EmptyPages,
    GatewayRestarted,
    OtherPeersShown,
}

const ALL: [FaultKind; 21] = [
    FaultKind::ThrottleBurst,
    FaultKind::HotPartition,
    FaultKind::PeerLost,
    FaultKind::AllConnectionsClosed,
    FaultKind::AnswerLostAfterApplying,
    FaultKind::AnswerLostBefore,
    FaultKind::ClosedAfterApplying,
    FaultKind::ClosedBefore,
    FaultKind::HalfOpen,
    FaultKind::SlowPeer,
    FaultKind::Garbage,
    FaultKind::TruncatedFrame,
    FaultKind::ByteByByte,
    FaultKind::Overloaded,
    FaultKind::ServerError,
    FaultKind::CredentialsExpire,
    FaultKind::CertificateRenewed,
    FaultKind::Definition,
    FaultKind::EmptyPages,
    FaultKind::GatewayRestarted,
    FaultKind::OtherPeersShown,
];

/// The milliseconds between the starts of two faults. Many faults last longer, so they overlap.
const START_INTERVAL: std::ops::Range<u64> = 250..700;

/// How long a fault may wait for its first strike, because a session may be without any connection for as long.
const STRIKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Partitions to write to until one is throttled.
const HOT_PARTITIONS: std::ops::Range<i32> = 1000..1004;

/// A fault, with its time and duration.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) kind: FaultKind,
    at: Duration,
    duration: Duration,
    /// The index of one of three peers.
    peer: usize,
    seed: u64,
}

/// Every kind once, in the order and at the times that follow from the seed.
pub(super) fn schedule(seed: u64) -> Vec<Event> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kinds = ALL;
    random.shuffle(&mut kinds);
    let mut at = Duration::from_millis(800);
    kinds
        .into_iter()
        .map(|kind| {
            at += Duration::from_millis(random.u64(START_INTERVAL));
            let duration = Duration::from_millis(random.u64(300..1200));
            Event { kind, at, duration, peer: random.usize(0..3), seed: random.u64(..) }
        })
        .collect()
}

/// The number of requests that each kind has struck; 1 for a kind that does not concern single requests.
pub(super) type StrikeCounts = BTreeMap<FaultKind, u64>;

/// Injects all scheduled faults.
pub(super) async fn inject_all(
    local: &Local,
    seed: u64,
    session: &Session,
    tables: &Tables,
    statements: &Statements,
    history: &History,
) -> StrikeCounts {
    let began = Instant::now();
    let injector = Injector { local, session, tables, statements, history };
    let events = schedule(seed).into_iter().map(|event| {
        let injector = &injector;
        async move {
            sleep_until(began + event.at).await;
            (event.kind, injector.inject(&event).await)
        }
    });
    join_all(events).await.into_iter().collect()
}

struct Injector<'a> {
    local: &'a Local,
    session: &'a Session,
    tables: &'a Tables,
    statements: &'a Statements,
    history: &'a History,
}

impl Injector<'_> {
    async fn inject(&self, event: &Event) -> u64 {
        let effect = match event.kind {
            FaultKind::AnswerLostAfterApplying => Effect::Drop(Moment::After),
            FaultKind::AnswerLostBefore => Effect::Drop(Moment::Before),
            FaultKind::ClosedAfterApplying => Effect::Close(Moment::After),
            FaultKind::ClosedBefore => Effect::Close(Moment::Before),
            FaultKind::HalfOpen => Effect::Silence(if event.seed & 1 == 0 { Moment::Before } else { Moment::After }),
            // Sometimes longer than the timeout of an attempt.
            FaultKind::SlowPeer => Effect::Delay(Moment::Before, Duration::from_millis(event.seed % 1500)),
            FaultKind::Garbage => Effect::Garbage,
            FaultKind::TruncatedFrame => Effect::Truncated,
            FaultKind::ByteByByte => Effect::ByteByByte,
            FaultKind::Overloaded => {
                Effect::Error { moment: Moment::Before, code: 0x1001, text: "too much to do".to_owned() }
            }
            FaultKind::ServerError => Effect::Error { moment: Moment::After, code: 0, text: "a mishap".to_owned() },
            FaultKind::EmptyPages => Effect::EmptyPage,
            _ => return self.inject_into_service(event).await,
        };
        // Any request about the tables: an execution, a repeated PREPARE, or a definition.
        let fault = Fault::new(effect).containing(self.tables.keyspace).seed(event.seed);
        let fault = match event.kind {
            FaultKind::SlowPeer => fault.peer(self.peer(event)).probability(0.7),
            FaultKind::EmptyPages => fault.containing("SELECT c").probability(0.5),
            FaultKind::HalfOpen => fault.probability(0.1).times(2),
            FaultKind::ByteByByte => fault.probability(0.5),
            _ => fault.probability(0.1).times(8),
        };
        let faults = self.local.faults();
        let fault = faults.inject(fault);
        let strikes = wait_for_strikes(event, || faults.strike_count(fault)).await;
        faults.remove(fault);
        strikes
    }

    /// Injects a fault that does not concern single requests.
    async fn inject_into_service(&self, event: &Event) -> u64 {
        let local = self.local;
        match event.kind {
            FaultKind::ThrottleBurst => {
                let mut random = fastrand::Rng::with_seed(event.seed);
                let tables = [&self.tables.readings, &self.tables.counters, &self.tables.registers];
                let table = random.choice(tables).unwrap();
                let capacity = CapacityMode::Provisioned { read: 10, write: 10 };
                local.throttling().set_capacity(self.tables.keyspace, table, Some(capacity));
                let strikes = wait_for_strikes(event, || throttled(local, Exceeded::Table)).await;
                local.throttling().set_capacity(self.tables.keyspace, table, None);
                return strikes;
            }
            FaultKind::HotPartition => {
                for k in HOT_PARTITIONS {
                    write_large(self.statements, self.history, k).await;
                    if throttled(local, Exceeded::Partition) > 0 {
                        break;
                    }
                }
                return throttled(local, Exceeded::Partition);
            }
            FaultKind::PeerLost => {
                let peer = self.peer(event);
                local.stop_peer(peer).await.expect("the peer stopped");
                sleep(event.duration).await;
                local.start_peer(peer).await.expect("the peer started");
            }
            FaultKind::AllConnectionsClosed => local.close_connections().await.expect("closed"),
            FaultKind::CredentialsExpire => {
                local.expire_credentials();
                local.close_connections().await.expect("closed");
                sleep(event.duration).await;
                local.accept_credentials(local.credentials().clone()).expect("accepted");
            }
            FaultKind::CertificateRenewed => {
                local.renew_certificate().expect("renewed");
                local.close_connections().await.expect("closed");
            }
            FaultKind::Definition => self.define(event).await,
            FaultKind::GatewayRestarted => local.restart(event.duration).await.expect("restarted"),
            FaultKind::OtherPeersShown => {
                let peers: Vec<_> = local.peers().iter().filter_map(v4).collect();
                local.show_peers(peers.iter().take(2).copied()).await.expect("shown");
                sleep(event.duration).await;
                local.show_peers(peers).await.expect("shown");
            }
            kind => unreachable!("{kind:?} is a request's"),
        }
        1
    }

    /// Adds a column to a table that is in use. A fault may strike this request too; a second try may then find the column.
    async fn define(&self, event: &Event) {
        let (table, type_of) = match event.seed % 3 {
            0 => (self.tables.readings(), "int"),
            1 => (self.tables.registers(), "text"),
            _ => (self.tables.counters(), "counter"),
        };
        let text = format!("ALTER TABLE {table} ADD extra {type_of}");
        let mut last = None;
        for _ in 0..20 {
            match self.session.define(&text).with_deadline(Duration::from_secs(10)).await {
                Ok(()) => return,
                // The column exists: an earlier try was applied.
                Err(error) if last.is_some() && error.is_refused() => return,
                Err(error) => last = Some(error),
            }
            sleep(Duration::from_millis(200)).await;
        }
        self.history.violation(format!("not defined: {last:?}"));
    }

    fn peer(&self, event: &Event) -> SocketAddr {
        self.local.peers()[event.peer]
    }
}

/// Waits for the duration of the event, and then until the fault has struck a request, but not longer than [`STRIKE_TIMEOUT`].
async fn wait_for_strikes(event: &Event, strikes: impl Fn() -> u64) -> u64 {
    let latest = Instant::now() + STRIKE_TIMEOUT;
    sleep(event.duration).await;
    while strikes() == 0 && Instant::now() < latest {
        sleep(Duration::from_millis(20)).await;
    }
    strikes()
}

/// The number of requests that were throttled by this limit.
fn throttled(local: &Local, exceeded: Exceeded) -> u64 {
    let went_over =
        |it: &Received| matches!(it.outcome, Some(Outcome::Throttled { exceeded: by, .. }) if by == exceeded);
    local.journal().filter(went_over).len() as u64
}

fn v4(peer: &SocketAddr) -> Option<std::net::Ipv4Addr> {
    match peer.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
