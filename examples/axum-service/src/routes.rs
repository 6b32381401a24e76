//! The handlers. A handler is dropped when its client disconnects, which every call of `keyspaces` allows.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Redirect;
use chrono::{SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::failure::Failure;
use crate::links::{Link, LinkOfOwner};
use crate::store::Created;
use crate::{Service, failure};

const MAX_PAGE_SIZE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

type Answer<T> = Result<Json<T>, Failure>;
type New<T> = Result<(StatusCode, Json<T>), Failure>;

#[derive(Deserialize)]
pub(crate) struct NewLink {
    target: String,
    owner: Uuid,
    #[serde(default)]
    tags: BTreeSet<String>,
}

pub(crate) async fn create(
    State(service): State<Service>,
    Path(slug): Path<String>,
    Json(NewLink { target, owner, tags }): Json<NewLink>,
) -> New<Link> {
    // Truncated as the column stores it, so that the response is the same as in later reads.
    let created_at = Utc::now().trunc_subsecs(3);
    let link = Link { slug, id: Uuid::new_v4(), target, owner, tags, created_at };
    match service.store.create(&link).await? {
        Created::New => Ok((StatusCode::CREATED, Json(link))),
        Created::Taken(existing) => Err(Failure::Taken(existing.map(Box::new))),
    }
}

pub(crate) async fn link(State(service): State<Service>, Path(slug): Path<String>) -> Answer<Link> {
    Ok(Json(service.store.link(&slug).await?.ok_or(Failure::NotFound)?))
}

#[derive(Serialize)]
pub(crate) struct Visits {
    visits: i64,
}

pub(crate) async fn visits(State(service): State<Service>, Path(slug): Path<String>) -> Answer<Visits> {
    Ok(Json(Visits { visits: service.store.visits(&slug).await? }))
}

#[derive(Deserialize)]
pub(crate) struct PageQuery {
    limit: Option<NonZeroU32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Links {
    links: Vec<LinkOfOwner>,
    /// For the next page; absent on the last.
    cursor: Option<String>,
}

pub(crate) async fn links_of(
    State(service): State<Service>,
    Path(owner): Path<Uuid>,
    Query(PageQuery { limit, cursor }): Query<PageQuery>,
) -> Answer<Links> {
    let limit = limit.unwrap_or(MAX_PAGE_SIZE).min(MAX_PAGE_SIZE);
    let page = service.store.links_of(owner, limit, cursor.as_deref()).await?;
    let cursor = page.cursor();
    Ok(Json(Links { links: page.rows, cursor }))
}

#[derive(Deserialize)]
pub(crate) struct NewShare {
    seconds: u64,
}

#[derive(Serialize)]
pub(crate) struct Share {
    token: Uuid,
}

pub(crate) async fn share(
    State(service): State<Service>,
    Path(slug): Path<String>,
    Json(NewShare { seconds }): Json<NewShare>,
) -> New<Share> {
    let link = service.store.link(&slug).await?.ok_or(Failure::NotFound)?;
    let token = service.store.share(&link.slug, Duration::from_secs(seconds.max(1))).await?;
    Ok((StatusCode::CREATED, Json(Share { token })))
}

pub(crate) async fn follow_share(State(service): State<Service>, Path(token): Path<Uuid>) -> Result<Redirect, Failure> {
    let slug = service.store.shared(token).await?.ok_or(Failure::NotFound)?;
    follow(State(service), Path(slug)).await
}

pub(crate) async fn follow(State(service): State<Service>, Path(slug): Path<String>) -> Result<Redirect, Failure> {
    let link = service.store.link(&slug).await?.ok_or(Failure::NotFound)?;
    // If counting the visit fails, the redirect still works.
    if let Err(error) = service.store.count(&slug).await {
        failure::log(&error);
    }
    Ok(Redirect::temporary(&link.target))
}
