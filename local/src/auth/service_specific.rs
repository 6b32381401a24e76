//! Service-specific credentials of IAM users: CQL users and passwords that IAM's operations create and delete.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::constant_time_eq;
use crate::lock::RwLock;
use crate::random;

/// One of a user's service-specific credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServiceSpecificCredential {
    pub(crate) id: String,
    /// The name of the IAM user.
    pub(crate) user: String,
    /// The CQL user name.
    pub(crate) service_user: String,
    pub(crate) created: DateTime<Utc>,
    pub(crate) is_active: bool,
    /// The hash of the password.
    pub(crate) password: [u8; 32],
}

/// All service-specific credentials. Only hashes of the passwords are kept; they do not reveal the passwords, because
/// passwords are random.
#[derive(Debug, Default)]
pub(crate) struct ServiceSpecificCredentials(RwLock<Vec<ServiceSpecificCredential>>);

/// The maximum number of credentials per user and service (IAM and STS quotas).
pub(crate) const MAX_CREDENTIALS_PER_USER: usize = 2;

/// The maximum number of IAM users, which is the quota of an account (IAM and STS quotas).
pub(crate) const MAX_USERS: usize = 5000;

/// The quota that a new credential would exceed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TooManyCredentials {
    User,
    Account,
}

impl ServiceSpecificCredential {
    /// Replaces the password, and returns the new one, which is shown only once.
    pub(crate) fn with_new_password(self) -> (Self, String) {
        let (password, hash) = password();
        (Self { password: hash, ..self }, password)
    }
}

impl ServiceSpecificCredentials {
    /// Creates a credential and its password, which is shown only once. The credential is valid once it is
    /// [put](Self::put) here. `is_taken` says whether a CQL user name is in use already.
    pub(crate) fn generate(
        &self,
        user: &str,
        account: &str,
        is_taken: impl Fn(&str) -> bool,
        now: DateTime<Utc>,
    ) -> Result<(ServiceSpecificCredential, String), TooManyCredentials> {
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let all = self.0.read();
        if all.iter().filter(|credential| credential.user == user).count() >= MAX_CREDENTIALS_PER_USER {
            return Err(TooManyCredentials::User);
        }
        if all.len() >= MAX_CREDENTIALS_PER_USER * MAX_USERS {
            return Err(TooManyCredentials::Account);
        }
        // alice-at-111122223333, then alice+1-at-111122223333.
        let names = (0..).map(|number| match number {
            0 => format!("{user}-at-{account}"),
            number => format!("{user}+{number}-at-{account}"),
        });
        let is_free = |name: &String| !is_taken(name) && all.iter().all(|credential| credential.service_user != *name);
        let Some(service_user) = names.take(MAX_CREDENTIALS_PER_USER * MAX_USERS + 2).find(is_free) else {
            return Err(TooManyCredentials::Account);
        };
        let (password, hash) = password();
        let id = format!("ACCA{}", random::text(UPPER, 17));
        let user = user.to_owned();
        Ok((
            ServiceSpecificCredential { id, user, service_user, created: now, is_active: true, password: hash },
            password,
        ))
    }

    /// The credentials of a user, or of all users, oldest first.
    pub(crate) fn list(&self, user: Option<&str>) -> Vec<ServiceSpecificCredential> {
        let all = self.0.read();
        all.iter().filter(|credential| user.is_none_or(|user| credential.user == user)).cloned().collect()
    }

    /// The credential of this user with this id.
    pub(crate) fn find(&self, user: &str, id: &str) -> Option<ServiceSpecificCredential> {
        let all = self.0.read();
        all.iter().find(|credential| credential.user == user && credential.id == id).cloned()
    }

    /// Adds a credential, or replaces the one with its id.
    pub(crate) fn put(&self, credential: ServiceSpecificCredential) {
        let mut all = self.0.write();
        match all.iter_mut().find(|existing| existing.id == credential.id) {
            Some(existing) => *existing = credential,
            None => all.push(credential),
        }
    }

    /// Removes the credential with this id.
    pub(crate) fn remove(&self, id: &str) {
        self.0.write().retain(|credential| credential.id != id);
    }

    /// Replaces all credentials.
    pub(crate) fn replace_all(&self, mut credentials: Vec<ServiceSpecificCredential>) {
        credentials.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        *self.0.write() = credentials;
    }

    /// The IAM user whose active credential this is.
    pub(super) fn user_of(&self, service_user: &[u8], password: &[u8]) -> Option<String> {
        let hash = hash(password);
        let all = self.0.read();
        let matches = |credential: &&ServiceSpecificCredential| {
            constant_time_eq(credential.service_user.as_bytes(), service_user)
                & constant_time_eq(&credential.password, &hash)
                & credential.is_active
        };
        all.iter().find(matches).map(|credential| credential.user.clone())
    }
}

/// A new password, and its hash.
fn password() -> (String, [u8; 32]) {
    const LETTERS_AND_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let password = format!("{}{}", random::text(LETTERS_AND_DIGITS, 22), random::text(LETTERS_AND_DIGITS, 22));
    let hash = hash(password.as_bytes());
    (password, hash)
}

fn hash(password: &[u8]) -> [u8; 32] {
    Sha256::digest(password).into()
}
