//! The local Keyspaces that a ready file describes, and helpers to await a state.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::time::{Duration, Instant};
use std::{env, fs};

use aws_sdk_keyspaces::config::retry::RetryConfig;
use aws_sdk_keyspaces::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_keyspaces::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_keyspaces::{Client, Config, Error};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use serde_json::Value;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

pub(crate) struct Service {
    pub(crate) region: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) ca: String,
    pub(crate) endpoint: String,
    pub(crate) without_permissions: (String, String),
}

impl Service {
    /// Reads the ready file that an environment variable names.
    pub(crate) fn of(variable: &str) -> Result<Self> {
        let ready: Value = serde_json::from_str(&fs::read_to_string(env::var(variable)?)?)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = |name: &str| (text(&ready[name]["access_key"]), text(&ready[name]["secret_key"]));
        let (access_key, secret_key) = key("credentials");
        Ok(Self {
            region: text(&ready["region"]),
            access_key,
            secret_key,
            ca: text(&ready["ca"]),
            endpoint: text(&ready["control_plane"]),
            without_permissions: key("without_permissions"),
        })
    }

    pub(crate) fn without_permissions(self) -> Self {
        let (access_key, secret_key) = self.without_permissions.clone();
        Self { access_key, secret_key, ..self }
    }

    pub(crate) fn connect(&self, retries: RetryConfig) -> Result<Client> {
        let trust = TrustStore::empty().with_pem_certificate(fs::read(&self.ca)?);
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(TlsContext::builder().with_trust_store(trust).build()?)
            .build_https();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(Credentials::new(&self.access_key, &self.secret_key, None, None, "the ready file"))
            .retry_config(retries)
            .http_client(http)
            .build();
        Ok(Client::from_conf(config))
    }
}

pub(crate) fn equal<T: Debug + PartialEq<U>, U: Debug>(found: T, wanted: U) -> Result {
    if found == wanted { Ok(()) } else { Err(format!("it is {found:?}, not {wanted:?}").into()) }
}

pub(crate) async fn awaited<T: Debug + PartialEq>(mut ask: impl AsyncFnMut() -> Result<T>, wanted: T) -> Result {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = ask().await?;
        if seen == wanted {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("{seen:?} instead of {wanted:?} after 60 s").into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Returns the error after checking its code and message.
pub(crate) fn refused<T>(code: &str, text: &str, answered: std::result::Result<T, impl Into<Error>>) -> Result<Error> {
    let Err(error) = answered else { return Err(format!("no {code}").into()) };
    let error = error.into();
    if error.code() == Some(code) && error.message().unwrap_or_default().contains(text) {
        Ok(error)
    } else {
        Err(format!("no {code} with {text:?}: {}", DisplayErrorContext(&error)).into())
    }
}
