//! Authentication: the answers to a server's challenge, and the credentials that they are made with.
//!
//! - `authenticator`: one per session, for the driver's connections and our own. It answers one challenge per
//!   connection.
//! - `sigv4`: the answer itself, a pure function. It accepts only a challenge with a nonce of 32 bytes.
//! - `cache`: asks the credentials provider once for all connections, within a time limit, and renews the credentials.
//! - `source`, `environment`, `aws_config`: the providers. `password`: user names and passwords.
//!
//! The server has proved who it is before any of this runs: on an endpoint with TLS, its certificate is verified first.
//! Credentials appear in no log, error or `Debug`; the types here implement `Debug` by hand.

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
