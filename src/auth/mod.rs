//! Authentication: the answer to the server's challenge, and the credentials it is made with.

#[cfg(feature = "aws-config")]
mod aws_config;
mod cache;
mod clock;
mod environment;
mod exchange;
mod password;
mod sigv4;
mod source;

#[cfg(feature = "aws-config")]
pub(crate) use self::aws_config::DefaultChain;
pub(crate) use self::cache::Timing;
pub(crate) use self::clock::Clock;
pub(crate) use self::exchange::{Authenticator, Identity};
pub(crate) use self::source::CredentialSource;
