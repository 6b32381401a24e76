//! Times of this crate and of the bare driver, by Criterion: on the stub, where only the client takes time, and on
//! keyspaces-local with TLS and Cassandra.
//!
//! `cargo bench --bench times` runs both; with `-- stub` it does not start a local Keyspaces.

#[expect(dead_code, reason = "the bench `overhead` does more of it")]
mod work;

use std::net::Ipv4Addr;

use chrono::TimeDelta;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use futures::StreamExt;
use keyspaces::{Endpoint, Session, Write};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use testkit::instant;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use work::bare::Bare;
use work::ours::Ours;
use work::signing::Signer;
use work::{Client, Event, INSERT, ROWS_PER_PAGE, Result, partition_of};

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Runtime::new()?;

    let signer = Signer::new();
    criterion.bench_function("stub/SigV4 answer", |bencher| bencher.iter(|| signer.answer().is_ok()));

    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The listener belongs to the other runtime.
        let listener = listener.into_std()?;
        Ok(runtime
            .block_on(async { instant::serve(TcpListener::from_std(listener)?, instant::Delay::default()).await })?)
    });
    let session = runtime.block_on(Session::builder().endpoint(Endpoint::cassandra(&address)?).connect())?;
    measure(&mut criterion, "stub", &runtime, &session)?;

    if !std::env::args().skip(1).any(|argument| argument.starts_with("stub")) {
        let local = runtime.block_on(Local::builder().start())?;
        let session = runtime.block_on(Session::builder().local(&local)?.connect())?;
        runtime.block_on(fill(&session))?;
        measure(&mut criterion, "keyspaces-local", &runtime, &session)?;
        runtime.block_on(local.close())?;
    }
    criterion.final_summary();
    Ok(())
}

fn measure(criterion: &mut Criterion, server: &str, runtime: &Runtime, session: &Session) -> Result<()> {
    let mut group = criterion.benchmark_group(server);
    measure_client(&mut group, "ours", runtime, &runtime.block_on(Ours::new(session))?);
    measure_client(&mut group, "bare", runtime, &runtime.block_on(Bare::new(session))?);
    group.finish();
    Ok(())
}

fn measure_client<C: Client>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    implementation: &str,
    runtime: &Runtime,
    client: &C,
) {
    const KEYS: u32 = 1_000;
    let event = Event::sample();
    let key = event.key();

    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("insert/{implementation}"), |bencher| {
        bencher.to_async(runtime).iter(async || client.insert(&event).await.is_ok());
    });
    group.bench_function(format!("select one row/{implementation}"), |bencher| {
        bencher.to_async(runtime).iter(async || client.select_one(&key).await.is_ok());
    });
    group.throughput(Throughput::Elements(ROWS_PER_PAGE.into()));
    group.bench_function(format!("page of 1000 rows/{implementation}"), |bencher| {
        bencher.to_async(runtime).iter(async || {
            let Ok(rows) = client.stream(partition_of(ROWS_PER_PAGE.into())).await else { return 0 };
            rows.count().await
        });
    });
    group.throughput(Throughput::Elements(KEYS.into()));
    group.bench_function(format!("fan-out of 1000 keys/{implementation}"), |bencher| {
        bencher.to_async(runtime).iter(async || {
            let key = key.clone();
            client.fan_out((0..KEYS).map(move |_| key.clone())).count().await
        });
    });
}

/// Writes the rows that the stub has: an event, and a partition that fills a page.
async fn fill(session: &Session) -> Result<()> {
    session.define("CREATE KEYSPACE IF NOT EXISTS bench WITH REPLICATION = {'class': 'SingleRegionStrategy'}").await?;
    keyspaces::tables::Events::create_table(session, "bench").await?;
    let insert: Write<Event> = session.prepare(INSERT).await?;
    insert.execute(Event::sample()).await?;
    let (device_id, event_date) = partition_of(ROWS_PER_PAGE.into());
    let events = (0..ROWS_PER_PAGE).map(move |second| Event {
        device_id: device_id.clone(),
        event_date,
        event_time: Event::sample().event_time + TimeDelta::seconds(second.into()),
        ..Event::sample()
    });
    let mut written = insert.execute_each(events);
    while let Some((_, result)) = written.next().await {
        result?;
    }
    Ok(())
}
