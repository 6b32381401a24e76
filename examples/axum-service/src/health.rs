//! Health checks and metrics.

use axum::extract::State;
use axum::http::StatusCode;

use crate::Service;

type Health = (StatusCode, String);

/// Fails if only a restart of the program can help.
pub(crate) async fn live(State(service): State<Service>) -> Health {
    let health = service.session.health();
    (status(health.is_live()), health.to_string())
}

/// Fails while requests cannot be served.
pub(crate) async fn ready(State(service): State<Service>) -> Health {
    let health = service.session.health();
    (status(health.is_ready()), health.to_string())
}

pub(crate) async fn metrics(State(service): State<Service>) -> String {
    service.metrics.run_upkeep();
    service.metrics.render()
}

fn status(is_healthy: bool) -> StatusCode {
    if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
