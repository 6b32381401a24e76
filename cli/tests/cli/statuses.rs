//! The exit status of each kind of failure.

use keyspaces_local::fault::{Effect, Fault, Moment};

use crate::service::{Folder, service};

#[tokio::test]
async fn each_exit_status_is_produced_by_a_command() {
    let folder = Folder::new();
    folder.write("clean.cql", "CREATE TABLE shop.t (id int PRIMARY KEY);");
    folder.write("wrong.cql", "CREATE INDEX ON shop.t (v);");
    folder.write("not.csv", "no ready file");
    let mut nobody = service().await.ready().clone();
    nobody.credentials = nobody.without_permissions.clone();
    folder.write("nobody.json", nobody.json());
    let mut stranger = service().await.ready().clone();
    stranger.credentials.secret_key = "wrong".to_owned();
    folder.write("stranger.json", stranger.json());
    let cases: &[(&[&str], i32)] = &[
        (&["lint", "clean.cql"], 0),
        (&["ping"], 0),
        (&["diagnose"], 0),
        (&["lint", "wrong.cql"], 1),
        (&["diagnose", "--cassandra", "127.0.0.1:1"], 1),
        (&["lint", "clean.cql", "nothing.cql"], 2),
        (&["lint", "wrong.cql", "nothing.cql"], 2),
        (&["lint"], 2),
        (&["nothing"], 2),
        (&["ping", "--local", "not.csv"], 2),
        (&["ping", "--local", "ready.json", "--cassandra", "127.0.0.1"], 2),
        (&["apply", "clean.cql"], 2),
        (&["load", "program.answers", "nothing.csv"], 2),
        (&["query", "SELECT"], 3),
        (&["query", "CREATE INDEX ON program.answers (v)"], 3),
        (&["describe", "statuses_nothing"], 3),
        (&["ping", "--local", "stranger.json"], 4),
        (&["--local", "stranger.json", "ping"], 4),
        (
            &[
                "query",
                "CREATE KEYSPACE nobodys WITH replication = {'class': 'SingleRegionStrategy'}",
                "--local",
                "nobody.json",
            ],
            4,
        ),
        (&["metrics", "shop.t", "--local", "nobody.json"], 4),
        (&["ping", "--cassandra", "127.0.0.1:1"], 5),
        (&["query", "SELECT id FROM statuses_nothing.t"], 5),
    ];
    for (arguments, status) in cases {
        let finished = folder.run(arguments).await;
        assert_eq!(finished.status, Some(*status), "{arguments:?}: {finished:?}");
    }
}

#[tokio::test]
async fn increment_with_lost_response_is_unknown() {
    let folder = Folder::new();
    let fault = Fault::new(Effect::Close(Moment::After)).containing("UPDATE program.lost").times(1);
    // Only EXECUTE is to fail; PREPARE contains the same text.
    let faults = service().await.faults();
    faults.inject(fault.kind(keyspaces_local::journal::Kind::Execute));
    let finished = folder.run(&["query", "UPDATE program.lost SET n = n + 1 WHERE id = 1"]).await;
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(6), ""), "{finished:?}");
    let read = folder.run(&["query", "--format", "jsonl", "SELECT n FROM program.lost WHERE id = 1"]).await;
    assert_eq!(read.stdout, "{\"n\":1}\n", "{read:?}");
}
