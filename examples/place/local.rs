//! How a session gets to a local Keyspaces.

use keyspaces::{Builder, Endpoint, Error, Session};
use keyspaces_local::Local;

/// A builder that lacks nothing but `connect()`.
pub(crate) fn builder(local: &Local) -> Result<Builder, Error> {
    let own = local.credentials();
    Ok(Session::builder()
        .region(local.region())
        .endpoint(Endpoint::explicit(local.host(), local.port(), local.server_name())?)
        .trust_pem(local.ca_pem())?
        .static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref()))
}
