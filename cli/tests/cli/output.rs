//! Standard output contains the result and nothing else.

use std::fs;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::service::{Finished, Folder};

#[tokio::test]
async fn standard_output_has_only_the_result() {
    let folder = Folder::new();
    folder.write("rows.csv", "id,n,v\n1,1,\"a \"\"b\"\"\"\n1,2,\n");
    let load = folder.run(&["load", "program.answers", "rows.csv", "--format", "json"]).await;
    let summary: serde_json::Value = serde_json::from_str(&load.stdout).unwrap();
    assert_eq!((&summary["rows"], &summary["complete"]), (&2.into(), &true.into()), "{load:?}");
    let select = "SELECT id, n, v FROM program.answers WHERE id = 1";
    let cases: &[(&[&str], &str)] = &[
        (&["count", "program.answers", "--where", "id = 1"], "2\n"),
        (&["query", "--format", "csv", select], "id,n,v\n1,1,\"a \"\"b\"\"\"\n1,2,\n"),
        (
            &["query", "--format", "jsonl", select],
            "{\"id\":1,\"n\":1,\"v\":\"a \\\"b\\\"\"}\n{\"id\":1,\"n\":2,\"v\":null}\n",
        ),
        (&["query", "--format", "csv", "SELECT id, v AS \"a,b\" FROM program.answers WHERE id = 9"], "id,\"a,b\"\n"),
        (&["query", "--format", "json", "SELECT id FROM program.answers WHERE id = 9"], "[]\n"),
        (&["query", select, "--limit", "1"], "id | n | v\n---+---+------\n1  | 1 | a \"b\"\n"),
        (&["query", "INSERT INTO program.answers (id, n) VALUES (2, 1)"], ""),
        (
            &["query", "INSERT INTO program.answers (id, n) VALUES (2, 1) IF NOT EXISTS", "--format", "csv"],
            "id,n,v\n2,1,\n",
        ),
        (&["export", "program.answers", "-", "--data-format", "csv", "--where", "id = 2"], "id,n,v\n2,1,\n"),
    ];
    for (arguments, stdout) in cases {
        let finished = folder.run(arguments).await;
        assert_eq!(finished.stdout, *stdout, "{arguments:?}: {finished:?}");
        assert!(!finished.stderr.contains('\u{1b}'), "colour or progress without a terminal: {finished:?}");
    }
}

/// A reader such as `head` closes the pipe. The table has more pages than the pipe can buffer.
#[tokio::test]
async fn query_stops_when_its_output_pipe_is_closed() {
    let folder = Folder::new();
    let rows: String = (0..20_000).map(|n| format!("{n},{}\n", "x".repeat(50))).collect();
    folder.write("rows.csv", format!("id,v\n{rows}"));
    assert_eq!(folder.run(&["load", "program.long_answers", "rows.csv"]).await.status, Some(0));
    let mut command = folder.command(&["query", "--format", "csv", "SELECT * FROM program.long_answers"]).await;
    let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(running.stdout.take().unwrap());
    reader.read_line(&mut String::new()).await.unwrap();
    drop(reader);
    let finished = Finished::from(running.wait_with_output().await.unwrap());
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let read: usize = finished.stderr.split(' ').next().unwrap().parse().unwrap();
    assert!(read < 20_000, "{finished:?}");
}

#[tokio::test]
async fn file_format_options_apply_to_load_and_export() {
    let folder = Folder::new();
    folder.write("copied.csv", "7;1;NULL\n7;2;a b\n");
    let form = ["--data-format", "cqlsh", "--columns", "id,n,v", "--delimiter", ";", "--null", "NULL"];
    let load = folder.run(&[&["load", "program.answers", "copied*.csv"], &form[..]].concat()).await;
    assert_eq!(load.status, Some(0), "{load:?}");
    let form = ["--rows-per-file", "1", "--delimiter", "\\t", "--null", "-"];
    let export = ["export", "program.answers", "out.csv", "--where", "id = 7"];
    let export = folder.run(&[&export[..], &form[..]].concat()).await;
    assert_eq!(export.status, Some(0), "{export:?}");
    let written = ["out-00001.csv", "out-00002.csv"].map(|name| fs::read_to_string(folder.path(name)).unwrap());
    assert_eq!(written, ["id\tn\tv\n7\t1\t-\n", "id\tn\tv\n7\t2\ta b\n"]);
}

/// Background tasks of the driver end silently with the program. The test repeats, because they are running at exit only by
/// chance.
#[tokio::test]
async fn background_tasks_print_nothing_at_exit() {
    let folder = Folder::new();
    for _ in 0..10 {
        let ping = folder.run(&["ping"]).await;
        assert_eq!((ping.status, &*ping.stderr), (Some(0), ""), "{ping:?}");
    }
}
