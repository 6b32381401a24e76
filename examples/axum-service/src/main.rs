//! The program: connects, migrates, serves, and ends without cutting off a request.
//!
//! On AWS it needs a Region and credentials, which the SDK finds. `KEYSPACES_HOST`, `KEYSPACES_PORT`,
//! `KEYSPACES_SERVER_NAME` and `KEYSPACES_CA`, which `keyspaces-local --env-file` writes, select a local Keyspaces, and
//! `KEYSPACES_PLAIN_CASSANDRA=host:port` a plain Cassandra. `LINKS_KEYSPACE` is the keyspace, `LINKS_ADDRESS` the
//! address to listen on.

use std::env;
use std::time::Duration;

use axum_service::Service;
use keyspaces::{Endpoint, ReadyWhen, Session, SessionBuilder};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("axum_service=info,keyspaces=info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    // Installed before the session connects, because statements use the recorder that is installed when they are
    // prepared.
    let metrics = PrometheusBuilder::new().install_recorder()?;

    let keyspace = env::var("LINKS_KEYSPACE").unwrap_or_else(|_| "links".to_owned());
    let builder = target()?.keyspace(keyspace).application_name("links").ready_when(ReadyWhen::OnePeer);
    let session = builder.connect().await?;
    let service = Service::start(session.clone(), metrics).await?;
    session.warm_up(Duration::from_secs(10)).await?;

    let address = env::var("LINKS_ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    tracing::info!(%address, "serving");
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    // Running requests are completed first, then the session's calls.
    axum::serve(listener, service.router()).with_graceful_shutdown(shutdown).await?;
    session.close(Duration::from_secs(10)).await?;
    Ok(())
}

fn target() -> Result<SessionBuilder, Error> {
    let builder = Session::builder();
    if let Ok(address) = env::var("KEYSPACES_PLAIN_CASSANDRA") {
        return Ok(builder.endpoint(Endpoint::cassandra(address)?));
    }
    let Ok(host) = env::var("KEYSPACES_HOST") else { return Ok(builder) };
    let (port, server_name) = (env::var("KEYSPACES_PORT")?.parse()?, env::var("KEYSPACES_SERVER_NAME")?);
    let ca = std::fs::read(env::var("KEYSPACES_CA")?)?;
    Ok(builder.endpoint(Endpoint::explicit(&host, port, &server_name)?).trust_pem(ca)?)
}
