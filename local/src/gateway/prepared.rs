//! What is known of prepared statements, by id, for all connections.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::measure::Remembered;
use super::understand::Look;
use crate::schema::{Features, Thing};

/// The newest prepared statements. One that is forgotten is prepared again by the driver, as it is told to.
#[derive(Debug)]
pub(super) struct Prepared {
    most: usize,
    most_text: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<Bytes, Arc<Facts>>,
    oldest_first: VecDeque<Bytes>,
    text: usize,
}

/// What is known of one of them.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Facts {
    /// As the client sent it, with the names that Cassandra has for functions.
    pub(super) text: Arc<str>,
    pub(super) tables: Vec<Thing>,
    /// Whether it reads; otherwise it writes.
    pub(super) reads: bool,
    pub(super) conditional: bool,
    /// Of each of the tables.
    pub(super) needs: Vec<Features>,
    pub(super) look: Look,
    /// What is to be measured of it.
    pub(super) plan: Remembered,
}

impl Prepared {
    pub(super) fn new() -> Self {
        Self::bounded(10_000, 64 << 20)
    }

    fn bounded(most: usize, most_text: usize) -> Self {
        Self { most, most_text, inner: Mutex::default() }
    }

    pub(super) fn get(&self, id: &[u8]) -> Option<Arc<Facts>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(id).map(Arc::clone)
    }

    pub(super) fn remember(&self, id: Bytes, facts: Facts) {
        // A copy of its own: the id is a slice of a whole frame.
        let id = Bytes::copy_from_slice(&id);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.text += facts.text.len();
        match inner.by_id.insert(id.clone(), Arc::new(facts)) {
            Some(before) => inner.text -= before.text.len(),
            None => inner.oldest_first.push_back(id),
        }
        while inner.oldest_first.len() > self.most || inner.text > self.most_text {
            let Some(oldest) = inner.oldest_first.pop_front() else { break };
            if let Some(gone) = inner.by_id.remove(&oldest) {
                inner.text -= gone.text.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        Facts {
            text: text.into(),
            tables: Vec::new(),
            reads: true,
            conditional: false,
            needs: Vec::new(),
            look: Look::Read { filters: false, lists: false, limited: false },
            plan: Remembered::default(),
        }
    }

    #[test]
    fn the_newest_are_remembered() {
        let prepared = Prepared::bounded(2, 1000);
        for id in [b"a", b"b", b"b", b"c"] {
            prepared.remember(Bytes::from_static(id), facts("x"));
        }
        assert!(prepared.get(b"a").is_none());
        assert_eq!(*prepared.get(b"c").unwrap(), facts("x"));
    }

    #[test]
    fn long_texts_drive_out_older_ones() {
        let prepared = Prepared::bounded(100, 10);
        prepared.remember(Bytes::from_static(b"a"), facts("12345"));
        prepared.remember(Bytes::from_static(b"b"), facts("1234567"));
        assert!(prepared.get(b"a").is_none());
        assert!(prepared.get(b"b").is_some());
    }
}
