//! A handle with which a fault closes or silences a connection, or all connections.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// A handle on one connection, for faults.
#[derive(Clone, Debug)]
pub(super) struct ConnectionHandle {
    state: watch::Sender<ConnectionState>,
    commands: mpsc::UnboundedSender<GatewayCommand>,
}

/// Whether a connection is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ConnectionState {
    Open,
    /// A fault closes it at once.
    Closed,
    /// It stays open, but nothing is read from it or written to it.
    Silent,
}

/// The effect of a fault on the whole gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum GatewayCommand {
    CloseAll,
    Restart(Duration),
}

impl ConnectionHandle {
    pub(super) fn new(commands: mpsc::UnboundedSender<GatewayCommand>) -> Self {
        Self { state: watch::Sender::new(ConnectionState::Open), commands }
    }

    pub(super) fn close(&self) {
        self.state.send_replace(ConnectionState::Closed);
    }

    pub(super) fn silence(&self) {
        self.state.send_replace(ConnectionState::Silent);
    }

    /// Closes all connections, including this one. Once this one has ended, the others are ending, too.
    pub(super) fn close_all(&self) {
        // The receiver is dropped only while the gateway closes.
        let _ = self.commands.send(GatewayCommand::CloseAll);
    }

    pub(super) fn restart(&self, down: Duration) {
        let _ = self.commands.send(GatewayCommand::Restart(down));
    }

    /// Waits until the connection is closed or silenced.
    pub(super) async fn closed_or_silenced(&self) -> ConnectionState {
        let mut state = self.state.subscribe();
        state.wait_for(|state| *state != ConnectionState::Open).await.map_or(ConnectionState::Closed, |state| *state)
    }
}
