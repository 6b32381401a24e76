//! A worker that processes a queue. Each message is a row. It is acknowledged once it is written, and stays in the
//! queue if it cannot be written now.
//!
//! `cargo run --example worker` starts a local Keyspaces. Here the queue is a channel; SQS, Kafka or NATS would be a stream instead.
//! The number of rows in flight is bounded, so a throttled table slows the queue and does not fill the memory.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::error::Error;
use std::num::NonZeroUsize;

use futures::stream;
use keyspaces::{ErrorCategory, Session, Write};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use tokio::sync::mpsc;

/// A message of the queue: a row, and the receipt by which the queue identifies it.
#[keyspaces::row(write)]
#[derive(Clone, Debug)]
struct Message {
    #[scylla(skip)]
    receipt: u64,
    id: i64,
    product: String,
    quantity: i32,
}

/// Writes messages until the queue is closed and empty, and acknowledges those that are done. Returns how many stay in the queue.
async fn work(
    store: &Write<Message>,
    queue: mpsc::Receiver<Message>,
    acknowledge: impl Fn(&Message),
) -> Result<u64, keyspaces::Error> {
    let messages = stream::unfold(queue, |mut queue| async { queue.recv().await.map(|message| (message, queue)) });
    // In the order of completion, so a slow message delays no other.
    let mut written = store.execute_stream(messages).in_flight(IN_FLIGHT).unordered();
    let mut left = 0;
    while let Some((message, result)) = written.next().await {
        match result {
            Ok(()) => acknowledge(&message),
            // The queue delivers it again, because it is not acknowledged. An INSERT may be repeated, whatever its outcome.
            Err(error) if matches!(error.kind().category(), ErrorCategory::Unavailable | ErrorCategory::Unknown) => {
                println!("message {} stays in the queue: {error}", message.receipt);
                left += 1;
            }
            // It can never be written. A real worker moves it to another queue and acknowledges it here.
            Err(error) if error.kind().category() == ErrorCategory::Caller => {
                println!("message {} is wrong: {error}", message.receipt);
                acknowledge(&message);
            }
            // The error affects all messages, so the worker ends.
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

    // The queue holds a hundred messages: its producer waits while the table is busy.
    let (fill, queue) = mpsc::channel(100);
    let filling = tokio::spawn(async move {
        for number in 0..1_000 {
            let message =
                Message { receipt: number, id: i64::try_from(number)?, product: "tea".to_owned(), quantity: 1 };
            // The channel is closed if the worker has ended.
            if fill.send(message).await.is_err() {
                break;
            }
        }
        // The queue ends, as with SIGTERM for a worker: messages in flight are finished, then the worker ends.
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
