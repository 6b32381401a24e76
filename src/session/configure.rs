//! Derives the endpoint, the handshake and the settings of a session from the builder's values.

use std::sync::Arc;
use std::time::Duration;

use super::SessionBuilder;
use super::settings::Settings;
use crate::auth::{Authenticator, Clock, CredentialSource, Timing};
use crate::handshake::Handshake;
use crate::tls::Trust;
use crate::{Endpoint, Error, ErrorKind};

/// Refuses invalid and contradictory settings, and determines the endpoint and the credentials provider. Nothing is
/// sent to the endpoint.
pub(super) async fn configure(builder: &SessionBuilder) -> Result<(Handshake, Settings), Error> {
    check(builder)?;
    let endpoint = endpoint(builder).await?;
    let authenticator = authenticator(builder, &endpoint)?;
    let trust = Trust::new(builder.trusted.iter().map(Vec::as_slice))?;
    let name = builder.settings.application_name.as_deref();
    let handshake = Handshake::new(endpoint, trust, Arc::new(authenticator), name)?;
    #[cfg(test)]
    let handshake = handshake.with_resolver(builder.resolver.clone());
    Ok((handshake, builder.settings.clone()))
}

fn check(builder: &SessionBuilder) -> Result<(), Error> {
    let settings = &builder.settings;
    for (name, timeout) in [
        ("connect_timeout", settings.connect_timeout),
        ("call_timeout", settings.call_timeout),
        ("attempt_timeout", settings.attempt_timeout),
        ("topology_interval", settings.topology_interval),
    ] {
        if timeout.is_zero() {
            return Err(configuration_error(format!("{name} is zero"), "Set a duration longer than zero"));
        }
    }
    if settings.application_name.as_ref().is_some_and(|name| name.len() > usize::from(u16::MAX)) {
        return Err(configuration_error(
            "application_name is longer than the 65535 bytes of a string in STARTUP",
            "Shorten it",
        ));
    }
    if builder.credentials.is_some() && builder.password.is_some() {
        return Err(configuration_error(
            "both AWS credentials and a password are set",
            "Set one of them: credentials for SigV4, or a user name and password",
        ));
    }
    if let Some(endpoint) = builder.endpoint.as_ref().filter(|endpoint| endpoint.is_cassandra()) {
        if builder.credentials.is_some() {
            return Err(configuration_error(
                format!("{endpoint} is a plain Cassandra, which does not accept signatures"),
                "Set a user name and password, or neither; for SigV4 use Endpoint::region or Endpoint::explicit",
            ));
        }
        if !builder.trusted.is_empty() {
            return Err(configuration_error(
                format!("{endpoint} is a plain Cassandra, which is connected to without TLS and has no certificate"),
                "Remove trust_pem, or use Endpoint::explicit",
            ));
        }
    }
    Ok(())
}

async fn endpoint(builder: &SessionBuilder) -> Result<Endpoint, Error> {
    match (&builder.endpoint, &builder.region) {
        (Some(endpoint), None) => Ok(endpoint.clone()),
        (Some(endpoint), Some(region)) => endpoint.clone().with_signing_region(region),
        (None, Some(region)) => Endpoint::region(region),
        (None, None) => endpoint_from_environment(builder.settings.connect_timeout).await,
    }
}

#[cfg(not(feature = "aws-config"))]
async fn endpoint_from_environment(_timeout: Duration) -> Result<Endpoint, Error> {
    Endpoint::from_environment()
}

/// Reads the region from the environment variables or, if none is set, from the AWS profile or the instance's metadata.
#[cfg(feature = "aws-config")]
async fn endpoint_from_environment(timeout: Duration) -> Result<Endpoint, Error> {
    let variables = Endpoint::from_environment();
    let unset = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()));
    if !unset {
        return variables;
    }
    let chain = crate::auth::DefaultChain::new(None);
    match tokio::time::timeout(timeout, chain.region()).await {
        Ok(Some(region)) => Endpoint::region(region),
        Ok(None) | Err(_) => variables,
    }
}

fn authenticator(builder: &SessionBuilder, endpoint: &Endpoint) -> Result<Authenticator, Error> {
    if let Some((user, secret)) = &builder.password {
        return Authenticator::password(user.clone(), secret.clone());
    }
    if endpoint.is_cassandra() {
        return Ok(Authenticator::anonymous());
    }
    let Some(region) = endpoint.signing_region() else {
        return Err(configuration_error(
            format!("it is not known which region to sign for at {endpoint}"),
            "Set it with SessionBuilder::region",
        ));
    };
    let source = builder.credentials.clone().unwrap_or_else(|| default_source(region));
    Authenticator::sigv4(region, source, Clock::system(), Timing::default())
}

#[cfg(not(feature = "aws-config"))]
fn default_source(_region: &str) -> CredentialSource {
    CredentialSource::environment()
}

#[cfg(feature = "aws-config")]
fn default_source(region: &str) -> CredentialSource {
    CredentialSource::default_chain(crate::auth::DefaultChain::new(Some(region)))
}

pub(super) fn configuration_error(problem: impl Into<String>, advice: &'static str) -> Error {
    Error::new(ErrorKind::Configuration, "setting up a session", problem.into()).with_advice(advice)
}
