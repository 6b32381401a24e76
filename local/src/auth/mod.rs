//! Authentication of clients: SigV4 and passwords, checked as the service checks them.
//!
//! The texts of refusals are the service's own where they are known (`DG:troubleshooting.connecting`; `Unknown SigV4
//! error` from the Python plugin's pull request 8). Where they are not, they begin with `keyspaces-local:`.

pub(crate) mod http;
pub(crate) mod service_specific;
mod sigv4;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use crate::clock::Clock;
use crate::credentials::{Credentials, MAX_NAME_BYTES, MAX_TOKEN_BYTES};
use crate::lock::RwLock;
use crate::protocol::Refusal;
use crate::random;
use service_specific::ServiceSpecificCredentials;
use sigv4::{ChallengeResponse, SignatureInput};

/// Decides which clients may log in.
#[derive(Clone)]
pub(crate) struct Authority(Arc<AuthorityInner>);

struct AuthorityInner {
    permitted: RwLock<PermittedLogins>,
    without_permissions: Option<Credentials>,
    service_specific: Arc<ServiceSpecificCredentials>,
    region: String,
    clock: Clock,
}

/// The principals that may log in now.
#[derive(Clone)]
struct PermittedLogins {
    credentials: Arc<Credentials>,
    expired: bool,
}

/// The result of a client's first AUTH_RESPONSE.
#[derive(Debug)]
pub(crate) enum FirstResponse {
    /// The client uses SigV4, and gets this challenge.
    Challenge(Challenge),
    /// The password is right.
    Accepted,
    /// The login is refused with an ERROR.
    Refused(Refusal),
}

/// A nonce for one client, valid for one response.
pub(crate) struct Challenge {
    /// The content of AUTH_CHALLENGE: `nonce=` and 32 hexadecimal digits.
    pub(crate) bytes: Vec<u8>,
    authority: Authority,
}

impl Authority {
    /// `region` is in lower case, as in the scopes of signatures.
    pub(crate) fn new(permitted: Credentials, region: impl Into<String>, clock: Clock) -> Self {
        let permitted = PermittedLogins { credentials: Arc::new(permitted), expired: false };
        Self(Arc::new(AuthorityInner {
            permitted: RwLock::new(permitted),
            without_permissions: None,
            service_specific: Arc::default(),
            region: region.into(),
            clock,
        }))
    }

    /// Adds a second principal, whose login is refused for lack of permissions.
    pub(crate) fn with_principal_without_permissions(self, credentials: Credentials) -> Self {
        let AuthorityInner { service_specific, region, clock, .. } = &*self.0;
        Self(Arc::new(AuthorityInner {
            permitted: RwLock::new(self.permitted()),
            without_permissions: Some(credentials),
            service_specific: Arc::clone(service_specific),
            region: region.clone(),
            clock: Arc::clone(clock),
        }))
    }

    /// Makes the credentials expire.
    pub(crate) fn expire(&self) {
        self.0.permitted.write().expired = true;
    }

    /// Replaces the accepted credentials.
    pub(crate) fn accept(&self, credentials: Credentials) {
        let permitted = PermittedLogins { credentials: Arc::new(credentials), expired: false };
        *self.0.permitted.write() = permitted;
    }

    /// The service-specific credentials that were created by IAM's operations.
    pub(crate) fn service_specific(&self) -> &ServiceSpecificCredentials {
        &self.0.service_specific
    }

    /// Whether this CQL user belongs to one of the configured principals.
    pub(crate) fn is_principals_user(&self, user: &str) -> bool {
        let permitted = self.permitted();
        permitted.credentials.user == user
            || self.0.without_permissions.as_ref().is_some_and(|principal| principal.user == user)
    }

    /// The current time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.0.clock)().into()
    }

    fn permitted(&self) -> PermittedLogins {
        self.0.permitted.read().clone()
    }

    /// The authenticator class that AUTHENTICATE names, the same for SigV4 and passwords.
    pub(crate) fn authenticator_name(&self) -> &'static str {
        "com.amazon.helenus.auth.HelenusAuthenticator"
    }

    /// Processes a client's first AUTH_RESPONSE.
    pub(crate) fn begin(&self, first: &[u8]) -> FirstResponse {
        if first == b"SigV4\0\0" {
            let bytes = format!("{NONCE}{}", random::hex_32()).into_bytes();
            return FirstResponse::Challenge(Challenge { bytes, authority: self.clone() });
        }
        let mut parts = first.splitn(3, |byte| *byte == 0);
        let (Some(b""), Some(user), Some(password)) = (parts.next(), parts.next(), parts.next()) else {
            return FirstResponse::Refused(local_error(
                "the first AUTH_RESPONSE is neither SigV4's (SigV4, NUL, NUL) nor a password's (NUL, user, NUL, \
                 password)",
            ));
        };
        if first.len() > 4 * MAX_NAME_BYTES || password.contains(&0) {
            return FirstResponse::Refused(local_error("the password login is too long, or has more than two NULs"));
        }
        match self.log_in(user, password) {
            Ok(()) => FirstResponse::Accepted,
            Err(refusal) => FirstResponse::Refused(refusal),
        }
    }

    fn log_in(&self, user: &[u8], password: &[u8]) -> Result<(), Refusal> {
        let is_current = |credentials: &Credentials| {
            constant_time_eq(credentials.user.as_bytes(), user)
                & constant_time_eq(credentials.password.as_bytes(), password)
        };
        if let Some(owner) = self.0.service_specific.user_of(user, password) {
            // The user's permissions are those of the principal of that name.
            let is_owner = |credentials: &Credentials| credentials.user_and_account().0 == owner;
            return match &self.0.without_permissions {
                Some(nobody) if is_owner(nobody) => Err(self.no_permissions(nobody)),
                _ => Ok(()),
            };
        }
        self.authorize(is_current).unwrap_or_else(|| {
            let user = String::from_utf8_lossy(user);
            Err(authentication_error(format!("Provided username {user} and/or password are incorrect")))
        })
    }

    fn verify(&self, nonce: &[u8], answer: &[u8]) -> Result<(), Refusal> {
        let wrong_form =
            || local_error("the answer to the challenge is not signature=…,access_key=…,amzdate=…[,session_token=…]");
        if answer.len() > 2 * MAX_TOKEN_BYTES {
            return Err(wrong_form());
        }
        let ChallengeResponse { signature, access_key, amzdate, session_token } =
            ChallengeResponse::parse(answer).ok_or_else(wrong_form)?;
        let at = sigv4::instant(amzdate).ok_or_else(|| authentication_error("Unknown SigV4 error"))?;

        let AuthorityInner { without_permissions, region, .. } = &*self.0;
        let permitted = self.permitted();
        let principals = || [Some(&*permitted.credentials), without_permissions.as_ref()].into_iter().flatten();
        let Some(principal) =
            principals().find(|credentials| constant_time_eq(credentials.access_key.as_bytes(), access_key.as_bytes()))
        else {
            return Err(local_error("the access key of the signature is unknown"));
        };
        let Credentials { access_key, secret_key, .. } = principal;
        let expected = SignatureInput { access_key, secret_key, region, nonce, at }.signature();
        if !constant_time_eq(expected.as_bytes(), signature.as_bytes()) {
            return Err(authentication_error("Authentication failure: Invalid signature"));
        }
        self.check_age(at, amzdate)?;
        check_token(principal.session_token.as_deref(), session_token)?;
        self.authorize(|credentials| credentials.access_key == *access_key).unwrap_or(Ok(()))
    }

    /// A signature is valid for the 900 seconds that its canonical request names as `X-Amz-Expires`. Whether the
    /// service compares the date with its clock, in both directions, is unverified.
    fn check_age(&self, at: DateTime<Utc>, amzdate: &str) -> Result<(), Refusal> {
        let now = DateTime::<Utc>::from((self.0.clock)());
        let skew = now - at;
        let allowed = chrono::TimeDelta::from_std(MAX_SKEW).unwrap_or_default();
        if skew.abs() <= allowed {
            return Ok(());
        }
        let (seconds, side) =
            (skew.abs().num_seconds(), if skew > chrono::TimeDelta::zero() { "behind" } else { "ahead of" });
        let allowed = MAX_SKEW.as_secs();
        Err(local_error(format!(
            "the signature's date {amzdate} is {seconds} s {side} this service's clock; more than {allowed} s is refused"
        )))
    }

    /// `None` for an unknown access key or user.
    fn authorize(&self, matches: impl Fn(&Credentials) -> bool) -> Option<Result<(), Refusal>> {
        let permitted = self.permitted();
        if matches(&permitted.credentials) {
            let expired = || Err(local_error("the credentials have expired"));
            return Some(if permitted.expired { expired() } else { Ok(()) });
        }
        let principal = self.0.without_permissions.as_ref().filter(|credentials| matches(credentials))?;
        Some(Err(self.no_permissions(principal)))
    }

    fn no_permissions(&self, principal: &Credentials) -> Refusal {
        let text = format!("User {} has no permissions.", principal.arn(&self.0.region));
        Refusal { code: UNAUTHORIZED, text }
    }
}

impl Challenge {
    /// Checks the response. The challenge is consumed, so there is no second attempt.
    pub(crate) fn verify(self, answer: &[u8]) -> Result<(), Refusal> {
        self.authority.verify(&self.bytes[NONCE.len()..], answer)
    }
}

/// Shows the Region and no secrets.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("region", &self.0.region).finish_non_exhaustive()
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").finish_non_exhaustive()
    }
}

const NONCE: &str = "nonce=";
const AUTHENTICATION_ERROR: i32 = 0x0100;
const UNAUTHORIZED: i32 = 0x2100;
const MAX_SKEW: Duration = Duration::from_secs(900);

fn check_token(expected: Option<&str>, given: Option<&str>) -> Result<(), Refusal> {
    match (expected, given) {
        (None, None) => Ok(()),
        (Some(expected), Some(given)) if constant_time_eq(expected.as_bytes(), given.as_bytes()) => Ok(()),
        (Some(_), Some(_)) => Err(local_error("the session token does not belong to this access key")),
        (Some(_), None) => Err(local_error("this access key needs its session token, which is missing")),
        (None, Some(_)) => Err(local_error("a session token was sent, but this access key has none")),
    }
}

/// Compares in a time that depends only on the lengths.
fn constant_time_eq(expected: &[u8], actual: &[u8]) -> bool {
    expected.ct_eq(actual).into()
}

fn authentication_error(text: impl Into<String>) -> Refusal {
    Refusal { code: AUTHENTICATION_ERROR, text: text.into() }
}

fn local_error(problem: impl fmt::Display) -> Refusal {
    authentication_error(format!("keyspaces-local: {problem} (the service's message is not known)"))
}
