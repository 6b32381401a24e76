//! A client of the CloudWatch that [`Settings`] name.

use std::path::Path;

use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use keyspaces::monitoring::aws_sdk_cloudwatch::config::Credentials;
use keyspaces::monitoring::aws_sdk_cloudwatch::{Client, Config};

use crate::connection::{read_file, read_ready_file};
use crate::failure::Failure;
use crate::settings::Settings;

/// A client of CloudWatch in the Region, with the credentials of the AWS default chain; or of the CloudWatch of a local
/// Keyspaces.
pub(crate) async fn client(settings: Settings) -> Result<Client, Failure> {
    let settings = settings.resolve()?;
    if let Some(path) = &settings.local {
        return local_client(path);
    }
    if settings.cassandra.is_some() {
        return Err(Failure::usage("a plain Cassandra has no CloudWatch. Name a Region or a local Keyspaces"));
    }
    let mut config = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = settings.profile {
        config = config.profile_name(profile);
    }
    if let Some(region) = settings.region {
        config = config.region(Region::new(region));
    }
    let config = config.load().await;
    if config.region().is_none() {
        return Err(Failure::usage("no Region is known, and CloudWatch has one endpoint for each. Give --region"));
    }
    Ok(Client::new(&config))
}

fn local_client(path: &Path) -> Result<Client, Failure> {
    let ready = read_ready_file(path)?;
    let trust = TrustStore::empty().with_pem_certificate(read_file(&ready.ca)?);
    let tls = TlsContext::builder().with_trust_store(trust).build().map_err(|error| {
        Failure::usage(format!("trusting the certificate in {} failed: {error}", ready.ca.display()))
    })?;
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build_https();
    let key = ready.credentials;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(ready.region))
        .endpoint_url(ready.control_plane)
        .http_client(http)
        .credentials_provider(Credentials::new(key.access_key, key.secret_key, key.session_token, None, "ready file"));
    Ok(Client::from_conf(config.build()))
}
