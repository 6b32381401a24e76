//! The `events` table of the guide, and the sharded one.

mod bad_input;
mod deleting;
mod latest;
mod property;
mod ranges;
mod writing;

use std::num::NonZeroU8;

use chrono::{DateTime, NaiveDate, Utc};
use keyspaces::Session;
use keyspaces::tables::{Event, EventRange, Events};
use keyspaces_local::journal::Kind;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::server::{self, keyspace};

/// A device that no other test uses.
fn device() -> String {
    format!("device-{}", Uuid::new_v4())
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn event(device: &str, at: &str) -> Event {
    Event::new(device, time(at), "temperature", format!("measured at {at}"))
}

/// The name of the table of [`events`].
fn shared_table() -> String {
    format!("{}.events", server::keyspace_name("events"))
}

/// The table that is shared by the tests that do not count requests.
async fn events(session: &Session) -> Events {
    static CREATED: OnceCell<()> = OnceCell::const_new();
    let keyspace = server::keyspace_name("events");
    CREATED.get_or_init(|| create(session, &keyspace)).await;
    Events::new(session, &keyspace).await.unwrap()
}

async fn sharded(session: &Session, shards: u8) -> Events {
    static CREATED: OnceCell<()> = OnceCell::const_new();
    let name = server::keyspace_name("sharded");
    CREATED
        .get_or_init(|| async {
            keyspace(session, &name).await;
            Events::create_sharded_table(session, &name).await.unwrap();
        })
        .await;
    Events::sharded(session, &name, NonZeroU8::new(shards).unwrap()).await.unwrap()
}

/// A table for one test, and its name.
async fn own_table(session: &Session) -> (Events, String) {
    let keyspace = server::new_keyspace_name();
    create(session, &keyspace).await;
    (Events::new(session, &keyspace).await.unwrap(), format!("{keyspace}.events"))
}

async fn create(session: &Session, name: &str) {
    keyspace(session, name).await;
    Events::create_table(session, name).await.unwrap();
}

async fn insert_all(events: &Events, all: &[Event]) {
    for result in events.insert_many(all).await {
        result.unwrap();
    }
}

async fn all(range: EventRange) -> Vec<Event> {
    range.try_collect().await.unwrap()
}

async fn only(range: EventRange) -> Event {
    <[Event; 1]>::try_from(all(range).await).map(|[only]| only).unwrap()
}

/// The days, hours and minutes of the events in the range.
async fn times(range: EventRange) -> Vec<String> {
    all(range).await.iter().map(|event| event.event_time.format("%d %H:%M").to_string()).collect()
}

/// The number of pages of this table that the local Keyspaces was asked for; `None` on a plain Cassandra.
async fn pages_asked(table: &str) -> Option<usize> {
    let select = |text: &str| text.starts_with("SELECT") && text.contains(table);
    let local = server::local().await?;
    let asked = |it: &keyspaces_local::journal::Received| {
        it.kind == Kind::Execute && it.statement.as_deref().is_some_and(select)
    };
    Some(local.journal().filter(asked).len())
}
