//! Authentication: the answers to a server's challenge, and the credentials for these answers.
//!
//! - `authenticator`: one for each session, shared by the driver's connections and those of this crate. It answers one
//!   challenge on each connection.
//! - `sigv4`: the answer itself, a pure function. It accepts only a challenge with a nonce of 32 bytes.
//! - `cache`: requests the credentials from the provider once for all connections, within a time limit, and renews
//!   them.
//! - `source`, `environment`, `aws_config`: the providers. `password`: user names and passwords.
//!
//! The identity of the server is verified before authentication: on an endpoint with TLS, the certificate is checked
//! first. Credentials never appear in a log, an error or `Debug`; the types here implement `Debug` by hand.

mod authenticator;
#[cfg(feature = "aws-config")]
mod aws_config;
mod cache;
mod clock;
mod environment;
mod password;
mod sigv4;
mod source;

pub(crate) use self::authenticator::{Authenticator, Identity};
#[cfg(feature = "aws-config")]
pub(crate) use self::aws_config::DefaultChain;
pub(crate) use self::cache::Timing;
pub(crate) use self::clock::Clock;
pub(crate) use self::source::CredentialSource;
