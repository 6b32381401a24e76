//! Computes the signature of Amazon Keyspaces' SigV4 login, with code that shares nothing with the client.
//!
//! It differs from AWS's usual signature: the request has no `X-Amz-SignedHeaders` and no token, its date is ISO 8601
//! with milliseconds, its host is the literal `cassandra`, and its payload is the server's nonce.

use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The parts of `signature=…,access_key=…,amzdate=…[,session_token=…]`, which has no escaping: only the token, which is
/// the last part, may contain commas.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct ChallengeResponse<'a> {
    pub(super) signature: &'a str,
    pub(super) access_key: &'a str,
    pub(super) amzdate: &'a str,
    pub(super) session_token: Option<&'a str>,
}

impl<'a> ChallengeResponse<'a> {
    /// `None` if the text does not have that form and order.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (signature, text) = text.strip_prefix("signature=")?.split_once(",access_key=")?;
        let (access_key, text) = text.split_once(",amzdate=")?;
        let (amzdate, session_token) = match text.split_once(",session_token=") {
            Some((amzdate, token)) => (amzdate, Some(token)),
            None => (text, None),
        };
        Some(Self { signature, access_key, amzdate, session_token })
    }
}

/// The instant of `YYYY-MM-DDTHH:MM:SS.mmmZ`; `None` for every other form.
pub(super) fn instant(amzdate: &str) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(amzdate).ok()?.to_utc();
    (instant.to_rfc3339_opts(SecondsFormat::Millis, true) == amzdate).then_some(instant)
}

/// The inputs of a signature.
#[derive(Clone, Copy)]
pub(super) struct SignatureInput<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) region: &'a str,
    pub(super) nonce: &'a [u8],
    pub(super) at: DateTime<Utc>,
}

impl SignatureInput<'_> {
    /// The signature in lower-case hexadecimal.
    pub(super) fn signature(&self) -> String {
        hex::encode(hmac(&self.key(), self.string_to_sign().as_bytes()))
    }

    pub(super) fn string_to_sign(&self) -> String {
        let request = hex::encode(Sha256::digest(self.canonical_request()));
        format!("{ALGORITHM}\n{}\n{}\n{request}", self.stamp(), self.scope())
    }

    pub(super) fn canonical_request(&self) -> String {
        let access_key = self.access_key;
        let scope = self.scope().replace('/', "%2F");
        let stamp = self.stamp().replace(':', "%3A");
        let nonce = hex::encode(Sha256::digest(self.nonce));
        format!(
            "PUT\n/authenticate\nX-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={access_key}%2F{scope}\
             &X-Amz-Date={stamp}&X-Amz-Expires=900\nhost:cassandra\n\nhost\n{nonce}"
        )
    }

    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{SERVICE}/{TERMINATOR}", self.day(), self.region)
    }

    pub(super) fn key(&self) -> [u8; 32] {
        signing_key(self.secret_key, &self.day(), self.region, SERVICE)
    }

    fn stamp(&self) -> String {
        self.at.to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    fn day(&self) -> String {
        self.at.format("%Y%m%d").to_string()
    }
}

/// The key of signatures of one day, Region and service.
pub(super) fn signing_key(secret_key: &str, day: &str, region: &str, service: &str) -> [u8; 32] {
    let secret = format!("AWS4{secret_key}");
    let day = hmac(secret.as_bytes(), day.as_bytes());
    let region = hmac(&day, region.as_bytes());
    let service = hmac(&region, service.as_bytes());
    hmac(&service, TERMINATOR.as_bytes())
}

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "cassandra";
pub(super) const TERMINATOR: &str = "aws4_request";

pub(super) fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}
