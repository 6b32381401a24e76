use std::fmt;

use crate::{Error, ErrorKind};

/// A user name and password: for Amazon Keyspaces, the service-specific credentials of an IAM user; for a plain
/// Cassandra, those of its user.
#[derive(Clone)]
pub(crate) struct Password {
    user: String,
    secret: String,
}

impl Password {
    /// # Errors
    ///
    /// `Credentials` if either is empty or contains a NUL, which separates the two in the response.
    pub(crate) fn new(user: impl Into<String>, secret: impl Into<String>) -> Result<Self, Error> {
        let (user, secret) = (user.into(), secret.into());
        for (name, value) in [("user name", &user), ("password", &secret)] {
            let problem = match value {
                value if value.is_empty() => "is empty",
                value if value.contains('\0') => "contains a NUL",
                _ => continue,
            };
            return Err(Error::new(
                ErrorKind::Credentials,
                "checking the user name and password",
                format!("the {name} {problem}"),
            )
            .with_advice(
                "`aws iam create-service-specific-credential --service-name cassandra.amazonaws.com` creates a pair \
                 for Amazon Keyspaces",
            ));
        }
        Ok(Self { user, secret })
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The response of SASL PLAIN: no authorization identity, the user name, the password. It contains the unencrypted
    /// password, so it must not be logged. TLS encrypts the connection, except to a plain Cassandra.
    pub(crate) fn initial_response(&self) -> Vec<u8> {
        [b"\0", self.user.as_bytes(), b"\0", self.secret.as_bytes()].concat()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("user", &self.user).field("secret", &"** redacted **").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_sent_as_sasl_plain() {
        let password = Password::new("alice-at-111122223333", "pässword,=").unwrap();
        assert_eq!(password.initial_response(), "\0alice-at-111122223333\0pässword,=".as_bytes());
    }

    #[test]
    fn an_empty_user_or_password_or_one_with_a_nul_is_refused() {
        for (user, secret, problem) in [
            ("", "secret", "the user name is empty"),
            ("alice", "", "the password is empty"),
            ("al\0ice", "secret", "the user name contains a NUL"),
            ("alice", "sec\0ret", "the password contains a NUL"),
        ] {
            let error = Password::new(user, secret).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert_eq!(
                error.to_string(),
                format!(
                    "checking the user name and password failed: {problem}. `aws iam \
                     create-service-specific-credential --service-name cassandra.amazonaws.com` creates a pair for \
                     Amazon Keyspaces"
                )
            );
        }
    }

    #[test]
    fn debug_does_not_print_the_password() {
        let shown = format!("{:?}", Password::new("alice", "sesame").unwrap());
        assert_eq!(shown, r#"Password { user: "alice", secret: "** redacted **" }"#);
    }
}
