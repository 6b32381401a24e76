//! `keyspaces local`, as `docs/local.md` shows it.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::service::{Finished, Folder, interrupt, service};

const SCHEMA: &str = "\
CREATE KEYSPACE shop WITH replication = {'class': 'SingleRegionStrategy'};
CREATE TABLE shop.products (id int PRIMARY KEY, name text);";

#[tokio::test]
async fn local_command_loads_schema_and_rows_and_ends_on_ctrl_c() {
    let folder = Folder::new();
    folder.write("shop.cql", SCHEMA);
    folder.write("products.jsonl", "{\"id\": 1, \"name\": \"Tea\"}\n{\"id\": 2, \"name\": \"Coffee\"}\n");
    let page = include_str!("../../docs/local.md");
    let shown: Vec<&str> = page.split("```text\n$ keyspaces ").skip(1).collect();
    let [start, count] = shown[..] else { panic!("two transcripts") };
    let (start, expected_stderr) = start.split_once(" &\n").unwrap();
    let expected_stderr = expected_stderr.split_once("```").unwrap().0;

    let mut command = folder.command(&start.split(' ').collect::<Vec<_>>()).await;
    // The started service uses the Cassandra of the shared service, in a namespace of its own.
    command.env("KEYSPACES_LOCAL_CASSANDRA", service().await.ready().cassandra.to_string());
    let mut running = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    assert_eq!(line, std::fs::read_to_string(folder.path("ready.json")).unwrap());

    let (count, answer) = count.split_once('\n').unwrap();
    let counted = folder.run(&count.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(counted.stdout, answer.split_once("```").unwrap().0, "{counted:?}");

    interrupt(&running);
    let mut stderr = String::new();
    running.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
    assert_eq!(running.wait().await.unwrap().code(), Some(0), "{stderr}");
    assert!(!folder.path("ready.json").exists());
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = ready["port"].to_string();
    assert_eq!(stderr.replace(&format!("localhost:{port}"), "localhost:[..]"), expected_stderr);
}

#[tokio::test]
async fn local_command_exits_if_its_rows_cannot_be_loaded() {
    let folder = Folder::new();
    folder.write("shop.cql", SCHEMA);
    folder.write("products.csv", "id,name\nthree,Milk\n");
    let arguments = ["local", "--port", "0", "--schema", "shop.cql", "--load", "shop.products=products.csv"];
    let mut command = folder.command(&arguments).await;
    command.env("KEYSPACES_LOCAL_CASSANDRA", service().await.ready().cassandra.to_string());
    let finished = Finished::from(command.output().await.unwrap());
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(3), ""), "{finished:?}");
    assert!(finished.stderr.contains("products.csv, line 2: the column id (int): "), "{finished:?}");
}
