//! Service-specific credentials of IAM users: users and passwords for CQL that IAM's operations make and end.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::same;
use crate::lock::RwLock;
use crate::random;

/// One of a user's service-specific credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServiceSpecificCredential {
    pub(crate) id: String,
    /// The name of the IAM user.
    pub(crate) user: String,
    /// The user of CQL.
    pub(crate) service_user: String,
    pub(crate) created: DateTime<Utc>,
    pub(crate) is_active: bool,
    /// The hash of its password.
    pub(crate) password: [u8; 32],
}

/// All service-specific credentials. Passwords are kept as hashes, which do not reveal them because passwords are random.
#[derive(Debug, Default)]
pub(crate) struct ServiceSpecificCredentials(RwLock<Vec<ServiceSpecificCredential>>);

/// How many there may be, of a user and service (IAM and STS quotas).
pub(crate) const MOST_OF_A_USER: usize = 2;

/// How many IAM users may have some: as many as an account may have (IAM and STS quotas).
pub(crate) const MOST_USERS: usize = 5000;

/// Why no other credential can be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TooManyCredentials {
    User,
    Account,
}

impl ServiceSpecificCredential {
    /// The same with another password, and that password, which is told only once.
    pub(crate) fn with_new_password(self) -> (Self, String) {
        let (password, hash) = password();
        (Self { password: hash, ..self }, password)
    }
}

impl ServiceSpecificCredentials {
    /// A new one of a user with its password, which is told only once. It logs in once it is [put](Self::put) here. `taken` is a
    /// CQL user that is somebody's already.
    pub(crate) fn draft(
        &self,
        user: &str,
        account: &str,
        taken: impl Fn(&str) -> bool,
        now: DateTime<Utc>,
    ) -> Result<(ServiceSpecificCredential, String), TooManyCredentials> {
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let all = self.0.read();
        if all.iter().filter(|one| one.user == user).count() >= MOST_OF_A_USER {
            return Err(TooManyCredentials::User);
        }
        if all.len() >= MOST_OF_A_USER * MOST_USERS {
            return Err(TooManyCredentials::Account);
        }
        // alice-at-111122223333, then alice+1-at-111122223333.
        let names = (0..).map(|number| match number {
            0 => format!("{user}-at-{account}"),
            number => format!("{user}+{number}-at-{account}"),
        });
        let is_free = |name: &String| !taken(name) && all.iter().all(|one| one.service_user != *name);
        let Some(service_user) = names.take(MOST_OF_A_USER * MOST_USERS + 2).find(is_free) else {
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
        all.iter().filter(|one| user.is_none_or(|user| one.user == user)).cloned().collect()
    }

    /// The credential of this user with this id.
    pub(crate) fn find(&self, user: &str, id: &str) -> Option<ServiceSpecificCredential> {
        let all = self.0.read();
        all.iter().find(|one| one.user == user && one.id == id).cloned()
    }

    /// Adds a credential, or replaces the one with its id.
    pub(crate) fn put(&self, credential: ServiceSpecificCredential) {
        let mut all = self.0.write();
        match all.iter_mut().find(|one| one.id == credential.id) {
            Some(one) => *one = credential,
            None => all.push(credential),
        }
    }

    /// Removes the credential with this id.
    pub(crate) fn remove(&self, id: &str) {
        self.0.write().retain(|one| one.id != id);
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
        let is = |one: &&ServiceSpecificCredential| {
            same(one.service_user.as_bytes(), service_user) & same(&one.password, &hash) & one.is_active
        };
        all.iter().find(is).map(|one| one.user.clone())
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
