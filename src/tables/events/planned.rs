//! A stream that can be told more until it is polled.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{Stream, StreamExt};

use super::read::Found;
use crate::Error;
use crate::tables::Event;

/// What is to be read, before anything is sent.
pub(super) trait PlannedRead: Unpin {
    fn read(self) -> Found;
}

/// A plan, and from the first poll on what it reads. Ends after an error.
pub(super) enum Planned<P> {
    Plan(Result<P, Error>),
    Reading(Found),
    Ended,
}

impl<P> Planned<P> {
    /// Has no effect once it was polled, or if there is an error to tell.
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

/// Makes a stream of events of a struct around what is planned.
macro_rules! stream_of_events {
    ($stream:ident) => {
        impl $stream {
            /// The next event, or `None` after the last.
            ///
            /// As `TryStreamExt::try_next` of the crate `futures`, which need not be imported for it.
            ///
            /// Dropping the future loses nothing: the next call goes on where this one was.
            ///
            /// # Errors
            ///
            /// As [`Select::rows`](crate::Select::rows), and what was wrong with what was asked for.
            pub async fn try_next(&mut self) -> Result<Option<crate::tables::Event>, crate::Error> {
                futures::TryStreamExt::try_next(&mut self.0).await
            }

            /// All events together, however many they are: to be used where that is known to be few.
            ///
            /// As `TryStreamExt::try_collect` of the crate `futures`, which need not be imported for it.
            ///
            /// Dropping the future ends the read.
            ///
            /// # Errors
            ///
            /// As [`try_next`](Self::try_next).
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

pub(super) use stream_of_events;
