//! Lets a fault that strikes a request close or silence its connection, or all connections.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// A handle on one connection, for faults.
#[derive(Clone, Debug)]
pub(super) struct Link {
    state: watch::Sender<LinkState>,
    commands: mpsc::UnboundedSender<GatewayCommand>,
}

/// Whether a connection is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LinkState {
    Open,
    /// A fault closes it at once.
    Closed,
    /// It stays open; nothing is read from it or written to it.
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

    /// Closes all connections, this one among them: once it has ended, the others are ending too.
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
