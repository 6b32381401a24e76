//! A client in a separate process. It repeats one task, with this crate or with the bare driver.

use std::error::Error;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use clap::ValueEnum;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use keyspaces::tables::Events;
use keyspaces::{Endpoint, Session};
use tokio::runtime::Runtime;

#[cfg(feature = "metrics")]
use crate::recorder;
use crate::work::bare::Bare;
use crate::work::ours::Ours;
use crate::work::signing::Signer;
use crate::work::{Client, Event, ROWS_PER_PAGE, Result, partition_of};

/// The number of calls before those that are measured, so that one-time initialization is done.
const WARM_UP_CALLS: u64 = 200;

/// The defaults of `keyspaces`.
const CONNECTIONS: usize = 3;
const IN_FLIGHT_PER_CONNECTION: usize = 512;
const ROWS_IN_A_BATCH: usize = 10;
const TIMEOUT: Duration = Duration::from_secs(600);

/// The client that does the work.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Implementation {
    Ours,
    Bare,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Task {
    Insert,
    /// With a subscriber for spans and events at INFO, as programs have in production.
    InsertAtInfo,
    /// With a subscriber at DEBUG, which records the spans of a call.
    InsertAtDebug,
    /// With a recorder of metrics.
    #[cfg(feature = "metrics")]
    InsertMeasured,
    /// This number of inserts at a time.
    InFlight1,
    InFlight64,
    InFlight1024,
    InFlight10000,
    /// Ten inserts in one unlogged batch.
    Batch,
    SelectOne,
    SelectFirst,
    /// One page, whose rows are collected.
    Rows1,
    Rows10,
    Rows100,
    /// Connects a session and closes it.
    Connect,
    /// The size of a future.
    SizeOfInsert,
    SizeOfSelectOne,
    SizeOfTryNext,
    /// Reads pages of 1,000 rows as one stream.
    Pages,
    /// The same; measures the growth of memory after the first page.
    PagesMemory,
    /// Reads keys through the fan-out; measures the growth of memory.
    FanOutMemory,
    /// Reads 30 days with one event each as one range; the bare driver reads one day.
    Month,
    /// Signs the answer to the server's challenge, as when a connection is opened.
    Sigv4,
}

impl Task {
    /// The number of calls in flight at a time.
    fn in_flight(self) -> usize {
        match self {
            Self::InFlight64 => 64,
            Self::InFlight1024 => 1_024,
            Self::InFlight10000 => 10_000,
            _ => 1,
        }
    }

    /// Installs the subscriber or recorder of the task.
    fn watch(self) -> Result<()> {
        use tracing::Level;
        let level = match self {
            Self::InsertAtInfo => Level::INFO,
            Self::InsertAtDebug => Level::DEBUG,
            #[cfg(feature = "metrics")]
            Self::InsertMeasured => return recorder::install(),
            _ => return Ok(()),
        };
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::sink).try_init()
    }
}

/// Fills the heap differently for each run. The cost of an allocation depends on the holes in the heap, by some hundred
/// instructions a call.
pub(crate) fn fragmented_heap(run: usize) -> Vec<Vec<u8>> {
    let made: Vec<Vec<u8>> = (1..=run * 97).map(|number| Vec::with_capacity(number * 193 % 4_099)).collect();
    made.into_iter().step_by(2).collect()
}

/// Returns nanoseconds for each repetition or, for a task that measures memory or sizes, bytes.
pub(crate) fn run(implementation: Implementation, task: Task, address: &str, times: u64) -> Result<u64> {
    // With one thread, counts do not depend on the scheduling of threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if task == Task::Sigv4 {
        return sign(&runtime, times);
    }
    task.watch()?;
    if task == Task::Connect {
        return match implementation {
            Implementation::Ours => connect::<Ours>(&runtime, address, times),
            Implementation::Bare => connect::<Bare>(&runtime, address, times),
        };
    }
    let connections = task.in_flight().div_ceil(IN_FLIGHT_PER_CONNECTION).max(CONNECTIONS);
    let builder = Session::builder()
        .endpoint(Endpoint::cassandra(address)?)
        .connections_per_host(NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN))
        // Thousands of calls in flight take long under Callgrind.
        .connect_timeout(TIMEOUT)
        .call_timeout(TIMEOUT)
        .attempt_timeout(TIMEOUT);
    let session = runtime.block_on(builder.connect())?;
    if task.in_flight() > IN_FLIGHT_PER_CONNECTION {
        // A new peer counts as one connection for two seconds, and no call may wait for capacity here.
        runtime.block_on(async { tokio::time::sleep(Duration::from_secs(3)).await });
    }
    match (implementation, task) {
        (Implementation::Ours, Task::Month) => read_month(&runtime, &session, times),
        // Both clients are created, whichever is used, so that the heap is the same.
        (implementation, _) => {
            let (ours, bare) =
                runtime.block_on(async { futures::try_join!(Ours::new(&session), Bare::new(&session)) })?;
            match implementation {
                Implementation::Ours => run_on(&runtime, &ours, task, times),
                Implementation::Bare => run_on(&runtime, &bare, task, times),
            }
        }
    }
}

fn run_on(runtime: &Runtime, client: &impl Client, task: Task, times: u64) -> Result<u64> {
    match task {
        Task::Insert | Task::InsertAtInfo | Task::InsertAtDebug => insert_each(runtime, client, times),
        #[cfg(feature = "metrics")]
        Task::InsertMeasured => insert_each(runtime, client, times),
        Task::InFlight1 | Task::InFlight64 | Task::InFlight1024 | Task::InFlight10000 => {
            let event = Event::sample();
            timed(runtime, times, async |times| {
                let inserts = stream::iter(0..times).map(|_| client.insert(&event));
                inserts.buffer_unordered(task.in_flight()).try_collect().await
            })
        }
        Task::Batch => {
            let events = vec![Event::sample(); ROWS_IN_A_BATCH];
            timed(runtime, times, async |times| {
                for _ in 0..times {
                    client.batch(&events).await?;
                }
                Ok(())
            })
        }
        Task::SelectOne => {
            let key = Event::sample().key();
            timed(runtime, times, async |times| {
                for _ in 0..times {
                    black_box(client.select_one(&key).await?);
                }
                Ok(())
            })
        }
        Task::SelectFirst => {
            let key = Event::sample().key();
            timed(runtime, times, async |times| {
                for _ in 0..times {
                    black_box(client.select_first(&key).await?);
                }
                Ok(())
            })
        }
        Task::Rows1 => select_few(runtime, client, 1, times),
        Task::Rows10 => select_few(runtime, client, 10, times),
        Task::Rows100 => select_few(runtime, client, 100, times),
        Task::SizeOfInsert => Ok(client.size_of_insert(&Event::sample()).try_into()?),
        Task::SizeOfSelectOne => Ok(client.size_of_select_one(&Event::sample().key()).try_into()?),
        Task::SizeOfTryNext => Ok(runtime.block_on(client.size_of_try_next(partition_of(1)))?.try_into()?),
        Task::Pages => timed(runtime, times, async |times| {
            let rows = times * u64::from(ROWS_PER_PAGE);
            expect(rows, count(client.stream(partition_of(rows)).await?).await?)
        }),
        Task::PagesMemory => runtime.block_on(async {
            let rows = times * u64::from(ROWS_PER_PAGE);
            let mut stream = client.stream(partition_of(rows)).await?;
            let first_page = count((&mut stream).take(ROWS_PER_PAGE as usize)).await?;
            let before = resident("VmRSS")?;
            expect(rows, first_page + count(stream).await?)?;
            Ok(resident("VmRSS")?.saturating_sub(before))
        }),
        Task::FanOutMemory => runtime.block_on(async {
            let (device, date, time) = Event::sample().key();
            client.select_one(&(device, date, time)).await?;
            let before = resident("VmRSS")?;
            let keys = (0..times).map(move |number| (format!("device-{number}"), date, time));
            expect(times, count(pin!(client.fan_out(keys))).await?)?;
            // VmHWM is the peak of the resident memory.
            Ok(resident("VmHWM")?.saturating_sub(before))
        }),
        Task::Month => timed(runtime, times, async |times| {
            for _ in 0..times {
                expect(1, count(client.stream(partition_of(1)).await?).await?)?;
            }
            Ok(())
        }),
        Task::Connect | Task::Sigv4 => Err("this is no task for a session".into()),
    }
}

fn connect<C: Client>(runtime: &Runtime, address: &str, times: u64) -> Result<u64> {
    timed(runtime, times, async |times| {
        for _ in 0..times {
            C::connect(address).await?;
        }
        Ok(())
    })
}

fn insert_each(runtime: &Runtime, client: &impl Client, times: u64) -> Result<u64> {
    let event = Event::sample();
    timed(runtime, times, async |times| {
        for _ in 0..times {
            client.insert(&event).await?;
        }
        Ok(())
    })
}

fn select_few(runtime: &Runtime, client: &impl Client, rows: u64, times: u64) -> Result<u64> {
    let partition = partition_of(rows);
    timed(runtime, times, async |times| {
        for _ in 0..times {
            expect(rows, black_box(client.select_few(&partition).await?).len().try_into()?)?;
        }
        Ok(())
    })
}

fn read_month(runtime: &Runtime, session: &Session, times: u64) -> Result<u64> {
    const DAYS: u32 = 30;
    let events = runtime.block_on(Events::new(session, "bench"))?;
    let Event { device_id, event_time: start, .. } = Event::sample();
    timed(runtime, times, async |times| {
        for _ in 0..times {
            let range = start..start + TimeDelta::days(DAYS.into());
            expect(DAYS.into(), count(events.between(&device_id, range)).await?)?;
        }
        Ok(())
    })
}

fn sign(runtime: &Runtime, times: u64) -> Result<u64> {
    let signer = Signer::new();
    timed(runtime, times, async |times| {
        for _ in 0..times {
            black_box(signer.answer()?);
        }
        Ok(())
    })
}

/// Returns nanoseconds for each repetition.
fn timed(runtime: &Runtime, times: u64, task: impl AsyncFn(u64) -> Result<()>) -> Result<u64> {
    runtime.block_on(task(WARM_UP_CALLS.min(times)))?;
    let start = Instant::now();
    counted_by_callgrind(runtime, Box::pin(task(times)))?;
    Ok(u64::try_from(start.elapsed().as_nanos())? / times)
}

/// Callgrind counts while this function runs, and finds it by its name. It must not be inlined and must not contain a
/// closure, whose name would contain that of the function. The tasks of a current-thread runtime, including those of the
/// driver, run inside.
#[inline(never)]
fn counted_by_callgrind(runtime: &Runtime, task: Pin<Box<dyn Future<Output = Result<()>> + '_>>) -> Result<()> {
    runtime.block_on(task)
}

async fn count<R, E>(mut rows: impl Stream<Item = std::result::Result<R, E>> + Unpin) -> Result<u64>
where
    Box<dyn Error + Send + Sync>: From<E>,
{
    let mut number = 0;
    while let Some(row) = rows.next().await {
        black_box(row?);
        number += 1;
    }
    Ok(number)
}

fn expect(expected: u64, rows: u64) -> Result<()> {
    if rows == expected { Ok(()) } else { Err(format!("{rows} rows came, {expected} were to come").into()) }
}

/// The value of a line of `/proc/self/status`, in bytes.
fn resident(what: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let kilobytes: u64 = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no such line")?.parse()?;
    Ok(kilobytes * 1024)
}
