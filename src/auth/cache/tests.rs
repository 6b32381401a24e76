use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, SharedCredentialsProvider, future};
use tokio::sync::Semaphore;
use tokio::time::{advance, sleep};

use super::*;
use crate::ErrorKind;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A wall clock that advances with the runtime's clock.
#[derive(Clone, Copy)]
struct Day(Instant);

impl Day {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn at(self, since_start: Duration) -> SystemTime {
        UNIX_EPOCH + 1_000_000 * SECOND + since_start
    }

    fn clock(self) -> Clock {
        Clock::new(move || self.at(self.0.elapsed()))
    }
}

type Script = Box<dyn Fn(usize) -> BoxFuture<'static, provider::Result> + Send + Sync>;

/// Answers the n-th request (counted from 0) according to the script, and records the time of each request.
struct Scripted {
    script: Script,
    start: Instant,
    requests: Mutex<Vec<Duration>>,
}

impl Scripted {
    fn requests(&self) -> Vec<Duration> {
        self.requests.lock().unwrap().clone()
    }
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let before = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(self.start.elapsed());
            requests.len() - 1
        };
        future::ProvideCredentials::new((self.script)(before))
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret that its provider shows")
    }
}

fn scripted(
    script: impl Fn(usize) -> BoxFuture<'static, provider::Result> + Send + Sync + 'static,
) -> (CredentialCache, Arc<Scripted>) {
    let day = Day::start();
    let provider = Arc::new(Scripted { script: Box::new(script), start: day.0, requests: Mutex::default() });
    let shared: Arc<dyn ProvideCredentials> = Arc::clone(&provider) as _;
    let source = CredentialSource::from_provider(SharedCredentialsProvider::from(shared));
    (CredentialCache::new(source, day.clock(), Timing::default()), provider)
}

/// The n-th credentials, with the access key `key-n`.
fn numbered(n: usize, expiry: Option<SystemTime>) -> Credentials {
    Credentials::new(format!("key-{n}"), "secret", Some("token".to_owned()), expiry, "test")
}

fn ready(outcome: provider::Result) -> BoxFuture<'static, provider::Result> {
    async { outcome }.boxed()
}

async fn key(cache: &CredentialCache) -> String {
    cache.get().await.unwrap().access_key_id().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_concurrent_callers_share_one_request() {
    let (cache, provider) = scripted(|n| {
        async move {
            sleep(SECOND).await;
            Ok(numbered(n, None))
        }
        .boxed()
    });
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { key(&cache).await })
        })
        .collect();
    for one in waiting {
        assert_eq!(one.await.unwrap(), "key-0");
    }
    assert_eq!(key(&cache).await, "key-0");
    assert_eq!(provider.requests(), [Duration::ZERO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_several_threads_share_one_request_whoever_of_them_leaves() {
    let gate = Arc::new(Semaphore::new(0));
    let (cache, provider) = scripted({
        let gate = Arc::clone(&gate);
        move |n| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(numbered(n, None))
            }
            .boxed()
        }
    });
    let start = |count: usize| -> Vec<_> {
        let one = || {
            tokio::spawn({
                let cache = cache.clone();
                async move { key(&cache).await }
            })
        };
        (0..count).map(|_| one()).collect()
    };
    let staying = start(50);
    while provider.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    start(50).iter().for_each(tokio::task::JoinHandle::abort);
    gate.add_permits(1);
    for one in staying {
        assert_eq!(one.await.unwrap(), "key-0");
    }
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_cancel_the_request_of_the_others() {
    let (cache, provider) = scripted(|n| {
        async move {
            sleep(2 * SECOND).await;
            Ok(numbered(n, None))
        }
        .boxed()
    });
    let first = tokio::spawn({
        let cache = cache.clone();
        async move { timeout(SECOND, cache.get()).await.is_err() }
    });
    // The first caller has started the request.
    tokio::task::yield_now().await;
    assert_eq!(provider.requests().len(), 1);
    assert_eq!(key(&cache).await, "key-0");
    assert!(first.await.unwrap());
    assert_eq!(provider.requests(), [Duration::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn when_all_callers_have_left_the_request_ends_and_the_next_caller_makes_another() {
    struct Ended(Arc<AtomicBool>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let ended = Arc::new(AtomicBool::new(false));
    let (cache, provider) = scripted({
        let ended = Arc::clone(&ended);
        move |n| {
            let guard = Ended(Arc::clone(&ended));
            async move {
                if n == 0 {
                    sleep(4 * SECOND).await;
                }
                drop(guard);
                Ok(numbered(n, None))
            }
            .boxed()
        }
    });
    assert!(timeout(SECOND, cache.get()).await.is_err());
    assert!(ended.load(Ordering::SeqCst));
    assert_eq!(key(&cache).await, "key-1");
    assert_eq!(provider.requests(), [Duration::ZERO, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_five_minutes_before_they_expire() {
    let day = Day::start();
    let (cache, provider) = scripted(move |n| ready(Ok(numbered(n, Some(day.at(HOUR * (n as u32 + 1)))))));
    assert_eq!(key(&cache).await, "key-0");
    assert_eq!(cache.expiry(), Some(Some(day.at(HOUR))));
    advance(55 * MINUTE - SECOND).await;
    assert_eq!(key(&cache).await, "key-0");
    advance(SECOND).await;
    assert_eq!(key(&cache).await, "key-1");
    assert_eq!(key(&cache).await, "key-1");
    assert_eq!(provider.requests(), [Duration::ZERO, 55 * MINUTE]);
}

#[tokio::test(start_paused = true)]
async fn credentials_with_little_time_left_are_renewed_after_half_of_it() {
    let day = Day::start();
    let (cache, provider) = scripted(move |n| ready(Ok(numbered(n, Some(day.at(4 * MINUTE * (n as u32 + 1)))))));
    assert_eq!(key(&cache).await, "key-0");
    advance(2 * MINUTE - SECOND).await;
    assert_eq!(key(&cache).await, "key-0");
    advance(SECOND).await;
    assert_eq!(key(&cache).await, "key-1");
    assert_eq!(provider.requests(), [Duration::ZERO, 2 * MINUTE]);
}

#[tokio::test(start_paused = true)]
async fn credentials_without_an_expiry_are_fetched_again_after_five_minutes() {
    let (cache, provider) = scripted(|n| ready(Ok(numbered(n, None))));
    assert_eq!(key(&cache).await, "key-0");
    assert_eq!(cache.expiry(), Some(None));
    advance(5 * MINUTE - SECOND).await;
    assert_eq!(key(&cache).await, "key-0");
    advance(SECOND).await;
    assert_eq!(key(&cache).await, "key-1");
    assert_eq!(provider.requests(), [Duration::ZERO, 5 * MINUTE]);
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_fails_the_cached_credentials_are_used_until_they_expire() {
    let day = Day::start();
    let (cache, provider) = scripted(move |n| {
        ready(match n {
            0 => Ok(numbered(n, Some(day.at(HOUR)))),
            _ => Err(CredentialsError::provider_error("STS is down")),
        })
    });
    assert_eq!(key(&cache).await, "key-0");
    advance(59 * MINUTE).await;
    assert_eq!(key(&cache).await, "key-0");
    advance(MINUTE - Duration::from_millis(1)).await;
    assert_eq!(key(&cache).await, "key-0");
    assert_eq!(provider.requests().len(), 3);
    advance(2 * SECOND + Duration::from_millis(1)).await;
    let error = cache.get().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "getting credentials from the provider given to the session failed: the provider failed, and the cached \
         credentials expired 2s ago; the provider's message: \"STS is down\". Check that provider, or give the session \
         another one"
    );
    assert_eq!(error.kind(), ErrorKind::Credentials);
}

#[tokio::test(start_paused = true)]
async fn the_pause_after_each_failure_of_the_provider_is_longer() {
    let (cache, provider) = scripted(|_| ready(Err(CredentialsError::not_loaded_no_source())));
    // A caller requests credentials ten times a second, for a minute.
    for _ in 0..600 {
        assert_eq!(cache.get().await.unwrap_err().kind(), ErrorKind::Credentials);
        advance(Duration::from_millis(100)).await;
    }
    let millis = [0, 500, 1_500, 3_500, 7_500, 15_500, 30_500, 45_500];
    assert_eq!(provider.requests(), millis.map(Duration::from_millis));
}

#[tokio::test(start_paused = true)]
async fn a_success_resets_the_pause() {
    let (cache, provider) = scripted(|n| {
        ready(match n {
            2 => Ok(numbered(n, None)),
            _ => Err(CredentialsError::not_loaded_no_source()),
        })
    });
    for pause in [500, 1_000] {
        assert!(cache.get().await.is_err());
        advance(Duration::from_millis(pause)).await;
    }
    assert_eq!(key(&cache).await, "key-2");
    // Five minutes later it fails again, and the first pause is the shortest one again.
    advance(5 * MINUTE).await;
    assert_eq!(key(&cache).await, "key-2");
    advance(Duration::from_millis(500)).await;
    assert_eq!(key(&cache).await, "key-2");
    assert_eq!(provider.requests().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn silent_credentials_provider_times_out_after_five_seconds() {
    let (cache, provider) = scripted(|_| futures::future::pending().boxed());
    let start = Instant::now();
    let error = cache.get().await.unwrap_err();
    assert_eq!(start.elapsed(), 5 * SECOND);
    let text = "getting credentials from the provider given to the session failed: the provider did not answer within \
                5s. Check that provider, or give the session another one";
    assert_eq!(error.to_string(), text);
    // A caller right after that does not wait.
    assert_eq!(cache.get().await.unwrap_err().to_string(), text);
    assert_eq!(start.elapsed(), 5 * SECOND);
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn unusable_credentials_are_refused_with_the_reason() {
    let day = Day::start();
    let give = |credentials: Credentials| async move {
        let (cache, _) = scripted(move |_| ready(Ok(credentials.clone())));
        cache.get().await.unwrap_err().to_string()
    };
    for (credentials, problem) in [
        (numbered(0, Some(day.at(Duration::ZERO))), "the credentials expired 0ms ago"),
        (Credentials::new("", "secret", None, None, "test"), "the access key is empty"),
        (Credentials::new("key", "", None, None, "test"), "the secret is empty"),
    ] {
        assert_eq!(
            give(credentials).await,
            format!(
                "getting credentials from the provider given to the session failed: {problem}. Check that provider, or \
                 give the session another one"
            )
        );
    }
    advance(30 * MINUTE).await;
    let (cache, _) = scripted(move |_| ready(Ok(numbered(0, Some(UNIX_EPOCH + 1_000_000 * SECOND - 30 * MINUTE)))));
    assert!(cache.get().await.unwrap_err().to_string().contains("the credentials expired 30min ago"));
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_has_its_own_text_and_keeps_its_cause() {
    for (error, problem) in [
        (CredentialsError::not_loaded_no_source(), "the provider has none"),
        (CredentialsError::not_loaded("no profile"), "the provider has none; the provider's message: \"no profile\""),
        (CredentialsError::provider_timed_out(SECOND), "the provider timed out"),
        (
            CredentialsError::invalid_configuration("a loop"),
            "the provider's configuration is invalid; the provider's message: \"a loop\"",
        ),
        (
            CredentialsError::unhandled(CredentialsError::provider_error("not UTF-8")),
            "the provider failed; the provider's message: \"an error occurred while loading credentials: not UTF-8\"",
        ),
    ] {
        let error = Arc::new(Mutex::new(Some(error)));
        let (cache, _) = scripted(move |_| ready(Err(error.lock().unwrap().take().unwrap())));
        let error = cache.get().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "getting credentials from the provider given to the session failed: {problem}. Check that provider, or \
                 give the session another one"
            )
        );
        assert!(error.source().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_message_of_the_provider_is_cut() {
    let (cache, _) = scripted(|_| ready(Err(CredentialsError::provider_error("é".repeat(10_000)))));
    assert_eq!(cache.get().await.unwrap_err().server_message().unwrap(), "é".repeat(250));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_provider_fails_all_waiting_callers_and_it_is_asked_again() {
    let (cache, _) = scripted(|n| {
        async move {
            sleep(SECOND).await;
            assert_ne!(n, 0, "the provider's panic, which this test wants");
            Ok(numbered(n, None))
        }
        .boxed()
    });
    let (one, other) = tokio::join!(cache.get(), cache.get());
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(
            error.to_string(),
            "getting credentials from the provider given to the session failed: the provider panicked. Check that \
             provider, or give the session another one"
        );
    }
    advance(SECOND).await;
    assert_eq!(key(&cache).await, "key-1");
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_provider_returns_a_future_is_the_same() {
    let (cache, _) = scripted(|n| {
        assert_ne!(n, 0, "the provider's panic, which this test wants");
        ready(Ok(numbered(n, None)))
    });
    let error = cache.get().await.unwrap_err();
    assert!(error.to_string().contains("failed: the provider panicked"), "{error}");
    advance(SECOND).await;
    assert_eq!(key(&cache).await, "key-1");
}

#[tokio::test(start_paused = true)]
async fn debug_of_the_cache_prints_no_secret() {
    let (cache, _) = scripted(|n| ready(Ok(numbered(n, None))));
    key(&cache).await;
    let shown = format!("{cache:?}");
    assert!(shown.contains("the provider given to the session"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("token"), "{shown}");
}

#[test]
fn the_default_timing() {
    let timing = Timing::default();
    assert_eq!(timing.provider_timeout, 5 * SECOND);
    assert_eq!(timing.renew_ahead, 5 * MINUTE);
    assert_eq!(timing.refetch_interval, 5 * MINUTE);
    assert_eq!(timing.min_pause, Duration::from_millis(500));
    assert_eq!(timing.max_pause, 15 * SECOND);
}
