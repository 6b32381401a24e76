//! A week of events of several devices: written, read newest first and oldest first, counted per day.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::collections::BTreeMap;
use std::error::Error;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use keyspaces::Session;
use keyspaces::tables::{Event, Events};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;

const DEVICES: [&str; 3] = ["device-001", "device-002", "device-003"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Starting a local Keyspaces (the first time this downloads Apache Cassandra, 66 MB) ...");
    let local = Local::builder().start().await?;
    let session = Session::builder().local(&local)?.connect().await?;
    session
        .define("CREATE KEYSPACE IF NOT EXISTS my_application WITH REPLICATION = {'class': 'SingleRegionStrategy'}")
        .await?;
    Events::create_table(&session, "my_application").await?;
    let events = Events::new(&session, "my_application").await?;

    let monday: DateTime<Utc> = "2026-11-16T00:00:00Z".parse()?;
    let week = monday..monday + Days::new(7);
    let written: Vec<Event> =
        DEVICES.iter().zip(1..).flat_map(|(device, number)| series(device, number, monday)).collect();
    // The partitions take turns, so that none gets more writes a second than it accepts.
    let results = events.insert_many(&written).await;
    println!("Wrote {} events of {} devices.", results.iter().filter(|result| result.is_ok()).count(), DEVICES.len());
    results.into_iter().collect::<Result<Vec<()>, _>>()?;

    for device in DEVICES {
        println!("{device}, the newest of the week:");
        let mut newest_first = events.between(device, week.clone());
        for _ in 0..3 {
            let Some(event) = newest_first.try_next().await? else { break };
            show(&event);
        }
        println!("{device}, its first alarms:");
        let mut alarms = events.between(device, week.clone()).of_type("alarm").oldest_first();
        for _ in 0..2 {
            let Some(event) = alarms.try_next().await? else { break };
            show(&event);
        }
        let mut per_day: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        let mut oldest_first = events.between(device, week.clone()).oldest_first();
        while let Some(event) = oldest_first.try_next().await? {
            *per_day.entry(event.date()).or_default() += 1;
        }
        println!("{device}, events per day:");
        for (date, count) in per_day {
            println!("  {date}  {count:4}");
        }
    }

    let latest: Vec<Event> = events.latest("device-001", 2).before(week.end).try_collect().await?;
    println!("The latest two of device-001 before {}:", week.end.date_naive());
    latest.iter().for_each(show);

    events.delete_day("device-001", monday.date_naive()).await?;
    let left: Vec<Event> = events.day("device-001", monday.date_naive()).try_collect().await?;
    println!("After deleting its Monday, device-001 has {} events there.", left.len());
    local.close().await?;
    Ok(())
}

/// A measurement every `number` times ten minutes, and an alarm where it is too warm.
fn series(device: &str, number: i32, from: DateTime<Utc>) -> impl Iterator<Item = Event> {
    (0..7 * 24 * 6 / number).map(move |index| {
        let celsius = 20 + index * 7 % 11;
        let event_type = if celsius == 30 { "alarm" } else { "temperature" };
        let at = from + TimeDelta::minutes(i64::from(10 * number * index));
        Event::new(device, at, event_type, format!("{{\"celsius\": {celsius}}}"))
    })
}

fn show(event: &Event) {
    println!("  {}  {}  {}", event.event_time.format("%F %T"), event.event_type, event.payload);
}
