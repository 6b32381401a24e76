//! Sessions with the service that [`Settings`] name.

use std::env;
use std::path::Path;

use keyspaces::{Endpoint, ReadyWhen, Session, SessionBuilder};
use keyspaces_local::Ready;

use crate::failure::Failure;
use crate::settings::Settings;

/// Connects to all peers.
pub(crate) async fn connect(settings: Settings) -> Result<Session, Failure> {
    Ok(session_builder(settings).await?.connect().await?)
}

/// Connects to one peer, which is enough for a few requests.
pub(crate) async fn connect_to_one_peer(settings: Settings) -> Result<Session, Failure> {
    Ok(session_builder(settings).await?.ready_when(ReadyWhen::OnePeer).connect().await?)
}

/// A builder with the endpoint, the trusted roots and the credentials.
pub(crate) async fn session_builder(settings: Settings) -> Result<SessionBuilder, Failure> {
    let settings = settings.resolve()?;
    let builder = Session::builder().application_name("keyspaces-cli");
    if let Some(path) = &settings.local {
        return with_local(builder, path);
    }
    if let Some(address) = &settings.cassandra {
        let builder = builder.endpoint(Endpoint::cassandra(address)?);
        return with_user(builder, settings.user.as_deref());
    }
    let mut builder = builder;
    if let Some(profile) = &settings.profile {
        builder = with_profile(builder, profile, settings.region.is_none()).await?;
    }
    if let Some(region) = &settings.region {
        builder = builder.region(region);
    }
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.endpoint(explicit_endpoint(endpoint, &settings)?);
    }
    if let Some(ca) = &settings.ca {
        builder = builder.trust_pem(read_file(ca)?)?;
    }
    with_user(builder, settings.user.as_deref())
}

fn with_local(builder: SessionBuilder, path: &Path) -> Result<SessionBuilder, Failure> {
    let ready = read_ready_file(path)?;
    let server_name = ready.names.get(1).unwrap_or(&ready.host);
    let key = &ready.credentials;
    Ok(builder
        .region(&ready.region)
        .endpoint(Endpoint::explicit(&ready.host, ready.port, server_name)?)
        .trust_pem(read_file(&ready.ca)?)?
        .static_credentials(&key.access_key, &key.secret_key, key.session_token.as_deref()))
}

fn with_user(builder: SessionBuilder, user: Option<&str>) -> Result<SessionBuilder, Failure> {
    let Some(user) = user else { return Ok(builder) };
    let password = env::var("KEYSPACES_PASSWORD")
        .map_err(|_| Failure::usage(format!("the password of {user} is not known. Set KEYSPACES_PASSWORD")))?;
    Ok(builder.password(user, password))
}

/// Takes the credentials of an AWS profile and, if `takes_region`, its Region.
async fn with_profile(builder: SessionBuilder, profile: &str, takes_region: bool) -> Result<SessionBuilder, Failure> {
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).profile_name(profile).load().await;
    let mut builder = builder;
    if let Some(region) = config.region().filter(|_| takes_region) {
        builder = builder.region(region.as_ref());
    }
    match config.credentials_provider() {
        Some(provider) => Ok(builder.credentials(provider)),
        None => Ok(builder),
    }
}

fn explicit_endpoint(endpoint: &str, settings: &Settings) -> Result<Endpoint, Failure> {
    let (host, port) = match endpoint.rsplit_once(':') {
        // An IPv6 address has colons of its own, so its port is only recognized after a closing bracket.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            let port = port.parse().map_err(|_| Failure::usage(format!("{port:?} in {endpoint} is not a port")))?;
            (host, port)
        }
        _ => (endpoint, 9142),
    };
    if settings.server_name.is_none() && host.contains(".vpce.") {
        return Ok(Endpoint::vpc(host)?);
    }
    let region_endpoint = settings.region.as_deref().map(Endpoint::region).transpose()?;
    let region_name = region_endpoint.as_ref().and_then(Endpoint::server_name);
    let server_name = settings.server_name.as_deref().or(region_name).unwrap_or(host);
    Ok(Endpoint::explicit(host, port, server_name)?)
}

/// Reads the ready file of a local Keyspaces.
pub(crate) fn read_ready_file(path: &Path) -> Result<Ready, Failure> {
    serde_json::from_slice(&read_file(path)?).map_err(|error| {
        let advice = "Give the file that `keyspaces local --ready-file` wrote";
        Failure::usage(format!("reading {} failed: it is not a ready file: {error}. {advice}", path.display()))
    })
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::usage(format!("reading {} failed: {error}", path.display())))
}
