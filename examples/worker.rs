//! A worker that drains a queue: each message is a row, which is acknowledged when it is written, and left in the queue when
//! it cannot be written now.
//!
//! `cargo run --example worker` starts a local Keyspaces. The queue is a channel here; one of SQS, Kafka or NATS is a stream
//! in the same place. A bounded number of rows is in flight, so a throttled table holds up the queue, not memory.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::error::Error;
use std::num::NonZeroUsize;

use futures::stream;
use keyspaces::{ErrorCategory, Session, Write};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use tokio::sync::mpsc;

/// A message of the queue: a row, and what the queue knows it by.
#[keyspaces::row(write)]
#[derive(Clone, Debug)]
struct Message {
    #[scylla(skip)]
    receipt: u64,
    id: i64,
    product: String,
    quantity: i32,
}

/// Writes messages until the queue is closed and empty, and tells the queue which are done.
async fn work(
    store: &Write<Message>,
    queue: mpsc::Receiver<Message>,
    acknowledge: impl Fn(&Message),
) -> Result<u64, keyspaces::Error> {
    let messages = stream::unfold(queue, |mut queue| async { queue.recv().await.map(|message| (message, queue)) });
    // As they come: a message that takes long holds up no other.
    let mut written = store.execute_stream(messages).in_flight(IN_FLIGHT).as_they_come();
    let mut left = 0;
    while let Some((message, result)) = written.next().await {
        match result {
            Ok(()) => acknowledge(&message),
            // Not acknowledged, the queue gives it again. An INSERT may be repeated, whatever became of this one.
            Err(error) if matches!(error.kind().category(), ErrorCategory::NotNow | ErrorCategory::Unknown) => {
                println!("message {} stays in the queue: {error}", message.receipt);
                left += 1;
            }
            // It can never be written: a real worker moves it to a queue of its own and acknowledges it here.
            Err(error) if error.kind().category() == ErrorCategory::Caller => {
                println!("message {} is wrong: {error}", message.receipt);
                acknowledge(&message);
            }
            // Wrong for all messages alike: end, so that somebody looks.
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

const IN_FLIGHT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Starting a local Keyspaces ...");
    let local = Local::builder().start().await?;
    let session = keyspaces_testing::new_keyspace(&Session::builder().local(&local)?.connect().await?).await?;
    session.define("CREATE TABLE orders (id bigint PRIMARY KEY, product text, quantity int)").await?;
    let store: Write<Message> = session.prepare("INSERT INTO orders (id, product, quantity) VALUES (?, ?, ?)").await?;

    // The queue holds a hundred: who fills it waits while the table is busy.
    let (fill, queue) = mpsc::channel(100);
    let filling = tokio::spawn(async move {
        for number in 0..1_000 {
            let message =
                Message { receipt: number, id: i64::try_from(number)?, product: "tea".to_owned(), quantity: 1 };
            // It is closed where the worker has ended.
            if fill.send(message).await.is_err() {
                break;
            }
        }
        // The end of the queue, as SIGTERM is for a worker: what is in flight is finished, then it ends.
        Ok::<_, std::num::TryFromIntError>(())
    });
    let acknowledged = std::sync::atomic::AtomicU64::new(0);
    let left = work(&store, queue, |_| {
        acknowledged.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    })
    .await?;
    filling.await??;
    println!("{} messages are stored and acknowledged, {left} are left", acknowledged.into_inner());
    session.close(std::time::Duration::from_secs(10)).await?;
    local.close().await?;
    Ok(())
}
