//! Migrations that are interrupted at any point. Their futures are dropped, which leaves the same state as killing the program.

use std::time::Duration;

use futures::TryStreamExt;
use keyspaces::migrate::Migrations;
use keyspaces::value::Counter;
use keyspaces::{Conditional, ErrorKind, Session};
use keyspaces_local::fault::{Effect, Moment};
use keyspaces_local::journal::Kind;
use keyspaces_local::{Fault, Local};

use super::{migrations, recorded, rows};
use crate::local::without_ddl_delay;

const STATEMENTS: [&str; 8] = [
    "CREATE TYPE shop.address (street text)",
    "CREATE TABLE shop.people (id int PRIMARY KEY, home frozen<address>)",
    "INSERT INTO shop.people (id) VALUES (1)",
    "ALTER TABLE shop.people ADD note text",
    "ALTER TABLE shop.people WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}}",
    "INSERT INTO shop.people (id, note) VALUES (2, 'b') IF NOT EXISTS",
    "CREATE TABLE shop.old (id int PRIMARY KEY)",
    "DROP TABLE shop.old",
];

fn all() -> Migrations {
    let text = STATEMENTS.map(|statement| format!("{statement};\n")).concat();
    migrations(&[("1_all.cql", &text), ("2_last.cql", "CREATE TABLE shop.last (id int PRIMARY KEY)")])
}

/// Migrates until this statement has reached the service, which loses the statement or its answer, and then drops the
/// migration.
async fn interrupt_at(local: &Local, session: &Session, files: &Migrations, statement: &str, lost: Moment) {
    local.journal().clear();
    // The fault must not strike PREPARE, which has the same text.
    let is_prepared = statement.contains(" IF NOT EXISTS") || statement.contains("n + 1");
    let kind = if is_prepared { Kind::Execute } else { Kind::Query };
    let fault = Fault::new(Effect::Drop(lost)).kind(kind).containing(statement).times(1);
    let fault = local.faults().inject(fault);
    let mut progress = session.migrate("shop", files).progress();
    let is_over = || {
        let mut struck = local.journal().filter(|received| received.fault.is_some()).into_iter();
        struck.any(|received| lost == Moment::Before || received.outcome.is_some())
    };
    while !is_over() {
        let next = tokio::time::timeout(Duration::from_millis(20), progress.try_next()).await;
        assert!(!matches!(next, Ok(Err(_) | Ok(None))), "{next:?}");
    }
    local.faults().remove(fault);
    drop(progress);
    // Ends the lease of the lock now.
    let expire: Conditional<()> =
        session.prepare("UPDATE shop.schema_migrations SET expires_at = 0 WHERE version = 0 IF EXISTS").await.unwrap();
    assert!(expire.execute(()).await.unwrap().is_applied());
}

async fn migrate_to_the_end(session: &Session, files: &Migrations) {
    let mut left = 3;
    while let Err(error) = session.migrate("shop", files).await {
        // On a busy machine an answer may come too late, which is one more interruption.
        let is_late = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unknown);
        assert!(is_late && left > 0 && !error.to_string().contains("resolve_unknown"), "{error}");
        left -= 1;
    }
    assert_eq!(recorded(session).await, ["1_all.cql", "2_last.cql"]);
    assert_eq!(rows(session, "shop.people").await.len(), 2);
    assert!(session.schema().describe_table("shop", "old").await.unwrap().is_none());
    let people = session.schema().describe_table("shop", "people").await.unwrap().unwrap().definition;
    assert_eq!(people.columns.len(), 3);
    session.schema().drop_keyspace("shop").await.unwrap();
}

#[tokio::test]
async fn migration_interrupted_before_a_statement_arrives_resumes_with_it() {
    let (local, session) = without_ddl_delay().await;
    let files = all();
    for (done, statement) in STATEMENTS.iter().enumerate() {
        interrupt_at(&local, &session, &files, statement, Moment::Before).await;
        let dry = session.migrate("shop", &files).dry_run().await.unwrap();
        assert_eq!((dry.pending[0].statements_done, dry.pending[0].outcome_unknown), (done, true));
        migrate_to_the_end(&session, &files).await;
    }
}

#[tokio::test]
async fn migration_interrupted_before_an_answer_does_not_repeat_the_statement() {
    let (local, session) = without_ddl_delay().await;
    let files = all();
    for statement in STATEMENTS {
        interrupt_at(&local, &session, &files, statement, Moment::After).await;
        migrate_to_the_end(&session, &files).await;
    }
}

#[tokio::test]
async fn migration_does_not_accept_a_different_table_of_the_same_name() {
    let (local, session) = without_ddl_delay().await;
    let files = migrations(&[("1_names.cql", "CREATE TABLE shop.names (id int PRIMARY KEY);")]);
    interrupt_at(&local, &session, &files, "CREATE TABLE shop.names", Moment::Before).await;
    session.define("CREATE TABLE shop.names (id text PRIMARY KEY)").await.unwrap();
    let error = session.migrate("shop", &files).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(
        error.to_string(),
        "migrating: 1_names.cql, statement 1: CREATE TABLE shop.names failed: an interrupted program was about to send this \
         statement, and its outcome is unknown: the table shop.names exists, but differs from its definition. Find out \
         whether it was applied, and migrate again with resolve_unknown(1, 1, true) or false"
    );
}

#[tokio::test]
async fn interrupted_non_idempotent_migration_statement_needs_a_decision() {
    let (local, session) = without_ddl_delay().await;
    let hit = "UPDATE shop.hits SET n = n + 1 WHERE page = '/'";
    let text = format!("CREATE TABLE shop.hits (page text PRIMARY KEY, n counter); {hit};");
    let files = migrations(&[("3_hits.cql", &text)]);
    for applied in [true, false] {
        let lost = if applied { Moment::After } else { Moment::Before };
        interrupt_at(&local, &session, &files, hit, lost).await;
        let error = session.migrate("shop", &files).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
        assert_eq!(
            error.to_string(),
            "migrating: 3_hits.cql, statement 2: UPDATE shop.hits failed: an interrupted program was about to send \
             this statement, and its outcome is unknown: it is not idempotent: it adds to a counter. Find out whether it was \
             applied, and migrate again with resolve_unknown(3, 2, true) or false"
        );
        let other = session.migrate("shop", &files).resolve_unknown(3, 1, applied).await.unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Configuration);
        assert_eq!(
            other.to_string(),
            format!(
                "migrating with shop.schema_migrations failed: resolve_unknown(3, 1, {applied}) was called, but the outcome of \
                 that statement is not unknown"
            )
        );
        assert_eq!(session.migrate("shop", &files).resolve_unknown(3, 2, applied).await.unwrap(), ["3_hits.cql"]);
        let hits = session.rows::<(Counter,)>("SELECT n FROM shop.hits WHERE page = '/'", ());
        assert_eq!(hits.try_collect::<Vec<_>>().await.unwrap()[0].0.0, 1);
        session.schema().drop_keyspace("shop").await.unwrap();
    }
}
