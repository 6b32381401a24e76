//! A cache of prepared statements by text. Concurrent callers share one preparation, and the least recently used text is
//! evicted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use scylla::errors::PrepareError;
use scylla::statement::prepared::PreparedStatement;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::StatementInfo;
use super::batch::{BatchKinds, PrimaryKeys};
use super::prepared_text::PreparedText;
use super::table_check::TableIds;
use crate::lock::locked;
use crate::session::{InFlight, driver};
use crate::{Error, ErrorKind, Session, classify};

/// The maximum number of cached statements. Most programs have a few dozen; many more mean that the texts contain
/// literals.
pub(crate) const MAX_CACHED_STATEMENTS: usize = 1_000;

type Preparing = Shared<BoxFuture<'static, Result<Arc<PreparedText>, PrepareFailure>>>;

/// The prepared statements of a session.
#[derive(Default)]
pub(crate) struct Cache {
    cached: Mutex<CachedStatements>,
    keys: PrimaryKeys,
    batch_kinds: BatchKinds,
    /// The statements that are cached here or in use elsewhere.
    prepared: Mutex<Registry>,
    table_ids: TableIds,
}

#[derive(Default)]
struct Registry {
    prepared: Vec<Weak<PreparedText>>,
    /// Dropped statements are removed when the list reaches this length.
    clean_at: usize,
}

#[derive(Default)]
struct CachedStatements {
    by_text: HashMap<Arc<str>, Entry>,
    /// The number of requests, to find the least recently requested text.
    clock: u64,
}

struct Entry {
    preparing: Preparing,
    last_requested: u64,
}

#[derive(Clone)]
enum PrepareFailure {
    Driver(PrepareError),
    /// The text was not prepared within this time.
    Timeout(Duration),
    Stopped,
}

impl Cache {
    /// Returns the cached statement, or prepares it. Concurrent callers share one preparation, which completes even if all
    /// of them stop waiting. A failure is not cached.
    pub(super) async fn prepare(
        &self,
        session: &Session,
        text: &str,
        info: &StatementInfo,
    ) -> Result<Arc<PreparedText>, Error> {
        let preparing = self.get_or_begin(text, || {
            let table = info.table().map(|(keyspace, table)| (keyspace.to_owned(), table.to_owned()));
            begin_preparing(session, text, table)
        })?;
        preparing.await.map_err(|failure| failure.into_error(&info.attempted))
    }

    /// Prepares a text again after values did not fit it, at most once a second, and returns the statement with its
    /// current bind markers and columns.
    pub(super) async fn prepare_again(
        &self,
        session: &Session,
        text: &str,
        info: &StatementInfo,
    ) -> Result<Arc<PreparedText>, Error> {
        let cached = self.prepare(session, text, info).await?;
        if !cached.begin_check() {
            return Ok(cached);
        }
        self.forget(&cached);
        let current = self.prepare(session, text, info).await?;
        current.begin_check();
        Ok(current)
    }

    /// Makes the next request for this text prepare it again, unless that has already happened.
    pub(super) fn forget(&self, prepared: &Arc<PreparedText>) {
        let mut cached = self.lock();
        let is_same = |entry: &Entry| matches!(entry.preparing.peek(), Some(Ok(known)) if Arc::ptr_eq(known, prepared));
        if cached.by_text.get(prepared.text()).is_some_and(is_same) {
            cached.by_text.remove(prepared.text());
        }
    }

    /// Returns every prepared text that is cached or in use by a statement.
    pub(super) fn in_use(&self) -> Vec<Arc<PreparedText>> {
        self.registry().prepared.iter().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn table_ids(&self) -> &TableIds {
        &self.table_ids
    }

    fn register(&self, prepared: PreparedText) -> Arc<PreparedText> {
        let prepared = Arc::new(prepared);
        let mut registry = self.registry();
        if registry.prepared.len() >= registry.clean_at {
            registry.prepared.retain(|prepared| prepared.strong_count() > 0);
            registry.clean_at = 2 * registry.prepared.len() + MAX_CACHED_STATEMENTS;
        }
        registry.prepared.push(Arc::downgrade(&prepared));
        prepared
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        locked(&self.prepared)
    }

    /// Removes all statements, because a definition may have changed their columns.
    pub(crate) fn clear(&self) {
        self.lock().by_text.clear();
        self.keys.clear();
        self.table_ids.clear();
    }

    /// The primary keys of tables requested so far.
    pub(super) fn keys(&self) -> &PrimaryKeys {
        &self.keys
    }

    /// The kinds of batches sent so far.
    pub(super) fn batch_kinds(&self) -> &BatchKinds {
        &self.batch_kinds
    }

    fn get_or_begin(&self, text: &str, begin: impl FnOnce() -> Result<Preparing, Error>) -> Result<Preparing, Error> {
        let mut cached = self.lock();
        cached.clock += 1;
        let now = cached.clock;
        if let Some(entry) = cached.by_text.get_mut(text)
            && !matches!(entry.preparing.peek(), Some(Err(_)))
        {
            entry.last_requested = now;
            return Ok(entry.preparing.clone());
        }
        let preparing = begin()?;
        if cached.by_text.len() >= MAX_CACHED_STATEMENTS {
            let oldest =
                cached.by_text.iter().min_by_key(|(_, entry)| entry.last_requested).map(|(text, _)| Arc::clone(text));
            if let Some(oldest) = oldest {
                cached.by_text.remove(&oldest);
            }
        }
        cached.by_text.insert(text.into(), Entry { preparing: preparing.clone(), last_requested: now });
        Ok(preparing)
    }

    fn lock(&self) -> MutexGuard<'_, CachedStatements> {
        locked(&self.cached)
    }
}

fn begin_preparing(session: &Session, text: &str, table: Option<(String, String)>) -> Result<Preparing, Error> {
    let in_flight = session.begin()?;
    let (session, text) = (session.clone(), text.to_owned());
    // The preparation runs in its own task. If it were dropped with the caller that began it, the other waiting callers
    // would fail.
    let task = tokio::spawn(async move {
        let table_id = session.statements().table_ids().id_of(&in_flight, table.as_ref());
        let statement = prepare_with_retries(&session, &in_flight, &text).await?;
        let table_id = table_id.await;
        Ok(session.statements().register(PreparedText::new(statement, table, table_id)))
    });
    Ok(async { task.await.unwrap_or(Err(PrepareFailure::Stopped)) }.boxed().shared())
}

/// Prepares a text, with retries as for a read, because a statement can safely be prepared twice.
async fn prepare_with_retries(
    session: &Session,
    in_flight: &InFlight,
    text: &str,
) -> Result<PreparedStatement, PrepareFailure> {
    let began = Instant::now();
    let deadline = began + session.call_timeout();
    for retries in 0.. {
        let timeout = deadline.min(Instant::now() + session.attempt_timeout());
        // The driver prepares on every peer and waits for the slowest.
        let failure = match timeout_at(timeout, driver::prepare(in_flight.driver(), text)).await {
            Ok(Ok(prepared)) => return Ok(prepared),
            Ok(Err(error)) => PrepareFailure::Driver(error),
            Err(_) => PrepareFailure::Timeout(began.elapsed()),
        };
        let due = Instant::now() + session.retry().wait_time(retries);
        if !failure.is_transient() || due >= deadline || !session.retry().budget.try_retry(session.age(due)) {
            return Err(failure);
        }
        sleep_until(due).await;
    }
    Err(PrepareFailure::Timeout(began.elapsed()))
}

impl PrepareFailure {
    fn is_transient(&self) -> bool {
        match self {
            Self::Driver(error) => classify::is_transient_prepare_error(error),
            Self::Timeout(_) => true,
            Self::Stopped => false,
        }
    }

    fn into_error(self, attempted: &str) -> Error {
        let attempted = format!("preparing {attempted}");
        match self {
            Self::Driver(error) => classify::prepare_error(&attempted, error),
            Self::Timeout(elapsed) => {
                Error::new(ErrorKind::Timeout, attempted, "it was not prepared in time").with_elapsed(elapsed)
            }
            Self::Stopped => Error::new(ErrorKind::Closed, attempted, "the runtime is being shut down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Result<Preparing, Error> {
        Ok(std::future::pending().boxed().shared())
    }

    fn failed() -> Result<Preparing, Error> {
        let failed = futures::future::ready(Err(PrepareFailure::Timeout(Duration::ZERO))).boxed().shared();
        let _ = failed.clone().now_or_never();
        Ok(failed)
    }

    #[test]
    fn concurrent_callers_share_one_preparation() {
        let cache = Cache::default();
        let first = cache.get_or_begin("SELECT 1", never).expect("it begins");
        let second = cache.get_or_begin("SELECT 1", || panic!("it is being prepared")).expect("it joins");
        assert!(first.ptr_eq(&second));
        assert!(!cache.get_or_begin("SELECT 2", never).expect("another").ptr_eq(&first));
    }

    #[test]
    fn failed_preparation_is_not_cached() {
        let cache = Cache::default();
        let first = cache.get_or_begin("SELECT 1", failed).expect("it begins");
        assert!(!cache.get_or_begin("SELECT 1", never).expect("it begins anew").ptr_eq(&first));
    }

    #[test]
    fn statement_cache_evicts_the_least_recently_used() {
        let cache = Cache::default();
        for index in 0..MAX_CACHED_STATEMENTS {
            let _kept = cache.get_or_begin(&index.to_string(), never).expect("there is room");
        }
        let first = cache.get_or_begin("0", || panic!("it is kept")).expect("it is kept");
        let _kept = cache.get_or_begin("one more", never).expect("1 goes");
        assert_eq!(cache.lock().by_text.len(), MAX_CACHED_STATEMENTS);
        assert!(cache.get_or_begin("0", || panic!("it is kept")).expect("it is kept").ptr_eq(&first));
        let begun = std::cell::Cell::new(false);
        let begin = || {
            begun.set(true);
            never()
        };
        let _kept = cache.get_or_begin("1", begin).expect("it begins anew");
        assert!(begun.get());
    }

    #[test]
    fn cleared_cache_prepares_statements_again() {
        let cache = Cache::default();
        let first = cache.get_or_begin("SELECT 1", never).expect("it begins");
        cache.clear();
        assert!(!cache.get_or_begin("SELECT 1", never).expect("it begins anew").ptr_eq(&first));
    }
}
