use std::fmt;

use ::aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};

/// The AWS SDK's default chain: variables, profile, SSO, web identity, container, instance.
///
/// The chain is built for each request; because of the cache, requests are rare. If the chain were built once, it would
/// for ever keep the keys that it found in the profile, or the failure to find any. Building the chain reads files;
/// that counts towards the cache's time limit.
pub(crate) struct DefaultChain {
    loader: Box<dyn Fn() -> ConfigLoader + Send + Sync>,
}

impl DefaultChain {
    /// Creates the chain. With a region, it uses the STS of that region for roles; without one, it first determines the
    /// region.
    pub(crate) fn new(region: Option<&str>) -> Self {
        let region = region.map(|region| Region::new(region.to_owned()));
        Self::from_loader(move || match region.clone() {
            Some(region) => ::aws_config::defaults(BehaviorVersion::latest()).region(region),
            None => ::aws_config::defaults(BehaviorVersion::latest()),
        })
    }

    /// Returns the region that the chain finds in the variables, the profile or the instance's metadata; `None` if it
    /// finds none.
    ///
    /// This has no time limit of its own: outside AWS, it may wait some seconds for the metadata service.
    pub(crate) async fn region(&self) -> Option<String> {
        self.load().await.region().map(ToString::to_string)
    }

    fn from_loader(loader: impl Fn() -> ConfigLoader + Send + Sync + 'static) -> Self {
        Self { loader: Box::new(loader) }
    }

    async fn load(&self) -> SdkConfig {
        (self.loader)().load().await
    }

    async fn credentials(&self) -> provider::Result {
        match self.load().await.credentials_provider() {
            Some(provider) => provider.provide_credentials().await,
            None => Err(CredentialsError::not_loaded("the default chain has no provider")),
        }
    }
}

impl ProvideCredentials for DefaultChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

impl fmt::Debug for DefaultChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DefaultChain")
    }
}

#[cfg(test)]
mod tests {
    #![expect(deprecated, reason = "the names that replace these are in a crate that nothing else here needs")]

    use std::env;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ::aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};

    use super::*;
    use crate::auth::CredentialSource;

    /// A profile whose access key changes each time that it is read: `AKID0`, `AKID1`, …
    fn with_profile() -> DefaultChain {
        let times_read = AtomicUsize::new(0);
        DefaultChain::from_loader(move || {
            let n = times_read.fetch_add(1, Ordering::Relaxed);
            let keys = format!("[p]\naws_access_key_id = AKID{n}\naws_secret_access_key = sesame\n");
            let files = ProfileFiles::builder()
                .with_contents(ProfileFileKind::Config, "[profile p]\nregion = eu-west-3\n")
                .with_contents(ProfileFileKind::Credentials, keys)
                .build();
            ::aws_config::defaults(BehaviorVersion::latest()).profile_files(files).profile_name("p")
        })
    }

    /// The region in the environment variables of the test run, which come first in the chain.
    fn set(name: &str) -> Option<String> {
        env::var(name).ok()
    }

    #[tokio::test]
    async fn the_chain_returns_credentials_and_reads_a_profile_for_each_request() {
        let chain = with_profile();
        let from_variables = set("AWS_ACCESS_KEY_ID").filter(|_| set("AWS_SECRET_ACCESS_KEY").is_some());
        for key in ["AKID0", "AKID1"] {
            let credentials = chain.credentials().await.unwrap();
            assert_eq!(credentials.access_key_id(), from_variables.as_deref().unwrap_or(key));
        }
    }

    #[tokio::test]
    async fn the_chain_returns_the_region() {
        let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
        let found = with_profile().region().await;
        assert_eq!(found.as_deref(), Some(region.as_deref().unwrap_or("eu-west-3")));
    }

    #[tokio::test]
    async fn a_region_that_is_set_is_the_chains() {
        assert_eq!(DefaultChain::new(Some("eu-north-1")).region().await.as_deref(), Some("eu-north-1"));
    }

    #[tokio::test]
    async fn debug_prints_only_the_name_of_the_chain() {
        let chain = with_profile();
        chain.credentials().await.unwrap();
        assert_eq!(format!("{chain:?}"), "DefaultChain");
        assert_eq!(CredentialSource::default_chain(chain).name(), "the default chain");
    }
}
