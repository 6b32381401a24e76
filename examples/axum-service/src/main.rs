//! The program: connects, migrates, serves, and ends without cutting off a request.
//!
//! On AWS it needs a Region and credentials, from wherever the SDK finds them. `KEYSPACES_HOST`, `KEYSPACES_PORT`,
//! `KEYSPACES_SERVER_NAME` and `KEYSPACES_CA`, which `keyspaces-local --env-file` writes, lead to a local Keyspaces, and
//! `KEYSPACES_PLAIN_CASSANDRA=host:port` to a plain Cassandra. `LINKS_KEYSPACE` names the keyspace, `LINKS_ADDRESS` what to
//! listen at.

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
    // Before the session: its statements count for the recorder that there is when they are made.
    let metrics = PrometheusBuilder::new().install_recorder()?;

    let keyspace = env::var("LINKS_KEYSPACE").unwrap_or_else(|_| "links".to_owned());
    let builder = place()?.keyspace(keyspace).application_name("links").ready_when(ReadyWhen::OnePeer);
    let session = builder.connect().await?;
    let service = Service::start(session.clone(), metrics).await?;
    session.warm_up(Duration::from_secs(10)).await?;

    let address = env::var("LINKS_ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    tracing::info!(%address, "serving");
    let mut terminate = signal(SignalKind::terminate())?;
    let asked_to_end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    // Requests that are being served are served to their end, then the session's calls.
    axum::serve(listener, service.router()).with_graceful_shutdown(asked_to_end).await?;
    session.close(Duration::from_secs(10)).await?;
    Ok(())
}

fn place() -> Result<SessionBuilder, Error> {
    let builder = Session::builder();
    if let Ok(address) = env::var("KEYSPACES_PLAIN_CASSANDRA") {
        return Ok(builder.endpoint(Endpoint::cassandra(address)?));
    }
    let Ok(host) = env::var("KEYSPACES_HOST") else { return Ok(builder) };
    let (port, server_name) = (env::var("KEYSPACES_PORT")?.parse()?, env::var("KEYSPACES_SERVER_NAME")?);
    let ca = std::fs::read(env::var("KEYSPACES_CA")?)?;
    Ok(builder.endpoint(Endpoint::explicit(&host, port, &server_name)?).trust_pem(ca)?)
}
