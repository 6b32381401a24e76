use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyspaces::value::NamedValues;
use keyspaces::{Conditional, DeserializeRow, ErrorKind, Outcome, Row, Select, Session, Write};
use keyspaces_local::fault::{Effect, Fault, Moment};
use keyspaces_local::journal::Kind;
use scylla::deserialize::row::{ColumnIterator, DeserializeRow as ReadRow};
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::frame::response::result::ColumnSpec;

use crate::local::{signed, without_ddl_delay};
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

/// The sessions of two programs.
async fn two_programs() -> (Session, Session) {
    (server::session().await, server::session().await)
}

#[tokio::test]
async fn select_star_survives_a_column_added_by_another_client() {
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
    // A newly prepared statement sees the column, although the session caches statements by text.
    let after: Select<(i32,), Reachable> = session.prepare(&all).await.unwrap();
    let email = after.one((1,)).await.unwrap().unwrap().email;
    assert_eq!(email.as_deref(), Some("ada@example.com"));
    assert_eq!(session.prepare::<Select<(i32,), Person>>(&all).await.unwrap().one((1,)).await.unwrap(), Some(ada()));
    // A tuple has no column names.
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
async fn later_prepare_sees_types_of_a_table_recreated_by_another_program() {
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
    // Preparing again does not help against a wrong value.
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
async fn statement_of_a_table_recreated_with_other_columns_fails_once_detected() {
    let (local, other) = without_ddl_delay().await;
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
    // The same table is created again without rows, so the statement is correct.
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

#[tokio::test]
async fn untyped_values_are_serialized_for_the_recreated_table() {
    let (session, other) = two_programs().await;
    let table = server::table(&session, "id int PRIMARY KEY, code int, n list<int>").await;
    let put: Write<NamedValues> =
        session.prepare(&format!("INSERT INTO {table} (id, code) VALUES (:id, :code)")).await.unwrap();
    let add: Write<NamedValues> =
        session.prepare(&format!("UPDATE {table} SET n = n + :more WHERE id = :id")).await.unwrap();
    // The statement is prepared again for a value of the wrong type, which does not help.
    put.execute(NamedValues::new().with("id", 1).with("code", 1.5)).await.unwrap_err();
    recreate(&other, &table, "id int PRIMARY KEY, code varint").await;
    let varint = |digits: usize| keyspaces::value::CqlVarint::from_signed_bytes_be(vec![1; digits * 5 / 12 + 1]);
    let code = |digits| NamedValues::new().with("id", 1).with("code", varint(digits));
    // A text is prepared again at most once a second.
    let began = std::time::Instant::now();
    while let Err(error) = put.execute(code(10)).await {
        assert!(began.elapsed() < Duration::from_secs(5), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..3 {
        put.execute(code(10)).await.unwrap();
    }
    if server::is_keyspaces() {
        let error = put.execute(code(50)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value, "{error}");
    }

    recreate(&other, &table, "id int PRIMARY KEY, n counter").await;
    let began = std::time::Instant::now();
    let more = || NamedValues::new().with("id", 1).with("more", keyspaces::value::Counter(1));
    loop {
        let error = add.execute(more()).await.unwrap_err();
        if error.kind() == ErrorKind::Refused {
            assert_eq!(
                error.to_string(),
                format!(
                    "UPDATE {table} failed: expected a write, but the statement is an increment of a counter. Prepare it as an \
                     Increment"
                )
            );
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn recreate(session: &Session, table: &str, columns: &str) {
    session.define(&format!("DROP TABLE {table}")).await.unwrap();
    session.define(&format!("CREATE TABLE {table} ({columns})")).await.unwrap();
}

#[tokio::test]
async fn unchanged_tables_statements_are_not_prepared_again() {
    let (local, other) = without_ddl_delay().await;
    let every = Duration::from_millis(200);
    server::keyspace(&other, "shop").await;
    other.define("CREATE TABLE shop.codes (id int PRIMARY KEY, code int)").await.unwrap();
    let session = signed(&local).topology_interval(every).connect().await.unwrap();
    let put = "INSERT INTO shop.codes (id, code) VALUES (?, ?)";
    let _put: Write<(i32, i32)> = session.prepare(put).await.unwrap();
    let _get: Select<(i32,), (i32,)> = session.prepare("SELECT code FROM shop.codes WHERE id = ?").await.unwrap();
    session.define("CREATE TABLE shop.later (id int PRIMARY KEY)").await.unwrap();
    let _later: Write<(i32,)> = session.prepare("INSERT INTO shop.later (id) VALUES (?)").await.unwrap();

    let is_prepared =
        |text: &str| local.journal().containing(text).iter().filter(|received| received.kind == Kind::Prepare).count();
    let peers = session.peers().len();
    let reads_of_ids = || local.journal().containing("id FROM system_schema.tables").len();
    let begun = reads_of_ids();
    while reads_of_ids() < begun + 3 {
        tokio::time::sleep(every).await;
    }
    assert_eq!(is_prepared(put), peers);
    assert_eq!(is_prepared("SELECT code FROM shop.codes"), peers);
    assert_eq!(is_prepared("INSERT INTO shop.later"), peers);
}

#[tokio::test]
async fn dropped_session_closes_during_a_table_id_read() {
    let (local, other) = without_ddl_delay().await;
    server::keyspace(&other, "shop").await;
    other.define("CREATE TABLE shop.codes (id int PRIMARY KEY, code int)").await.unwrap();
    other.close(Duration::from_secs(10)).await.unwrap();
    let until_closed = async || {
        let began = std::time::Instant::now();
        while local.journal().open_connections().values().sum::<usize>() > 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "connections are still open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until_closed().await;
    let session = signed(&local).topology_interval(Duration::from_millis(200)).connect().await.unwrap();
    let put: Write<(i32, i32)> = session.prepare("INSERT INTO shop.codes (id, code) VALUES (?, ?)").await.unwrap();
    let read = "id FROM system_schema.tables";
    let unanswered = local.faults().inject(Fault::new(Effect::Drop(Moment::After)).containing(read));
    while local.faults().strike_count(unanswered) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop((session, put));
    until_closed().await;
}

#[tokio::test]
async fn row_type_is_checked_once_for_all_pages() {
    static CHECKS: AtomicUsize = AtomicUsize::new(0);

    struct Counted(Person);

    impl<'frame, 'metadata> ReadRow<'frame, 'metadata> for Counted {
        fn type_check(columns: &[ColumnSpec<'_>]) -> Result<(), TypeCheckError> {
            CHECKS.fetch_add(1, Ordering::Relaxed);
            <Person as ReadRow>::type_check(columns)
        }

        fn deserialize(row: ColumnIterator<'frame, 'metadata>) -> Result<Self, DeserializationError> {
            <Person as ReadRow>::deserialize(row).map(Self)
        }
    }

    let session = server::session().await;
    let table = server::table(&session, "id int, at int, name text, a int, b int, PRIMARY KEY (id, at)").await;
    let put: Write<(i32,)> =
        session.prepare(&format!("INSERT INTO {table} (id, at, name) VALUES (1, ?, 'Ada')")).await.unwrap();
    for at in 0..10 {
        put.execute((at,)).await.unwrap();
    }
    let all: Select<(i32,), Counted> = session.prepare(&format!("SELECT * FROM {table} WHERE id = ?")).await.unwrap();
    let checks = || CHECKS.load(Ordering::Relaxed);
    let at_prepare = checks();
    let pages = all.with_page_size(NonZeroU32::MIN.saturating_add(1));
    let rows: Vec<Counted> = pages.rows((1,)).try_collect().await.unwrap();
    assert_eq!((rows.len(), rows[9].0.id, checks() - at_prepare), (10, 1, 0));
    // An unprepared statement gets the columns with its first page.
    let text = format!("SELECT * FROM {table} WHERE id = 1");
    let query = session.query(&text, ()).with_page_size(NonZeroU32::MIN.saturating_add(1));
    let rows: Vec<Counted> = query.rows::<Counted>().try_collect().await.unwrap();
    assert_eq!((rows.len(), checks() - at_prepare), (10, at_prepare));
}
