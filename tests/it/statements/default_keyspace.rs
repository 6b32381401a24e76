use keyspaces::migrate::Migrations;
use keyspaces::{ErrorKind, Select, Session, Write};

use crate::server;

/// Two keyspaces for one test.
async fn two_keyspaces(session: &Session) -> [String; 2] {
    let keyspaces = [(); 2].map(|()| server::new_keyspace_name());
    for keyspace in &keyspaces {
        server::keyspace(session, keyspace).await;
    }
    keyspaces
}

#[tokio::test]
async fn unqualified_names_resolve_to_the_session_keyspace_in_every_call() {
    let session = server::session().await;
    for keyspace in two_keyspaces(&session).await {
        let session = session.in_keyspace(&keyspace);
        assert_eq!(session.keyspace(), Some(keyspace.as_str()));
        session.define("CREATE TYPE address (street text)").await.unwrap();
        session.define("CREATE TABLE people (id int PRIMARY KEY, home frozen<address>, name text)").await.unwrap();
        session.execute("INSERT INTO people (id, name) VALUES (1, 'Ada')", ()).await.unwrap();
        session.execute("INSERT INTO people (id, name) VALUES (?, ?)", (2, "Bo")).await.unwrap();
        let store: Write<(&str, i32)> = session.prepare("UPDATE people SET name = ? WHERE id = ?").await.unwrap();
        store.execute(("Cy", 3)).await.unwrap();
        let name: Select<(i32,), (String,)> = session.prepare("SELECT name FROM people WHERE id = ?").await.unwrap();
        assert_eq!(name.one((3,)).await.unwrap(), Some(("Cy".to_owned(),)));
        let all: Vec<(i32, String)> =
            session.rows::<(i32, String)>("SELECT id, name FROM people", ()).try_collect().await.unwrap();
        assert_eq!(all.len(), 3, "each keyspace has a table of its own: {all:?}");
        // A qualified name keeps its keyspace, and errors have the qualified name.
        let qualified = format!("SELECT id FROM {keyspace}.people WHERE id = ?");
        let elsewhere = session.in_keyspace("nowhere");
        let _: Vec<(i32,)> = elsewhere.rows::<(i32,)>(&qualified, (1,)).try_collect().await.unwrap();
        let error = elsewhere.execute("DELETE FROM people WHERE id = 1", ()).await.unwrap_err();
        assert!(error.to_string().starts_with("DELETE FROM nowhere.people failed"), "{error}");
    }
    let error = session.prepare::<Select<(), (i32,)>>("SELECT id FROM people").await.unwrap_err();
    assert_eq!((error.kind(), session.keyspace()), (ErrorKind::Refused, None));
}

#[tokio::test]
async fn same_migrations_apply_to_several_keyspaces() {
    let session = server::session().await;
    let files = Migrations::new([(
        "0001_people.cql",
        "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people (id, name) VALUES (1, 'Ada');",
    )])
    .unwrap();
    for keyspace in two_keyspaces(&session).await {
        let applied = session.migrate(&keyspace, &files).without_keyspaces_options_on_cassandra().await.unwrap();
        assert_eq!(applied, ["0001_people.cql"]);
        let rows = session.in_keyspace(&keyspace).rows::<(String,)>("SELECT name FROM people", ());
        let names: Vec<(String,)> = rows.try_collect().await.unwrap();
        assert_eq!(names, [("Ada".to_owned(),)]);
    }
}
