//! Streams of rows and of pages, many statements in flight together, and scans of whole tables.

mod fan_out;
mod interleaved;
mod pages;
mod paused;
mod raw_pages;
mod resuming;
mod rows;
mod scan;

use keyspaces::{Session, Write};
use keyspaces_local::journal::Kind;

use crate::server::{local, table};

/// Creates a table with the rows `(k, 0..count)` in each of these partitions.
async fn filled(session: &Session, partitions: std::ops::Range<i32>, count: i32) -> String {
    let table = table(session, "k int, c int, v text, PRIMARY KEY (k, c)").await;
    let store: Write<(i32, i32, &'static str)> =
        session.prepare(&format!("INSERT INTO {table} (k, c, v) VALUES (?, ?, ?)")).await.unwrap();
    let rows =
        partitions.flat_map(move |k| (0..count).map(move |c| (k, c, if c % 50 == 0 { "rare" } else { "common" })));
    let mut written = store.execute_each(rows);
    while let Some((_, written)) = futures::StreamExt::next(&mut written).await {
        written.unwrap();
    }
    table
}

/// The number of reads of this table that the local Keyspaces has received; `None` on a plain Cassandra.
async fn reads_received(table: &str) -> Option<usize> {
    let is_read = |text: &str| text.starts_with("SELECT") && text.contains(table);
    let received = local().await?.journal().filter(|request| {
        matches!(request.kind, Kind::Execute | Kind::Query) && request.statement.as_deref().is_some_and(is_read)
    });
    Some(received.len())
}
