mod driver;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use scylla::authentication::AuthenticatorProvider;
use tokio::time::Instant;

use self::driver::DriverProvider;
use super::cache::{CredentialCache, Timing};
use super::clock::Clock;
use super::password::Password;
use super::sigv4::{self, Unsignable};
use super::source::CredentialSource;
use crate::lock::locked;
use crate::region::Region;
use crate::{Error, ErrorKind};

/// Authenticates a session to every server. There is one per session, shared by the driver's connections and our own.
///
/// It counts requests for authentication, to distinguish a server that never asked from one that was satisfied. It keeps
/// the last error, because the driver passes on only its text.
pub(crate) struct Authenticator {
    method: Method,
    asked: AtomicU64,
    authenticator_name: Mutex<Option<String>>,
    last_error: Mutex<Option<Error>>,
}

enum Method {
    SigV4 { region: Region, credentials: CredentialCache, clock: Clock },
    Password(Password),
    Nothing,
}

impl Authenticator {
    /// Creates a SigV4 authenticator that caches the credentials of a source.
    ///
    /// # Errors
    ///
    /// If the region is not a valid region name.
    pub(crate) fn sigv4(region: &str, source: CredentialSource, clock: Clock, timing: Timing) -> Result<Self, Error> {
        let credentials = CredentialCache::new(source, clock.clone(), timing);
        Ok(Self::new(Method::SigV4 { region: Region::parse(region)?, credentials, clock }))
    }

    /// Creates a password authenticator; for Amazon Keyspaces, with service-specific credentials.
    ///
    /// # Errors
    ///
    /// If either is empty or holds a NUL.
    pub(crate) fn password(user: impl Into<String>, secret: impl Into<String>) -> Result<Self, Error> {
        Ok(Self::new(Method::Password(Password::new(user, secret)?)))
    }

    /// Creates an authenticator without credentials, for a plain Cassandra that does not ask for any.
    pub(crate) fn none() -> Self {
        Self::new(Method::Nothing)
    }

    /// Returns the first response of a connection. For SigV4, the credentials are fetched first, so that a provider without
    /// any fails before anything is sent, and a slow one does not let a nonce grow old.
    ///
    /// # Errors
    ///
    /// `Credentials` if there are no usable credentials.
    pub(crate) async fn initial_response(&self) -> Result<Vec<u8>, Error> {
        match &self.method {
            Method::SigV4 { credentials, .. } => {
                let held = credentials.get().await?;
                sigv4::check(&held).map_err(|unsignable| self.cannot_answer(&unsignable))?;
                Ok(sigv4::INITIAL_RESPONSE.to_vec())
            }
            Method::Password(password) => Ok(password.initial_response()),
            Method::Nothing => Err(self.nothing_given()),
        }
    }

    /// Requests the credentials ahead of their first use. A failure is reported to the callers that need them.
    pub(crate) async fn ask_ahead(&self) {
        if let Method::SigV4 { credentials, .. } = &self.method {
            let _ = credentials.get().await;
        }
    }

    /// Returns the answer to a connection's challenge. A connection has at most one challenge; the caller has to refuse a
    /// second one with [`second_challenge`](Self::second_challenge).
    ///
    /// # Errors
    ///
    /// `Credentials` if there are no usable credentials; `Authentication` if neither SigV4 nor a password can answer the
    /// challenge.
    pub(crate) async fn answer(&self, challenge: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        match &self.method {
            Method::SigV4 { region, credentials, clock } => {
                let held: Credentials = credentials.get().await?;
                sigv4::answer(challenge, &held, region.as_str(), clock.now())
                    .map_err(|unsignable| self.cannot_answer(&unsignable))
            }
            Method::Nothing => Err(self.nothing_given()),
            Method::Password(_) => Err(Error::new(
                ErrorKind::Authentication,
                "authenticating",
                format!("{} answered a user and password with a challenge", self.server()),
            )
            .with_advice("Give the session AWS credentials, for SigV4")),
        }
    }

    /// The error for a second challenge on one connection. No known server sends one, and answering without limit would let
    /// a server collect signatures.
    pub(crate) fn second_challenge(&self) -> Error {
        Error::new(ErrorKind::Authentication, "authenticating", format!("{} sent a second challenge", self.server()))
            .with_advice("Check that the endpoint is one of Amazon Keyspaces")
    }

    /// Records that a server has asked a connection to authenticate, with the authenticator's name in the AUTHENTICATE
    /// frame. No name is refused, because proxies use other names than the service; errors mention it.
    pub(crate) fn asked_by(&self, authenticator_name: &str) {
        const LONGEST: usize = 200;
        self.asked.fetch_add(1, Ordering::Relaxed);
        let name = authenticator_name.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        *locked(&self.authenticator_name) = Some(name);
    }

    /// Whether any server has asked for authentication. A server that does not ask admits every client.
    pub(crate) fn was_asked(&self) -> bool {
        self.times_asked() > 0
    }

    /// How many connections were asked to authenticate.
    pub(crate) fn times_asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The authenticator name of the last server that asked: `com.amazon.helenus.auth.HelenusAuthenticator`.
    pub(crate) fn authenticator_name(&self) -> Option<String> {
        locked(&self.authenticator_name).clone()
    }

    /// Takes the driver's last authentication error, unless it has authenticated since.
    pub(crate) fn take_last_error(&self) -> Option<Error> {
        locked(&self.last_error).take()
    }

    /// Why there are no new credentials, and since when; `None` if no problem is known.
    pub(crate) fn trouble(&self) -> Option<(Instant, Error)> {
        match &self.method {
            Method::SigV4 { credentials, .. } => credentials.trouble(),
            Method::Password(_) | Method::Nothing => None,
        }
    }

    /// Returns this authenticator in the driver's interface.
    pub(crate) fn as_driver_provider(self: &Arc<Self>) -> Arc<dyn AuthenticatorProvider> {
        Arc::new(DriverProvider::new(Arc::clone(self)))
    }

    /// The identity for reports. It contains no secret.
    pub(crate) fn describe(&self) -> Identity {
        match &self.method {
            Method::SigV4 { region, credentials, .. } => Identity::SigV4 {
                region: region.to_string(),
                source: credentials.source_name(),
                expiry: credentials.expiry(),
            },
            Method::Password(password) => Identity::Password { user: password.user().to_owned() },
            Method::Nothing => Identity::Nobody,
        }
    }

    fn new(method: Method) -> Self {
        Self { method, asked: AtomicU64::new(0), authenticator_name: Mutex::default(), last_error: Mutex::default() }
    }

    fn keep_error(&self, error: Option<Error>) {
        *locked(&self.last_error) = error;
    }

    fn server(&self) -> String {
        match self.authenticator_name() {
            Some(name) => format!("the server ({name})"),
            None => "the server".to_owned(),
        }
    }

    fn nothing_given(&self) -> Error {
        Error::new(
            ErrorKind::Credentials,
            "authenticating",
            format!("{} asks who we are, and no credentials were given", self.server()),
        )
        .with_advice("Give the session a user and password")
    }

    fn cannot_answer(&self, unsignable: &Unsignable) -> Error {
        let (kind, advice) = match unsignable {
            Unsignable::NoChallenge | Unsignable::NoNonce | Unsignable::NonceLength(_) => {
                (ErrorKind::Authentication, "Check that the endpoint is one of Amazon Keyspaces")
            }
            Unsignable::AccessKey | Unsignable::SessionToken => {
                (ErrorKind::Credentials, "Check for a line break at its end where it is stored")
            }
            Unsignable::Clock => (ErrorKind::Credentials, "Set this machine's clock"),
            Unsignable::Region => (ErrorKind::Configuration, "A region reads like us-east-1"),
        };
        Error::new(kind, format!("signing for {}", self.server()), unsignable.to_string()).with_advice(advice)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("identity", &self.describe()).field("asked", &self.asked).finish()
    }
}

/// The identity of a session, as reports show it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Identity {
    SigV4 {
        region: String,
        source: &'static str,
        /// `None` if not fetched yet, `Some(None)` if the credentials have no expiry.
        expiry: Option<Option<SystemTime>>,
    },
    Password {
        user: String,
    },
    Nobody,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SigV4 { region, source, .. } => write!(f, "SigV4 for {region}, with {source}"),
            Self::Password { user } => write!(f, "user {user} and a password"),
            Self::Nobody => f.write_str("nobody: no credentials were given"),
        }
    }
}
