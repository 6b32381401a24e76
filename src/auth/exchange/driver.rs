use std::sync::Arc;

use async_trait::async_trait;
use scylla::authentication::{AuthError, AuthenticatorProvider, AuthenticatorSession};

use super::Authenticator;
use crate::Error;

/// The driver's side of an [`Authenticator`].
pub(super) struct DriverProvider(Arc<Authenticator>);

impl DriverProvider {
    pub(super) fn new(authenticator: Arc<Authenticator>) -> Self {
        Self(authenticator)
    }
}

#[async_trait]
impl AuthenticatorProvider for DriverProvider {
    async fn start_authentication_session(
        &self,
        authenticator_name: &str,
    ) -> Result<(Option<Vec<u8>>, Box<dyn AuthenticatorSession>), AuthError> {
        self.0.asked_by(authenticator_name);
        let initial = self.0.initial_response().await.map_err(|error| keep(&self.0, error))?;
        Ok((Some(initial), Box::new(Exchange { authenticator: Arc::clone(&self.0), challenged: false })))
    }
}

/// The authentication of one connection.
struct Exchange {
    authenticator: Arc<Authenticator>,
    challenged: bool,
}

#[async_trait]
impl AuthenticatorSession for Exchange {
    async fn evaluate_challenge(&mut self, token: Option<&[u8]>) -> Result<Option<Vec<u8>>, AuthError> {
        if self.challenged {
            return Err(keep(&self.authenticator, self.authenticator.second_challenge()));
        }
        self.challenged = true;
        self.authenticator.answer(token).await.map(Some).map_err(|error| keep(&self.authenticator, error))
    }

    async fn success(&mut self, _token: Option<&[u8]>) -> Result<(), AuthError> {
        self.authenticator.keep_error(None);
        Ok(())
    }
}

/// Converts an error to the driver's, which is only a text, and stores the typed error in the authenticator.
fn keep(authenticator: &Authenticator, error: Error) -> AuthError {
    let text = error.to_string();
    authenticator.keep_error(Some(error));
    text
}
