use std::env;
use std::fmt;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};

/// The credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary credentials, `AWS_SESSION_TOKEN`.
/// The variables are read for each request. An empty variable counts as not set.
pub(crate) struct EnvironmentCredentials {
    variable: Box<Lookup>,
}

/// Returns the value of a variable if it is set.
type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl EnvironmentCredentials {
    /// Reads the variables of this process.
    pub(crate) fn from_process() -> Self {
        Self::new(|name| env::var(name).ok())
    }

    pub(super) fn new(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { variable: Box::new(variable) }
    }

    fn read(&self) -> provider::Result {
        let set = |name| (self.variable)(name).filter(|value| !value.is_empty());
        let missing = |which| CredentialsError::not_loaded(MissingVariable(which));
        match (set(ACCESS_KEY), set(SECRET)) {
            (Some(access_key), Some(secret)) => {
                Ok(Credentials::new(access_key, secret, set("AWS_SESSION_TOKEN"), None, "environment"))
            }
            (None, Some(_)) => Err(missing("AWS_ACCESS_KEY_ID is not set")),
            (Some(_), None) => Err(missing("AWS_SECRET_ACCESS_KEY is not set")),
            (None, None) => Err(missing("neither AWS_ACCESS_KEY_ID nor AWS_SECRET_ACCESS_KEY is set")),
        }
    }
}

impl ProvideCredentials for EnvironmentCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(self.read())
    }
}

impl fmt::Debug for EnvironmentCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvironmentCredentials")
    }
}

/// The error for a missing variable.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MissingVariable(&'static str);

const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::sync::{Arc, Mutex};

    use super::*;

    fn with(set: &'static [(&'static str, &'static str)]) -> EnvironmentCredentials {
        EnvironmentCredentials::new(move |name| {
            set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_three_variables_become_the_credentials() {
        let credentials =
            with(&[(ACCESS_KEY, "AKID"), (SECRET, "secret"), ("AWS_SESSION_TOKEN", "token")]).read().unwrap();
        assert_eq!(credentials.access_key_id(), "AKID");
        assert_eq!(credentials.secret_access_key(), "secret");
        assert_eq!(credentials.session_token(), Some("token"));
        assert_eq!(credentials.expiry(), None);
    }

    #[test]
    fn empty_session_token_counts_as_unset() {
        let credentials = with(&[(ACCESS_KEY, "AKID"), (SECRET, "secret"), ("AWS_SESSION_TOKEN", "")]).read().unwrap();
        assert_eq!(credentials.session_token(), None);
    }

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        for (provider, text) in [
            (with(&[]), "neither AWS_ACCESS_KEY_ID nor AWS_SECRET_ACCESS_KEY is set"),
            (with(&[(ACCESS_KEY, "AKID")]), "AWS_SECRET_ACCESS_KEY is not set"),
            (with(&[(ACCESS_KEY, "AKID"), (SECRET, "")]), "AWS_SECRET_ACCESS_KEY is not set"),
            (with(&[(ACCESS_KEY, ""), (SECRET, "secret")]), "AWS_ACCESS_KEY_ID is not set"),
        ] {
            assert_eq!(provider.read().unwrap_err().source().unwrap().to_string(), text);
        }
    }

    #[tokio::test]
    async fn the_variables_are_read_again_for_each_request() {
        let key = Arc::new(Mutex::new("first"));
        let provider = EnvironmentCredentials::new({
            let key = Arc::clone(&key);
            move |name| (name != "AWS_SESSION_TOKEN").then(|| key.lock().unwrap().to_string())
        });
        assert_eq!(provider.provide_credentials().await.unwrap().access_key_id(), "first");
        *key.lock().unwrap() = "second";
        assert_eq!(provider.provide_credentials().await.unwrap().access_key_id(), "second");
    }
}
