use std::sync::Arc;

use async_trait::async_trait;
use scylla::authentication::{AuthError, AuthenticatorProvider, AuthenticatorSession};

use super::Authenticator;
use crate::Error;

/// An [`Authenticator`] as the driver's interface.
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
        self.0.record_request(authenticator_name);
        let initial = self.0.initial_response().await.map_err(|error| store_error(&self.0, error))?;
        Ok((
            Some(initial),
            Box::new(ConnectionAuthenticator { authenticator: Arc::clone(&self.0), is_challenged: false }),
        ))
    }
}

/// The authentication of one connection, which answers at most one challenge.
struct ConnectionAuthenticator {
    authenticator: Arc<Authenticator>,
    is_challenged: bool,
}

#[async_trait]
impl AuthenticatorSession for ConnectionAuthenticator {
    async fn evaluate_challenge(&mut self, token: Option<&[u8]>) -> Result<Option<Vec<u8>>, AuthError> {
        if self.is_challenged {
            return Err(store_error(&self.authenticator, self.authenticator.second_challenge()));
        }
        self.is_challenged = true;
        self.authenticator.answer(token).await.map(Some).map_err(|error| store_error(&self.authenticator, error))
    }

    async fn success(&mut self, _token: Option<&[u8]>) -> Result<(), AuthError> {
        self.authenticator.set_last_error(None);
        Ok(())
    }
}

/// Converts an error to the driver's error, which is only a text, and stores the typed error in the authenticator.
fn store_error(authenticator: &Authenticator, error: Error) -> AuthError {
    let text = error.to_string();
    authenticator.set_last_error(Some(error));
    text
}
