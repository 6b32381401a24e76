//! The SigV4 answer to a CQL challenge.

#[cfg(test)]
#[path = "sigv4/vectors.rs"] // explicit, because benches/work/signing.rs includes this file as a module of its own
mod vectors;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};

/// The client's first response. It does not depend on the name of the server's authenticator, and contains no secret.
pub(crate) const INITIAL_RESPONSE: &[u8] = b"SigV4\0\0";

/// Returns the answer to the server's challenge: a signature over the nonce, the access key, the time, and the session
/// token of temporary credentials.
///
/// This is a pure function: the same challenge, credentials, region and time give the same bytes, and AWS's own plugin
/// for Java gives the same. `now` is truncated to the millisecond first. The signature is valid for one nonce, region
/// and time and does not reveal the secret key. The answer contains the session token, so it must not be logged.
pub(crate) fn answer(
    challenge: Option<&[u8]>,
    credentials: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<Vec<u8>, SigningError> {
    check_credentials(credentials)?;
    let request = SignedRequest::new(challenge, credentials.access_key_id(), region, now)?;
    let signature = request.signature(credentials.secret_access_key());
    let SignedRequest { access_key, timestamp, .. } = &request;
    let token = credentials.session_token().filter(|token| !token.is_empty());
    let (token_label, token) = token.map_or(("", ""), |token| (",session_token=", token));
    let answer = ["signature=", &signature, ",access_key=", access_key, ",amzdate=", timestamp, token_label, token];
    Ok(answer.concat().into_bytes())
}

/// Checks that the access key and the token can be part of an answer. The format cannot escape characters, so a line
/// break or NUL is refused. A comma in a token is sent unchanged, as every plugin does.
pub(crate) fn check_credentials(credentials: &Credentials) -> Result<(), SigningError> {
    let breaks_answer = |text: &str| text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0'));
    if breaks_answer(credentials.access_key_id()) {
        return Err(SigningError::AccessKey);
    }
    if credentials.session_token().is_some_and(breaks_answer) {
        return Err(SigningError::SessionToken);
    }
    Ok(())
}

/// Why a challenge cannot be answered. It contains no secret, and no bytes from the server.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SigningError {
    #[error("the server's challenge is empty")]
    NoChallenge,
    #[error("the server's challenge contains no nonce")]
    NoNonce,
    #[error("the nonce in the server's challenge has {0} bytes instead of 32")]
    NonceLength(usize),
    #[error("the region to sign for contains other characters than letters, digits and hyphens")]
    Region,
    #[error("the access key contains a line break or a NUL")]
    AccessKey,
    #[error("the session token contains a line break or a NUL")]
    SessionToken,
    #[error("this machine's clock is not between the years 1970 and 9999")]
    Clock,
}

/// The request that is signed. It is never sent. It differs from ordinary SigV4: the time has milliseconds, and the
/// query has neither signed headers nor the token.
struct SignedRequest<'a> {
    access_key: &'a str,
    region: String,
    nonce: &'a [u8],
    /// Truncated to the millisecond.
    instant: SystemTime,
    timestamp: String,
    scope: String,
}

impl<'a> SignedRequest<'a> {
    fn new(
        challenge: Option<&'a [u8]>,
        access_key: &'a str,
        region: &str,
        now: SystemTime,
    ) -> Result<Self, SigningError> {
        let nonce = nonce(challenge.unwrap_or_default())?;
        // Implementations escape differently. A lower-case region of these characters does not need escaping.
        let region = region.to_ascii_lowercase();
        if region.is_empty() || !region.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Err(SigningError::Region);
        }
        let (instant, time) = truncate_to_millisecond(now).ok_or(SigningError::Clock)?;
        let timestamp = time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let day = time.format("%Y%m%d").to_string();
        let scope = [&day, "/", &region, "/cassandra/aws4_request"].concat();
        Ok(Self { access_key, region, nonce, instant, timestamp, scope })
    }

    /// The access key is inserted without percent-encoding, as all plugins do.
    fn canonical_request(&self) -> String {
        [
            "PUT\n/authenticate\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=",
            self.access_key,
            "%2F",
            &self.scope.replace('/', "%2F"),
            "&X-Amz-Date=",
            &self.timestamp.replace(':', "%3A"),
            "&X-Amz-Expires=900\nhost:cassandra\n\nhost\n",
            &sha256_hex(self.nonce),
        ]
        .concat()
    }

    fn string_to_sign(&self) -> String {
        let Self { timestamp, scope, .. } = self;
        ["AWS4-HMAC-SHA256\n", timestamp, "\n", scope, "\n", &sha256_hex(self.canonical_request().as_bytes())].concat()
    }

    fn signing_key(&self, secret: &str) -> impl AsRef<[u8]> + use<> {
        generate_signing_key(secret, self.instant, &self.region, "cassandra")
    }

    fn signature(&self, secret: &str) -> String {
        calculate_signature(self.signing_key(secret), self.string_to_sign().as_bytes())
    }
}

/// Returns the bytes after the first `nonce=`, up to a comma or the end. They may be any bytes, but their number must
/// be 32, which limits what a server can have signed.
fn nonce(challenge: &[u8]) -> Result<&[u8], SigningError> {
    const KEY: &[u8] = b"nonce=";
    const LENGTH: usize = 32;
    if challenge.is_empty() {
        return Err(SigningError::NoChallenge);
    }
    let key = challenge.windows(KEY.len()).position(|window| window == KEY).ok_or(SigningError::NoNonce)?;
    let rest = &challenge[key + KEY.len()..];
    let end = rest.iter().position(|&b| b == b',').unwrap_or(rest.len());
    match end {
        LENGTH => Ok(&rest[..end]),
        other => Err(SigningError::NonceLength(other)),
    }
}

/// Truncates a time to the millisecond. Returns `None` outside the years 1970 to 9999, because the timestamp has four
/// digits for the year.
fn truncate_to_millisecond(now: SystemTime) -> Option<(SystemTime, DateTime<Utc>)> {
    const END_OF_9999: u64 = 253_402_300_800_000;
    let millis = u64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    if millis >= END_OF_9999 {
        return None;
    }
    let time = DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)?;
    Some((UNIX_EPOCH + Duration::from_millis(millis), time))
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCE: &[u8] = b"nonce=91703fdc2ef562e19fbdab0f58e42fe5";

    fn credentials(access_key: &str, token: Option<&str>) -> Credentials {
        Credentials::new(access_key, "UserSecretKey-1", token.map(str::to_owned), None, "test")
    }

    /// 2020-06-09T22:41:51Z
    fn then() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_591_742_511)
    }

    fn answered(credentials: &Credentials, now: SystemTime) -> String {
        String::from_utf8(answer(Some(NONCE), credentials, "us-west-2", now).unwrap()).unwrap()
    }

    #[test]
    fn the_example_of_the_official_plugins_gets_the_same_answer() {
        assert_eq!(
            answered(&credentials("UserID-1", None), then()),
            "signature=7f3691c18a81b8ce7457699effbfae5b09b4e0714ab38c1292dbdf082c9ddd87,access_key=UserID-1,\
             amzdate=2020-06-09T22:41:51.000Z"
        );
    }

    #[test]
    fn the_time_is_truncated_to_milliseconds_with_three_digits() {
        for (nanos, timestamp) in [
            (0, "51.000Z"),
            (999_999, "51.000Z"),
            (1_500_000, "51.001Z"),
            (10_000_000, "51.010Z"),
            (100_000_000, "51.100Z"),
            (999_999_999, "51.999Z"),
        ] {
            let answer = answered(&credentials("UserID-1", None), then() + Duration::from_nanos(nanos));
            assert!(answer.ends_with(timestamp), "{answer}");
        }
    }

    #[test]
    fn the_token_is_appended_unchanged_and_changes_no_signature() {
        let without = answered(&credentials("UserID-1", None), then());
        let with = answered(&credentials("UserID-1", Some("a,b=c/d+e==")), then());
        assert_eq!(with, format!("{without},session_token=a,b=c/d+e=="));
        assert_eq!(answered(&credentials("UserID-1", Some("")), then()), without);
    }

    #[test]
    fn credentials_that_would_break_the_answer_are_refused() {
        for odd in ["a\rb", "a\nb", "a\0b"] {
            let refused = |credentials| answer(Some(NONCE), &credentials, "us-west-2", then()).unwrap_err();
            assert_eq!(refused(credentials(odd, None)), SigningError::AccessKey);
            assert_eq!(refused(credentials("UserID-1", Some(odd))), SigningError::SessionToken);
        }
    }

    #[test]
    fn challenge_without_a_32_byte_nonce_is_refused() {
        let key = credentials("UserID-1", None);
        let refused = |challenge: Option<&[u8]>| answer(challenge, &key, "us-west-2", then()).unwrap_err();
        assert_eq!(refused(None), SigningError::NoChallenge);
        assert_eq!(refused(Some(b"")), SigningError::NoChallenge);
        assert_eq!(refused(Some(b"Nonce=91703fdc2ef562e19fbdab0f58e42fe5")), SigningError::NoNonce);
        assert_eq!(refused(Some(b"nonce=")), SigningError::NonceLength(0));
        let long = [NONCE, b"0"].concat();
        assert_eq!(refused(Some(&long)), SigningError::NonceLength(33));
        assert_eq!(
            refused(Some(b"nonce=1256,")).to_string(),
            "the nonce in the server's challenge has 4 bytes instead of 32"
        );
    }

    #[test]
    fn the_region_is_converted_to_lower_case_and_checked() {
        let key = credentials("UserID-1", None);
        let answer = |region| answer(Some(NONCE), &key, region, then());
        assert_eq!(answer("US-WEST-2"), answer("us-west-2"));
        for region in ["", "us west 2", "us/west/2", "us-wést-2", "us-west-2\n"] {
            assert_eq!(answer(region), Err(SigningError::Region));
        }
    }

    #[test]
    fn a_clock_without_a_four_digit_year_is_refused() {
        let key = credentials("UserID-1", None);
        let at = |now| answer(Some(NONCE), &key, "us-west-2", now);
        let end = UNIX_EPOCH + Duration::from_millis(253_402_300_800_000);
        assert_eq!(at(UNIX_EPOCH - Duration::from_secs(1)), Err(SigningError::Clock));
        assert_eq!(at(end), Err(SigningError::Clock));
        assert!(at(UNIX_EPOCH).is_ok());
        assert!(answered(&key, end - Duration::from_nanos(1)).ends_with("amzdate=9999-12-31T23:59:59.999Z"));
    }

    proptest! {
        #[test]
        fn arbitrary_challenge_is_parsed_or_refused(challenge in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = nonce(&challenge);
        }

        #[test]
        fn a_nonce_is_found_after_any_other_text(
            before in "[^n]{0,20}", nonce_bytes in "[^,]{32}", after in "(,.{0,20})?",
        ) {
            let challenge = format!("{before}nonce={nonce_bytes}{after}");
            let expected = match nonce_bytes.len() {
                32 => Ok(nonce_bytes.as_bytes()),
                length => Err(SigningError::NonceLength(length)),
            };
            prop_assert_eq!(nonce(challenge.as_bytes()), expected);
        }

        #[test]
        fn sigv4_scope_date_matches_the_timestamp(seconds in 0_u64..253_402_300_800, nanos in 0_u32..1_000_000_000) {
            let now = UNIX_EPOCH + Duration::new(seconds, nanos);
            let request = SignedRequest::new(Some(NONCE), "UserID-1", "us-west-2", now).unwrap();
            prop_assert_eq!(request.timestamp.len(), 24);
            prop_assert_eq!(&request.scope[..8], request.timestamp[..10].replace('-', ""));
        }
    }
}
