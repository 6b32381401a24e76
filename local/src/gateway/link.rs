//! What can end a connection from inside: a fault that strikes one of its requests.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// One connection, as faults see it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    state: watch::Sender<State>,
    orders: mpsc::UnboundedSender<Order>,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Open,
    /// It is to be closed at once.
    Closed,
    /// Nothing is read from it nor written to it any more.
    Silent,
}

/// What a fault wants done to the whole gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    CloseAll,
    Restart(Duration),
}

impl Link {
    pub(super) fn new(orders: mpsc::UnboundedSender<Order>) -> Self {
        Self { state: watch::Sender::new(State::Open), orders }
    }

    pub(super) fn close(&self) {
        self.state.send_replace(State::Closed);
    }

    pub(super) fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    /// This connection ends with the others: who sees its end knows that all of it has begun.
    pub(super) fn close_all(&self) {
        // Nobody takes it where the gateway is at its end.
        let _ = self.orders.send(Order::CloseAll);
    }

    pub(super) fn restart(&self, down: Duration) {
        let _ = self.orders.send(Order::Restart(down));
    }

    /// Waits until it is no longer open.
    pub(super) async fn cut(&self) -> State {
        let mut state = self.state.subscribe();
        state.wait_for(|state| *state != State::Open).await.map_or(State::Closed, |state| *state)
    }
}
