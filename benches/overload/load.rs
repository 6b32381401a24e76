//! Calls that arrive independently of the calls before them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use keyspaces::{Select, Session};
use keyspaces_local::fault::{Effect, Fault};
use keyspaces_local::{CapacityMode, Local, Operation};
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::scenario::Scenario;
use crate::{KEYSPACE, Result};

/// The number of partitions in addition to the hot partition, which is 0.
const PARTITIONS: i64 = 64;
/// Calls a second to another table at the same time.
const NEIGHBOURS: f64 = 20.0;

/// A call and its result. Times are since the load began.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) partition: i64,
    pub(crate) row: i64,
    pub(crate) arrived: Duration,
    pub(crate) ended: Duration,
    pub(crate) is_acknowledged: bool,
}

/// The results of a load.
pub(crate) struct LoadResults {
    pub(crate) calls: Vec<Call>,
    /// The calls to another table.
    pub(crate) neighbours: Vec<Call>,
    /// Without the attempts that the outage throttled.
    pub(crate) attempts: u64,
    pub(crate) attempts_of_outage: u64,
}

pub(crate) async fn run(
    local: &Local,
    scenario: &Scenario,
    table: &str,
    client: Client,
    neighbour: Client,
    seed: u64,
) -> Result<LoadResults> {
    let set_capacity = |units| {
        let mode = CapacityMode::Provisioned { read: units, write: units };
        local.throttling().set_capacity(KEYSPACE, table, Some(mode));
    };
    let first = scenario.capacity.first().ok_or("a scenario has a capacity")?;
    set_capacity(first.1);
    // The bucket is as nearly empty as it can be made: it has no units beyond those of the first second.
    let began = Instant::now();
    let neighbour_calls = tokio::spawn(arrivals(
        Arc::new(neighbour),
        vec![(0, NEIGHBOURS)],
        scenario.clone(),
        began,
        fastrand::Rng::with_seed(seed + 1),
    ));
    let calls = tokio::spawn(arrivals(
        Arc::new(client),
        scenario.arrivals.clone(),
        scenario.clone(),
        began,
        fastrand::Rng::with_seed(seed),
    ));
    for (from, units) in scenario.capacity.iter().skip(1) {
        sleep_until(began + Duration::from_secs((*from).into())).await;
        set_capacity(*units);
    }
    let mut attempts_of_outage = 0;
    if let Some((from, until)) = scenario.outage {
        sleep_until(began + Duration::from_secs(from.into())).await;
        let outage = Fault::new(Effect::throttled_write()).containing(format!("INSERT INTO {KEYSPACE}.{table} "));
        let outage = local.faults().inject(outage);
        sleep_until(began + Duration::from_secs(until.into())).await;
        attempts_of_outage = local.faults().strike_count(outage);
        local.faults().remove(outage);
    }
    let (calls, neighbours) = (calls.await?, neighbour_calls.await?);
    let metrics = local.metering().get(KEYSPACE, table, Operation::Insert);
    local.throttling().set_capacity(KEYSPACE, table, None);
    let attempts = metrics.successful_request_count + metrics.write_throttle_events;
    Ok(LoadResults { calls, neighbours, attempts, attempts_of_outage })
}

/// Makes calls in a Poisson process. Each call is a separate task.
async fn arrivals(
    client: Arc<Client>,
    rates: Vec<(u32, f64)>,
    scenario: Scenario,
    began: Instant,
    mut random: fastrand::Rng,
) -> Vec<Call> {
    let payload: Arc<str> = scenario.payload().into();
    let (mut time, mut calls) = (0.0, Vec::new());
    for row in 0.. {
        let rate = rates.iter().rev().find(|(from, _)| f64::from(*from) <= time).map_or(1.0, |(_, rate)| *rate);
        time += -(1.0 - random.f64()).ln() / rate;
        if time >= f64::from(scenario.all_seconds()) {
            break;
        }
        let is_hot = scenario.is_hot && random.u32(0..4) < 3;
        let partition = if is_hot { 0 } else { random.i64(1..=PARTITIONS) };
        let arrived = Duration::from_secs_f64(time);
        sleep_until(began + arrived).await;
        let (client, payload) = (Arc::clone(&client), Arc::clone(&payload));
        calls.push(tokio::spawn(async move {
            let arrived = began.elapsed();
            let is_acknowledged = client.write(partition, row, &payload).await;
            Call { partition, row, arrived, ended: began.elapsed(), is_acknowledged }
        }));
    }
    let mut ended = Vec::with_capacity(calls.len());
    for call in calls {
        // A call that panicked has no result.
        if let Ok(call) = call.await {
            ended.push(call);
        }
    }
    ended
}

/// Reads the rows that the table has.
pub(crate) async fn written(session: &Session, table: &str) -> Result<HashSet<(i64, i64)>> {
    let text = format!("SELECT row FROM {KEYSPACE}.{table} WHERE partition = ?");
    let select: Select<(i64,), (i64,)> = session.prepare(&text).await?;
    let mut found = HashSet::new();
    for partition in 0..=PARTITIONS {
        let mut rows = select.rows((partition,));
        while let Some((row,)) = rows.try_next().await? {
            found.insert((partition, row));
        }
    }
    Ok(found)
}
