use keyspaces::{
    Conditional, ConditionalBatch, DeserializeRow, ErrorKind, LoggedBatch, Outcome, Session, UnloggedBatch, Write,
};

use crate::server::{session, table};

async fn count(session: &Session, table: &str) -> usize {
    let rows: Vec<(i32,)> = session.rows::<(i32,)>(&format!("SELECT k FROM {table}"), ()).try_collect().await.unwrap();
    rows.len()
}

#[tokio::test]
async fn unlogged_batch_accepts_30_writes_and_refuses_the_31st() {
    let session = session().await;
    let table = table(&session, "k int, c int, v text, PRIMARY KEY (k, c)").await;
    let store: Write<(i32, i32, &str)> =
        session.prepare(&format!("INSERT INTO {table} (k, c, v) VALUES (?, ?, ?)")).await.unwrap();
    let mut batch = UnloggedBatch::new(&session);
    for c in 0..30 {
        batch.push(&store, (1, c, "v")).unwrap();
    }
    let error = batch.push(&store, (1, 30, "v")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        "an unlogged batch of 30 statements failed: one more statement is too many: Keyspaces accepts at most 30. Write the \
         rest in another batch, or as single writes in flight at once"
    );
    batch.execute().await.unwrap();
    assert_eq!(count(&session, &table).await, 30);
    UnloggedBatch::new(&session).execute().await.unwrap();
}

#[tokio::test]
async fn logged_batch_limits_are_checked_before_sending() {
    let session = session().await;
    let table = table(&session, "k int, c int, s int static, v text, PRIMARY KEY (k, c)").await;
    let store: Write<(i32, i32, String)> =
        session.prepare(&format!("INSERT INTO {table} (k, c, v) VALUES (?, ?, ?)")).await.unwrap();
    let set: Write<(i32, i32)> = session.prepare(&format!("INSERT INTO {table} (k, s) VALUES (?, ?)")).await.unwrap();
    let remove: Write<(i32, i32)> =
        session.prepare(&format!("DELETE FROM {table} WHERE k = ? AND c > ?")).await.unwrap();
    let remove_all: Write<(i32,)> = session.prepare(&format!("DELETE FROM {table} WHERE k = ?")).await.unwrap();

    let mut full = LoggedBatch::new(&session);
    for c in 0..100 {
        full.push(&store, (1, c, String::new())).unwrap();
    }
    assert_eq!(
        full.push(&store, (1, 100, String::new())).unwrap_err().to_string(),
        "a logged batch of 100 statements failed: one more statement is too many: Keyspaces accepts at most 100. Put into one \
         batch only what must be applied together"
    );

    let mut large = LoggedBatch::new(&session);
    for c in 0..4 {
        large.push(&store, (1, c, "x".repeat(1_000_000))).unwrap();
    }
    assert_eq!(
        large.push(&store, (1, 4, "x".repeat(1_000_000))).unwrap_err().to_string(),
        "a logged batch of 4 statements failed: with this statement it has at least 5000010 bytes: Keyspaces accepts at most \
         4194304. Put into one batch only what must be applied together"
    );

    let of_a_range = |error: keyspaces::Error| {
        assert_eq!(
            error.to_string(),
            format!(
                "a logged batch of {} failed: DELETE FROM {table} applies to a range of rows. Keyspaces refuses that \
                 in a logged batch (DG:batchStatements): name the whole primary key with =",
                if error.to_string().contains("of 0") { "0 statements" } else { "1 statement" }
            )
        );
    };
    let mut ranges = LoggedBatch::new(&session);
    of_a_range(ranges.push(&remove, (1, 5)).unwrap_err());
    of_a_range(ranges.push(&remove_all, (1,)).unwrap().execute().await.unwrap_err());

    let mut twice = LoggedBatch::new(&session);
    twice.push(&store, (1, 1, "a".into())).unwrap().push(&store, (1, 1, "b".into())).unwrap();
    assert_eq!(
        twice.execute().await.unwrap_err().to_string(),
        format!(
            "a logged batch of 2 statements failed: INSERT INTO {table} writes a row that another of its statements also \
             writes. Keyspaces refuses that (DG:batchStatements): set all columns of the row in one statement"
        )
    );

    let mut with_static = LoggedBatch::new(&session);
    with_static.push(&set, (1, 1)).unwrap();
    for c in 0..50 {
        with_static.push(&store, (1, c, String::new())).unwrap();
    }
    assert_eq!(
        with_static.execute().await.unwrap_err().to_string(),
        format!(
            "a logged batch of 51 statements failed: INSERT INTO {table} sets a static column: Keyspaces then accepts at most \
             50 statements. Set the static column in another batch"
        )
    );
    assert_eq!(count(&session, &table).await, 0);
}

#[tokio::test]
async fn logged_batch_applies_across_tables() {
    let session = session().await;
    let one = table(&session, "k int PRIMARY KEY, v text").await;
    let other = table(&session, "v text, k int, PRIMARY KEY (v)").await;
    let store: Write<(i32, &str)> = session.prepare(&format!("INSERT INTO {one} (k, v) VALUES (?, ?)")).await.unwrap();
    let index: Write<(&str, i32)> =
        session.prepare(&format!("INSERT INTO {other} (v, k) VALUES (?, ?)")).await.unwrap();
    let mut batch = LoggedBatch::new(&session);
    batch.push(&store, (1, "one")).unwrap().push(&index, ("one", 1)).unwrap();
    batch.execute().await.unwrap();
    assert_eq!((count(&session, &one).await, count(&session, &other).await), (1, 1));
}

#[tokio::test]
async fn conditional_batch_applies_atomically_or_returns_the_conflicting_rows() {
    #[derive(Debug, DeserializeRow, PartialEq)]
    #[scylla(crate = keyspaces)]
    struct There {
        c: i32,
        v: Option<String>,
    }

    let session = session().await;
    let table = table(&session, "k int, c int, v text, PRIMARY KEY (k, c)").await;
    let claim: Conditional<(i32, i32, &str)> =
        session.prepare(&format!("INSERT INTO {table} (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS")).await.unwrap();
    let store: Write<(i32, i32, &str)> =
        session.prepare(&format!("INSERT INTO {table} (k, c, v) VALUES (?, ?, ?)")).await.unwrap();

    let mut batch = ConditionalBatch::<There>::new(&session);
    assert_eq!(
        batch.push_unconditional(&store, (1, 3, "x")).unwrap().execute().await.unwrap_err().to_string(),
        "a logged batch of 1 statement failed: none of its statements has a condition. Use a LoggedBatch"
    );
    batch.push(&claim, (1, 1, "a")).unwrap().push(&claim, (1, 2, "b")).unwrap();
    assert!(batch.execute().await.unwrap().is_applied());
    assert_eq!(count(&session, &table).await, 3);

    let mut again = ConditionalBatch::<There>::new(&session);
    again.push(&claim, (1, 1, "x")).unwrap().push(&claim, (1, 2, "y")).unwrap();
    again.push_unconditional(&store, (1, 4, "z")).unwrap();
    let Outcome::NotApplied(mut there) = again.execute().await.unwrap() else { panic!("they are there") };
    there.sort_by_key(|row| row.c);
    assert_eq!(there, [There { c: 1, v: Some("a".into()) }, There { c: 2, v: Some("b".into()) }]);
    assert_eq!(count(&session, &table).await, 3);
}
