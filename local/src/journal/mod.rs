//! The journal of received requests, for tests.

#[cfg(test)]
pub(crate) mod captured_log;
mod connection_journal;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};
use std::time::SystemTime;

use crate::fault::{Candidate, Injected};
use crate::lock::Mutex;
pub use crate::protocol::{Consistency, RequestKind as Kind};
use crate::throttle::Exceeded;
pub(crate) use connection_journal::{ConnectionJournal, JournalEntry, LOG};

/// The requests that a local Keyspaces received, oldest first. Clones are cheap and share their state.
///
/// The journal keeps the newest 100,000 requests, fewer if their texts together exceed 64 MiB. It contains no secrets.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Mutex<JournalInner>>);

#[derive(Debug)]
struct JournalInner {
    max_requests: usize,
    max_text_bytes: usize,
    text_bytes: usize,
    first_number: u64,
    requests: VecDeque<Received>,
    connections: u64,
    open: BTreeMap<SocketAddr, usize>,
}

/// One request that was received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The number of the request since the start, from 0.
    pub number: u64,
    /// When it was received.
    pub at: SystemTime,
    /// The number of its connection, counted from 1 in the order in which connections were accepted.
    pub connection: u64,
    /// The peer that it was sent to: the address that the client connected to.
    pub peer: SocketAddr,
    /// The client's own address.
    pub client: SocketAddr,
    /// The frame's stream id.
    pub stream: i16,
    /// The kind of request.
    pub kind: Kind,
    /// The statement's text, as it was sent or, for an [`Kind::Execute`], prepared. The names and values of a STARTUP;
    /// for an AUTH_RESPONSE only the login method.
    pub statement: Option<Arc<str>>,
    /// The texts of a [`Kind::Batch`], in order; those of prepared ids that are not known are left out.
    pub batched: Arc<[Arc<str>]>,
    /// The consistency level.
    pub consistency: Option<Consistency>,
    /// The serial consistency, if one was sent.
    pub serial_consistency: Option<Consistency>,
    /// The page size in rows, if one was sent.
    pub page_size: Option<i32>,
    /// The timestamp of the frame in microseconds, if one was sent.
    pub timestamp: Option<i64>,
    /// The outcome; `None` while the request is in progress, or if the connection ended before: Cassandra may then
    /// have executed it.
    pub outcome: Option<Outcome>,
    /// The fault that struck the request. `outcome` does not depend on whether the answer was sent: a request whose
    /// answer was dropped after its execution has [`Outcome::Forwarded`], and [`reached_client`](Self::reached_client)
    /// is false.
    pub fault: Option<Injected>,
}

/// The outcome of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Cassandra answered.
    Forwarded,
    /// Cassandra refused, with the error code and text that the client got.
    Failed {
        /// The protocol's error code.
        code: i32,
        /// Its text.
        text: Arc<str>,
    },
    /// It was answered without Cassandra.
    Answered,
    /// It was refused without Cassandra.
    Refused {
        /// The protocol's error code.
        code: i32,
        /// Its text.
        text: Arc<str>,
    },
    /// It was throttled: not executed, and answered with a timeout.
    Throttled {
        /// The protocol's error code: of a WriteTimeout or a ReadTimeout.
        code: i32,
        /// The limit that it exceeded.
        exceeded: Exceeded,
    },
    /// A fault prevented its execution.
    Prevented,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self::bounded(100_000, 64 << 20)
    }

    fn bounded(max_requests: usize, max_text_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(JournalInner {
            max_requests,
            max_text_bytes,
            text_bytes: 0,
            first_number: 0,
            requests: VecDeque::new(),
            connections: 0,
            open: BTreeMap::new(),
        })))
    }

    /// All requests, oldest first.
    pub fn snapshot(&self) -> Vec<Received> {
        self.filter(|_| true)
    }

    /// The requests for which `predicate` holds, oldest first.
    pub fn filter(&self, mut predicate: impl FnMut(&Received) -> bool) -> Vec<Received> {
        self.lock().requests.iter().filter(|received| predicate(received)).cloned().collect()
    }

    /// The requests whose statement, or one of whose batched statements, contains `part`, oldest first.
    pub fn containing(&self, part: &str) -> Vec<Received> {
        self.filter(|received| received.texts().any(|text| text.contains(part)))
    }

    /// Removes all requests. The numbers continue.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.first_number += inner.requests.len() as u64;
        inner.requests.clear();
        inner.text_bytes = 0;
    }

    /// The number of connections that were accepted since the start.
    pub fn connections(&self) -> u64 {
        self.lock().connections
    }

    /// The number of open connections by peer. Peers without connections are left out.
    pub fn open_connections(&self) -> BTreeMap<SocketAddr, usize> {
        self.lock().open.clone()
    }

    /// Counts a connection as open until the result is dropped.
    pub(crate) fn open_connection(&self, peer: SocketAddr) -> OpenConnection {
        let mut inner = self.lock();
        inner.connections += 1;
        *inner.open.entry(peer).or_default() += 1;
        OpenConnection { number: inner.connections, peer, journal: self.clone() }
    }

    /// Adds a request, and returns its number.
    pub(crate) fn add(&self, received: Received) -> u64 {
        let mut inner = self.lock();
        let number = inner.first_number + inner.requests.len() as u64;
        inner.text_bytes += received.length();
        inner.requests.push_back(Received { number, ..received });
        while inner.requests.len() > inner.max_requests || inner.text_bytes > inner.max_text_bytes {
            let Some(oldest) = inner.requests.pop_front() else { break };
            inner.text_bytes -= oldest.length();
            inner.first_number += 1;
        }
        number
    }

    /// Sets the outcome of a request, if the request is still in the journal.
    pub(crate) fn set_outcome(&self, number: u64, outcome: Outcome) {
        let mut inner = self.lock();
        let Some(index) = number.checked_sub(inner.first_number).and_then(|index| usize::try_from(index).ok()) else {
            return;
        };
        if let Some(received) = inner.requests.get_mut(index) {
            received.outcome = Some(outcome);
        }
    }

    fn lock(&self) -> MutexGuard<'_, JournalInner> {
        self.0.lock()
    }
}

impl Received {
    /// The code of the error that the client got, if any.
    pub fn error_code(&self) -> Option<i32> {
        match &self.outcome {
            Some(Outcome::Failed { code, .. } | Outcome::Refused { code, .. } | Outcome::Throttled { code, .. }) => {
                Some(*code)
            }
            _ => None,
        }
    }

    /// Whether the client was sent the answer that `outcome` names, perhaps late or in small pieces.
    pub fn reached_client(&self) -> bool {
        let is_delivered = self.fault.as_ref().is_none_or(|fault| fault.effect.delivers_answer());
        is_delivered && self.outcome.is_some()
    }

    /// The request as faults match it.
    pub(crate) fn candidate(&self) -> Candidate<'_> {
        let Self { kind, connection, peer, .. } = *self;
        Candidate { kind, connection, peer, statement: self.statement.as_deref(), batched: &self.batched }
    }

    fn texts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.statement.iter().chain(self.batched.iter())
    }

    fn length(&self) -> usize {
        self.texts().map(|text| text.len()).sum()
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    pub(crate) number: u64,
    peer: SocketAddr,
    journal: Journal,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut inner = self.journal.lock();
        if let Some(open) = inner.open.get_mut(&self.peer) {
            *open -= 1;
            if *open == 0 {
                inner.open.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn received(statement: &str) -> Received {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        Received {
            number: 0,
            at: SystemTime::UNIX_EPOCH,
            connection: 1,
            peer: nowhere,
            client: nowhere,
            stream: 0,
            kind: Kind::Query,
            statement: Some(statement.into()),
            batched: Arc::default(),
            consistency: None,
            serial_consistency: None,
            page_size: None,
            timestamp: None,
            outcome: None,
            fault: None,
        }
    }

    #[test]
    fn the_newest_requests_are_kept_and_their_numbers_continue() {
        let journal = Journal::bounded(2, 1000);
        for text in ["a", "b", "c"] {
            journal.add(received(text));
        }
        let numbers = |journal: &Journal| journal.snapshot().into_iter().map(|r| r.number).collect::<Vec<_>>();
        assert_eq!(numbers(&journal), [1, 2]);
        journal.clear();
        assert_eq!(numbers(&journal), [] as [u64; 0]);
        assert_eq!(journal.add(received("d")), 3);
    }

    #[test]
    fn long_texts_evict_older_ones() {
        let journal = Journal::bounded(100, 10);
        for text in ["12345", "67890", "x"] {
            journal.add(received(text));
        }
        assert_eq!(journal.snapshot().len(), 2);
        assert_eq!(journal.containing("678").len(), 1);
    }

    #[test]
    fn an_outcome_is_set_only_if_its_request_is_still_in_the_journal() {
        let journal = Journal::bounded(1, 1000);
        let first = journal.add(received("a"));
        let second = journal.add(received("b"));
        journal.set_outcome(first, Outcome::Answered);
        journal.set_outcome(second, Outcome::Refused { code: 0x2200, text: "no".into() });
        let requests = journal.snapshot();
        assert_eq!((requests.len(), requests[0].error_code()), (1, Some(0x2200)));
    }

    #[test]
    fn open_connections_are_counted_by_peer() {
        let journal = Journal::new();
        let [one, two] = [1, 2].map(|last| SocketAddr::from(([127, 0, 0, last], 9142)));
        let (first, _second, _third) =
            (journal.open_connection(one), journal.open_connection(one), journal.open_connection(two));
        assert_eq!(journal.open_connections(), BTreeMap::from([(one, 2), (two, 1)]));
        assert_eq!(first.number, 1);
        drop(first);
        assert_eq!(journal.open_connections(), BTreeMap::from([(one, 1), (two, 1)]));
        assert_eq!(journal.connections(), 3);
    }
}
