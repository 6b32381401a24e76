//! Separate processes: this test binary starts itself, and kills the processes that it started.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keyspaces::migrate::Migrations;
use keyspaces_local::Local;

use super::{recorded, rows};
use crate::local;

/// The variable with the parameters of the programs.
const PARAMETERS: &str = "KEYSPACES_TEST_MIGRATE";

/// The name of the test below. In a process that it started, the same test is the program.
const TEST: &str = "migrate::processes::concurrent_migrations_apply_each_file_once_although_one_is_killed";

fn files() -> Migrations {
    let file = |number: usize| {
        let table = format!("shop.t{number}");
        let text = format!(
            "CREATE TABLE {table} (id int PRIMARY KEY);\nINSERT INTO {table} (id) VALUES (1);\n\
             ALTER TABLE {table} ADD note text;\nINSERT INTO {table} (id, note) VALUES (2, 'b');"
        );
        (format!("{number:04}_table.cql"), text)
    };
    Migrations::new((1..=5).map(file)).unwrap()
}

/// The program that each process runs.
async fn program(known: &str) {
    let session = local::connect_with(known).await;
    let files = files();
    let migrate = session.migrate("shop", &files).lease(Duration::from_secs(5)).clock_skew(Duration::from_secs(1));
    migrate.await.unwrap();
}

fn start(local: &Local) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", TEST, "--nocapture"]).env(PARAMETERS, local::connection_parameters(local));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Waits until the service has received this number of definitions from all programs together.
async fn definitions(local: &Local, at_least: usize) {
    let begun = Instant::now();
    while local.journal().containing("CREATE TABLE shop.t").len() < at_least {
        assert!(begun.elapsed() < Duration::from_secs(120), "no definitions came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_migrations_apply_each_file_once_although_one_is_killed() {
    if let Ok(known) = std::env::var(PARAMETERS) {
        return program(&known).await;
    }
    let local = Local::builder().ddl_delay(Duration::from_millis(300)).start().await.unwrap();
    let (mut one, mut other) = (start(&local), start(&local));
    definitions(&local, 2).await;
    // The killed program may be the one that applies files or one that waits; SIGKILL ends either.
    one.kill().unwrap();
    one.wait().unwrap();
    // Then kills the program that applies files.
    definitions(&local, 4).await;
    other.kill().unwrap();
    other.wait().unwrap();
    let last = tokio::task::spawn_blocking({
        let mut last = start(&local);
        move || last.wait().unwrap()
    });
    assert!(last.await.unwrap().success());
    let session = local::signed(&local).connect().await.unwrap();
    let names: Vec<_> = files().iter().map(|file| file.file().to_owned()).collect();
    assert_eq!(recorded(&session).await, names);
    for number in 1..=5 {
        let history =
            "SELECT event FROM system_schema_mcs.tables_history WHERE keyspace_name = 'shop' AND table_name = ?";
        let events = session.rows::<(String,)>(history, (format!("t{number}"),)).try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(events.len(), 2, "it was created once and changed once: {events:?}");
        assert_eq!(rows(&session, &format!("shop.t{number}")).await.len(), 2);
    }
    local.close().await.unwrap();
}
