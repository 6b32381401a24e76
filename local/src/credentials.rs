//! The credentials of a client.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::random;

/// The credentials of one principal: an access key for SigV4, and a user name and password of the form that the service
/// calls service-specific credentials. They are valid only for this local service.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
    /// The session token. If there is one, every signature must include it; otherwise none may.
    pub session_token: Option<String>,
    /// The user's name, as `alice-at-111122223333`.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl Credentials {
    /// New random credentials of a user called `local`, without a session token.
    pub fn random() -> Self {
        Self::random_for("local")
    }

    pub(crate) fn random_for(user: &str) -> Self {
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        Self {
            access_key: format!("AKIA{}", random::text(UPPER, 16)),
            secret_key: format!("{}{}", random::hex_32(), &random::hex_32()[..8]),
            session_token: None,
            user: format!("{user}-at-{ACCOUNT}"),
            password: random::hex_32(),
        }
    }

    /// Why the credentials are not usable; `None` if they are. The response to the challenge has no escaping, and a
    /// password login is split at NUL bytes.
    pub(crate) fn problem(&self) -> Option<String> {
        let fields = [
            ("access key", Some(&self.access_key), MAX_NAME_BYTES, &b"\r\n\0,"[..]),
            ("secret key", Some(&self.secret_key), MAX_NAME_BYTES, b"\r\n\0"),
            ("session token", self.session_token.as_ref(), MAX_TOKEN_BYTES, b"\r\n\0"),
            ("user", Some(&self.user), MAX_NAME_BYTES, b"\0"),
            ("password", Some(&self.password), MAX_NAME_BYTES, b"\0"),
        ];
        for (name, value, longest, forbidden) in fields {
            let Some(value) = value else { continue };
            if value.is_empty() {
                return Some(format!("the {name} is empty"));
            }
            if value.len() > longest {
                return Some(format!("the {name} is longer than {longest} bytes"));
            }
            if value.bytes().any(|byte| forbidden.contains(&byte)) {
                let forbidden = forbidden.escape_ascii();
                return Some(format!("the {name} contains a character that it must not contain (one of {forbidden})"));
            }
        }
        None
    }

    /// The name of the IAM user, and the number of the account.
    pub(crate) fn user_and_account(&self) -> (&str, &str) {
        self.user.rsplit_once("-at-").unwrap_or((&self.user, ACCOUNT))
    }

    /// The principal's ARN, as in refusals.
    pub(crate) fn arn(&self, region: &str) -> String {
        let partition = match region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let (user, account) = self.user_and_account();
        format!("arn:{partition}:iam::{account}:user/{user}")
    }
}

/// Shows the access key and the user name, and no secrets.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .field("session_token", &self.session_token.as_ref().map(|_| "…"))
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The account number that AWS's own examples use.
const ACCOUNT: &str = "111122223333";

pub(crate) const MAX_NAME_BYTES: usize = 1024;

/// Session tokens of some thousand bytes exist in practice.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secrets() {
        let credentials = Credentials { session_token: Some("token".to_owned()), ..Credentials::random() };
        let debug = format!("{credentials:?}");
        assert!(debug.contains(&credentials.access_key));
        for secret in [&credentials.secret_key, &credentials.password, "token\""] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }

    #[test]
    fn credentials_that_do_not_fit_into_a_login_are_refused() {
        let good = Credentials::random();
        assert_eq!(good.problem(), None);
        let empty = Credentials { access_key: String::new(), ..good.clone() };
        assert_eq!(empty.problem().unwrap(), "the access key is empty");
        let comma = Credentials { access_key: "a,b".to_owned(), ..good.clone() };
        assert_eq!(
            comma.problem().unwrap(),
            r"the access key contains a character that it must not contain (one of \r\n\x00,)"
        );
        let long = Credentials { session_token: Some("t".repeat(MAX_TOKEN_BYTES + 1)), ..good };
        assert_eq!(long.problem().unwrap(), "the session token is longer than 16384 bytes");
    }

    #[test]
    fn user_arn_follows_user_and_region() {
        let alice = Credentials { user: "alice-at-123456789012".to_owned(), ..Credentials::random() };
        assert_eq!(alice.arn("eu-west-1"), "arn:aws:iam::123456789012:user/alice");
        assert_eq!(alice.arn("cn-north-1"), "arn:aws-cn:iam::123456789012:user/alice");
        let plain = Credentials { user: "plain".to_owned(), ..Credentials::random() };
        assert_eq!(plain.arn("us-gov-west-1"), "arn:aws-us-gov:iam::111122223333:user/plain");
    }
}
