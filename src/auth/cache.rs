//! The cache of credentials.

mod failure;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::time::{Instant, timeout};

use self::failure::CredentialsFailure;
use super::clock::Clock;
use super::source::CredentialSource;
use crate::Error;
use crate::lock::locked;

/// A cache that fetches credentials from a provider once for all connections, and renews them before they expire.
///
/// The AWS SDK does not cache credentials here, and a pool opens all its connections at once. Callers that find no
/// fresh credentials share one request to the provider. The request continues while at least one caller waits, and is
/// dropped with the last. If the provider fails, the cached credentials are used until they expire, and the next
/// request to the provider is made after a pause.
#[derive(Clone)]
pub(crate) struct CredentialCache(Arc<Inner>);

/// When credentials are requested from the provider, and how long a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// How long the provider may take. Default: 5 s.
    pub(crate) provider_timeout: Duration,
    /// How long before their expiry credentials are renewed. Default: 5 min, because EC2 has new credentials of a role
    /// "at least five minutes before" the old ones expire (EC2 guide). Credentials that arrive with less than twice
    /// this time left are renewed when half of that time has passed.
    pub(crate) renew_ahead: Duration,
    /// How often credentials without an expiry are fetched again, because their file or variable may change. Default: 5
    /// min.
    pub(crate) refetch_interval: Duration,
    /// The pause after the provider's first failure. It doubles with each further failure. Default: 500 ms.
    pub(crate) min_pause: Duration,
    /// The longest pause. Default: 15 s.
    pub(crate) max_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            provider_timeout: Duration::from_secs(5),
            renew_ahead: Duration::from_secs(300),
            refetch_interval: Duration::from_secs(300),
            min_pause: Duration::from_millis(500),
            max_pause: Duration::from_secs(15),
        }
    }
}

struct Inner {
    source: CredentialSource,
    clock: Clock,
    timing: Timing,
    state: Mutex<CacheState>,
}

/// The state of the cache. Its lock is never held across an await.
#[derive(Default)]
struct CacheState {
    cached: Option<CachedCredentials>,
    /// The running request, which all callers share.
    request: Option<WeakShared<BoxFuture<'static, CredentialsResult>>>,
    /// The provider's last failure; `None` if its last request succeeded.
    failed: Option<Failed>,
}

type CredentialsResult = Result<Credentials, Arc<CredentialsFailure>>;

struct CachedCredentials {
    credentials: Credentials,
    fetched_at: Instant,
    /// The time from `fetched_at` to their expiry; `None` if they have no expiry.
    lifetime: Option<Duration>,
}

struct Failed {
    failure: Arc<CredentialsFailure>,
    at: Instant,
    pause: Duration,
}

impl CredentialCache {
    pub(crate) fn new(source: CredentialSource, clock: Clock, timing: Timing) -> Self {
        Self(Arc::new(Inner { source, clock, timing, state: Mutex::default() }))
    }

    /// Returns credentials that are valid now.
    ///
    /// This takes at most as long as the provider may take ([`Timing::provider_timeout`]).
    ///
    /// # Errors
    ///
    /// `Credentials` if the provider has none, fails or takes too long, and no cached credentials are valid.
    pub(crate) async fn get(&self) -> Result<Credentials, Error> {
        let request = match self.0.lookup() {
            CacheLookup::Fresh(credentials) => return Ok(credentials),
            CacheLookup::Paused(failure) => return self.0.cached_or_error(&failure),
            CacheLookup::Pending(request) => request,
        };
        match request.await {
            Ok(credentials) => Ok(credentials),
            Err(failure) => self.0.cached_or_error(&failure),
        }
    }

    /// The provider's name for messages.
    pub(crate) fn source_name(&self) -> &'static str {
        self.0.source.name()
    }

    /// The provider's last failure and its time; `None` if the last request succeeded.
    pub(crate) fn last_failure(&self) -> Option<(Instant, Error)> {
        let (failure, at) = self.0.state().failed.as_ref().map(|failed| (Arc::clone(&failed.failure), failed.at))?;
        Some((at, self.0.error(&failure)))
    }

    /// When the cached credentials expire: `None` if none are cached, `Some(None)` if they have no expiry.
    pub(crate) fn expiry(&self) -> Option<Option<SystemTime>> {
        self.0.state().cached.as_ref().map(|cached| cached.credentials.expiry())
    }
}

impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialCache").field("source", &self.0.source).field("timing", &self.0.timing).finish()
    }
}

enum CacheLookup {
    Fresh(Credentials),
    /// The provider failed, and the pause before the next request has not passed yet.
    Paused(Arc<CredentialsFailure>),
    Pending(Shared<BoxFuture<'static, CredentialsResult>>),
}

impl Inner {
    fn lookup(self: &Arc<Self>) -> CacheLookup {
        let mut state = self.state();
        if let Some(cached) = &state.cached
            && !cached.needs_renewal(self.clock.now(), &self.timing)
        {
            return CacheLookup::Fresh(cached.credentials.clone());
        }
        if let Some(failed) = &state.failed
            && failed.at.elapsed() < failed.pause
        {
            return CacheLookup::Paused(Arc::clone(&failed.failure));
        }
        if let Some(request) = state.request.as_ref().and_then(WeakShared::upgrade) {
            return CacheLookup::Pending(request);
        }
        let request = Arc::clone(self).fetch().boxed().shared();
        state.request = request.downgrade();
        CacheLookup::Pending(request)
    }

    /// Requests credentials from the provider and stores the result. This runs once for all waiting callers.
    async fn fetch(self: Arc<Self>) -> CredentialsResult {
        // A panic of the provider would otherwise end every waiting task, including those of the driver's pools.
        let request = AssertUnwindSafe(async { self.source.provide_credentials().await }).catch_unwind();
        let outcome = match timeout(self.timing.provider_timeout, request).await {
            Ok(Ok(Ok(credentials))) => self.validate(credentials),
            Ok(Ok(Err(error))) => Err(CredentialsFailure::Provider(Arc::new(error))),
            Ok(Err(_panic)) => Err(CredentialsFailure::Panicked),
            Err(_elapsed) => Err(CredentialsFailure::TimedOut(self.timing.provider_timeout)),
        };
        self.store(outcome.map_err(Arc::new))
    }

    fn validate(&self, credentials: Credentials) -> Result<CachedCredentials, CredentialsFailure> {
        if credentials.access_key_id().is_empty() {
            return Err(CredentialsFailure::Empty("access key"));
        }
        if credentials.secret_access_key().is_empty() {
            return Err(CredentialsFailure::Empty("secret"));
        }
        let lifetime = match credentials.expiry() {
            None => None,
            Some(expiry) => Some(time_left(expiry, self.clock.now()).map_err(CredentialsFailure::Expired)?),
        };
        Ok(CachedCredentials { credentials, fetched_at: Instant::now(), lifetime })
    }

    fn store(&self, outcome: Result<CachedCredentials, Arc<CredentialsFailure>>) -> CredentialsResult {
        let mut state = self.state();
        state.request = None;
        match outcome {
            Ok(cached) => {
                let credentials = cached.credentials.clone();
                state.cached = Some(cached);
                state.failed = None;
                Ok(credentials)
            }
            Err(failure) => {
                let Timing { min_pause, max_pause, .. } = self.timing;
                let pause = state.failed.as_ref().map_or(min_pause, |failed| (failed.pause * 2).min(max_pause));
                tracing::warn!(
                    provider = self.source.name(),
                    problem = %failure,
                    cached = state.cached.is_some(),
                    ?pause,
                    "the provider returned no new credentials; cached credentials are used until they expire",
                );
                state.failed = Some(Failed { failure: Arc::clone(&failure), at: Instant::now(), pause });
                Err(failure)
            }
        }
    }

    /// Returns the cached credentials after a failure, while they are valid.
    fn cached_or_error(&self, failure: &CredentialsFailure) -> Result<Credentials, Error> {
        let cached = self.state().cached.as_ref().map(|cached| cached.credentials.clone());
        cached.filter(|credentials| self.expired_for(credentials).is_none()).ok_or_else(|| self.error(failure))
    }

    /// The error of a failed request, for the callers.
    fn error(&self, failure: &CredentialsFailure) -> Error {
        let expired = self.state().cached.as_ref().and_then(|cached| self.expired_for(&cached.credentials));
        failure.to_error(&self.source, expired)
    }

    /// How long ago the credentials expired; `None` if they are valid.
    fn expired_for(&self, credentials: &Credentials) -> Option<Duration> {
        time_left(credentials.expiry()?, self.clock.now()).err()
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        locked(&self.state)
    }
}

impl CachedCredentials {
    fn needs_renewal(&self, now: SystemTime, timing: &Timing) -> bool {
        match (self.credentials.expiry(), self.lifetime) {
            (Some(expiry), Some(lifetime)) => {
                let ahead = timing.renew_ahead.min(lifetime / 2);
                time_left(expiry, now).map_or(true, |left| left <= ahead)
            }
            _ => self.fetched_at.elapsed() >= timing.refetch_interval,
        }
    }
}

/// Returns the time until the expiry; if the expiry has passed, the error is the time since then.
fn time_left(expiry: SystemTime, now: SystemTime) -> Result<Duration, Duration> {
    match expiry.duration_since(now) {
        Ok(Duration::ZERO) => Err(Duration::ZERO),
        Ok(left) => Ok(left),
        Err(ago) => Err(ago.duration()),
    }
}
