//! A link shortener over HTTP: a service with its own tables on `keyspaces`.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /links/{slug}` with `target`, `owner` and `tags` | 201 and the link; 409 and the existing link |
//! | `GET /links/{slug}` | 200 and the link; 404 |
//! | `GET /links/{slug}/visits` | 200 and how often it was followed |
//! | `GET /owners/{owner}/links?limit=&cursor=` | 200, a page of links and the cursor of the next |
//! | `POST /links/{slug}/shares` with `seconds` | 201 and a token that leads to the link for this time |
//! | `GET /shares/{token}`, `GET /{slug}` | 307 to the target; 404 |
//! | `GET /health/live`, `GET /health/ready` | 200 or 503 |
//! | `GET /metrics` | the metrics for Prometheus |

mod failure;
mod health;
mod links;
mod routes;
mod store;

use axum::Router;
use axum::routing::{get, post, put};
use keyspaces::Session;
use keyspaces::migrate::Migrations;
use metrics_exporter_prometheus::PrometheusHandle;

pub use self::failure::Failure;
pub use self::links::{Link, LinkOfOwner};
pub use self::store::{Created, Store};

/// The state that all requests share.
#[derive(Clone)]
pub struct Service {
    session: Session,
    store: Store,
    metrics: PrometheusHandle,
}

impl Service {
    /// Brings the schema up to date and prepares all statements, in the session's keyspace.
    pub async fn start(session: Session, metrics: PrometheusHandle) -> Result<Self, keyspaces::Error> {
        let migrations = Migrations::new([
            ("0001_links.cql", include_str!("../migrations/0001_links.cql")),
            ("0002_shares.cql", include_str!("../migrations/0002_shares.cql")),
        ])?;
        let keyspace = session.keyspace().unwrap_or("links").to_owned();
        session.migrate(&keyspace, &migrations).without_keyspaces_options_on_cassandra().await?;
        let store = Store::prepare(&session.in_keyspace(keyspace)).await?;
        Ok(Self { session, store, metrics })
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/links/{slug}", put(routes::create).get(routes::link))
            .route("/links/{slug}/visits", get(routes::visits))
            .route("/links/{slug}/shares", post(routes::share))
            .route("/owners/{owner}/links", get(routes::links_of))
            .route("/shares/{token}", get(routes::follow_share))
            .route("/{slug}", get(routes::follow))
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(health::metrics))
            .with_state(self)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("session", &self.session).finish_non_exhaustive()
    }
}
