//! The prepared statements of all connections, by their ids.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::dml::DmlStatement;
use crate::lock::Mutex;

/// The newest prepared statements. A driver that gets UNPREPARED for an evicted statement prepares it again.
#[derive(Debug)]
pub(super) struct PreparedStatements {
    max_statements: usize,
    max_text_bytes: usize,
    inner: Mutex<PreparedState>,
}

#[derive(Debug, Default)]
struct PreparedState {
    by_id: HashMap<Bytes, PreparedStatement>,
    oldest_first: VecDeque<Bytes>,
    text_bytes: usize,
}

#[derive(Debug)]
struct PreparedStatement {
    statement: Arc<DmlStatement>,
    /// The number of definitions before it was first prepared.
    definitions_at_first: u64,
    /// The number before each peer last prepared it.
    definitions_by_peer: HashMap<SocketAddr, u64>,
}

impl PreparedStatements {
    pub(super) fn new() -> Self {
        Self::bounded(10_000, 64 << 20)
    }

    fn bounded(max_statements: usize, max_text_bytes: usize) -> Self {
        Self { max_statements, max_text_bytes, inner: Mutex::default() }
    }

    pub(super) fn get(&self, id: &[u8]) -> Option<Arc<DmlStatement>> {
        let inner = self.inner.lock();
        inner.by_id.get(id).map(|entry| Arc::clone(&entry.statement))
    }

    /// The text of a statement.
    pub(super) fn text(&self, id: &[u8]) -> Option<Arc<str>> {
        self.get(id).map(|statement| Arc::clone(&statement.text.sent))
    }

    /// The number of definitions when this peer last sent a client the columns of the rows. If the peer has not
    /// prepared the statement, the number when it was first prepared.
    pub(super) fn definitions_when_sent(&self, id: &[u8], peer: SocketAddr) -> Option<u64> {
        let inner = self.inner.lock();
        let entry = inner.by_id.get(id)?;
        Some(entry.definitions_by_peer.get(&peer).copied().unwrap_or(entry.definitions_at_first))
    }

    /// Stores a statement that a peer has prepared after this number of definitions.
    pub(super) fn insert(&self, id: Bytes, statement: DmlStatement, peer: SocketAddr, definitions: u64) {
        // A copy: the id is a slice that would keep a whole frame in memory.
        let id = Bytes::copy_from_slice(&id);
        let mut inner = self.inner.lock();
        inner.text_bytes += statement.text.sent.len();
        let statement = Arc::new(statement);
        if let Some(entry) = inner.by_id.get_mut(&id) {
            let before = std::mem::replace(&mut entry.statement, statement);
            entry.definitions_by_peer.insert(peer, definitions);
            inner.text_bytes -= before.text.sent.len();
        } else {
            let definitions_by_peer = HashMap::from([(peer, definitions)]);
            inner.by_id.insert(
                id.clone(),
                PreparedStatement { statement, definitions_at_first: definitions, definitions_by_peer },
            );
            inner.oldest_first.push_back(id);
        }
        while inner.oldest_first.len() > self.max_statements || inner.text_bytes > self.max_text_bytes {
            let Some(oldest) = inner.oldest_first.pop_front() else { break };
            if let Some(evicted) = inner.by_id.remove(&oldest) {
                inner.text_bytes -= evicted.statement.text.sent.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dml::{CachedCapacityPlan, Checks};
    use super::*;
    use crate::statement::StatementText;

    const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9142);

    #[test]
    fn each_peer_reports_the_definitions_at_its_own_preparation() {
        let prepared = PreparedStatements::bounded(2, 1000);
        let [second, third] = [9143, 9144].map(|port| SocketAddr::new(PEER.ip(), port));
        for (peer, definitions) in [(PEER, 1), (second, 3), (PEER, 5)] {
            prepared.insert(Bytes::from_static(b"a"), statement("x"), peer, definitions);
        }
        assert_eq!(
            [PEER, second, third].map(|peer| prepared.definitions_when_sent(b"a", peer)),
            [Some(5), Some(3), Some(1)]
        );
        assert_eq!(prepared.definitions_when_sent(b"b", PEER), None);
    }

    fn statement(text: &str) -> DmlStatement {
        DmlStatement {
            text: StatementText { sent: text.into(), ..StatementText::default() },
            tree: Arc::new(keyspaces_cql::parse("USE ks").unwrap()),
            tables: Vec::new(),
            reads: true,
            conditional: false,
            required_features: Vec::new(),
            checks: Checks::Read { filters: false, lists: false, limited: false },
            capacity_plan: CachedCapacityPlan::default(),
        }
    }

    #[test]
    fn the_newest_statements_are_kept() {
        let prepared = PreparedStatements::bounded(2, 1000);
        for id in [b"a", b"b", b"b", b"c"] {
            prepared.insert(Bytes::from_static(id), statement("x"), PEER, 0);
        }
        assert!(prepared.get(b"a").is_none());
        assert_eq!(*prepared.get(b"c").unwrap(), statement("x"));
    }

    #[test]
    fn long_texts_evict_older_ones() {
        let prepared = PreparedStatements::bounded(100, 10);
        prepared.insert(Bytes::from_static(b"a"), statement("12345"), PEER, 0);
        prepared.insert(Bytes::from_static(b"b"), statement("1234567"), PEER, 0);
        assert!(prepared.get(b"a").is_none());
        assert!(prepared.get(b"b").is_some());
    }
}
