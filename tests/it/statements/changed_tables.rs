use std::time::Duration;

use keyspaces::{Conditional, DeserializeRow, ErrorKind, Outcome, Row, Select, Session, Write};

use crate::local::{prompt, signed};
use crate::server;

#[derive(Debug, DeserializeRow, PartialEq)]
#[scylla(crate = keyspaces)]
struct Person {
    id: i32,
    name: Option<String>,
}

#[derive(Debug, DeserializeRow, PartialEq)]
#[scylla(crate = keyspaces)]
struct Reachable {
    id: i32,
    name: Option<String>,
    email: Option<String>,
}

/// Two sessions, as two programs have them.
async fn two_programs() -> (Session, Session) {
    (server::session().await, server::session().await)
}

#[tokio::test]
async fn a_column_that_another_program_adds_breaks_no_select_of_all_columns() {
    let (session, other) = two_programs().await;
    let table = server::table(&session, "id int PRIMARY KEY, name text").await;
    session.execute(&format!("INSERT INTO {table} (id, name) VALUES (1, 'Ada')"), ()).await.unwrap();
    let all = format!("SELECT * FROM {table} WHERE id = ?");
    let before: Select<(i32,), Person> = session.prepare(&all).await.unwrap();
    let as_tuple: Select<(i32,), (i32, Option<String>)> = session.prepare(&all).await.unwrap();
    other.define(&format!("ALTER TABLE {table} ADD email text")).await.unwrap();
    other.execute(&format!("UPDATE {table} SET email = 'ada@example.com' WHERE id = 1"), ()).await.unwrap();

    let ada = || Person { id: 1, name: Some("Ada".to_owned()) };
    assert_eq!(before.one((1,)).await.unwrap(), Some(ada()));
    assert_eq!(before.first((1,)).await.unwrap(), Some(ada()));
    assert_eq!(before.rows((1,)).try_collect::<Vec<_>>().await.unwrap(), [ada()]);
    assert_eq!(before.pages((1,)).try_next().await.unwrap().unwrap().rows, [ada()]);
    let once: Vec<Person> = session.rows::<Person>(&all, (1,)).try_collect().await.unwrap();
    assert_eq!(once, [ada()]);
    // A fresh one sees the column, whatever the session kept of the text.
    let after: Select<(i32,), Reachable> = session.prepare(&all).await.unwrap();
    let email = after.one((1,)).await.unwrap().unwrap().email;
    assert_eq!(email.as_deref(), Some("ada@example.com"));
    assert_eq!(session.prepare::<Select<(i32,), Person>>(&all).await.unwrap().one((1,)).await.unwrap(), Some(ada()));
    // A tuple knows no names.
    let error = as_tuple.one((1,)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("SELECT FROM {table} failed: (i32, Option<String>) has 2 values, the rows have 3 columns")
    );
    let unwanted = format!("SELECT id, name, email FROM {table} WHERE id = ?");
    let error = session.prepare::<Select<(i32,), Person>>(&unwanted).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("preparing SELECT FROM {table} failed: the rows have a column email, Person has no field for it")
    );
}

#[tokio::test]
async fn a_table_that_another_program_makes_anew_with_other_types_is_seen_by_what_is_prepared_afterwards() {
    let (session, other) = two_programs().await;
    let table = server::table(&session, "id int PRIMARY KEY, code int").await;
    let put = format!("INSERT INTO {table} (id, code) VALUES (?, ?)");
    let put_once = format!("INSERT INTO {table} (id, code) VALUES (?, ?) IF NOT EXISTS");
    let get = format!("SELECT code FROM {table} WHERE id = ?");
    let _: Write<(i32, i32)> = session.prepare(&put).await.unwrap();
    let _: Conditional<(i32, i32), Row> = session.prepare(&put_once).await.unwrap();
    let _: Select<(i32,), (i32,)> = session.prepare(&get).await.unwrap();
    other.define(&format!("DROP TABLE {table}")).await.unwrap();
    other.define(&format!("CREATE TABLE {table} (id text PRIMARY KEY, code text)")).await.unwrap();

    session.prepare::<Write<(&str, &str)>>(&put).await.unwrap().execute(("2", "seven")).await.unwrap();
    let once: Conditional<(&str, &str), Row> = session.prepare(&put_once).await.unwrap();
    assert!(matches!(once.execute(("3", "eight")).await.unwrap(), Outcome::Applied));
    let fresh: Select<(&str,), (String,)> = session.prepare(&get).await.unwrap();
    assert_eq!(fresh.one(("2",)).await.unwrap(), Some(("seven".to_owned(),)));
    session.execute(&put, ("4", "nine")).await.unwrap();
    // A wrong value stays wrong.
    for _ in 0..3 {
        let error = session.prepare::<Write<(&str, i64)>>(&put).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "preparing INSERT INTO {table} failed: the bind marker for code is text, i64 cannot be bound to it"
            )
        );
        let error = session.prepare::<Write<Vec<i64>>>(&put).await.unwrap().execute(vec![2, 7]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("INSERT INTO {table} failed: the bind marker for id is text, i64 cannot be bound to it")
        );
    }
}

#[tokio::test]
async fn a_statement_fails_once_the_session_has_read_the_ids_of_its_tables_again() {
    let (local, other) = prompt().await;
    let every = Duration::from_millis(200);
    let session = signed(&local).topology_interval(every).connect().await.unwrap();
    server::keyspace(&other, "shop").await;
    let table = "shop.codes";
    other.define("CREATE TABLE shop.codes (id int PRIMARY KEY, code int)").await.unwrap();
    let put = format!("INSERT INTO {table} (id, code) VALUES (?, ?)");
    let old: Write<(i32, i32)> = session.prepare(&put).await.unwrap();
    old.execute((1, 2)).await.unwrap();
    let empty_it = async |columns: &str| {
        other.define(&format!("DROP TABLE {table}")).await.unwrap();
        other.define(&format!("CREATE TABLE {table} ({columns})")).await.unwrap();
    };
    let reads_of_ids = || local.journal().containing("id FROM system_schema.tables").len();
    let until_it_has_looked_twice = async || {
        let begun = reads_of_ids();
        while reads_of_ids() < begun + 3 {
            tokio::time::sleep(every).await;
        }
    };
    until_it_has_looked_twice().await;
    // The same table, emptied: nothing is wrong with the statement.
    empty_it("id int PRIMARY KEY, code int").await;
    until_it_has_looked_twice().await;
    old.execute((1, 2)).await.unwrap();

    empty_it("id int PRIMARY KEY, code text").await;
    until_it_has_looked_twice().await;
    let error = old.execute((1, 0x4142_4344)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: the table was dropped and created again with other columns since this statement \
             was prepared. Prepare it again, with the types that the table has now"
        )
    );
    session.prepare::<Write<(i32, &str)>>(&put).await.unwrap().execute((1, "ABCD")).await.unwrap();
}
