use super::*;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn closing_waits_for_calls_in_flight_and_then_closes_the_connections() {
    let site = Site::new(1, |stub| stub).await;
    let session = site.builder().connect().await.unwrap();
    let held = tokio::spawn({
        let session = session.clone();
        async move { run(&session, "SELECT held FROM shop.t").await }
    });
    let is_received = |seen: &testkit::stub::Observed| {
        seen.requests.iter().any(|request| request.statement.as_deref().is_some_and(|text| text.contains("held")))
    };
    site.stub.wait_until(is_received).await;
    let mut closing = Box::pin(session.close(LONG));
    assert!(futures::FutureExt::now_or_never(closing.as_mut()).is_none());

    let refused = session.begin().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert_eq!(site.normalized(&refused), "using the session with 127.0.0.1:<port> failed: the session was closed");

    site.stub.release();
    closing.await.unwrap();
    held.await.unwrap();
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
    assert_eq!(session.dangerous_driver().unwrap_err().kind(), ErrorKind::Closed);
    assert!(session.peers().is_empty());
    session.close(LONG).await.unwrap();
}

#[tokio::test]
async fn calls_that_outlast_the_deadline_are_counted_and_continue() {
    let site = Site::new(1, |stub| stub).await;
    let session = site.builder().connect().await.unwrap();
    let in_flight = session.begin().unwrap();
    let error = session.close(Duration::from_millis(10)).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(
        site.normalized(&error),
        "closing the session with 127.0.0.1:<port> failed after <t>: calls still in flight: 1. They continue until \
         their own deadlines; give close() a longer deadline to wait for them"
    );
    in_flight.driver().query_unpaged("SELECT a FROM shop.t", ()).await.unwrap();
    drop(in_flight);
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn dropping_the_last_session_clone_closes_the_connections() {
    let site = Site::new(2, |stub| stub).await;
    let session = site.builder().connect().await.unwrap();
    let other = session.clone();
    drop(session);
    run(&other, "SELECT a FROM shop.t").await;
    drop(other);
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn debug_prints_the_endpoint_and_no_secret() {
    let site = Site::new(1, |stub| stub).await;
    let session = site.builder().connect().await.unwrap();
    let shown = format!("{session:?} {:?}", session.begin().unwrap());
    assert!(shown.contains(&session.endpoint().to_string()), "{shown}");
    assert!(!shown.contains("wJalrXUtnFEMI"), "{shown}");
}
