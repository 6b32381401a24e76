//! Separate processes: this test binary starts itself, and kills the processes that it started.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keyspaces::Session;
use keyspaces::bulk::{Csv, Export, Input, Load, Output, Rate, Summary};

use super::{Folder, rows, split_name};
use crate::{local, server};

/// The variable with the parameters of the program: the folder, the table, and then those of [`local::connection_parameters`].
const PARAMETERS: &str = "KEYSPACES_TEST_BULK";

/// The names of the tests below. In a process that a test started, the same test is the program.
const LOAD: &str = "bulk::killed::a_load_that_is_killed_three_times_loads_every_row";
const EXPORT: &str = "bulk::killed::export_killed_twice_contains_each_row_once";

const ROWS: u64 = 3_000;

fn load(session: &Session, folder: &Path, table: &str) -> Load {
    let (keyspace, name) = split_name(table);
    let load = session.bulk().load(keyspace, name, Input::file(folder.join("rows.csv.gz")), Csv::new());
    let load = load.checkpoint(folder.join("state")).rejected_file(folder.join("rejected.csv"));
    load.shuffle(NonZeroUsize::new(500).unwrap()).rate(Rate::Units(NonZeroU32::new(500).unwrap()))
}

fn export(session: &Session, folder: &Path, table: &str) -> Export {
    let (keyspace, name) = split_name(table);
    let output = Output::file(folder.join("rows.csv.zst")).rows_per_file(NonZeroU64::new(500).unwrap());
    session.bulk().export(keyspace, name, output, Csv::new()).checkpoint(folder.join("state"))
}

fn start(test: &str, folder: &Path, table: &str, known: &str) -> Child {
    let known = format!("{}\n{table}\n{known}", folder.display());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(PARAMETERS, known);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Waits until the checkpoint has more than `before` rows.
fn wait_for_progress(folder: &Path, before: u64) -> u64 {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(folder.join("state")).unwrap_or_default();
        let done = text.split_once("\"rows\":").and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
        if let Some(done) = done.filter(|done| *done > before) {
            return done;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not go on from {before} rows");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_load_that_is_killed_three_times_loads_every_row() {
    if let Ok(known) = std::env::var(PARAMETERS) {
        let parts: Vec<_> = known.splitn(3, '\n').collect();
        let session = local::connect_with(parts[2]).await;
        let _: Summary = load(&session, Path::new(parts[0]), parts[1]).await.unwrap();
        return;
    }
    let Some(local) = server::local().await else { return };
    let session = server::session().await;
    let table = server::table(&session, "id bigint PRIMARY KEY, name text").await;
    let folder = Folder::new();
    let mut text = "id,name\n".to_owned();
    for id in 0..ROWS {
        // One row of a hundred is rejected.
        let id = if id % 100 == 50 { format!("no {id}") } else { id.to_string() };
        text.push_str(&format!("{id},\"the name\nof {id}\"\n"));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    folder.write("rows.csv.gz", gzip.finish().unwrap());
    let mut done = 0;
    for _ in 0..3 {
        let mut child = start(LOAD, &folder.0, &table, &local::connection_parameters(local));
        done = wait_for_progress(&folder.0, done);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(done < ROWS, "nothing was left to be killed");
    let summary = load(&session, &folder.0, &table).await.unwrap();
    assert_eq!((summary.rows, summary.rejected, summary.is_complete), (ROWS - ROWS / 100, ROWS / 100, true));
    let loaded = rows(&session, &table).await;
    assert_eq!(loaded.len() as u64, ROWS - ROWS / 100);
    assert!(loaded.contains(&r#"{"id": Some(BigInt(7)), "name": Some(Text("the name\nof 7"))}"#.to_owned()));
    // No row was rejected twice, however often the program was killed.
    let rejected = super::read(&folder.path("rejected.csv"));
    assert_eq!(rejected.matches("#!keyspaces ").count() as u64, ROWS / 100);
}

#[tokio::test]
async fn export_killed_twice_contains_each_row_once() {
    if let Ok(known) = std::env::var(PARAMETERS) {
        let parts: Vec<_> = known.splitn(3, '\n').collect();
        let session = local::connect_with(parts[2]).await;
        // The table is read in 256 ranges, each of which costs at least one unit, and a checkpoint is written every five seconds.
        let export = export(&session, Path::new(parts[0]), parts[1]).rate(Rate::Units(NonZeroU32::new(20).unwrap()));
        let _: Summary = export.await.unwrap();
        return;
    }
    let Some(local) = server::local().await else { return };
    let session = server::session().await;
    let table = server::table(&session, "id bigint PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let ids = futures::stream::iter((0..i64::try_from(ROWS).unwrap()).map(|id| (id,)));
    session.bulk().load_rows(keyspace, name, ids).columns(["id"]).await.unwrap();
    let folder = Folder::new();
    let mut done = 0;
    for _ in 0..2 {
        let mut child = start(EXPORT, &folder.0, &table, &local::connection_parameters(local));
        done = wait_for_progress(&folder.0, done);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(done < ROWS, "nothing was left to be killed");
    let summary = export(&session, &folder.0, &table).await.unwrap();
    assert_eq!((summary.rows, summary.is_complete), (ROWS, true));
    let again = server::table(&session, "id bigint PRIMARY KEY").await;
    let input = Input::glob(folder.path("rows-*.csv.zst").to_str().unwrap()).unwrap();
    let (keyspace, name) = split_name(&again);
    // The number of rows shows that each was exported once.
    assert_eq!(session.bulk().load(keyspace, name, input, Csv::new()).await.unwrap().rows, ROWS);
    assert_eq!(rows(&session, &again).await, rows(&session, &table).await);
}
