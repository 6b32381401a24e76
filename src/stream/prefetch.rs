//! Requests ahead of their caller. Each request is a separate task, so a caller that does not poll does not block other
//! requests.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument;
use tracing::instrument::WithSubscriber;

use crate::Error;

/// A failed page is requested again only if this much of the deadline is left.
const MIN_TIME: Duration = Duration::from_millis(10);

/// The handle of a task, which is aborted when the handle is dropped.
pub(crate) struct AbortOnDrop<T>(JoinHandle<T>);

impl<T: Send + 'static> AbortOnDrop<T> {
    pub(crate) fn spawn(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work.in_current_span().with_current_subscriber()))
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.0).poll(context)).map_err(tokio::task::JoinError::try_into_panic) {
            Ok(output) => Poll::Ready(output),
            Err(Ok(panic)) => resume_unwind(panic),
            // Panics, as tokio's own timers and sockets do.
            Err(Err(_)) => panic!("the tokio runtime that a stream was polled on was shut down"),
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A page, or a similar result, that is requested before the caller needs it.
pub(crate) struct Prefetch<P>(AbortOnDrop<Result<P, Error>>);

impl<P: Send + 'static> Prefetch<P> {
    /// Starts the request in a task of its own.
    pub(crate) fn start(page: impl Future<Output = Result<P, Error>> + Send + 'static) -> Self {
        Self(AbortOnDrop::spawn(page))
    }

    /// Waits for the page and returns it. If the request failed, `retry` requests the page once more, with the time
    /// left of `deadline`. The deadline counts from this call, so it does not include the time before the caller needed
    /// the page.
    pub(crate) async fn take<F>(self, deadline: Duration, retry: impl FnOnce(Error, Duration) -> F) -> Result<P, Error>
    where
        F: Future<Output = Result<P, Error>>,
    {
        let waiting_since = Instant::now();
        match self.0.await {
            Err(error) => match time_to_retry(&error, waiting_since, deadline) {
                Some(left) => retry(error, left).await,
                None => Err(error),
            },
            page => page,
        }
    }
}

/// Returns the time left of `deadline` to request a failed page again, or `None` if a retry cannot help.
pub(crate) fn time_to_retry(error: &Error, waiting_since: Instant, deadline: Duration) -> Option<Duration> {
    let left = deadline.saturating_sub(waiting_since.elapsed());
    (error.reason().is_transient() && left >= MIN_TIME).then_some(left)
}
