//! A program that is frozen, as AWS Lambda freezes one between two invocations, and whose connections are closed
//! meanwhile.

use std::process::Stdio;
use std::time::Duration;

use keyspaces::Select;
use keyspaces_local::Local;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::local;

/// The variable that tells the program how to connect.
const CONNECTION: &str = "KEYSPACES_TEST_FROZEN";

/// The name of the test below. The test starts its own executable for this test only, with the variable set; there it
/// is the program.
const TEST: &str = "frozen::first_call_succeeds_after_the_process_was_suspended";

/// Makes a call for each line of standard input, and prints the result.
#[expect(clippy::print_stdout, reason = "the test reads it")]
async fn program(known: &str) {
    let session = local::connect_with(known).await;
    let read: Select<(), (String,)> = session.prepare("SELECT cluster_name FROM system.local").await.unwrap();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await.unwrap().is_some() {
        match read.one(()).await {
            Ok(row) => println!("served: {row:?}"),
            Err(error) => println!("served: {error}"),
        }
    }
}

/// Returns the next result that the program prints, without the lines of the test harness.
async fn next_result(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    loop {
        let line = lines.next_line().await.unwrap().expect("it runs");
        // The harness prints the start of the first line.
        if let Some((_, served)) = line.split_once("served: ") {
            return served.to_owned();
        }
    }
}

#[tokio::test]
async fn first_call_succeeds_after_the_process_was_suspended() {
    if let Ok(known) = std::env::var(CONNECTION) {
        return program(&known).await;
    }
    let local = Local::builder().peers(3).start().await.unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", TEST, "--nocapture"])
        .env(CONNECTION, local::connection_parameters(&local))
        .kill_on_drop(true);
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut ask, mut answers) =
        (program.stdin.take().unwrap(), BufReader::new(program.stdout.take().unwrap()).lines());
    let id = program.id().unwrap().to_string();
    let signal = async |name: &str| {
        assert!(Command::new("kill").args([name, id.as_str()]).status().await.unwrap().success());
    };
    ask.write_all(b"\n").await.unwrap();
    let row = r#"Some(("Amazon Keyspaces",))"#;
    assert_eq!(next_result(&mut answers).await, row);

    signal("-STOP").await;
    local.close_connections().await.unwrap();
    // The time for which the program is frozen.
    tokio::time::sleep(Duration::from_secs(20)).await;
    ask.write_all(b"\n").await.unwrap();
    signal("-CONT").await;
    assert_eq!(next_result(&mut answers).await, row);

    drop(ask);
    assert!(program.wait().await.unwrap().success());
    local.close().await.unwrap();
}
