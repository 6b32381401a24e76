//! What can end a connection from inside: a fault that strikes one of its requests.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// One connection, as faults see it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    state: watch::Sender<LinkState>,
    commands: mpsc::UnboundedSender<GatewayCommand>,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LinkState {
    Open,
    /// It is to be closed at once.
    Closed,
    /// Nothing is read from it nor written to it any more.
    Silent,
}

/// What a fault does to the whole gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum GatewayCommand {
    CloseAll,
    Restart(Duration),
}

impl Link {
    pub(super) fn new(commands: mpsc::UnboundedSender<GatewayCommand>) -> Self {
        Self { state: watch::Sender::new(LinkState::Open), commands }
    }

    pub(super) fn close(&self) {
        self.state.send_replace(LinkState::Closed);
    }

    pub(super) fn silence(&self) {
        self.state.send_replace(LinkState::Silent);
    }

    /// Closes this connection together with all others, so that its end tells a client that all are being closed.
    pub(super) fn close_all(&self) {
        // The receiver is gone only while the gateway is being closed.
        let _ = self.commands.send(GatewayCommand::CloseAll);
    }

    pub(super) fn restart(&self, down: Duration) {
        let _ = self.commands.send(GatewayCommand::Restart(down));
    }

    /// Waits until it is no longer open.
    pub(super) async fn cut(&self) -> LinkState {
        let mut state = self.state.subscribe();
        state.wait_for(|state| *state != LinkState::Open).await.map_or(LinkState::Closed, |state| *state)
    }
}
