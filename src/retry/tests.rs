use proptest::prelude::*;

use super::*;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(10), max: Duration::from_secs(1) };

#[test]
fn backoff_bound_doubles_up_to_the_maximum() {
    let bounds: Vec<u128> = (0..9).map(|retries| BACKOFF.wait_time(retries, 1.0).as_millis()).collect();
    assert_eq!(bounds, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    let halves: Vec<u128> = (0..4).map(|retries| BACKOFF.wait_time(retries, 0.5).as_millis()).collect();
    assert_eq!(halves, [5, 10, 20, 40]);
    assert_eq!(BACKOFF.wait_time(5, 0.0), Duration::ZERO);
    assert_eq!(BACKOFF.wait_time(u32::MAX, 1.0), Duration::from_secs(1));
}

#[test]
fn same_seed_yields_the_same_backoff_waits() {
    let waits = |seed| {
        let retry = Retry::new(BACKOFF, RetryBudget::new(20, 10), Random::seeded(seed));
        (0..20).map(|retries| retry.wait_time(retries)).collect::<Vec<_>>()
    };
    assert_eq!(waits(7), waits(7));
    assert_ne!(waits(7), waits(8));
}

#[test]
fn retry_budget_is_ten_or_a_fifth_of_the_last_ten_seconds_requests() {
    let budget = RetryBudget::new(20, 10);
    let second = Duration::from_secs;
    let retries = |now| std::iter::repeat_with(|| budget.try_retry(now)).take_while(|granted| *granted).count();
    assert_eq!(retries(second(0)), 10);
    assert_eq!(retries(second(9)), 0);
    assert_eq!(retries(second(10)), 10);
    for _ in 0..100 {
        budget.count_request(second(25));
    }
    assert_eq!(retries(second(25)), 20);
    assert_eq!(retries(second(34)), 0);
    assert_eq!(retries(second(35)), 10);
}

proptest! {
    #[test]
    fn retries_stay_within_the_retry_budget(
        steps in proptest::collection::vec((0_u64..3_000, any::<bool>()), 1..600),
    ) {
        let budget = RetryBudget::new(20, 10);
        let (mut now, mut requests, mut retries) = (0, Vec::new(), Vec::new());
        for (passes, is_request) in steps {
            now += passes / 10;
            let at = Duration::from_millis(now);
            let in_window = |times: &[u64]| times.iter().filter(|time| *time + 10 > at.as_secs()).count();
            if is_request {
                budget.count_request(at);
                requests.push(at.as_secs());
            } else {
                let allowed = (in_window(&requests) / 5).max(10);
                let expected = in_window(&retries) < allowed;
                prop_assert_eq!(budget.try_retry(at), expected);
                if expected {
                    retries.push(at.as_secs());
                }
            }
        }
    }
}
