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

/// A cache that asks a provider for credentials once for all connections, and renews them before they expire.
///
/// The AWS SDK caches nothing here, and a pool opens all its connections at once. Callers that find no fresh credentials
/// share one request to the provider. It continues while at least one caller waits, and is dropped with the last. While the
/// provider fails, the last credentials are used until they expire.
#[derive(Clone)]
pub(crate) struct CredentialCache(Arc<Inner>);

/// When the provider is asked, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// How long the provider may take. Default 5 s.
    pub(crate) limit: Duration,
    /// How long before their expiry credentials are renewed. Default 5 min, when EC2 already has new credentials for a role
    /// (the EC2 guide's "at least five minutes before"). Credentials with less than twice this time left when they arrive
    /// are renewed after half of their remaining time.
    pub(crate) ahead: Duration,
    /// How often a provider is asked again if its credentials have no expiry, because a file or a variable may be rotated.
    /// Default 5 min.
    pub(crate) interval: Duration,
    /// The first pause after a provider has failed; it doubles with each failure. Default 500 ms.
    pub(crate) shortest_pause: Duration,
    /// The longest pause. Default 15 s.
    pub(crate) longest_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(5),
            ahead: Duration::from_secs(300),
            interval: Duration::from_secs(300),
            shortest_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(15),
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
    held: Option<Held>,
    ask: Option<WeakShared<BoxFuture<'static, CredentialsResult>>>,
    /// The last failure, if any since the last success.
    failed: Option<Failed>,
}

type CredentialsResult = Result<Credentials, Arc<CredentialsFailure>>;

struct Held {
    credentials: Credentials,
    came: Instant,
    /// The time left until their expiry when they arrived; `None` if they have no expiry.
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
    /// Takes at most as long as the provider may take ([`Timing::limit`]).
    ///
    /// # Errors
    ///
    /// `Credentials` if the provider has none, fails, or takes too long, and no earlier ones are valid.
    pub(crate) async fn get(&self) -> Result<Credentials, Error> {
        let ask = match self.0.look() {
            CacheLookup::Fresh(credentials) => return Ok(credentials),
            CacheLookup::Paused(failure) => return self.0.last_resort(&failure),
            CacheLookup::Ask(ask) => ask,
        };
        match ask.await {
            Ok(credentials) => Ok(credentials),
            Err(failure) => self.0.last_resort(&failure),
        }
    }

    /// The provider's name for messages.
    pub(crate) fn source_name(&self) -> &'static str {
        self.0.source.name()
    }

    /// The provider's last failure and its time; `None` if the last request succeeded.
    pub(crate) fn trouble(&self) -> Option<(Instant, Error)> {
        let (failure, at) = self.0.state().failed.as_ref().map(|failed| (Arc::clone(&failed.failure), failed.at))?;
        Some((at, self.0.told(&failure)))
    }

    /// When the cached credentials expire: `None` if none are cached, `Some(None)` if they have no expiry.
    pub(crate) fn expiry(&self) -> Option<Option<SystemTime>> {
        self.0.state().held.as_ref().map(|held| held.credentials.expiry())
    }
}

impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialCache").field("source", &self.0.source).field("timing", &self.0.timing).finish()
    }
}

enum CacheLookup {
    Fresh(Credentials),
    Paused(Arc<CredentialsFailure>),
    Ask(Shared<BoxFuture<'static, CredentialsResult>>),
}

impl Inner {
    fn look(self: &Arc<Self>) -> CacheLookup {
        let mut state = self.state();
        if let Some(held) = &state.held
            && !held.wants_renewal(self.clock.now(), &self.timing)
        {
            return CacheLookup::Fresh(held.credentials.clone());
        }
        if let Some(failed) = &state.failed
            && failed.at.elapsed() < failed.pause
        {
            return CacheLookup::Paused(Arc::clone(&failed.failure));
        }
        if let Some(ask) = state.ask.as_ref().and_then(WeakShared::upgrade) {
            return CacheLookup::Ask(ask);
        }
        let ask = Arc::clone(self).ask().boxed().shared();
        state.ask = ask.downgrade();
        CacheLookup::Ask(ask)
    }

    /// Asks the provider and stores the result. Runs once for all waiting callers.
    async fn ask(self: Arc<Self>) -> CredentialsResult {
        // A panic would otherwise end every waiting task, including the driver's pool.
        let asked = AssertUnwindSafe(async { self.source.provide_credentials().await }).catch_unwind();
        let outcome = match timeout(self.timing.limit, asked).await {
            Ok(Ok(Ok(credentials))) => self.judge(credentials),
            Ok(Ok(Err(error))) => Err(CredentialsFailure::Provider(Arc::new(error))),
            Ok(Err(_panic)) => Err(CredentialsFailure::Panicked),
            Err(_elapsed) => Err(CredentialsFailure::Silent(self.timing.limit)),
        };
        self.keep(outcome.map_err(Arc::new))
    }

    fn judge(&self, credentials: Credentials) -> Result<Held, CredentialsFailure> {
        if credentials.access_key_id().is_empty() {
            return Err(CredentialsFailure::Empty("access key"));
        }
        if credentials.secret_access_key().is_empty() {
            return Err(CredentialsFailure::Empty("secret"));
        }
        let lifetime = match credentials.expiry() {
            None => None,
            Some(expiry) => Some(left(expiry, self.clock.now()).map_err(CredentialsFailure::Expired)?),
        };
        Ok(Held { credentials, came: Instant::now(), lifetime })
    }

    fn keep(&self, outcome: Result<Held, Arc<CredentialsFailure>>) -> CredentialsResult {
        let mut state = self.state();
        state.ask = None;
        match outcome {
            Ok(held) => {
                let credentials = held.credentials.clone();
                state.held = Some(held);
                state.failed = None;
                Ok(credentials)
            }
            Err(failure) => {
                let Timing { shortest_pause, longest_pause, .. } = self.timing;
                let pause =
                    state.failed.as_ref().map_or(shortest_pause, |failed| (failed.pause * 2).min(longest_pause));
                tracing::warn!(
                    provider = self.source.name(),
                    problem = %failure,
                    held = state.held.is_some(),
                    ?pause,
                    "no new credentials; those held serve until they expire",
                );
                state.failed = Some(Failed { failure: Arc::clone(&failure), at: Instant::now(), pause });
                Err(failure)
            }
        }
    }

    /// Returns the cached credentials after a failure, while they are valid.
    fn last_resort(&self, failure: &CredentialsFailure) -> Result<Credentials, Error> {
        let held = self.state().held.as_ref().map(|held| held.credentials.clone());
        held.filter(|credentials| self.expired(credentials).is_none()).ok_or_else(|| self.told(failure))
    }

    fn told(&self, failure: &CredentialsFailure) -> Error {
        let expired = self.state().held.as_ref().and_then(|held| self.expired(&held.credentials));
        failure.to_error(&self.source, expired)
    }

    /// How long ago the credentials expired; `None` if they have not.
    fn expired(&self, credentials: &Credentials) -> Option<Duration> {
        left(credentials.expiry()?, self.clock.now()).err()
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        locked(&self.state)
    }
}

impl Held {
    fn wants_renewal(&self, now: SystemTime, timing: &Timing) -> bool {
        match (self.credentials.expiry(), self.lifetime) {
            (Some(expiry), Some(lifetime)) => {
                let ahead = timing.ahead.min(lifetime / 2);
                left(expiry, now).map_or(true, |left| left <= ahead)
            }
            _ => self.came.elapsed() >= timing.interval,
        }
    }
}

/// The time until the expiry, or as the error the time since.
fn left(expiry: SystemTime, now: SystemTime) -> Result<Duration, Duration> {
    match expiry.duration_since(now) {
        Ok(Duration::ZERO) => Err(Duration::ZERO),
        Ok(left) => Ok(left),
        Err(ago) => Err(ago.duration()),
    }
}
