//! A stream that can be told more until it is polled.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{Stream, StreamExt};

use super::read::Found;
use crate::Error;
use crate::tables::Event;

/// What is to be read, before anything is sent.
pub(super) trait Plan: Unpin {
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

impl<P: Plan> Stream for Planned<P> {
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
