//! The cost of a connection's authentication, without waiting for the server.

// The module is private to the crate, so its file is included. Its tests come with it: Cargo sets `cfg(test)` for benches too.
#[path = "../../src/auth/sigv4.rs"]
#[expect(dead_code, unused_imports, reason = "only the answer is measured here")]
mod sigv4;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;

use super::Result;

/// Signs answers with a session token, as the credentials of a role have one.
pub(crate) struct Signer {
    credentials: Credentials,
    now: SystemTime,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let token = Some("t".repeat(900));
        let credentials =
            Credentials::new("AKIAIOSFODNN7EXAMPLE", "an example of a secret access key", token, None, "bench");
        Self { credentials, now: UNIX_EPOCH + Duration::from_secs(1_767_225_600) }
    }

    pub(crate) fn answer(&self) -> Result<Vec<u8>> {
        let challenge = b"nonce=91703fdc2ef562e19fbdab0f58e42fe5";
        Ok(sigv4::answer(Some(challenge), &self.credentials, "us-east-1", self.now)?)
    }
}
