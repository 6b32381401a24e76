//! Resolves the endpoint's name to its current addresses.

use std::io;
use std::net::SocketAddr;

use tokio::time::{Instant, timeout_at};

use super::failure::{resolve_failed, timed_out};
use super::{Handshake, HandshakeFailure, HandshakeStage};

/// The source of the endpoint's addresses. Nothing is cached here, so each lookup returns the current addresses.
#[derive(Clone, Default)]
pub(crate) enum Resolver {
    #[default]
    System,
    #[cfg(test)]
    Custom(std::sync::Arc<dyn Fn() -> io::Result<Vec<SocketAddr>> + Send + Sync>),
}

impl Resolver {
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
            #[cfg(test)]
            Self::Custom(answer) => answer(),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

/// Returns every address of the endpoint's host, in the resolver's order.
///
/// A lookup cannot be cancelled: after the deadline, or if this future is dropped, the system's resolver continues in
/// its own thread until it completes.
pub(crate) async fn resolve(handshake: &Handshake, deadline: Instant) -> Result<Vec<SocketAddr>, HandshakeFailure> {
    let started = Instant::now();
    let lookup = handshake.resolver.look_up(handshake.endpoint.host(), handshake.endpoint.port());
    let failure = match timeout_at(deadline, lookup).await {
        Ok(Ok(addresses)) => {
            let mut unique: Vec<SocketAddr> = Vec::new();
            for address in addresses {
                if !unique.contains(&address) {
                    unique.push(address);
                }
            }
            if !unique.is_empty() {
                return Ok(unique);
            }
            resolve_failed(handshake, None)
        }
        Ok(Err(error)) => {
            let permanent = !is_temporary(&error);
            HandshakeFailure { permanent, ..resolve_failed(handshake, Some(error)) }
        }
        Err(_) => timed_out(handshake, HandshakeStage::Resolve),
    };
    Err(failure.with_elapsed(started.elapsed()))
}

/// Whether the error is temporary: EAI_AGAIN, or an I/O error that says so. The standard library keeps only the text of
/// EAI_AGAIN, which is one on glibc and macOS and another on musl.
fn is_temporary(error: &io::Error) -> bool {
    let text = error.to_string();
    ["Temporary failure in name resolution", "Try again"].iter().any(|again| text.contains(again))
        || matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}
