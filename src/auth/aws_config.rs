use std::fmt;

use ::aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use tokio::sync::OnceCell;

/// The AWS SDK's default chain: variables, profile, SSO, web identity, container, instance.
///
/// Nothing is read before the first ask, which happens inside the cache's time limit.
pub(crate) struct DefaultChain {
    loader: ConfigLoader,
    config: OnceCell<SdkConfig>,
}

impl DefaultChain {
    /// With a region, STS and SSO are asked there unless the profile says otherwise, and nobody is asked for one.
    pub(crate) fn new(region: Option<&str>) -> Self {
        let loader = ::aws_config::defaults(BehaviorVersion::latest());
        Self::from_loader(match region {
            Some(region) => loader.region(Region::new(region.to_owned())),
            None => loader,
        })
    }

    /// The region that the chain finds: variables, profile, instance. `None` if it finds none.
    ///
    /// Not bounded in time: off AWS, the instance's metadata service may be waited for some seconds.
    pub(crate) async fn region(&self) -> Option<String> {
        self.config().await.region().map(ToString::to_string)
    }

    fn from_loader(loader: ConfigLoader) -> Self {
        Self { loader, config: OnceCell::new() }
    }

    async fn config(&self) -> &SdkConfig {
        self.config.get_or_init(|| self.loader.clone().load()).await
    }

    async fn credentials(&self) -> provider::Result {
        match self.config().await.credentials_provider() {
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
