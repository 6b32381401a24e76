//! The local Keyspaces that all tests share, and sessions to it.

use keyspaces::{Builder, Endpoint, Session};
use keyspaces_local::Local;

pub(crate) async fn shared() -> &'static Local {
    Local::shared().await.expect("a local Keyspaces starts")
}

/// The endpoint as an application would name it, with the name that the certificate carries.
pub(crate) fn endpoint(local: &Local) -> Endpoint {
    Endpoint::explicit(local.host(), local.port(), local.server_name()).expect("an endpoint")
}

/// A builder that lacks nothing but who asks.
pub(crate) fn builder(local: &Local) -> Builder {
    Session::builder().endpoint(endpoint(local)).trust_pem(local.ca_pem()).expect("a certificate")
}

/// A builder that only needs `connect()`.
pub(crate) fn signed(local: &Local) -> Builder {
    let own = local.credentials();
    builder(local).static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref())
}

pub(crate) async fn session() -> Session {
    signed(shared().await).connect().await.expect("a session")
}
