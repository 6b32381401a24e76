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
use super::batch::{Keys, Kinds};
use super::prepared::Prepared;
use super::table_check::TableIds;
use crate::lock::locked;
use crate::session::{InFlight, driver};
use crate::{Error, ErrorKind, Session, classify};

/// How many statements are kept. A program has a few dozen; if there are more, their texts contain literals.
pub(crate) const STATEMENTS_KEPT: usize = 1_000;

type Preparing = Shared<BoxFuture<'static, Result<Arc<Prepared>, PrepareFailure>>>;

/// The prepared statements of a session.
#[derive(Default)]
pub(crate) struct Cache {
    kept: Mutex<CachedStatements>,
    keys: Keys,
    kinds: Kinds,
    /// The statements that are cached here or in use elsewhere.
    prepared: Mutex<Registry>,
    table_ids: TableIds,
}

#[derive(Default)]
struct Registry {
    prepared: Vec<Weak<Prepared>>,
    /// Dropped statements are removed when the list reaches this length.
    clean_at: usize,
}

#[derive(Default)]
struct CachedStatements {
    by_text: HashMap<Arc<str>, Entry>,
    /// Counts requests, to find the text that was requested longest ago.
    clock: u64,
}

struct Entry {
    preparing: Preparing,
    last_asked: u64,
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
    pub(super) async fn prepared(
        &self,
        session: &Session,
        text: &str,
        info: &StatementInfo,
    ) -> Result<Arc<Prepared>, Error> {
        let preparing = self.join(text, || {
            let table = info.table().map(|(keyspace, table)| (keyspace.to_owned(), table.to_owned()));
            prepare(session, text, table)
        })?;
        preparing.await.map_err(|failure| failure.told(&info.attempted))
    }

    /// Prepares a text again after values did not fit it, at most once a second, and returns the statement as the server
    /// sees it now.
    pub(super) async fn checked(
        &self,
        session: &Session,
        text: &str,
        info: &StatementInfo,
    ) -> Result<Arc<Prepared>, Error> {
        let kept = self.prepared(session, text, info).await?;
        if !kept.begins_check() {
            return Ok(kept);
        }
        self.forget(&kept);
        let anew = self.prepared(session, text, info).await?;
        anew.begins_check();
        Ok(anew)
    }

    /// Makes the next request for this text prepare it again, unless that has already happened.
    pub(super) fn forget(&self, prepared: &Arc<Prepared>) {
        let mut kept = self.lock();
        let is_it = |entry: &Entry| matches!(entry.preparing.peek(), Some(Ok(kept)) if Arc::ptr_eq(kept, prepared));
        if kept.by_text.get(prepared.text()).is_some_and(is_it) {
            kept.by_text.remove(prepared.text());
        }
    }

    /// Returns every prepared text that is cached or in use by a statement.
    pub(super) fn in_use(&self) -> Vec<Arc<Prepared>> {
        self.registry().prepared.iter().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn table_ids(&self) -> &TableIds {
        &self.table_ids
    }

    fn enter(&self, prepared: Prepared) -> Arc<Prepared> {
        let prepared = Arc::new(prepared);
        let mut registry = self.registry();
        if registry.prepared.len() >= registry.clean_at {
            registry.prepared.retain(|prepared| prepared.strong_count() > 0);
            registry.clean_at = 2 * registry.prepared.len() + STATEMENTS_KEPT;
        }
        registry.prepared.push(Arc::downgrade(&prepared));
        prepared
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        locked(&self.prepared)
    }

    /// Removes all statements, because a definition may have changed what they mean.
    pub(crate) fn clear(&self) {
        self.lock().by_text.clear();
        self.keys.clear();
        self.table_ids.clear();
    }

    /// The primary keys of tables requested so far.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The kinds of batches sent so far.
    pub(super) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    fn join(&self, text: &str, prepare: impl FnOnce() -> Result<Preparing, Error>) -> Result<Preparing, Error> {
        let mut kept = self.lock();
        kept.clock += 1;
        let now = kept.clock;
        if let Some(entry) = kept.by_text.get_mut(text)
            && !matches!(entry.preparing.peek(), Some(Err(_)))
        {
            entry.last_asked = now;
            return Ok(entry.preparing.clone());
        }
        let preparing = prepare()?;
        if kept.by_text.len() >= STATEMENTS_KEPT {
            let oldest =
                kept.by_text.iter().min_by_key(|(_, entry)| entry.last_asked).map(|(text, _)| Arc::clone(text));
            if let Some(oldest) = oldest {
                kept.by_text.remove(&oldest);
            }
        }
        kept.by_text.insert(text.into(), Entry { preparing: preparing.clone(), last_asked: now });
        Ok(preparing)
    }

    fn lock(&self) -> MutexGuard<'_, CachedStatements> {
        locked(&self.kept)
    }
}

fn prepare(session: &Session, text: &str, table: Option<(String, String)>) -> Result<Preparing, Error> {
    let in_flight = session.begin()?;
    let (session, text) = (session.clone(), text.to_owned());
    // The preparation runs in its own task. If it were dropped with the caller that began it, the other waiting callers
    // would fail.
    let task = tokio::spawn(async move {
        let table_id = session.statements().table_ids().of(&in_flight, table.as_ref());
        let statement = attempts(&session, &in_flight, &text).await?;
        let table_id = table_id.await;
        Ok(session.statements().enter(Prepared::new(statement, table, table_id)))
    });
    Ok(async { task.await.unwrap_or(Err(PrepareFailure::Stopped)) }.boxed().shared())
}

/// Prepares a text, with repeats as for a read, because preparing a statement twice does no harm.
async fn attempts(session: &Session, in_flight: &InFlight, text: &str) -> Result<PreparedStatement, PrepareFailure> {
    let began = Instant::now();
    let deadline = began + session.call_timeout();
    for repeats in 0.. {
        let timeout = deadline.min(Instant::now() + session.attempt_timeout());
        // The driver prepares on every peer and waits for the slowest.
        let failure = match timeout_at(timeout, driver::prepare(in_flight.driver(), text)).await {
            Ok(Ok(prepared)) => return Ok(prepared),
            Ok(Err(error)) => PrepareFailure::Driver(error),
            Err(_) => PrepareFailure::Timeout(began.elapsed()),
        };
        let due = Instant::now() + session.retry().wait(repeats);
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

    fn told(self, attempted: &str) -> Error {
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
    fn those_who_ask_together_share_one_preparation() {
        let cache = Cache::default();
        let first = cache.join("SELECT 1", never).expect("it begins");
        let second = cache.join("SELECT 1", || panic!("it is being prepared")).expect("it joins");
        assert!(first.ptr_eq(&second));
        assert!(!cache.join("SELECT 2", never).expect("another").ptr_eq(&first));
    }

    #[test]
    fn a_failure_is_not_kept() {
        let cache = Cache::default();
        let first = cache.join("SELECT 1", failed).expect("it begins");
        assert!(!cache.join("SELECT 1", never).expect("it begins anew").ptr_eq(&first));
    }

    #[test]
    fn the_statement_asked_for_longest_ago_makes_room() {
        let cache = Cache::default();
        for index in 0..STATEMENTS_KEPT {
            let _kept = cache.join(&index.to_string(), never).expect("there is room");
        }
        let first = cache.join("0", || panic!("it is kept")).expect("it is kept");
        let _kept = cache.join("one more", never).expect("1 goes");
        assert_eq!(cache.lock().by_text.len(), STATEMENTS_KEPT);
        assert!(cache.join("0", || panic!("it is kept")).expect("it is kept").ptr_eq(&first));
        let begun = std::cell::Cell::new(false);
        let begin = || {
            begun.set(true);
            never()
        };
        let _kept = cache.join("1", begin).expect("it begins anew");
        assert!(begun.get());
    }

    #[test]
    fn a_definition_makes_all_of_them_be_prepared_anew() {
        let cache = Cache::default();
        let first = cache.join("SELECT 1", never).expect("it begins");
        cache.clear();
        assert!(!cache.join("SELECT 1", never).expect("it begins anew").ptr_eq(&first));
    }
}
