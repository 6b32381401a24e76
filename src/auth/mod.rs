//! Who we are: an answer to the server's challenge, and the credentials that it is made with.

#[cfg(feature = "aws-config")]
mod aws_config;
mod cache;
mod clock;
#[cfg_attr(
    all(feature = "aws-config", not(test)),
    expect(dead_code, reason = "with the default chain, which reads the variables itself, only the tests use it")
)]
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
