//! The share of a table's capacity that a load uses.

use std::time::Duration;

use keyspaces::Session;
use keyspaces::bulk::{Csv, Input};
use keyspaces_local::{Local, Operation};
use keyspaces_testing::LocalBuilder;
use tokio::time::{Instant, sleep_until};

use crate::{Result, rows};

/// Write units a second; each row takes one.
const UNITS: u32 = 2_000;
/// By then, the initial contents of the token bucket are used up.
const FROM_SECOND: u32 = 5;
const SHARE: f64 = 0.98;
const ATTEMPTS: f64 = 1.05;

pub(crate) fn measure_throttled_table(seconds: u32) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(seconds))
}

async fn measure(seconds: u32) -> Result<Vec<String>> {
    let local = Local::builder().start().await?;
    let session = Session::builder().local(&local)?.connect().await?;
    session.define("CREATE KEYSPACE limited WITH REPLICATION = {'class': 'SingleRegionStrategy'}").await?;
    let capacity = format!("'read_capacity_units': {UNITS}, 'write_capacity_units': {UNITS}");
    let capacity = format!("{{'capacity_mode': {{'throughput_mode': 'PROVISIONED', {capacity}}}}}");
    let definition = rows::definition("limited.sales");
    session.define(&format!("{definition} WITH CUSTOM_PROPERTIES = {capacity}")).await?;
    // More rows than can be loaded in this time.
    let mut text = Vec::new();
    rows::write(u64::from(2 * UNITS * seconds), &mut text)?;
    let input = Input::reader("generated", std::io::Cursor::new(text));
    let load = session.bulk().load("limited", "sales", input, Csv::new());
    let began = Instant::now();
    let at = |second: u32| sleep_until(began + Duration::from_secs(second.into()));
    let progress = load.progress();
    let loading = tokio::spawn(load.stop_when(at(seconds)).into_future());
    at(FROM_SECOND).await;
    let (from, before) = (began.elapsed(), progress.borrow().units);
    at(seconds).await;
    let (until, after) = (began.elapsed(), progress.borrow().units);
    let summary = loading.await??;
    let metrics = local.metering().get("limited", "sales", Operation::Insert);
    let share = (after - before) / (until - from).as_secs_f64() / f64::from(UNITS);
    let attempts = metrics.successful_request_count + metrics.write_throttle_events;
    let attempts = attempts as f64 / summary.rows.max(1) as f64;
    println!(
        "on a table of {UNITS} write units a second: {:.1} % of them used from second {FROM_SECOND} to {seconds}, {attempts:.3} \
         attempts a row",
        100.0 * share
    );
    local.close().await?;
    let mut over = Vec::new();
    if share < SHARE {
        over.push(format!("{:.1} % of the capacity used, not 98 %", 100.0 * share));
    }
    if attempts > ATTEMPTS {
        over.push(format!("{attempts:.3} attempts a row, not {ATTEMPTS}"));
    }
    Ok(over)
}
