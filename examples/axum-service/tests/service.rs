//! Tests the service through its HTTP interface, on a local Keyspaces and on its Cassandra.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum_service::Service;
use chrono::{DateTime, Utc};
use keyspaces::{Endpoint, Session};
use keyspaces_local::Local;
use keyspaces_local::fault::{Effect, Fault, Moment};
use keyspaces_testing::LocalBuilder;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// Definitions take effect at once, so that the tests take seconds.
async fn local() -> &'static Local {
    Local::shared_with(Local::builder().ddl_delay(Duration::ZERO)).await.unwrap()
}

fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap()).clone()
}

/// The service with empty tables, on either target.
async fn services() -> [Client; 2] {
    let local = local().await;
    let plain = Endpoint::cassandra(local.cassandra_address().to_string()).unwrap();
    let builders = [Session::builder().local(local).unwrap(), Session::builder().endpoint(plain)];
    let mut services = Vec::new();
    for builder in builders {
        let session = builder.connect().await.unwrap();
        let session = keyspaces_testing::new_keyspace(&session).await.unwrap();
        let service = Service::start(session.clone(), metrics()).await.unwrap();
        services.push(Client { router: service.router(), session });
    }
    services.try_into().unwrap()
}

#[derive(Debug)]
struct Client {
    router: Router,
    session: Session,
}

impl Client {
    async fn get(&self, path: &str) -> Response {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn create(&self, slug: &str, owner: Uuid) -> Response {
        let body = json!({"target": format!("https://example.com/{slug}"), "owner": owner, "tags": ["b", "a"]});
        self.send(Method::PUT, &format!("/links/{slug}"), body).await
    }

    async fn ask(&self, request: Request<Body>) -> Response {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        Response {
            status: parts.status,
            location: header(header::LOCATION),
            retry_after: header(header::RETRY_AFTER),
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }
}

#[derive(Debug)]
struct Response {
    status: StatusCode,
    location: Option<String>,
    retry_after: Option<String>,
    json: Value,
    text: String,
}

#[tokio::test]
async fn link_is_created_once_redirects_and_counts_hits() {
    for service in services().await {
        let owner = Uuid::new_v4();
        let created = service.create("tea", owner).await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        assert_eq!(service.get("/links/tea").await.json, created.json);
        assert_eq!(created.json["tags"], json!(["a", "b"]));
        // A set without elements is not stored, and read as empty.
        let bare = json!({"target": "https://example.com", "owner": owner});
        assert_eq!(service.send(Method::PUT, "/links/bare", bare).await.status, StatusCode::CREATED);
        assert_eq!(service.get("/links/bare").await.json["tags"], json!([]));

        let again = service.create("tea", Uuid::new_v4()).await;
        assert_eq!((again.status, &again.json["link"]), (StatusCode::CONFLICT, &created.json));
        assert_eq!(service.get("/links/coffee").await.status, StatusCode::NOT_FOUND);

        for _ in 0..3 {
            let followed = service.get("/tea").await;
            assert_eq!(followed.status, StatusCode::TEMPORARY_REDIRECT);
            assert_eq!(followed.location.as_deref(), Some("https://example.com/tea"));
        }
        assert_eq!(service.get("/links/tea/visits").await.json, json!({"visits": 3}));
        assert_eq!(service.get("/links/coffee/visits").await.json, json!({"visits": 0}));
    }
}

#[tokio::test]
async fn links_of_an_owner_are_paged_and_foreign_cursors_refused() {
    for service in services().await {
        let owner = Uuid::new_v4();
        for number in 0..5 {
            assert_eq!(service.create(&format!("n{number}"), owner).await.status, StatusCode::CREATED);
        }
        let (mut links, mut path) = (Vec::new(), format!("/owners/{owner}/links?limit=2"));
        let mut pages = 0;
        loop {
            let page = service.get(&path).await.json;
            pages += 1;
            links.extend(page["links"].as_array().unwrap().iter().map(|link| {
                let created_at: DateTime<Utc> = link["created_at"].as_str().unwrap().parse().unwrap();
                (Reverse(created_at), link["slug"].as_str().unwrap().to_owned())
            }));
            let Some(cursor) = page["cursor"].as_str() else { break };
            path = format!("/owners/{owner}/links?limit=2&cursor={cursor}");
        }
        assert!(links.is_sorted(), "not the latest first: {links:?}");
        let slugs: BTreeSet<_> = links.iter().map(|(_, slug)| slug.as_str()).collect();
        assert_eq!((slugs, links.len(), pages), (BTreeSet::from(["n0", "n1", "n2", "n3", "n4"]), 5, 3));

        let stranger = service.get(&path.replace(&owner.to_string(), &Uuid::new_v4().to_string())).await;
        assert_eq!(stranger.status, StatusCode::BAD_REQUEST, "{stranger:?}");
        let broken = service.get(&format!("/owners/{owner}/links?cursor=xyz")).await;
        assert_eq!(broken.status, StatusCode::BAD_REQUEST, "{broken:?}");
    }
}

#[tokio::test]
async fn share_redirects_to_its_link_until_it_expires() {
    for service in services().await {
        service.create("tea", Uuid::new_v4()).await;
        let share = service.send(Method::POST, "/links/tea/shares", json!({"seconds": 4})).await;
        assert_eq!(share.status, StatusCode::CREATED, "{share:?}");
        let path = format!("/shares/{}", share.json["token"].as_str().unwrap());
        assert_eq!(service.get(&path).await.location.as_deref(), Some("https://example.com/tea"));
        let began = std::time::Instant::now();
        while service.get(&path).await.status != StatusCode::NOT_FOUND {
            assert!(began.elapsed() < Duration::from_secs(20), "it has not expired");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn invalid_request_data_is_answered_with_bad_request() {
    let [service, _] = services().await;
    service.create("tea", Uuid::new_v4()).await;
    let too_long = service.send(Method::POST, "/links/tea/shares", json!({"seconds": 700_000_000})).await;
    assert_eq!(too_long.status, StatusCode::BAD_REQUEST, "{too_long:?}");
    assert!(too_long.text.contains("TTL"), "{too_long:?}");
}

#[tokio::test]
async fn lost_response_is_resolved_and_throttling_returns_retry_after() {
    let [service, _] = services().await;
    let faults = local().await.faults();
    let links = format!("{}.links ", service.session.keyspace().unwrap());
    faults.inject(Fault::new(Effect::Drop(Moment::After)).containing(format!("INTO {links}")).times(1));
    let created = service.create("lost", Uuid::new_v4()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    assert_eq!(service.get("/links/lost").await.json, created.json);

    let throttled = faults.inject(Fault::new(Effect::throttled_read()).containing(format!("FROM {links}")));
    let answer = service.get("/links/lost").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
    assert_eq!(answer.json, json!({"error": "throttled"}));
    faults.remove(throttled);
}

#[tokio::test]
async fn health_and_metrics_are_served_until_the_session_is_closed() {
    for service in services().await {
        let created = service.create("tea", Uuid::new_v4()).await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        for path in ["/health/live", "/health/ready"] {
            let health = service.get(path).await;
            assert_eq!(health.status, StatusCode::OK, "{path}: {health:?}");
        }
        let metrics = service.get("/metrics").await.text;
        let keyspace = service.session.keyspace().unwrap();
        let counted = format!("db_query_summary=\"INSERT INTO {keyspace}.links\"");
        assert!(
            metrics.lines().any(|line| line.starts_with("keyspaces_calls{") && line.contains(&counted)),
            "{metrics}"
        );

        service.session.close(Duration::from_secs(10)).await.unwrap();
        for path in ["/health/live", "/health/ready", "/links/tea"] {
            assert_eq!(service.get(path).await.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        }
    }
}
