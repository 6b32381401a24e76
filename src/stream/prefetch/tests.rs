use std::sync::Arc;

use tokio::time::sleep;

use super::*;
use crate::ErrorKind;

const DEADLINE: Duration = Duration::from_secs(4);

async fn fails(kind: ErrorKind) -> Result<u32, Error> {
    sleep(DEADLINE).await;
    Err(Error::new(kind, "reading", "it failed"))
}

#[tokio::test(start_paused = true)]
async fn a_page_that_failed_before_it_was_needed_is_requested_again_with_the_whole_deadline() {
    let prefetch = Prefetch::start(fails(ErrorKind::Timeout));
    sleep(DEADLINE * 10).await;
    let page = prefetch.take(DEADLINE, |_, left| async move {
        assert_eq!(left, DEADLINE);
        Ok(7)
    });
    assert_eq!(page.await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_while_it_is_needed_is_requested_again_with_the_rest_of_the_deadline() {
    let prefetch = Prefetch::start(fails(ErrorKind::Throttled));
    sleep(DEADLINE / 4).await;
    let waiting_since = Instant::now();
    let retry = |_, left| async move {
        sleep(left).await;
        Err(Error::new(ErrorKind::Timeout, "reading", "it failed again"))
    };
    assert_eq!(prefetch.take(DEADLINE, retry).await.unwrap_err().kind(), ErrorKind::Timeout);
    let waited = waiting_since.elapsed();
    assert!((DEADLINE..=DEADLINE + MIN_TIME).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_and_a_page_without_time_left_are_not_requested_again() {
    for kind in [ErrorKind::Refused, ErrorKind::Type, ErrorKind::Closed] {
        let prefetch = Prefetch::start(fails(kind));
        sleep(DEADLINE * 10).await;
        let retry = |_, _| async { panic!("it was requested again") };
        assert_eq!(prefetch.take(DEADLINE, retry).await.unwrap_err().kind(), kind);
    }
    let retry = |_, _| async { panic!("it was requested again") };
    let error = Prefetch::start(fails(ErrorKind::Timeout)).take(DEADLINE, retry).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn the_task_runs_while_nobody_polls_and_ends_when_its_handle_is_dropped() {
    let (held, began) = (Arc::new(()), Arc::new(tokio::sync::Notify::new()));
    let prefetch = AbortOnDrop::spawn({
        let (held, began) = (Arc::clone(&held), Arc::clone(&began));
        async move {
            began.notify_one();
            std::future::pending::<()>().await;
            drop(held);
        }
    });
    began.notified().await;
    drop(prefetch);
    while Arc::strong_count(&held) > 1 {
        tokio::task::yield_now().await;
    }
}
