//! Ctrl-C and SIGKILL while rows are loaded.

use std::fmt::Write;
use std::time::Duration;

use tokio::process::Child;

use crate::service::{Finished, Folder, interrupt};

const ROWS: usize = 600;

/// A folder with rows to load.
pub(crate) fn rows_to_load() -> Folder {
    let folder = Folder::new();
    let mut rows = "id,v\n".to_owned();
    (0..ROWS).for_each(|id| writeln!(rows, "{id},value {id}").unwrap());
    folder.write("rows.csv", rows);
    folder
}

/// Starts a load that is slow enough to be running still when its first checkpoint has been written.
async fn slow_load(folder: &Folder, table: &str) -> Child {
    let load = ["load", table, "rows.csv", "--checkpoint", "t.load", "--rate", "60"];
    let running = folder.command(&load).await.spawn().unwrap();
    let began = tokio::time::Instant::now();
    while !folder.path("t.load").exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "no checkpoint was written");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running
}

async fn load_rest(folder: &Folder, table: &str) {
    let rest = folder.run(&["load", table, "rows.csv", "--checkpoint", "t.load"]).await;
    assert_eq!(rest.status, Some(0), "{rest:?}");
    assert!(rest.stdout.starts_with("complete: 600 rows, 0 rejected"), "{rest:?}");
    let counted = folder.run(&["count", table]).await;
    assert_eq!(counted.stdout, "600\n", "{counted:?}");
}

#[tokio::test]
async fn ctrl_c_leaves_a_checkpoint_and_says_how_to_resume() {
    let folder = rows_to_load();
    let running = slow_load(&folder, "program.interrupted").await;
    interrupt(&running);
    let finished = Finished::from(running.wait_with_output().await.unwrap());
    assert_eq!(finished.status, Some(130), "{finished:?}");
    let stopping = "stopping: waiting for the rows that were sent. Press Ctrl-C again to stop at once\n";
    assert_eq!(finished.stderr, stopping, "{finished:?}");
    assert!(finished.stdout.starts_with("stopped: "), "{finished:?}");
    assert!(
        finished.stdout.ends_with("\nto resume: run the same operation again with the checkpoint t.load\n"),
        "{finished:?}"
    );
    load_rest(&folder, "program.interrupted").await;
}

#[tokio::test]
async fn a_killed_load_resumes() {
    let folder = rows_to_load();
    let mut running = slow_load(&folder, "program.killed").await;
    running.kill().await.unwrap();
    load_rest(&folder, "program.killed").await;
}

#[tokio::test]
async fn ctrl_c_without_a_checkpoint_explains_that_resuming_needs_one() {
    let folder = rows_to_load();
    let mut command = folder.command(&["load", "program.unkept", "rows.csv", "--rate", "1"]).await;
    let running = command.spawn().unwrap();
    // The load has begun once the table has rows.
    let began = tokio::time::Instant::now();
    while folder.run(&["count", "program.unkept"]).await.stdout == "0\n" {
        assert!(began.elapsed() < Duration::from_secs(60), "no row was loaded");
    }
    interrupt(&running);
    let finished = Finished::from(running.wait_with_output().await.unwrap());
    assert_eq!(finished.status, Some(130), "{finished:?}");
    assert!(finished.stderr.ends_with("cannot be resumed: that needs --checkpoint FILE\n"), "{finished:?}");
}
