use std::net::IpAddr;
use std::num::NonZeroUsize;

use crate::{Endpoint, Error, ErrorKind, Session, SessionBuilder, WhenFull};
use testkit::stub::{Ca, Reaction, Stub};

use super::*;

const NAME: &str = "cassandra.us-east-1.amazonaws.com";
const SIGV4: &str = "com.amazon.helenus.auth.HelenusAuthenticator";
const WRITE: &str = "INSERT INTO shop.t (a) VALUES (1)";
const APPEND: &str = "UPDATE shop.t SET l = l + ['a'] WHERE a = 1";

struct StubSite {
    stub: Stub,
    session: Session,
}

impl StubSite {
    async fn new(peers: u8, change: impl FnOnce(SessionBuilder) -> SessionBuilder) -> Self {
        let ca = Ca::new("Test CA");
        let stub = Stub::with_addresses(peers).tls(ca.server(&[NAME])).authenticator(SIGV4).start().await;
        let builder = Session::builder()
            .endpoint(Endpoint::explicit("127.0.0.1", stub.port(), NAME).unwrap())
            .static_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", None)
            .trust_pem(ca.pem())
            .unwrap()
            .connect_timeout(Duration::from_secs(60))
            .call_timeout(Duration::from_secs(60))
            .backoff(Duration::from_millis(1), Duration::from_millis(10));
        let session = change(builder).connect().await.unwrap();
        Self { stub, session }
    }

    async fn write(&self, text: &str) -> Result<(), Error> {
        self.session.execute(text, ()).await
    }

    /// The addresses that statements were sent to, in order.
    fn sent(&self) -> Vec<IpAddr> {
        let is_ours = |text: &str| !text.contains("system.");
        let seen = self.stub.observed();
        let ours = seen.requests.iter().filter(|request| request.statement.as_deref().is_some_and(is_ours));
        ours.map(|request| request.address).collect()
    }
}

/// The error text with addresses and times replaced by placeholders.
fn text_of(error: &Error) -> String {
    let places: Vec<String> = error.peers().iter().map(ToString::to_string).collect();
    let text = error.to_string().replace(&places.join(", "), "<peers>");
    text.replace(&format!("{:.1?}", error.elapsed().unwrap()), "<t>")
}

#[tokio::test]
async fn a_throttled_write_is_sent_to_other_peers_until_it_is_acknowledged() {
    let site = StubSite::new(2, |builder| builder).await;
    site.stub.script([Reaction::Throttle, Reaction::Throttle, Reaction::Throttle]);
    site.write(WRITE).await.unwrap();
    let sent = site.sent();
    assert_eq!(sent.len(), 4);
    assert!(sent.windows(2).all(|two| two[0] != two[1]), "{sent:?}");
    assert_eq!(site.session.peer_limiter().in_flight(), 0);
}

#[tokio::test]
async fn write_on_a_broken_connection_is_retried() {
    let site = StubSite::new(1, |builder| builder).await;
    site.stub.script([Reaction::LoseAnswer]);
    site.write(WRITE).await.unwrap();
    assert_eq!(site.sent().len(), 2);
}

#[tokio::test]
async fn non_idempotent_write_is_sent_once_and_its_outcome_is_unknown() {
    let site = StubSite::new(1, |builder| builder).await;
    site.stub.script([Reaction::Throttle]);
    let error = site.write(APPEND).await.unwrap_err();
    assert_eq!(
        text_of(&error),
        "UPDATE shop.t failed at <peers> after <t>: throttled; it is not known whether it was applied, and it was not \
         sent again because that could apply it twice; the server's message: \"Operation timed out - received only 0 \
         responses.\". CloudWatch shows why, in the namespace AWS/Cassandra: WriteThrottleEvents or ReadThrottleEvents, \
         together with StoragePartitionThroughputCapacityExceeded (a hot partition) or PerConnectionRequestRateExceeded \
         (more connections are needed)"
    );
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unknown, 1));
    assert!(error.is_throttled() && error.may_have_been_applied());

    site.stub.script([Reaction::LoseAnswer]);
    let error = site.write(APPEND).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(!error.is_throttled());
    assert_eq!(site.sent().len(), 2);
}

#[tokio::test]
async fn retry_when_throttled_retries_throttling_but_not_lost_responses() {
    let site = StubSite::new(1, |builder| builder).await;
    let append: crate::Write<()> = site.session.prepare(APPEND).await.unwrap();
    let before = site.sent().len();
    site.stub.script([Reaction::Throttle]);
    append.retry_when_throttled().execute(()).await.unwrap();
    assert_eq!(site.sent().len() - before, 2);
    site.stub.script([Reaction::Throttle, Reaction::LoseAnswer]);
    let error = append.retry_when_throttled().execute(()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unknown, 2));
    site.stub.script([Reaction::LoseAnswer]);
    append.assume_idempotent().execute(()).await.unwrap();
}

#[tokio::test]
async fn a_throttled_write_is_retried_until_its_deadline_and_its_error_describes_the_attempts() {
    let site = StubSite::new(2, |builder| builder.call_timeout(Duration::from_secs(2))).await;
    site.stub.script(std::iter::repeat_n(Reaction::Throttle, 1_000));
    let error = site.write(WRITE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.peers().len(), 2);
    assert!((2..=11).contains(&error.attempts()), "it begins with ten a second: {error}");
    let text = text_of(&error);
    let start =
        format!("INSERT INTO shop.t failed at <peers> after <t> and {} attempts: throttled; its ", error.attempts());
    let said = "; the server's message: \"Operation timed out - received only 0 responses.\". CloudWatch shows why";
    assert!(text.starts_with(&start) && text.contains(said), "{text}");
}

#[tokio::test]
async fn call_is_refused_unsent_if_its_permit_comes_after_the_deadline() {
    let site = StubSite::new(1, |builder| builder).await;
    site.stub.script(std::iter::repeat_n(Reaction::Throttle, 1));
    let write: crate::Write<()> = site.session.prepare(APPEND).await.unwrap();
    write.execute(()).await.unwrap_err();
    let error = write.with_deadline(Duration::from_millis(1)).execute(()).await.unwrap_err();
    let turn = error.retry_after().unwrap();
    assert!(turn > Duration::from_millis(1) && turn <= Duration::from_millis(100), "one of ten a second: {turn:?}");
    let text = error.to_string().replace(&format!(" in {turn:.1?}"), " in <turn>");
    assert_eq!(
        text.replace(&format!("{:.1?}", error.elapsed().unwrap()), "<t>"),
        "UPDATE shop.t failed after <t>: the table is throttled, and the turn of this call would come after its deadline, \
         in <turn>. Nothing was sent. Call again after that time, give the call a longer deadline, or the table more \
         capacity"
    );
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Throttled, 0));
    assert!(error.is_throttled() && !error.may_have_been_applied());
    site.write("INSERT INTO shop.other (a) VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn retry_budget_limits_retries_of_failures_other_than_throttling() {
    let site = StubSite::new(1, |builder| builder).await;
    site.stub.script(std::iter::repeat_n(Reaction::Error(0x1001, "too much"), 20));
    let error = site.write(WRITE).await.unwrap_err();
    assert_eq!(
        text_of(&error),
        "INSERT INTO shop.t failed at <peers> after <t> and 11 attempts: the server is overloaded; the session's retry budget is \
         used up; the server's message: \"too much\""
    );
    assert!(error.is_overloaded() && error.may_have_been_applied());
}

#[tokio::test]
async fn statement_refused_by_the_server_is_sent_once() {
    let site = StubSite::new(1, |builder| builder).await;
    site.stub.script([Reaction::Error(0x2200, "unconfigured table shop.t")]);
    let error = site.write(WRITE).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "INSERT INTO shop.t failed: refused by the server; the server's message: \"unconfigured table shop.t\""
    );
    assert!(error.kind() == ErrorKind::NotReady && error.is_refused() && !error.may_have_been_applied());
    assert_eq!(site.sent().len(), 1);
}

#[tokio::test]
async fn retry_avoiding_the_only_free_peer_delays_no_other_call() {
    let change =
        |builder: SessionBuilder| builder.connections_per_host(NonZeroUsize::MIN).call_timeout(Duration::from_secs(5));
    let site = StubSite::new(2, change).await;
    let (session, peer_limiter) = (&site.session, site.session.peer_limiter());
    site.stub.wait_until(|seen| seen.open.values().all(|open| *open > 0)).await;
    session.refresh_peers(session.age(Instant::now()));
    // Takes all capacity of one peer's connections, and none of the other's.
    let mut held = Vec::new();
    while peer_limiter.in_flight() < 2 * 512 {
        held.push(peer_limiter::acquire(peer_limiter, None).await.unwrap());
    }
    let full = Arc::clone(held[0].peer());
    held.retain(|permit| Arc::ptr_eq(permit.peer(), &full));
    assert_eq!(held.len(), 512);

    site.stub.script([Reaction::Error(0x1001, "too much")]);
    let repeated = tokio::spawn({
        let session = session.clone();
        async move { session.execute(WRITE, ()).await }
    });
    site.stub.wait_until(|seen| seen.requests.iter().any(|request| request.statement.as_deref() == Some(WRITE))).await;
    // This call waits a while for the full peer. The others are served at once by the peer that has capacity.
    for _ in 0..20 {
        session.execute("INSERT INTO shop.other (a) VALUES (1)", ()).await.unwrap();
    }
    repeated.await.unwrap().unwrap();
    assert!(site.sent().iter().all(|address| *address != full.address().ip()));
    assert_eq!(peer_limiter.in_flight(), 512);
}

/// Takes every permit of a session with one connection.
async fn take_all_permits(session: &Session) -> Vec<Permit<'_>> {
    let mut held = Vec::new();
    while session.peer_limiter().in_flight() < 512 {
        held.push(peer_limiter::acquire(session.peer_limiter(), None).await.unwrap());
    }
    held
}

const FULL_ADVICE: &str =
    "Nothing was sent. Send fewer requests at once, or open more connections with SessionBuilder::connections_per_host";

#[tokio::test]
async fn when_full_fail_makes_a_call_fail_as_overloaded_at_once() {
    let change = |builder: SessionBuilder| builder.connections_per_host(NonZeroUsize::MIN).when_full(WhenFull::Fail);
    let site = StubSite::new(1, change).await;
    let held = take_all_permits(&site.session).await;
    let error = site.write(WRITE).await.unwrap_err();
    assert_eq!(
        error.to_string().replace(&format!("{:.1?}", error.elapsed().unwrap()), "<t>"),
        format!(
            "INSERT INTO shop.t failed after <t>: every connection has its maximum number of requests in flight. {FULL_ADVICE}"
        )
    );
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Overloaded, 0));
    assert!(error.is_overloaded() && error.kind().is_retryable() && !error.may_have_been_applied());
    assert!(site.sent().is_empty());
    drop(held);
    site.write(WRITE).await.unwrap();
}

#[tokio::test]
async fn when_full_wait_makes_a_call_wait_until_its_deadline() {
    let change = |builder: SessionBuilder| {
        builder.connections_per_host(NonZeroUsize::MIN).call_timeout(Duration::from_millis(300))
    };
    let site = StubSite::new(1, change).await;
    let held = take_all_permits(&site.session).await;
    let error = site.write(WRITE).await.unwrap_err();
    assert_eq!(
        error.to_string().replace(&format!("{:.1?}", error.elapsed().unwrap()), "<t>"),
        format!(
            "INSERT INTO shop.t failed after <t>: no connection had capacity left before its deadline. {FULL_ADVICE}"
        )
    );
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Overloaded, 0));
    assert!(site.sent().is_empty());
    drop(held);
    site.write(WRITE).await.unwrap();
}

#[tokio::test]
async fn call_dropped_during_backoff_releases_its_permit() {
    let site =
        StubSite::new(1, |builder| builder.backoff(Duration::from_secs(3_600), Duration::from_secs(3_600))).await;
    let call = tokio::spawn({
        let session = site.session.clone();
        async move { session.execute("INSERT INTO shop.held (a) VALUES (1)", ()).await }
    });
    let is_there = |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains("held"));
    site.stub.wait_until(|seen| seen.requests.iter().any(|request| is_there(&request.statement))).await;
    assert_eq!(site.session.peer_limiter().in_flight(), 1);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(site.session.peer_limiter().in_flight(), 0);
    site.session.close(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn close_lets_running_calls_continue_until_their_deadline() {
    let backoff = Duration::from_millis(500);
    let site = StubSite::new(2, |builder| builder.backoff(backoff, backoff)).await;
    site.stub.script([Reaction::Throttle, Reaction::Throttle]);
    let call = tokio::spawn({
        let session = site.session.clone();
        async move { session.execute(WRITE, ()).await }
    });
    site.stub.wait_until(|seen| seen.requests.iter().any(|request| request.statement.as_deref() == Some(WRITE))).await;
    let error = site.session.close(Duration::ZERO).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    call.await.unwrap().unwrap();
    assert_eq!(site.sent().len(), 3);
    site.stub.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn maximum_deadlines_and_attempt_timeouts_are_accepted() {
    let site = StubSite::new(1, |builder| builder).await;
    let write: crate::Write<()> = site.session.prepare(APPEND).await.unwrap();
    write.with_deadline(Duration::MAX).with_attempt_timeout(Duration::MAX).execute(()).await.unwrap();
    let mut batch =
        crate::UnloggedBatch::new(&site.session).with_deadline(Duration::MAX).with_attempt_timeout(Duration::MAX);
    batch.push(&write, ()).unwrap();
    batch.execute().await.unwrap();
}

#[tokio::test]
async fn attempt_timeout_can_be_extended_per_statement() {
    let site = StubSite::new(1, |builder| builder.attempt_timeout(Duration::from_millis(100))).await;
    let write: crate::Write<()> = site.session.prepare(APPEND).await.unwrap();
    let before = site.sent().len();
    site.stub.script([Reaction::Delay(Duration::from_millis(500))]);
    write.with_attempt_timeout(Duration::from_secs(30)).execute(()).await.unwrap();
    assert_eq!(site.sent().len() - before, 1);
    site.stub.script([Reaction::Delay(Duration::from_millis(500))]);
    let error = write.with_deadline(Duration::from_secs(30)).execute(()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unknown, 1));
}

#[tokio::test]
async fn batch_debug_contains_neither_statements_nor_values() {
    let site = StubSite::new(1, |builder| builder).await;
    let write: crate::Write<()> = site.session.prepare("INSERT INTO shop.t (a) VALUES (4711)").await.unwrap();
    let mut batch = crate::UnloggedBatch::new(&site.session).with_tag("nightly");
    batch.push(&write, ()).unwrap();
    let shown = format!("{batch:?}");
    assert!(shown.contains("statements: 1") && shown.contains("nightly"), "{shown}");
    assert!(!shown.contains("4711") && !shown.contains("VALUES"), "{shown}");
}

#[tokio::test]
async fn prepare_is_retried_after_every_peer_failed() {
    let site = StubSite::new(1, |builder| builder).await;
    site.stub.inject_fault(
        IpAddr::from([127, 0, 0, 1]),
        testkit::stub::FaultPoint::Prepare,
        Reaction::Error(0x1001, "too much"),
    );
    let preparing = tokio::spawn({
        let session = site.session.clone();
        async move { session.prepare::<crate::Write<()>>(WRITE).await }
    });
    let is_prepare = |text: &Option<String>| text.as_deref() == Some(WRITE);
    let twice = |seen: &testkit::stub::Observed| {
        seen.requests.iter().filter(|request| is_prepare(&request.statement)).count() >= 2
    };
    site.stub.wait_until(twice).await;
    site.stub.clear_faults();
    preparing.await.unwrap().unwrap();
}
