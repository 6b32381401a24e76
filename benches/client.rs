//! A client in a process of its own: one task, done so many times, by ours or by the bare driver.

use std::error::Error;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::time::Instant;

use chrono::TimeDelta;
use clap::ValueEnum;
use futures::{Stream, StreamExt};
use keyspaces::tables::Events;
use keyspaces::{Endpoint, Session};
use tokio::runtime::Runtime;

use crate::work::bare::Bare;
use crate::work::ours::Ours;
use crate::work::signing::Answers;
use crate::work::{Client, Event, ROWS_PER_PAGE, Result, partition_of};

/// Calls made before those that count, so that whatever is made once is there.
const WARMING_UP: u64 = 200;

/// Whose code does it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Whose {
    Ours,
    Bare,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Task {
    Insert,
    SelectOne,
    /// Pages of 1,000 rows, as one stream.
    Pages,
    /// The same, held to the memory it takes after its first page.
    PagesMemory,
    /// Keys, read through the fan-out, held to the memory it takes.
    FanOutMemory,
    /// An event a day, of 30 days as one range; the bare driver reads one day.
    Month,
    /// Answers to the server's challenge, as when a connection is opened.
    Sigv4,
}

/// What an allocation costs depends on where the heap has holes, by some hundred instructions a call, so each run begins
/// with others.
pub(crate) fn heap_of(run: usize) -> Vec<Vec<u8>> {
    let made: Vec<Vec<u8>> = (1..=run * 97).map(|number| Vec::with_capacity(number * 193 % 4_099)).collect();
    made.into_iter().step_by(2).collect()
}

/// Gives nanoseconds for each time or, of a task that is held to its memory, bytes.
pub(crate) fn run(whose: Whose, task: Task, address: &str, times: u64) -> Result<u64> {
    // One thread: what is counted does not depend on how threads take turns.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if task == Task::Sigv4 {
        return sign(&runtime, times);
    }
    let session = runtime.block_on(Session::builder().endpoint(Endpoint::cassandra(address)?).connect())?;
    match (whose, task) {
        (Whose::Ours, Task::Month) => read_month(&runtime, &session, times),
        // Both are made and live, whichever is used, so that the heap looks the same.
        (whose, _) => {
            let (ours, bare) =
                runtime.block_on(async { futures::try_join!(Ours::new(&session), Bare::new(&session)) })?;
            match whose {
                Whose::Ours => run_on(&runtime, &ours, task, times),
                Whose::Bare => run_on(&runtime, &bare, task, times),
            }
        }
    }
}

fn run_on(runtime: &Runtime, client: &impl Client, task: Task, times: u64) -> Result<u64> {
    match task {
        Task::Insert => {
            let event = Event::sample();
            timed(runtime, times, async |times| {
                for _ in 0..times {
                    client.insert(&event).await?;
                }
                Ok(())
            })
        }
        Task::SelectOne => {
            let key = Event::sample().key();
            timed(runtime, times, async |times| {
                for _ in 0..times {
                    client.select_one(&key).await?;
                }
                Ok(())
            })
        }
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
            // At its highest.
            Ok(resident("VmHWM")?.saturating_sub(before))
        }),
        Task::Month => timed(runtime, times, async |times| {
            for _ in 0..times {
                expect(1, count(client.stream(partition_of(1)).await?).await?)?;
            }
            Ok(())
        }),
        Task::Sigv4 => Err("this is no task for a session".into()),
    }
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
    let answers = Answers::new();
    timed(runtime, times, async |times| {
        for _ in 0..times {
            black_box(answers.answer()?);
        }
        Ok(())
    })
}

/// Nanoseconds for each time.
fn timed(runtime: &Runtime, times: u64, task: impl AsyncFn(u64) -> Result<()>) -> Result<u64> {
    runtime.block_on(task(WARMING_UP.min(times)))?;
    let start = Instant::now();
    counted_by_callgrind(runtime, Box::pin(task(times)))?;
    Ok(u64::try_from(start.elapsed().as_nanos())? / times)
}

/// Callgrind counts while this runs, and knows it by its name: it must not be inlined, and hold no closure, whose name
/// would contain its own. The tasks of a current-thread runtime, those of the driver too, run inside.
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

/// A line of `/proc/self/status`, in bytes.
fn resident(what: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let kilobytes: u64 = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no such line")?.parse()?;
    Ok(kilobytes * 1024)
}
