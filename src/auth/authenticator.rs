//! Authenticates the connections of a session.

mod driver;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use scylla::authentication::AuthenticatorProvider;
use tokio::time::Instant;

use self::driver::DriverProvider;
use super::cache::{CredentialCache, Timing};
use super::clock::Clock;
use super::password::Password;
use super::sigv4::{self, SigningError};
use super::source::CredentialSource;
use crate::lock::locked;
use crate::region::Region;
use crate::{Error, ErrorKind};

/// Authenticates every connection of a session: the driver's connections and those of this crate.
///
/// It counts the servers' requests for authentication. If there was none, the server accepts every client, so it is not
/// Amazon Keyspaces, but the driver opens its session nevertheless. It keeps the last error, because the driver keeps
/// only the text of that error.
pub(crate) struct Authenticator {
    method: Method,
    requests: AtomicU64,
    authenticator_name: Mutex<Option<String>>,
    last_error: Mutex<Option<Error>>,
}

enum Method {
    SigV4 { region: Region, credentials: CredentialCache, clock: Clock },
    Password(Password),
    Anonymous,
}

impl Authenticator {
    /// Creates a SigV4 authenticator that caches the credentials of a source.
    ///
    /// # Errors
    ///
    /// `Configuration` if the region is not a valid region name.
    pub(crate) fn sigv4(region: &str, source: CredentialSource, clock: Clock, timing: Timing) -> Result<Self, Error> {
        let credentials = CredentialCache::new(source, clock.clone(), timing);
        Ok(Self::new(Method::SigV4 { region: Region::parse(region)?, credentials, clock }))
    }

    /// Creates a password authenticator; for Amazon Keyspaces, with service-specific credentials.
    ///
    /// # Errors
    ///
    /// `Credentials` if either is empty or contains a NUL.
    pub(crate) fn password(user: impl Into<String>, secret: impl Into<String>) -> Result<Self, Error> {
        Ok(Self::new(Method::Password(Password::new(user, secret)?)))
    }

    /// Creates an authenticator without credentials, for a plain Cassandra that does not require authentication.
    pub(crate) fn anonymous() -> Self {
        Self::new(Method::Anonymous)
    }

    /// Returns the first response on a connection. With SigV4, it contains only the name of the method and no secret.
    /// The credentials are fetched first, so that a provider without credentials fails before anything is sent, and a
    /// slow provider does not delay the answer to a nonce.
    ///
    /// # Errors
    ///
    /// `Credentials` if there are no usable credentials.
    pub(crate) async fn initial_response(&self) -> Result<Vec<u8>, Error> {
        match &self.method {
            Method::SigV4 { credentials, .. } => {
                let credentials = credentials.get().await?;
                sigv4::check_credentials(&credentials).map_err(|error| self.signing_error(&error))?;
                Ok(sigv4::INITIAL_RESPONSE.to_vec())
            }
            Method::Password(password) => Ok(password.initial_response()),
            Method::Anonymous => Err(self.credentials_missing()),
        }
    }

    /// Fetches the credentials before they are needed. An error is ignored here and reported to the connections that
    /// need them.
    pub(crate) async fn prefetch_credentials(&self) {
        if let Method::SigV4 { credentials, .. } = &self.method {
            let _ = credentials.get().await;
        }
    }

    /// Returns the answer to a connection's challenge. The caller must answer only one challenge on each connection,
    /// and must refuse a second one with [`second_challenge`](Self::second_challenge).
    ///
    /// # Errors
    ///
    /// `Credentials` if there are no usable credentials; `Authentication` if neither SigV4 nor a password can answer
    /// the challenge.
    pub(crate) async fn answer(&self, challenge: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        match &self.method {
            Method::SigV4 { region, credentials, clock } => {
                let credentials = credentials.get().await?;
                sigv4::answer(challenge, &credentials, region.as_str(), clock.now())
                    .map_err(|error| self.signing_error(&error))
            }
            Method::Anonymous => Err(self.credentials_missing()),
            Method::Password(_) => Err(Error::new(
                ErrorKind::Authentication,
                "authenticating",
                format!("{} answered the user name and password with a challenge", self.server()),
            )
            .with_advice("Set AWS credentials, which are for SigV4, instead")),
        }
    }

    /// The error for a second challenge on one connection. No known server sends one. If many challenges on one
    /// connection were answered, a server could collect signatures.
    pub(crate) fn second_challenge(&self) -> Error {
        Error::new(ErrorKind::Authentication, "authenticating", format!("{} sent a second challenge", self.server()))
            .with_advice("Check that the endpoint belongs to Amazon Keyspaces")
    }

    /// Records that a server has asked a connection to authenticate, with the authenticator's name in its AUTHENTICATE
    /// frame. Every name is accepted, because a proxy may use another name than the service. The name is used only in
    /// messages, so it is truncated to 200 characters, without control characters.
    pub(crate) fn record_request(&self, authenticator_name: &str) {
        const MAX_CHARS: usize = 200;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let name = authenticator_name.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
        *locked(&self.authenticator_name) = Some(name);
    }

    /// Whether any server has required authentication. A server that does not require it accepts every client.
    pub(crate) fn was_requested(&self) -> bool {
        self.request_count() > 0
    }

    /// The number of connections that had to authenticate.
    pub(crate) fn request_count(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The authenticator name of the last server that required authentication:
    /// `com.amazon.helenus.auth.HelenusAuthenticator`.
    pub(crate) fn authenticator_name(&self) -> Option<String> {
        locked(&self.authenticator_name).clone()
    }

    /// Takes the last authentication error of the driver's connections; `None` if a connection has been authenticated
    /// since.
    pub(crate) fn take_last_error(&self) -> Option<Error> {
        locked(&self.last_error).take()
    }

    /// The credentials provider's last failure and its time; `None` if its last request succeeded.
    pub(crate) fn last_failure(&self) -> Option<(Instant, Error)> {
        match &self.method {
            Method::SigV4 { credentials, .. } => credentials.last_failure(),
            Method::Password(_) | Method::Anonymous => None,
        }
    }

    /// Returns this authenticator as the driver's interface.
    pub(crate) fn as_driver_provider(self: &Arc<Self>) -> Arc<dyn AuthenticatorProvider> {
        Arc::new(DriverProvider::new(Arc::clone(self)))
    }

    /// The identity that this authenticator uses, for reports. It contains no secret.
    pub(crate) fn identity(&self) -> Identity {
        match &self.method {
            Method::SigV4 { region, credentials, .. } => Identity::SigV4 {
                region: region.to_string(),
                source: credentials.source_name(),
                expiry: credentials.expiry(),
            },
            Method::Password(password) => Identity::Password { user: password.user().to_owned() },
            Method::Anonymous => Identity::Anonymous,
        }
    }

    fn new(method: Method) -> Self {
        Self { method, requests: AtomicU64::new(0), authenticator_name: Mutex::default(), last_error: Mutex::default() }
    }

    fn set_last_error(&self, error: Option<Error>) {
        *locked(&self.last_error) = error;
    }

    fn server(&self) -> String {
        match self.authenticator_name() {
            Some(name) => format!("the server ({name})"),
            None => "the server".to_owned(),
        }
    }

    fn credentials_missing(&self) -> Error {
        Error::new(
            ErrorKind::Credentials,
            "authenticating",
            format!("{} requires authentication, and the session has no credentials", self.server()),
        )
        .with_advice("Set a user name and password")
    }

    fn signing_error(&self, error: &SigningError) -> Error {
        let (kind, advice) = match error {
            SigningError::NoChallenge | SigningError::NoNonce | SigningError::NonceLength(_) => {
                (ErrorKind::Authentication, "Check that the endpoint belongs to Amazon Keyspaces")
            }
            SigningError::AccessKey | SigningError::SessionToken => {
                (ErrorKind::Credentials, "Check the place where it is stored for a line break at its end")
            }
            SigningError::Clock => (ErrorKind::Credentials, "Set this machine's clock"),
            SigningError::Region => (ErrorKind::Configuration, "A region name looks like us-east-1"),
        };
        Error::new(kind, format!("signing for {}", self.server()), error.to_string()).with_advice(advice)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("identity", &self.identity()).field("requests", &self.requests).finish()
    }
}

/// The identity that a session authenticates with, as reports show it. It contains no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Identity {
    SigV4 {
        region: String,
        source: &'static str,
        /// The expiry of the credentials: `None` if they are not fetched yet, `Some(None)` if they have no expiry.
        expiry: Option<Option<SystemTime>>,
    },
    Password {
        user: String,
    },
    Anonymous,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SigV4 { region, source, .. } => write!(f, "SigV4 for {region}, with {source}"),
            Self::Password { user } => write!(f, "user {user} with a password"),
            Self::Anonymous => f.write_str("no credentials"),
        }
    }
}
