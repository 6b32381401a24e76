use std::time::{Duration, Instant};

use futures::TryStreamExt;
use keyspaces::ErrorKind;
use keyspaces::migrate::Progress;

use super::{migrations, quick, recorded};
use crate::local::prompt;

const NAMES: &str = "CREATE TABLE shop.names (id int PRIMARY KEY); INSERT INTO shop.names (id) VALUES (1);";

#[tokio::test]
async fn who_waits_is_told_for_whom_and_gives_up_in_the_end() {
    let (_local, session) = prompt().await;
    let files = migrations(&[("1_names.cql", NAMES)]);
    let mut holder = session.migrate("shop", &files).named("the first").progress();
    holder.try_next().await.unwrap().unwrap();
    let mut waiting = session.migrate("shop", &files).wait(Duration::from_secs(2)).progress();
    let Some(Progress::Waiting { held_by, until }) = waiting.try_next().await.unwrap() else { panic!("it waits") };
    assert_eq!(held_by, "the first");
    let error = waiting.try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        format!(
            "migrating by shop.schema_migrations failed: the first holds the lock, with a lease until {}. Wait for it; if it \
             has died, the lock is taken over when the lease and the margin for clocks have passed",
            until.format("%Y-%m-%dT%H:%M:%SZ")
        )
    );
    assert_eq!(session.migrate("shop", &files).dry_run().await.unwrap().held_by.as_deref(), Some("the first"));
    while holder.try_next().await.unwrap().is_some() {}
    assert_eq!(session.migrate("shop", &files).dry_run().await.unwrap().held_by, None);
}

#[tokio::test]
async fn the_lock_of_one_that_died_is_taken_over_when_its_lease_and_the_margin_have_passed() {
    let (_local, session) = prompt().await;
    let files = migrations(&[("1_names.cql", NAMES)]);
    let dead = || session.migrate("shop", &files).lease(Duration::from_secs(2)).named("the dead");
    let mut dying = dead().progress();
    dying.try_next().await.unwrap().unwrap();
    let begun = Instant::now();
    drop(dying);
    let margin = Duration::from_secs(1);
    let told: Vec<_> = dead().named("the heir").clock_skew(margin).progress().try_collect().await.unwrap();
    assert!(matches!(&told[0], Progress::Waiting { held_by, .. } if held_by == "the dead"), "{told:?}");
    assert!(begun.elapsed() > Duration::from_secs(2), "it was taken over after {:?}", begun.elapsed());
    assert_eq!(recorded(&session).await, ["1_names.cql"]);
}

#[tokio::test]
async fn one_that_was_suspended_for_longer_than_its_lease_sends_no_more_statements() {
    let (local, session) = prompt().await;
    let files = migrations(&[("1_names.cql", NAMES), ("2_last.cql", "INSERT INTO shop.names (id) VALUES (2);")]);
    let mut suspended = quick(&session, &files).progress();
    loop {
        if let Progress::Applied { .. } = suspended.try_next().await.unwrap().unwrap() {
            break;
        }
    }
    // Nobody polls it, so it renews nothing.
    assert_eq!(quick(&session, &files).await.unwrap(), ["2_last.cql"]);
    local.journal().clear();
    let error = suspended.try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "migrating by shop.schema_migrations failed: the lease on the lock was lost: another program may go on from here. \
         Migrate again: what was applied is written down"
    );
    assert_eq!(local.journal().containing("VALUES (2)").len(), 0);
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_a_definition_takes() {
    let local = keyspaces_local::Local::builder().ddl_delay(Duration::from_millis(10));
    let local = local.ddl_delay_of(keyspaces_local::Ddl::AlterTable, Duration::from_secs(12)).start().await.unwrap();
    let session = crate::local::signed(&local).connect().await.unwrap();
    let files = migrations(&[("1_names.cql", &format!("{NAMES} ALTER TABLE shop.names ADD note text;"))]);
    let (first, second) =
        tokio::try_join!(async { quick(&session, &files).await }, async { quick(&session, &files).await }).unwrap();
    assert_eq!([first, second].concat(), ["1_names.cql"]);
    assert_eq!(local.journal().containing("ALTER TABLE shop.names").len(), 1);
    local.close().await.unwrap();
}
