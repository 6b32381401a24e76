//! What an orchestrator and a monitor ask for.

use axum::extract::State;
use axum::http::StatusCode;

use crate::Service;

type Health = (StatusCode, String);

/// Whether to start the program again helps.
pub(crate) async fn live(State(service): State<Service>) -> Health {
    let health = service.session.health();
    (status(health.is_live()), health.to_string())
}

/// Whether requests can be served now.
pub(crate) async fn ready(State(service): State<Service>) -> Health {
    let health = service.session.health();
    (status(health.is_ready()), health.to_string())
}

pub(crate) async fn metrics(State(service): State<Service>) -> String {
    service.metrics.run_upkeep();
    service.metrics.render()
}

fn status(is_well: bool) -> StatusCode {
    if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
