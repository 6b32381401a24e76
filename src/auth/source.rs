use std::fmt;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::environment::EnvironmentCredentials;

/// A source of credentials: a provider, its name in messages, and the advice if it has no credentials.
///
/// `Debug` prints only the name, because a provider's own `Debug` may print secrets.
#[derive(Clone)]
pub(crate) struct CredentialSource {
    provider: SharedCredentialsProvider,
    name: &'static str,
    advice: &'static str,
}

impl CredentialSource {
    /// The provider that the program has passed to the session.
    pub(crate) fn from_provider(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            name: "the provider given to the session",
            advice: "Check that provider, or give the session another one",
        }
    }

    /// A fixed access key and secret key, and for temporary credentials the session token.
    pub(crate) fn static_keys(access_key: &str, secret: &str, token: Option<&str>) -> Self {
        let token = token.filter(|token| !token.is_empty()).map(str::to_owned);
        Self {
            provider: SharedCredentialsProvider::new(Credentials::new(access_key, secret, token, None, "static")),
            name: "the static credentials",
            advice: "Give the session an access key and its secret key, and for temporary credentials the session \
                     token",
        }
    }

    /// The environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    pub(crate) fn environment() -> Self {
        Self::environment_with(EnvironmentCredentials::from_process())
    }

    pub(super) fn environment_with(provider: EnvironmentCredentials) -> Self {
        Self {
            provider: SharedCredentialsProvider::new(provider),
            name: "the environment",
            advice: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary credentials",
        }
    }

    /// The AWS SDK's default chain.
    #[cfg(feature = "aws-config")]
    pub(crate) fn default_chain(chain: super::DefaultChain) -> Self {
        Self {
            provider: SharedCredentialsProvider::new(chain),
            name: "the default chain",
            advice: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws configure` or `aws sso login` and set \
                     AWS_PROFILE, or run where a role is attached",
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn advice(&self) -> &'static str {
        self.advice
    }
}

impl ProvideCredentials for CredentialSource {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.provider.provide_credentials()
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialSource").field(&self.name).finish()
    }
}
