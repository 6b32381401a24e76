//! Resolves the endpoint's name to its current addresses.

use super::failure::{no_address, silent};
use std::io;
use std::net::SocketAddr;

use tokio::time::{Instant, timeout_at};

use super::{Handshake, HandshakeFailure, Stage};

/// The source of addresses. Each lookup asks it again; nothing is cached here.
#[derive(Clone, Default)]
pub(crate) enum Resolver {
    #[default]
    System,
    #[cfg(test)]
    Given(std::sync::Arc<dyn Fn() -> io::Result<Vec<SocketAddr>> + Send + Sync>),
}

impl Resolver {
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
            #[cfg(test)]
            Self::Given(answer) => answer(),
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
/// A lookup cannot be cancelled: after the deadline, or if this future is dropped, the system's resolver continues in its
/// own thread until it gives up.
pub(crate) async fn resolve(handshake: &Handshake, deadline: Instant) -> Result<Vec<SocketAddr>, HandshakeFailure> {
    let started = Instant::now();
    let looking = handshake.resolver.look_up(handshake.endpoint.host(), handshake.endpoint.port());
    let problem = match timeout_at(deadline, looking).await {
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
            no_address(handshake, None)
        }
        Ok(Err(error)) => {
            let permanent = !is_temporary(&error);
            HandshakeFailure { permanent, ..no_address(handshake, Some(error)) }
        }
        Err(_) => silent(handshake, Stage::Resolve),
    };
    Err(problem.after(started.elapsed()))
}

/// Whether the error is EAI_AGAIN. The standard library keeps only its text: one for glibc and macOS, another for musl.
fn is_temporary(error: &io::Error) -> bool {
    let text = error.to_string();
    ["Temporary failure in name resolution", "Try again"].iter().any(|again| text.contains(again))
        || matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}
