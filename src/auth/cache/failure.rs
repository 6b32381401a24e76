use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;

use crate::auth::environment::MissingVariable;
use crate::auth::source::CredentialSource;
use crate::{Error, ErrorKind};

/// Why a provider returned no usable credentials; shared by all waiting callers.
#[derive(Debug)]
pub(super) enum CredentialsFailure {
    TimedOut(Duration),
    Panicked,
    Empty(&'static str),
    /// The credentials expired this long ago.
    Expired(Duration),
    Provider(Arc<CredentialsError>),
}

impl CredentialsFailure {
    /// Creates the error. `cached_expired_for` is the time since the cached credentials expired; `None` if there are
    /// none.
    pub(super) fn to_error(&self, source: &CredentialSource, cached_expired_for: Option<Duration>) -> Error {
        let problem = match cached_expired_for {
            None => self.to_string(),
            Some(ago) => format!("{self}, and the cached credentials expired {} ago", Rounded(ago)),
        };
        let error = Error::new(ErrorKind::Credentials, format!("getting credentials from {}", source.name()), problem)
            .with_advice(source.advice());
        match self {
            Self::Provider(cause) if missing_variable(cause).is_none() => {
                let error = match cause_chain(cause) {
                    Some(texts) => error.with_server_message(texts),
                    None => error,
                };
                error.with_source(Arc::clone(cause))
            }
            _ => error,
        }
    }
}

impl fmt::Display for CredentialsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "the provider did not answer within {}", Rounded(*limit)),
            Self::Panicked => f.write_str("the provider panicked"),
            Self::Empty(which) => write!(f, "the {which} is empty"),
            Self::Expired(ago) => write!(f, "the credentials expired {} ago", Rounded(*ago)),
            Self::Provider(cause) => match (missing_variable(cause), &**cause) {
                (Some(missing), _) => missing.fmt(f),
                (None, CredentialsError::CredentialsNotLoaded(_)) => f.write_str("the provider has none"),
                (None, CredentialsError::ProviderTimedOut(_)) => f.write_str("the provider timed out"),
                (None, CredentialsError::InvalidConfiguration(_)) => {
                    f.write_str("the provider's configuration is invalid")
                }
                (None, _) => f.write_str("the provider failed"),
            },
        }
    }
}

fn missing_variable(cause: &CredentialsError) -> Option<&MissingVariable> {
    cause.source()?.downcast_ref()
}

/// The texts of the causes of the provider's error, outermost first, cut to 500 bytes. The text of the error itself is
/// left out, because it is the same for all errors of a kind.
fn cause_chain(error: &CredentialsError) -> Option<String> {
    const MAX_BYTES: usize = 500;
    let mut texts = String::new();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|_| texts.len() < MAX_BYTES) {
        let text = error.to_string();
        // The text of many errors already contains the text of their cause.
        if !texts.contains(&text) {
            texts.push_str(if texts.is_empty() { "" } else { ": " });
            texts.push_str(&text);
        }
        cause = error.source();
    }
    let end = texts.char_indices().map(|(at, _)| at).find(|&at| at >= MAX_BYTES);
    texts.truncate(end.unwrap_or(texts.len()));
    (!texts.is_empty()).then_some(texts)
}

/// Prints a duration in one unit, rounded down: milliseconds below 1 s, seconds below 2 min (`4s`), minutes below 2 h
/// (`12min`), and then hours (`3h`).
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{}ms", self.0.as_millis()),
            seconds @ ..120 => write!(f, "{seconds}s"),
            seconds @ ..7_200 => write!(f, "{}min", seconds / 60),
            seconds => write!(f, "{}h", seconds / 3_600),
        }
    }
}
