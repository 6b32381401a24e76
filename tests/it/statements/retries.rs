//! Faults during a write. Only writes that may be sent twice are retried.

use std::time::Duration;

use keyspaces::value::Counter;
use keyspaces::{Conditional, Increment, Outcome, Select, Write};
use keyspaces_local::fault::{Effect, Fault, Moment};
use keyspaces_local::journal::Kind;

use crate::server::{local, session, table, table_with};

fn faults() -> [Effect; 6] {
    [
        Effect::throttled_write(),
        Effect::Close(Moment::Before),
        Effect::Close(Moment::After),
        Effect::Error { moment: Moment::Before, code: 0x1001, text: "too much".into() },
        Effect::Garbage,
        Effect::Truncated,
    ]
}

#[tokio::test]
async fn idempotent_write_is_applied_despite_each_fault() {
    let Some(local) = local().await else { return };
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let store: Write<(i32,)> = session.prepare(&format!("INSERT INTO {table} (id) VALUES (?)")).await.unwrap();
    let read: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT id FROM {table} WHERE id = ?")).await.unwrap();
    for (id, effect) in (0..).zip(faults()) {
        let fault = Fault::new(effect.clone()).kind(Kind::Execute).containing(format!("INSERT INTO {table}"));
        let fault = local.faults().inject(fault.times(1));
        store.execute((id,)).await.unwrap();
        assert_eq!(local.faults().strike_count(fault), 1, "{effect:?}");
        local.faults().remove(fault);
        assert_eq!(read.one((id,)).await.unwrap(), Some((id,)), "{effect:?}");
    }
}

#[tokio::test]
async fn increment_is_applied_at_most_once_and_unknown_outcomes_are_reported() {
    let Some(local) = local().await else { return };
    let session = session().await;
    let hits = table(&session, "page text PRIMARY KEY, n counter").await;
    let hit: Increment<(Counter, &str)> =
        session.prepare(&format!("UPDATE {hits} SET n = n + ? WHERE page = ?")).await.unwrap();
    let read: Select<(&str,), (Counter,)> =
        session.prepare(&format!("SELECT n FROM {hits} WHERE page = ?")).await.unwrap();
    hit.execute((Counter(1), "/")).await.unwrap();
    let (mut surely, mut perhaps) = (1, 0);
    for effect in faults() {
        let fault = Fault::new(effect.clone()).kind(Kind::Execute).containing(format!("UPDATE {hits}"));
        let fault = local.faults().inject(fault.times(1));
        match hit.execute((Counter(1), "/")).await {
            Ok(()) => surely += 1,
            Err(error) => {
                assert!(error.may_have_been_applied(), "{error}");
                perhaps += 1;
            }
        }
        assert_eq!(local.faults().strike_count(fault), 1, "{effect:?}: it was sent once");
        local.faults().remove(fault);
    }
    let Counter(n) = read.one(("/",)).await.unwrap().unwrap().0;
    assert!((surely..=surely + perhaps).contains(&n), "{n}: {surely} and perhaps {perhaps}");

    let fault = Fault::new(Effect::throttled_write()).kind(Kind::Execute).containing(format!("UPDATE {hits}"));
    let fault = local.faults().inject(fault.times(2));
    hit.retry_when_throttled().with_deadline(Duration::from_secs(60)).execute((Counter(1), "/")).await.unwrap();
    assert_eq!(local.faults().strike_count(fault), 2);
    local.faults().remove(fault);
    assert_eq!(read.one(("/",)).await.unwrap(), Some((Counter(n + 1),)));
}

#[tokio::test]
async fn conditional_write_with_lost_response_is_sent_once_and_unknown() {
    let Some(local) = local().await else { return };
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let claim: Conditional<(i32,)> =
        session.prepare(&format!("INSERT INTO {table} (id) VALUES (?) IF NOT EXISTS")).await.unwrap();
    let fault = Fault::new(Effect::Close(Moment::After)).kind(Kind::Execute).containing(format!("INSERT INTO {table}"));
    let fault = local.faults().inject(fault.times(1));
    let Outcome::Unknown(why) = claim.execute((1,)).await.unwrap() else { panic!("nobody heard the answer") };
    assert!(why.may_have_been_applied() && why.attempts() == 1, "{why}");
    assert_eq!(local.faults().strike_count(fault), 1);
    local.faults().remove(fault);
    assert!(matches!(claim.execute((1,)).await.unwrap(), Outcome::NotApplied(_)), "it had been applied");
}

#[tokio::test]
async fn calls_succeed_after_all_connections_were_closed() {
    let local = keyspaces_local::Local::builder().start().await.expect("a local Keyspaces");
    let session = crate::local::signed(&local).call_timeout(Duration::from_secs(60)).connect().await.unwrap();
    let read: Select<(), (String,)> = session.prepare("SELECT cluster_name FROM system.local").await.unwrap();
    read.one(()).await.unwrap();
    local.close_connections().await.expect("they are closed");
    // A session without other requests may make ten repeats, and a call can meet several peers whose connections are closed.
    let calls = (0..3).map(|_| read.one(()));
    let answers = futures::future::join_all(calls).await;
    for answer in answers {
        assert!(answer.unwrap().is_some());
    }
}

#[tokio::test]
async fn retried_write_may_overwrite_a_later_one_without_client_timestamps() {
    let Some(local) = local().await else { return };
    let session = crate::local::signed(local).attempt_timeout(Duration::from_millis(300)).connect().await.unwrap();
    let options = "WITH CUSTOM_PROPERTIES = {'client_side_timestamps': {'status': 'enabled'}}";
    for (using, last) in [("", 1), (" USING TIMESTAMP ?", 2)] {
        let table = table_with(&session, "id int PRIMARY KEY, v int", options).await;
        let text = format!("INSERT INTO {table} (id, v) VALUES (1, ?){using}");
        let store: Write<(i32,)> = session.prepare(&text).await.unwrap();
        let read: Select<(), (i32,)> = session.prepare(&format!("SELECT v FROM {table} WHERE id = 1")).await.unwrap();
        let late = Effect::Delay(Moment::Before, Duration::from_secs(2));
        let fault = local.faults().inject(Fault::new(late).kind(Kind::Execute).containing(&text).times(1));
        for v in [1, 2] {
            let store = store.with_deadline(Duration::from_secs(60));
            let at = chrono::DateTime::from(std::time::SystemTime::now());
            let store = if using.is_empty() { store } else { store.with_timestamp(at) };
            store.execute((v,)).await.unwrap();
        }
        assert_eq!(local.faults().strike_count(fault), 1);
        local.faults().remove(fault);
        let received = || local.journal().containing(&text);
        while received().iter().any(|it| it.kind == Kind::Execute && it.outcome.is_none()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(read.one(()).await.unwrap(), Some((last,)), "{text}");
    }
}
