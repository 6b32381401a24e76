use std::future::IntoFuture;
use std::time::Duration;

use chrono::Utc;
use futures::TryStreamExt;
use keyspaces::ErrorKind;
use keyspaces::migrate::MigrationProgress;
use keyspaces::value::Counter;
use keyspaces_local::Fault;
use keyspaces_local::fault::{Effect, Moment};
use keyspaces_local::journal::Kind;

use super::{migrations, recorded, with_short_lease};
use crate::local::without_ddl_delay;

const NAMES: &str = "CREATE TABLE shop.names (id int PRIMARY KEY); INSERT INTO shop.names (id) VALUES (1);";

#[tokio::test]
async fn waiting_migration_names_the_lock_holder_and_gives_up() {
    let (_local, session) = without_ddl_delay().await;
    let files = migrations(&[("1_names.cql", NAMES)]);
    let mut holder = session.migrate("shop", &files).program_name("the first").progress();
    holder.try_next().await.unwrap().unwrap();
    let mut waiting = session.migrate("shop", &files).lock_timeout(Duration::from_secs(2)).progress();
    let Some(MigrationProgress::Waiting { held_by, until }) = waiting.try_next().await.unwrap() else {
        panic!("it waits")
    };
    assert_eq!(held_by, "the first");
    let error = waiting.try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        format!(
            "migrating with shop.schema_migrations failed: the first holds the lock, with a lease until {}. Wait for it. If it \
             has died, the lock can be taken once the lease and the margin for clock skew have passed",
            until.format("%Y-%m-%dT%H:%M:%SZ")
        )
    );
    assert_eq!(session.migrate("shop", &files).dry_run().await.unwrap().held_by.as_deref(), Some("the first"));
    while holder.try_next().await.unwrap().is_some() {}
    assert_eq!(session.migrate("shop", &files).dry_run().await.unwrap().held_by, None);
}

#[tokio::test]
async fn lock_of_a_dead_migration_is_taken_over_after_lease_and_margin() {
    let (_local, session) = without_ddl_delay().await;
    let files = migrations(&[("1_names.cql", NAMES)]);
    let dead = || session.migrate("shop", &files).lease(Duration::from_secs(2)).program_name("the dead");
    let mut dying = dead().progress();
    dying.try_next().await.unwrap().unwrap();
    drop(dying);
    let margin = Duration::from_secs(1);
    let reported: Vec<_> = dead().program_name("the heir").clock_skew(margin).progress().try_collect().await.unwrap();
    let MigrationProgress::Waiting { held_by, until } = &reported[0] else { panic!("{reported:?}") };
    assert_eq!(held_by, "the dead");
    assert!(Utc::now() > *until + margin, "it was taken over before {until} and the margin");
    assert_eq!(recorded(&session).await, ["1_names.cql"]);
}

#[tokio::test]
async fn migration_suspended_past_its_lease_sends_no_more_statements() {
    let (local, session) = without_ddl_delay().await;
    let files = migrations(&[("1_names.cql", NAMES), ("2_last.cql", "INSERT INTO shop.names (id) VALUES (2);")]);
    let mut suspended = with_short_lease(&session, &files).progress();
    loop {
        if let MigrationProgress::Applied { .. } = suspended.try_next().await.unwrap().unwrap() {
            break;
        }
    }
    // The first migration is not polled, so it does not renew its lease.
    assert_eq!(with_short_lease(&session, &files).await.unwrap(), ["2_last.cql"]);
    local.journal().clear();
    let error = suspended.try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "migrating with shop.schema_migrations failed: the lease of the lock was lost, so another program may have taken \
         over. Migrate again: the statements that were applied are recorded"
    );
    assert_eq!(local.journal().containing("VALUES (2)").len(), 0);
}

#[tokio::test]
async fn migration_lease_is_renewed_during_a_long_definition() {
    let local = keyspaces_local::Local::builder().ddl_delay(Duration::from_millis(10));
    let local = local.ddl_delay_of(keyspaces_local::Ddl::AlterTable, Duration::from_secs(12)).start().await.unwrap();
    let session = crate::local::signed(&local).connect().await.unwrap();
    let files = migrations(&[("1_names.cql", &format!("{NAMES} ALTER TABLE shop.names ADD note text;"))]);
    let (first, second) = tokio::try_join!(async { with_short_lease(&session, &files).await }, async {
        with_short_lease(&session, &files).await
    })
    .unwrap();
    assert_eq!([first, second].concat(), ["1_names.cql"]);
    assert_eq!(local.journal().containing("ALTER TABLE shop.names").len(), 1);
    local.close().await.unwrap();
}

#[tokio::test]
async fn migration_state_is_reread_once_the_lock_is_taken() {
    let (local, session) = without_ddl_delay().await;
    let table = ("1_hits.cql", "CREATE TABLE shop.hits (page text PRIMARY KEY, n counter);");
    session.migrate("shop", &migrations(&[table])).await.unwrap();
    let count = "UPDATE shop.hits SET n = n + 1 WHERE page = '/'; INSERT INTO shop.nowhere (id) VALUES (1);";
    let files = migrations(&[table, ("2_count.cql", count)]);
    // Meanwhile another migration takes the lock, increments, stops at the refused statement, and releases the lock.
    let fault = Fault::new(Effect::Delay(Moment::Before, Duration::from_secs(3)));
    local.faults().inject(fault.kind(Kind::Execute).containing("held_by = ?, expires_at = ?").times(1));
    let slow = session.migrate("shop", &files);
    let other = async {
        while local.journal().filter(|received| received.fault.is_some()).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        session.migrate("shop", &files).await
    };
    let (slow, other) = tokio::join!(slow.into_future(), other);
    for error in [slow.unwrap_err(), other.unwrap_err()] {
        assert!(
            error.to_string().starts_with("migrating: 2_count.cql, statement 2: INSERT INTO shop.nowhere"),
            "{error}"
        );
    }
    let hits = session.rows::<(Counter,)>("SELECT n FROM shop.hits WHERE page = '/'", ());
    assert_eq!(hits.try_collect::<Vec<_>>().await.unwrap()[0].0.0, 1);
}

#[tokio::test]
async fn maximum_migration_durations_are_accepted() {
    let (_local, session) = without_ddl_delay().await;
    let files = migrations(&[("1_names.cql", NAMES)]);
    let most = Duration::MAX;
    let migrate = session.migrate("shop", &files).lease(most).clock_skew(most).lock_timeout(most);
    assert_eq!(migrate.dry_run().await.unwrap().pending.len(), 1);
    assert_eq!(migrate.await.unwrap(), ["1_names.cql"]);
}
