use futures::FutureExt;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// A request for `units` with a deadline that is never reached.
fn units(units: f64) -> UnitsRequest {
    within(units, HOUR)
}

fn within(units: f64, deadline: Duration) -> UnitsRequest {
    let called_at = Instant::now();
    UnitsRequest { units, partition: None, called_at, deadline: called_at + deadline }
}

const CAPACITY: f64 = 500.0;

/// A table with a capacity per second and no burst capacity.
struct TestTable {
    units: f64,
    refilled_at: Instant,
}

impl TestTable {
    fn accepts(&mut self) -> bool {
        self.accepts_at(CAPACITY)
    }

    fn accepts_at(&mut self, per_second: f64) -> bool {
        self.units += self.refilled_at.elapsed().as_secs_f64() * per_second;
        self.refilled_at = Instant::now();
        let accepts = self.units >= 1.0;
        self.units -= f64::from(u8::from(accepts));
        accepts
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_table_receives_its_capacity_and_little_more() {
    let began = Instant::now();
    let limiter = Arc::new(RateLimiter::default());
    let table = Arc::new(Mutex::new(TestTable { units: 0.0, refilled_at: began }));
    let callers = (0..64).map(|_| {
        let (limiter, table) = (Arc::clone(&limiter), Arc::clone(&table));
        tokio::spawn(async move {
            let (mut acknowledged, mut throttled) = (0, 0);
            while began.elapsed() < Duration::from_secs(20) {
                limiter.acquire(units(1.0), began).await.unwrap();
                let sent = began.elapsed();
                tokio::time::sleep(Duration::from_millis(3)).await;
                if table.lock().unwrap().accepts() {
                    acknowledged += 1;
                    limiter.record_acknowledged(1.0, None, sent, || began.elapsed());
                } else {
                    throttled += 1;
                    limiter.record_throttled(1.0, None, sent, began.elapsed());
                }
            }
            (acknowledged, throttled)
        })
    });
    let (mut acknowledged, mut throttled) = (0, 0);
    for caller in callers.collect::<Vec<_>>() {
        let (all, in_vain) = caller.await.unwrap();
        acknowledged += all;
        throttled += in_vain;
    }
    assert!(acknowledged > 9_500, "{acknowledged} of 10000");
    assert!(throttled < acknowledged / 20, "{throttled} for {acknowledged}");
}

/// Runs 1,024 callers against a table of 2,000 units per second with one second's units saved up. Returns the share of the
/// capacity that they use from second 5 to 20, and the attempts per acknowledged request from the beginning.
#[cfg(feature = "bulk")]
async fn shares(limiter: Arc<RateLimiter>) -> (f64, f64) {
    const CAPACITY: f64 = 2_000.0;
    let began = Instant::now();
    let table = Arc::new(Mutex::new(TestTable { units: CAPACITY, refilled_at: began }));
    let callers = (0..1_024).map(|_| {
        let (limiter, table) = (Arc::clone(&limiter), Arc::clone(&table));
        tokio::spawn(async move {
            let (mut early, mut late, mut throttled) = (0, 0, 0);
            while began.elapsed() < Duration::from_secs(20) {
                limiter.acquire(units(1.0), began).await.unwrap();
                let sent = began.elapsed();
                tokio::time::sleep(Duration::from_millis(3)).await;
                if !table.lock().unwrap().accepts_at(CAPACITY) {
                    throttled += 1;
                    limiter.record_throttled(1.0, None, sent, began.elapsed());
                    continue;
                }
                limiter.record_acknowledged(1.0, None, sent, || began.elapsed());
                *(if sent < Duration::from_secs(5) { &mut early } else { &mut late }) += 1;
            }
            [early, late, throttled]
        })
    });
    let mut sums = [0; 3];
    for caller in callers.collect::<Vec<_>>() {
        let counts: [u32; 3] = caller.await.unwrap();
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let [early, late, throttled] = sums.map(f64::from);
    (late / 15.0 / CAPACITY, 1.0 + throttled / (early + late))
}

#[cfg(feature = "bulk")]
#[tokio::test(start_paused = true)]
async fn known_capacity_avoids_throttled_probing() {
    let limiter = Arc::new(RateLimiter::default());
    limiter.set_known_rate(NonZeroU32::new(2_000).unwrap(), Duration::ZERO);
    let (share, attempts) = shares(limiter).await;
    assert!(share >= 0.98 && attempts <= 1.05, "{share} of the capacity, {attempts} attempts");
}

#[tokio::test(start_paused = true)]
async fn rate_limiter_is_unlimited_before_and_some_time_after_throttling() {
    let began = Instant::now();
    let limiter = Arc::new(RateLimiter::default());
    assert!(limiter.is_unlimited() && limiter.acquire(units(1.0), began).now_or_never().is_some());
    for _ in 0..1_000 {
        limiter.record_acknowledged(1.0, None, Duration::ZERO, || Duration::ZERO);
    }
    tokio::time::advance(Duration::from_millis(500)).await;
    limiter.record_throttled(1.0, None, Duration::ZERO, began.elapsed());
    assert!(!limiter.is_unlimited());
    tokio::time::advance(Duration::from_secs(4)).await;
    limiter.record_acknowledged(1.0, None, began.elapsed(), || began.elapsed());
    assert!(!limiter.is_unlimited());
    tokio::time::advance(Duration::from_secs(2)).await;
    limiter.record_acknowledged(1.0, None, began.elapsed(), || began.elapsed());
    assert!(limiter.is_unlimited());
}

/// A limiter whose first request was throttled, so that it starts at ten units per second.
fn throttled_at_once() -> Arc<RateLimiter> {
    let limiter = Arc::new(RateLimiter::default());
    limiter.record_throttled(1.0, None, Duration::ZERO, Duration::ZERO);
    limiter
}

#[tokio::test(start_paused = true)]
async fn cancelled_waiting_call_delays_no_other_call() {
    let (began, limiter) = (Instant::now(), throttled_at_once());
    let mut first = Box::pin(limiter.acquire(units(1.0), began));
    let mut second = Box::pin(limiter.acquire(units(1.0), began));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(first);
    second.await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(150), "one of ten a second: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn permit_granted_to_a_cancelled_call_passes_to_the_next() {
    let (began, limiter) = (Instant::now(), throttled_at_once());
    let mut first = Box::pin(limiter.acquire(units(1.0), began));
    assert!(first.as_mut().now_or_never().is_none());
    tokio::time::sleep(Duration::from_millis(150)).await;
    drop(first);
    limiter.acquire(units(1.0), began).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(160), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn unpolled_call_does_not_block_later_calls() {
    let (began, limiter) = (Instant::now(), throttled_at_once());
    let mut held: Vec<_> = (0..5).map(|_| Box::pin(limiter.acquire(units(1.0), began))).collect();
    assert!(held.iter_mut().all(|turn| turn.as_mut().now_or_never().is_none()));
    let others = (0..10).map(|_| limiter.acquire(units(1.0), began));
    futures::future::try_join_all(others).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1_600), "15 turns at ten a second: {:?}", began.elapsed());
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn call_past_its_deadline_fails_at_once_with_the_expected_wait() {
    let (began, limiter) = (Instant::now(), throttled_at_once());
    let mut waiting: Vec<_> =
        (0..20).map(|_| Box::pin(limiter.acquire(within(1.0, Duration::from_secs(3)), began))).collect();
    assert!(waiting.iter_mut().all(|turn| turn.as_mut().now_or_never().is_none()));
    let late = limiter.acquire(within(1.0, Duration::from_secs(2)), began).now_or_never();
    let Some(Err(TurnTooLate(after))) = late else { panic!("{late:?}") };
    assert_eq!(after.as_millis(), 2_100);
    assert!(limiter.acquire(within(1.0, Duration::from_secs(3)), began).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn one_slow_answer_does_not_exclude_shorter_deadlines_forever() {
    let (began, limiter) = (Instant::now(), throttled_at_once());
    tokio::time::sleep(Duration::from_secs(3)).await;
    limiter.record_acknowledged(1.0, None, Duration::ZERO, || began.elapsed());
    let turn = || limiter.acquire(within(1.0, Duration::from_millis(250)), began);
    assert!(turn().await.is_err(), "the last answer took 3 s");
    // There is only one caller, and it calls again each time it is refused.
    while turn().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "an answer that is long past still counts");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sent = began.elapsed();
    limiter.record_acknowledged(1.0, None, sent, || sent + Duration::from_millis(5));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(turn().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiting_callers_fail_once_the_table_accepts_nothing() {
    let (began, limiter) = (Instant::now(), throttled_at_once());
    let mut waiting: Vec<_> =
        (0..20).map(|_| Box::pin(limiter.acquire(within(1.0, Duration::from_secs(3)), began))).collect();
    assert!(waiting.iter_mut().all(|turn| turn.as_mut().now_or_never().is_none()));
    for _ in 0..12 {
        limiter.record_throttled(1.0, None, began.elapsed(), began.elapsed());
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let refused = waiting.iter_mut().filter_map(|turn| turn.as_mut().now_or_never()).collect::<Vec<_>>();
    assert!(refused.len() >= 10 && refused.iter().all(Result::is_err), "{refused:?}");
}

#[test]
fn rate_limiter_grants_permits_after_another_runtime_has_ended() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (one, other) = (runtime(), runtime());
    let (began, limiter) = other.block_on(async { (Instant::now(), throttled_at_once()) });
    one.block_on(async {
        let mut waits = Box::pin(limiter.acquire(units(1.0), began));
        assert!(waits.as_mut().now_or_never().is_none());
    });
    drop(one);
    other.block_on(async { limiter.acquire(units(1.0), began).await.unwrap() });
}

#[test]
fn each_table_has_separate_read_and_write_rate_limiters() {
    let rate_limiters = RateLimiters::default();
    let limiters_of = |text: &str| {
        let info = StatementInfo::of_text(text);
        rate_limiters.for_statement(&info)
    };
    let read = limiters_of("SELECT a FROM ks.t WHERE a = ?");
    let write = limiters_of("INSERT INTO ks.t (a) VALUES (?)");
    assert!(Arc::ptr_eq(&read[0], &limiters_of("SELECT b FROM ks.t WHERE a = ?")[0]));
    assert!(!Arc::ptr_eq(&read[0], &write[0]));
    assert!(!Arc::ptr_eq(&write[0], &limiters_of("INSERT INTO ks.u (a) VALUES (?)")[0]));
    assert!(rate_limiters.for_statement(&StatementInfo::unparsed("FROB ks.t")).is_empty());
    let definition = StatementInfo::of_definition("ALTER TABLE ks.t ADD b int");
    assert!(rate_limiters.for_statement(&definition).is_empty(), "a definition waits for no statement");
}

#[tokio::test(start_paused = true)]
async fn table_limit_caps_units_per_second_and_repays_debt() {
    let began = Instant::now();
    let limit = TableLimit::none().write_units(NonZeroU32::new(100).unwrap());
    let rate_limiters = RateLimiters::new(HashMap::from([("ks.t".to_owned(), limit)]));
    let write = Arc::clone(&rate_limiters.for_statement(&StatementInfo::of_text("INSERT INTO ks.t (a) VALUES (?)"))[0]);
    assert!(rate_limiters.for_statement(&StatementInfo::of_text("SELECT a FROM ks.t WHERE a = ?"))[0].is_unlimited());
    // One second's units are available at once, and more are added as time passes.
    for _ in 0..150 {
        write.acquire(units(2.0), began).await.unwrap();
    }
    assert_eq!(began.elapsed().as_millis() / 10, 200);
    write.charge(50.0);
    write.acquire(units(1.0), began).await.unwrap();
    assert_eq!(began.elapsed().as_millis() / 10, 251);
    // A request larger than one second's units waits for a full second's, and the next request for the rest.
    write.acquire(units(300.0), began).await.unwrap();
    let then = began.elapsed();
    write.acquire(units(1.0), began).await.unwrap();
    assert_eq!((began.elapsed() - then).as_millis() / 10, 201);
}
