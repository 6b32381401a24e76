use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;

use crate::auth::environment::Missing;
use crate::auth::source::CredentialSource;
use crate::{Error, ErrorKind};

/// Why a provider returned no usable credentials. Every waiting caller receives it.
#[derive(Debug)]
pub(super) enum CredentialsFailure {
    Silent(Duration),
    Panicked,
    Empty(&'static str),
    /// The credentials expired this long ago.
    Expired(Duration),
    Provider(Arc<CredentialsError>),
}

impl CredentialsFailure {
    /// Creates the error. `held_expired` is how long ago the cached credentials expired.
    pub(super) fn to_error(&self, source: &CredentialSource, held_expired: Option<Duration>) -> Error {
        let problem = match held_expired {
            None => self.to_string(),
            Some(ago) => format!("{self}, and those it gave before expired {} ago", Rounded(ago)),
        };
        let error = Error::new(ErrorKind::Credentials, format!("asking {} for credentials", source.name()), problem)
            .with_advice(source.advice());
        match self {
            Self::Provider(cause) if missing_variable(cause).is_none() => {
                let error = match words(cause) {
                    Some(words) => error.with_server_message(words),
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
            Self::Silent(limit) => write!(f, "no answer within {}", Rounded(*limit)),
            Self::Panicked => f.write_str("it panicked"),
            Self::Empty(which) => write!(f, "the {which} is empty"),
            Self::Expired(ago) => write!(f, "they expired {} ago", Rounded(*ago)),
            Self::Provider(cause) => match (missing_variable(cause), &**cause) {
                (Some(missing), _) => missing.fmt(f),
                (None, CredentialsError::CredentialsNotLoaded(_)) => f.write_str("it has none"),
                (None, CredentialsError::ProviderTimedOut(_)) => f.write_str("it gave up waiting"),
                (None, CredentialsError::InvalidConfiguration(_)) => f.write_str("its configuration is wrong"),
                (None, _) => f.write_str("it failed"),
            },
        }
    }
}

fn missing_variable(cause: &CredentialsError) -> Option<&Missing> {
    cause.source()?.downcast_ref()
}

/// The causes of the provider's error, outermost first. The outermost text is left out, because it is the same for all
/// errors of a kind.
fn words(error: &CredentialsError) -> Option<String> {
    const LONGEST: usize = 500;
    let mut words = String::new();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|_| words.len() < LONGEST) {
        let text = error.to_string();
        // Many errors also print the cause that they wrap.
        if !words.contains(&text) {
            words.push_str(if words.is_empty() { "" } else { ": " });
            words.push_str(&text);
        }
        cause = error.source();
    }
    let end = words.char_indices().map(|(at, _)| at).find(|&at| at >= LONGEST);
    words.truncate(end.unwrap_or(words.len()));
    (!words.is_empty()).then_some(words)
}

/// Prints a duration in its largest unit: `4s`, `12min`, `3h`.
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
