//! Operations that are interrupted at any step and continue when they are called again.

use std::future::{Future, IntoFuture, poll_fn};
use std::num::{NonZeroU64, NonZeroUsize};
use std::pin::pin;
use std::task::Poll;

use keyspaces::bulk::{Csv, Format, Input, JsonLines, Output, Summary};
use keyspaces::{Endpoint, Error, Session};

use super::{Folder, read, rows, split_name};
use crate::server;

const ROWS: u64 = 300;

/// Polls a future this number of times, then drops it.
async fn poll_times<F: Future>(future: F, mut polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Interrupts an operation at its first step, then at its second, and so on, until it completes.
async fn run_in_steps<T: IntoFuture<Output = Result<Summary, Error>>>(begin: impl Fn() -> T) -> Summary {
    let mut polls = 1;
    loop {
        match poll_times(begin().into_future(), polls).await {
            None => polls += 1 + polls / 10,
            Some(Ok(summary)) => return summary,
            // A thread of the previous run has not ended yet.
            Some(Err(error)) if error.to_string().contains("another program uses it") => {}
            Some(Err(error)) => panic!("after {polls} polls: {error}"),
        }
    }
}

#[tokio::test]
async fn load_resumes_after_interruption_at_any_step() {
    let session = server::session().await;
    let folder = Folder::new();
    let csv: String = (0..ROWS).map(|id| if id % 50 == 7 { format!("no {id}\n") } else { format!("{id}\n") }).collect();
    let json: String = csv.lines().map(|id| format!("{{\"id\": \"{id}\"}}\n")).collect();
    for (name, text, format) in
        [("csv", format!("id\n{csv}"), Format::from(Csv::new())), ("json", json, JsonLines::new().into())]
    {
        let table = server::table(&session, "id int PRIMARY KEY").await;
        let (keyspace, table_name) = split_name(&table);
        let path = folder.write(name, &text);
        let rejected = folder.path(&format!("{name}.rejected"));
        let summary = run_in_steps(|| {
            let load = session.bulk().load(keyspace, table_name, Input::file(&path), format.clone());
            let load = load.checkpoint(folder.path(&format!("{name}.state"))).rejected_file(&rejected);
            load.shuffle(NonZeroUsize::new(20).unwrap()).in_flight(NonZeroUsize::new(10).unwrap())
        });
        let summary = summary.await;
        assert_eq!((summary.rows, summary.rejected, summary.is_complete), (ROWS - 6, 6, true));
        assert_eq!(rows(&session, &table).await.len() as u64, ROWS - 6);
        assert_eq!(read(&rejected).matches("#!keyspaces ").count(), 6);
    }
}

#[tokio::test]
async fn export_interrupted_at_any_step_resumes() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = filled(&session).await;
    let (keyspace, name) = split_name(&table);
    let summary = run_in_steps(|| {
        let output = Output::file(folder.path("rows.csv.gz")).rows_per_file(NonZeroU64::new(40).unwrap());
        session.bulk().export(keyspace, name, output, Csv::new()).checkpoint(folder.path("state"))
    });
    assert_eq!(summary.await.rows, ROWS);
    let again = server::table(&session, "id int PRIMARY KEY").await;
    let input = Input::glob(folder.path("rows-*.csv.gz").to_str().unwrap()).unwrap();
    let (keyspace, name) = split_name(&again);
    // The number of rows shows that each was exported once.
    assert_eq!(session.bulk().load(keyspace, name, input, Csv::new()).await.unwrap().rows, ROWS);
    assert_eq!(rows(&session, &again).await, rows(&session, &table).await);
}

#[cfg(feature = "parquet")]
#[tokio::test]
async fn parquet_export_and_load_resume_after_an_interrupt_at_any_step() {
    use keyspaces::bulk::Parquet;

    let session = server::session().await;
    let folder = Folder::new();
    let table = filled(&session).await;
    let (keyspace, name) = split_name(&table);
    let summary = run_in_steps(|| {
        let output = Output::file(folder.path("rows.parquet")).rows_per_file(NonZeroU64::new(110).unwrap());
        session.bulk().export(keyspace, name, output, Parquet::new()).checkpoint(folder.path("export"))
    });
    assert_eq!(summary.await.rows, ROWS);
    let mut files: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["export", "export.lock", "rows-00001.parquet", "rows-00002.parquet", "rows-00003.parquet"]);
    // Some of the numbers are too large for this table.
    let small = server::table(&session, "id tinyint PRIMARY KEY").await;
    let (keyspace, name) = split_name(&small);
    let rejected = folder.path("rejected.jsonl");
    let summary = run_in_steps(|| {
        let input = Input::glob(folder.path("rows-*.parquet").to_str().unwrap()).unwrap();
        let load = session.bulk().load(keyspace, name, input, Parquet::new()).checkpoint(folder.path("load"));
        let load = load.rejected_file(&rejected).max_rejected(ROWS);
        load.shuffle(NonZeroUsize::new(20).unwrap()).in_flight(NonZeroUsize::new(10).unwrap())
    });
    let summary = summary.await;
    assert_eq!((summary.rows, summary.rejected, summary.is_complete), (128, ROWS - 128, true));
    assert_eq!(rows(&session, &small).await.len(), 128);
    // This table takes all numbers.
    let (keyspace, name) = split_name(&table);
    session.bulk().load(keyspace, name, Input::file(&rejected), JsonLines::new()).await.unwrap();
    let text = read(&rejected);
    assert_eq!(text.matches("\"row\":").count() as u64, ROWS - 128, "{text}");
    assert_eq!(text.matches(" is not a valid tinyint").count() as u64, ROWS - 128, "{text}");
    assert_eq!(rows(&session, &table).await.len() as u64, ROWS);
}

async fn filled(session: &Session) -> String {
    let table = server::table(session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let ids = futures::stream::iter((0..i32::try_from(ROWS).unwrap()).map(|id| (id,)));
    assert_eq!(session.bulk().load_rows(keyspace, name, ids).columns(["id"]).await.unwrap().rows, ROWS);
    table
}

#[tokio::test]
async fn copy_from_cassandra_resumes_after_interruption_at_any_step() {
    let Some(local) = server::local().await else { return };
    let session = server::session().await;
    let folder = Folder::new();
    let endpoint = Endpoint::cassandra(local.cassandra_address().to_string()).unwrap();
    let cassandra = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let keyspace = format!("copied_{}", uuid::Uuid::new_v4().simple());
    let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    cassandra.define(&format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}")).await.unwrap();
    cassandra.define(&format!("CREATE TABLE {keyspace}.names (id text PRIMARY KEY, name text)")).await.unwrap();
    let given = futures::stream::iter((0..ROWS - 1).map(|id| (id.to_string(), format!("the name of {id}"))));
    cassandra.bulk().load_rows(&keyspace, "names", given).columns(["id", "name"]).await.unwrap();
    // Cassandra takes longer keys than Keyspaces does.
    let long = "k".repeat(3_000);
    cassandra.execute(&format!("INSERT INTO {keyspace}.names (id, name) VALUES ('{long}', '')"), ()).await.unwrap();
    let table = server::table(&session, "id text PRIMARY KEY, name text").await;
    let rejected = folder.path("rejected.jsonl");
    let summary = run_in_steps(|| {
        let copy = cassandra.bulk().copy((&keyspace, "names"), &session, split_name(&table));
        copy.checkpoint(folder.path("state")).rejected_file(&rejected)
    });
    let summary = summary.await;
    assert_eq!((summary.rows, summary.rejected, summary.is_complete), (ROWS - 1, 1, true));
    // The summary has only rejections of the last run, which may have none.
    assert!(read(&rejected).contains("makes a partition key of 3000 bytes, and Keyspaces takes at most 2048"));
    assert!(read(&rejected).ends_with(&format!("{{\"id\": \"{long}\", \"name\": \"\"}}\n")));
    assert_eq!(read(&rejected).lines().count(), 2);
    let loaded = rows(&session, &table).await;
    assert_eq!(loaded.len() as u64, ROWS - 1);
    assert!(loaded.contains(&r#"{"id": Some(Text("7")), "name": Some(Text("the name of 7"))}"#.to_owned()));
    // Cleans up for later runs. The test has passed, so an error does not matter.
    drop(cassandra.define(&format!("DROP KEYSPACE {keyspace}")).await);
}
