//! Runs many statements concurrently, as many as the connections have capacity for.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use scylla::serialize::row::SerializeRow;

use crate::row::OwnedRow;
use crate::stream::AbortOnDrop;
use crate::{Conditional, Error, Increment, Outcome, Select, Session, Write};

/// Statements in flight for each connection. At about 12 ms for each, this is 2,700 requests per second; a connection
/// allows 3,000 (DG:quotas).
const IN_FLIGHT_PER_CONNECTION: usize = 32;

/// The maximum number of statements in flight; more would only wait in the queue of the connections.
const MAX_IN_FLIGHT: usize = 1_024;

/// A [`Stream`] of the results of many statements, one for each given key or row, with a bounded number of them in flight.
/// Each result comes with its key or row.
///
/// ```no_run
/// # async fn run(names: keyspaces::Select<(i64,), (String,)>) -> Result<(), keyspaces::Error> {
/// let mut found = names.one_for_each((0..100_000).map(|id| (id,))).unordered();
/// while let Some(((id,), name)) = found.try_next().await? {
///     println!("{id}: {name:?}");
/// }
/// # Ok(()) }
/// ```
///
/// Results come in the order of the keys unless [`unordered`](Self::unordered) is set. An error is the result of one
/// statement and does not stop the others; with [`into_try_stream`](Self::into_try_stream) the stream ends after the
/// first error. The next key is taken from its source when another statement may start, so memory does not grow with
/// the number of keys, and a slow table slows down a source that is a stream. Each statement runs in its own task: it
/// continues while the stream is not polled, and frees its connection's capacity as soon as it is answered. The stream
/// may be dropped at any time; only the requests already sent remain.
pub struct FanOut<K, T> {
    keys: BoxStream<'static, K>,
    run: Run<K, T>,
    in_flight: usize,
    unordered: bool,
    running: Option<BoxStream<'static, (K, Result<T, Error>)>>,
}

type Run<K, T> = Box<dyn Fn(K) -> AbortOnDrop<(K, Result<T, Error>)> + Send>;

impl<K: Send + 'static, T: Send + 'static> FanOut<K, T> {
    fn new<F>(
        session: &Session,
        keys: impl Stream<Item = K> + Send + 'static,
        run: impl Fn(K) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = (K, Result<T, Error>)> + Send + 'static,
    {
        let connections = session.peers().len().max(1) * session.connections_per_host().get();
        Self {
            keys: keys.boxed(),
            run: Box::new(move |key| AbortOnDrop::spawn(run(key))),
            in_flight: (connections * IN_FLIGHT_PER_CONNECTION).min(MAX_IN_FLIGHT),
            unordered: false,
            running: None,
        }
    }

    /// Sets how many statements may be in flight at once. Default: 32 for each connection of the session, at most 1,024.
    #[must_use]
    pub fn in_flight(mut self, statements: NonZeroUsize) -> Self {
        self.in_flight = statements.get();
        self
    }

    /// Returns results as they arrive, not in the order of the keys, so that a slow statement does not delay other
    /// results.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.unordered = true;
        self
    }

    /// Returns the next result with its key, or `None` after the last.
    ///
    /// Works like `StreamExt::next` of the crate `futures`, without the import. Dropping the future loses no result.
    ///
    /// ```no_run
    /// # async fn run(store: keyspaces::Write<(i64, String)>, rows: Vec<(i64, String)>) {
    /// let mut written = store.execute_each(rows);
    /// while let Some((row, result)) = written.next().await {
    ///     if let Err(error) = result {
    ///         println!("{}: {error}", row.0);
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<(K, Result<T, Error>)> {
        self.run().next().await
    }

    /// Returns the next result with its key, or `None` after the last. An error belongs to one statement; the results of
    /// the other statements follow it.
    ///
    /// Works like `TryStreamExt::try_next` of the crate `futures`, without the import.
    ///
    /// Dropping the future loses no result.
    ///
    /// # Errors
    ///
    /// The errors of the statement.
    pub async fn try_next(&mut self) -> Result<Option<(K, T)>, Error> {
        self.next().await.map(|(key, result)| result.map(|found| (key, found))).transpose()
    }

    /// Returns a stream that ends after the first error. The statements in flight are then dropped; requests that were
    /// already sent may still be executed.
    pub fn into_try_stream(self) -> impl Stream<Item = Result<(K, T), Error>> + Send + Unpin {
        let results = self.map(|(key, result)| result.map(|found| (key, found)));
        Box::pin(stream::unfold(Some(results), |results| async {
            let mut results = results?;
            let result = results.next().await?;
            let results = result.is_ok().then_some(results);
            Some((result, results))
        }))
    }

    fn run(&mut self) -> &mut BoxStream<'static, (K, Result<T, Error>)> {
        self.running.get_or_insert_with(|| {
            let keys = std::mem::replace(&mut self.keys, stream::empty().boxed());
            let run = std::mem::replace(&mut self.run, Box::new(|_| AbortOnDrop::spawn(std::future::pending())));
            let statements = keys.map(run);
            if self.unordered {
                statements.buffer_unordered(self.in_flight).boxed()
            } else {
                statements.buffered(self.in_flight).boxed()
            }
        })
    }
}

impl<K: Send + 'static, T: Send + 'static> Stream for FanOut<K, T> {
    type Item = (K, Result<T, Error>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.run().as_mut().poll_next(context)
    }
}

impl<K, T> Unpin for FanOut<K, T> {}

impl<K, T> fmt::Debug for FanOut<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut")
            .field("in_flight", &self.in_flight)
            .field("unordered", &self.unordered)
            .finish_non_exhaustive()
    }
}

pub(crate) fn one_for_each<V: SerializeRow + Send + Sync + 'static, R: OwnedRow>(
    select: &Select<V, R>,
    keys: impl IntoIterator<Item = V, IntoIter: Send + 'static>,
) -> FanOut<V, Option<R>> {
    let shared = select.clone();
    FanOut::new(&select.untyped.call.session, stream::iter(keys), move |key: V| {
        let select = shared.clone();
        async move {
            let row = select.one(&key).await;
            (key, row)
        }
    })
}

pub(crate) fn all_for_each<V: SerializeRow + Send + Sync + 'static, R: OwnedRow>(
    select: &Select<V, R>,
    keys: impl IntoIterator<Item = V, IntoIter: Send + 'static>,
) -> FanOut<V, Vec<R>> {
    let shared = select.clone();
    FanOut::new(&select.untyped.call.session, stream::iter(keys), move |key: V| {
        let select = shared.clone();
        async move {
            let rows = select.rows(&key).try_collect().await;
            (key, rows)
        }
    })
}

macro_rules! execute_each {
    ([$($generics:tt)*] $statement:ty, $output:ty) => {
        impl<V: SerializeRow + Send + Sync + 'static, $($generics)*> $statement {
            /// Calls [`execute`](Self::execute) for each of `rows`, with many in flight at once.
            ///
            /// # Errors
            ///
            /// As [`execute`](Self::execute), for each row.
            pub fn execute_each(
                &self,
                rows: impl IntoIterator<Item = V, IntoIter: Send + 'static>,
            ) -> FanOut<V, $output> {
                self.execute_stream(stream::iter(rows))
            }

            /// Calls [`execute`](Self::execute) for each row of a stream, such as a queue or a file. The next row is
            /// taken from the stream when another statement may start, and each result comes with its row, so that the
            /// row can be acknowledged.
            ///
            /// ```no_run
            /// # use futures::stream::Stream;
            /// # async fn run(
            /// #     store: keyspaces::Write<(i64, String)>,
            /// #     messages: impl Stream<Item = (i64, String)> + Send + 'static,
            /// # ) -> Result<(), keyspaces::Error> {
            /// // A message is acknowledged as soon as its own row is written.
            /// let mut written = store.execute_stream(messages).unordered();
            /// while let Some((message, result)) = written.next().await {
            ///     match result {
            ///         Ok(()) => println!("acknowledge {}", message.0),
            ///         Err(error) => println!("leave {} in the queue: {error}", message.0),
            ///     }
            /// }
            /// # Ok(()) }
            /// ```
            ///
            /// # Errors
            ///
            /// As [`execute`](Self::execute), for each row.
            pub fn execute_stream(&self, rows: impl Stream<Item = V> + Send + 'static) -> FanOut<V, $output> {
                let statement = self.clone();
                FanOut::new(self.session(), rows, move |row: V| {
                    let statement = statement.clone();
                    async move {
                        let result = statement.execute(&row).await;
                        (row, result)
                    }
                })
            }
        }
    };
}

execute_each!([] Write<V>, ());
execute_each!([] Increment<V>, ());
execute_each!([R: OwnedRow] Conditional<V, R>, Outcome<Option<R>>);
