//! A table of your own, with the same parts as the tables of this crate. The type of a statement says what it does.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::error::Error;
use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use keyspaces::value::Counter;
use keyspaces::{Conditional, Increment, Outcome, Select, Session, Write};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use uuid::Uuid;

#[keyspaces::row]
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    sensor_id: Uuid,
    at: DateTime<Utc>,
    celsius: f64,
    note: Option<String>,
}

async fn run(session: &Session) -> Result<(), Box<dyn Error>> {
    session.define("CREATE KEYSPACE IF NOT EXISTS lab WITH REPLICATION = {'class': 'SingleRegionStrategy'}").await?;
    let columns = "sensor_id uuid, at timestamp, celsius double, note text, PRIMARY KEY (sensor_id, at)";
    session.define(&format!("CREATE TABLE IF NOT EXISTS lab.readings ({columns})")).await?;
    session.define("CREATE TABLE IF NOT EXISTS lab.hits (sensor_id uuid PRIMARY KEY, n counter)").await?;

    let insert = "INSERT INTO lab.readings (sensor_id, at, celsius, note) VALUES (?, ?, ?, ?)";
    let store: Write<Reading> = session.prepare(insert).await?;
    let claim: Conditional<Reading, Reading> = session.prepare(&format!("{insert} IF NOT EXISTS")).await?;
    let hit: Increment<(Counter, Uuid)> = session.prepare("UPDATE lab.hits SET n = n + ? WHERE sensor_id = ?").await?;
    let hits: Select<(Uuid,), (Counter,)> = session.prepare("SELECT n FROM lab.hits WHERE sensor_id = ?").await?;
    let by_sensor: Select<(Uuid,), Reading> =
        session.prepare("SELECT sensor_id, at, celsius, note FROM lab.readings WHERE sensor_id = ?").await?;

    let sensor_id = Uuid::from_u128(0x5e45);
    let start: DateTime<Utc> = "2026-11-22T08:00:00Z".parse()?;
    let reading = move |minute: i64| Reading {
        sensor_id,
        at: start + TimeDelta::minutes(minute),
        celsius: 19.5 + minute as f64 / 10.0,
        note: (minute == 3).then(|| "window opened".to_owned()),
    };
    // Many writes in flight, each with its own result.
    let written: Vec<_> = store.execute_each((0..5).map(reading)).into_try_stream().try_collect().await?;
    hit.execute((Counter(written.len() as i64), sensor_id)).await?;
    match claim.execute(Reading { celsius: 40.0, ..reading(0) }).await? {
        Outcome::Applied => println!("claimed"),
        Outcome::NotApplied(existing) => println!("the row exists already: {existing:?}"),
        Outcome::Unknown(error) => println!("read the row to find out: {error}"),
    }
    // Page by page; the next page is requested while this one is processed.
    let mut readings = by_sensor.rows((sensor_id,));
    while let Some(Reading { at, celsius, note, .. }) = readings.try_next().await? {
        println!("{at}  {celsius:.1} °C  {}", note.unwrap_or_default());
    }
    // A page, and the paging state to resume from, which can be stored.
    let pages_of_two = by_sensor.with_page_size(NonZeroU32::MIN.saturating_add(1));
    if let Some(page) = pages_of_two.pages((sensor_id,)).try_next().await? {
        let rest: Vec<_> = match &page.next {
            Some(state) => pages_of_two.pages_from((sensor_id,), state).try_collect().await?,
            None => Vec::new(),
        };
        println!("a page of {} readings, and {} more pages", page.rows.len(), rest.len());
    }
    let counted = hits.one((sensor_id,)).await?.map_or(0, |(Counter(n),)| n);
    println!("counted: {counted}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Starting a local Keyspaces ...");
    let local = Local::builder().start().await?;
    let session = Session::builder().local(&local)?.connect().await?;
    run(&session).await?;
    local.close().await?;
    Ok(())
}
