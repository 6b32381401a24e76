//! The HTTP server of the control plane: connections and their limits.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::dispatch::HttpRequest;
use super::error::ApiError;
use super::state::ControlPlaneState;
use crate::ca::Ca;
use crate::journal::LOG;

/// The settings of a control plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlPlaneSettings {
    pub(crate) address: Ipv4Addr,
    /// The port; 0 for any free port.
    pub(crate) port: u16,
    /// Whether it serves HTTP without TLS.
    pub(crate) is_plain: bool,
    pub(crate) limits: Limits,
}

/// The maximum number of clients at the same time, and their time limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    /// The time limit of the TLS handshake.
    pub(crate) handshake: Duration,
    /// The time limit from the first to the last byte of a request's head.
    pub(crate) head: Duration,
    /// The time limit from the end of the head to the last byte of the body.
    pub(crate) body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let [handshake, head, body] = [10, 30, 30].map(Duration::from_secs);
        Self { connections: 128, handshake, head, body }
    }
}

impl ControlPlaneSettings {
    /// Fails if another program uses the port. Call it before anything else is started.
    pub(crate) async fn check_port(&self) -> io::Result<()> {
        if self.port == 0 {
            return Ok(());
        }
        TcpListener::bind((self.address, self.port)).await.map(drop)
    }
}

/// A running control plane. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    port: u16,
    is_closing: watch::Sender<bool>,
    serving: JoinSet<()>,
}

/// The maximum size of the head of a request, and the maximum number of headers.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// The maximum size of a body. A table that uses all its quotas takes about 100 KB.
const MAX_BODY_BYTES: usize = 1 << 20;

/// The time limit of requests in progress when the control plane is closed.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

impl ControlPlane {
    /// Listens and serves.
    pub(crate) async fn start(
        settings: ControlPlaneSettings,
        ca: Arc<Ca>,
        state: ControlPlaneState,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind((settings.address, settings.port)).await?;
        let port = socket.local_addr()?.port();
        let (is_closing, closing) = watch::channel(false);
        let mut serving = JoinSet::new();
        let tls = (!settings.is_plain).then_some(ca);
        serving.spawn(listen(socket, tls, state, settings.limits, closing));
        Ok(Self { port, is_closing, serving })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Accepts no more requests, and waits for those in progress.
    pub(crate) async fn close(mut self) {
        self.is_closing.send_replace(true);
        let ended = async { while self.serving.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, ended).await;
    }
}

async fn listen(
    socket: TcpListener,
    tls: Option<Arc<Ca>>,
    state: ControlPlaneState,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
) {
    /// The pause after an error that lasts, for instance if no file descriptors are left.
    const PAUSE: Duration = Duration::from_millis(50);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = closing.wait_for(|is_closing| *is_closing) => break,
        };
        match accepted {
            Ok((stream, client)) => match Arc::clone(&permits).try_acquire_owned() {
                Ok(permit) => {
                    let (tls, state, closing) = (tls.clone(), state.clone(), closing.clone());
                    connections.spawn(async move {
                        connect(stream, client, tls, state, limits, closing).await;
                        drop(permit);
                    });
                }
                Err(_) => {
                    let limit = limits.connections;
                    let reason = format!("{limit} connections of the control plane are open, which is the limit");
                    tracing::warn!(target: LOG, %client, reason, "connection closed");
                }
            },
            Err(error) => {
                tracing::warn!(target: LOG, %error, "no connection accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

async fn connect(
    stream: TcpStream,
    client: SocketAddr,
    tls: Option<Arc<Ca>>,
    state: ControlPlaneState,
    limits: Limits,
    closing: watch::Receiver<bool>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(ca) = tls else { return serve(stream, client, state, limits, closing).await };
    match tokio::time::timeout(limits.handshake, ca.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, client, state, limits, closing).await,
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::debug!(target: LOG, %client, reason = "the client disconnected before TLS", "connection closed");
        }
        Ok(Err(error)) => {
            let reason = format!("no TLS: {error}");
            tracing::info!(target: LOG, %client, reason, "connection closed");
        }
        Err(_) => {
            let reason = format!("TLS took longer than {:?}", limits.handshake);
            tracing::info!(target: LOG, %client, reason, "connection closed");
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    client: SocketAddr,
    state: ControlPlaneState,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let state = state.clone();
        // Boxed, because `poll_without_shutdown` requires Unpin.
        Box::pin(async move { Ok::<_, Infallible>(respond(request, client, &state, limits.body).await) })
            as Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>
    });
    let mut connection = server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(2 * MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut is_closing = false;
    let ended = loop {
        tokio::select! {
            ended = std::future::poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            _ = closing.wait_for(|is_closing| *is_closing), if !is_closing => {
                is_closing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        let reason = error.to_string();
        // An incomplete request is not a refusal.
        if error.is_incomplete_message() || error.is_closed() {
            tracing::debug!(target: LOG, %client, reason, "connection closed");
        } else {
            tracing::info!(target: LOG, %client, reason, "connection closed");
        }
    }
    linger(connection.into_parts().io.into_inner()).await;
}

/// Lets the client read the last answer: closing a socket with unread bytes would discard it.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    const TIMEOUT: Duration = Duration::from_secs(1);
    const MAX_BYTES: u64 = 4 << 20;
    let last = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(MAX_BYTES), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(TIMEOUT, last).await;
}

async fn respond(
    request: Request<Incoming>,
    client: SocketAddr,
    state: &ControlPlaneState,
    timeout: Duration,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let (body, unreadable) = match read(body, timeout).await {
        Ok(body) => (body, None),
        Err(error) => (Bytes::new(), Some(error)),
    };
    let received = HttpRequest {
        client,
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    received.answer(state, unreadable).await
}

/// Reads a body. A body whose announced length is too large is refused without being read.
async fn read(body: Incoming, timeout: Duration) -> Result<Bytes, ApiError> {
    let too_large = || {
        let problem = format!(
            "keyspaces-local: the body is longer than {MAX_BODY_BYTES} bytes (the service's message is not known)"
        );
        ApiError::new("RequestEntityTooLargeException", problem)
    };
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(timeout, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(ApiError::malformed_request(format_args!("the body cannot be read: {error}"))),
        Err(_) => {
            let problem = format!(
                "keyspaces-local: the body did not come within {timeout:?} (the service's message is not known)"
            );
            Err(ApiError::new("RequestTimeoutException", problem))
        }
    }
}
