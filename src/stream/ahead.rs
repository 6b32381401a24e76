//! Requests that run ahead of their caller, each in its own task, so that a caller that does not poll blocks nothing.

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

/// A page that failed is not requested again with less time than this left.
const LEAST_TIME: Duration = Duration::from_millis(10);

/// A task that is aborted when this handle is dropped.
pub(crate) struct Ahead<T>(JoinHandle<T>);

impl<T: Send + 'static> Ahead<T> {
    pub(crate) fn begin(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work.in_current_span().with_current_subscriber()))
    }
}

impl<T> Future for Ahead<T> {
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

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A page, or a similar answer, that is requested before the caller wants it.
pub(crate) struct PageAhead<P>(Ahead<Result<P, Error>>);

impl<P: Send + 'static> PageAhead<P> {
    pub(crate) fn ask(page: impl Future<Output = Result<P, Error>> + Send + 'static) -> Self {
        Self(Ahead::begin(page))
    }

    /// Returns the page. If the request made ahead failed, `again` requests the page once more, with the time left of
    /// `deadline`. The deadline counts from this call, so that it does not include the time in which the caller did not
    /// want the page.
    pub(crate) async fn wanted<F>(
        self,
        deadline: Duration,
        again: impl FnOnce(Error, Duration) -> F,
    ) -> Result<P, Error>
    where
        F: Future<Output = Result<P, Error>>,
    {
        let wanted = Instant::now();
        match self.0.await {
            Err(error) => match time_to_ask_again(&error, wanted, deadline) {
                Some(left) => again(error, left).await,
                None => Err(error),
            },
            page => page,
        }
    }
}

/// Returns the time left to request a failed page again, or `None` if that cannot help.
pub(crate) fn time_to_ask_again(error: &Error, wanted: Instant, deadline: Duration) -> Option<Duration> {
    let left = deadline.saturating_sub(wanted.elapsed());
    (error.reason().is_transient() && left >= LEAST_TIME).then_some(left)
}
