//! Streams whose read can be changed until the first poll.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{Stream, StreamExt};

use super::read::EventStream;
use crate::Error;
use crate::tables::Event;

/// A read that has not started.
pub(super) trait PlannedRead: Unpin {
    fn read(self) -> EventStream;
}

/// A planned read until the first poll, then the stream of its events. It ends after an error.
pub(super) enum Planned<P> {
    Plan(Result<P, Error>),
    Reading(EventStream),
    Ended,
}

impl<P> Planned<P> {
    /// Changes the planned read. Has no effect after the first poll, or if the plan is an error.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut P)) {
        if let Self::Plan(Ok(plan)) = self {
            change(plan);
        }
    }
}

impl<P: PlannedRead> Stream for Planned<P> {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut events = match mem::replace(&mut *self, Self::Ended) {
            Self::Plan(Ok(plan)) => plan.read(),
            Self::Plan(Err(error)) => return Poll::Ready(Some(Err(error))),
            Self::Reading(events) => events,
            Self::Ended => return Poll::Ready(None),
        };
        let event = events.poll_next_unpin(context);
        if !matches!(event, Poll::Ready(None | Some(Err(_)))) {
            *self = Self::Reading(events);
        }
        event
    }
}

/// Implements `Stream` and its methods for a struct around a [`Planned`] read.
macro_rules! event_stream {
    ($stream:ident) => {
        impl $stream {
            /// Returns the next event; `None` after the last.
            ///
            /// Works like `TryStreamExt::try_next` of the crate `futures`, without the import. Dropping the future loses no
            /// event.
            ///
            /// # Errors
            ///
            /// The errors of [`Select::rows`](crate::Select::rows), and [`Value`](crate::ErrorKind::Value) if the arguments of
            /// the read were invalid.
            pub async fn try_next(&mut self) -> Result<Option<crate::tables::Event>, crate::Error> {
                futures::TryStreamExt::try_next(&mut self.0).await
            }

            /// Collects all events. Memory use is not bounded, so use it only if the number of events is.
            ///
            /// Works like `TryStreamExt::try_collect` of the crate `futures`, without the import. Dropping the future ends the
            /// read.
            ///
            /// # Errors
            ///
            /// The errors of [`try_next`](Self::try_next).
            pub async fn try_collect<C>(self) -> Result<C, crate::Error>
            where
                C: Default + Extend<crate::tables::Event>,
            {
                futures::TryStreamExt::try_collect(self.0).await
            }
        }

        impl futures::Stream for $stream {
            type Item = Result<crate::tables::Event, crate::Error>;

            #[inline] // compiled by the programs that use it, with all that it awaits
            fn poll_next(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Self::Item>> {
                futures::StreamExt::poll_next_unpin(&mut self.0, context)
            }
        }

        impl std::fmt::Debug for $stream {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($stream)).finish_non_exhaustive()
            }
        }
    };
}

pub(super) use event_stream;
