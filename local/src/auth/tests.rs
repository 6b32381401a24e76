use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::Value;

use super::sigv4::SignatureInput;
use super::*;
use crate::clock::Clock;
use crate::protocol::Refusal;

const NOW: &str = "2026-02-03T04:05:06.789Z";

fn credentials() -> Credentials {
    Credentials {
        access_key: "AKIAEXAMPLE".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
        user: "alice-at-111122223333".to_owned(),
        password: "pass word".to_owned(),
    }
}

fn with_token() -> Credentials {
    Credentials { session_token: Some("tok,en=/+".to_owned()), ..credentials() }
}

fn clock(now: &str) -> Clock {
    let now: SystemTime = now.parse::<DateTime<Utc>>().unwrap().into();
    Arc::new(move || now)
}

fn authority(credentials: Credentials) -> Authority {
    Authority::new(credentials, "eu-west-1", clock(NOW))
}

fn challenge(authority: &Authority) -> Challenge {
    match authority.begin(b"SigV4\0\0") {
        FirstResponse::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

/// A valid response, with the changes that `change` makes before it is signed.
fn answer(challenge: &Challenge, credentials: &Credentials, change: impl Fn(&mut SignatureInput<'_>)) -> Vec<u8> {
    let mut signing = SignatureInput {
        access_key: &credentials.access_key,
        secret_key: &credentials.secret_key,
        region: "eu-west-1",
        nonce: &challenge.bytes[NONCE.len()..],
        at: NOW.parse().unwrap(),
    };
    change(&mut signing);
    let at = signing.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let mut text = format!("signature={},access_key={},amzdate={at}", signing.signature(), signing.access_key);
    if let Some(token) = &credentials.session_token {
        text += ",session_token=";
        text += token;
    }
    text.into_bytes()
}

fn refused(result: Result<(), Refusal>) -> (i32, String) {
    let Refusal { code, text } = result.unwrap_err();
    (code, text)
}

#[test]
fn the_official_plugins_and_this_code_compute_the_same_signature() {
    let vectors = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/sigv4.json")).unwrap();
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    let text = |case: &Value, field: &str| case[field].as_str().unwrap().to_owned();
    let mut seen = 0;
    for case in vectors["cases"].as_array().unwrap().iter().filter(|case| case["outcome"] == "agree") {
        let expected = &case["expected"];
        let credentials = Credentials {
            access_key: text(case, "access_key"),
            secret_key: text(case, "secret"),
            session_token: case["token"].as_str().map(str::to_owned),
            ..credentials()
        };
        let region = text(case, "region");
        let bytes = hex::decode(text(case, "challenge_hex")).unwrap();
        let id = &case["id"];

        let signing = SignatureInput {
            access_key: &credentials.access_key,
            secret_key: &credentials.secret_key,
            region: &region,
            nonce: &bytes[NONCE.len()..],
            at: sigv4::instant(expected["amzdate"].as_str().unwrap()).unwrap(),
        };
        assert_eq!(signing.scope(), expected["scope"], "{id}");
        assert_eq!(signing.canonical_request(), expected["canonical_request"], "{id}");
        assert_eq!(signing.string_to_sign(), expected["string_to_sign"], "{id}");
        assert_eq!(hex::encode(signing.key()), expected["signing_key_hex"], "{id}");
        assert_eq!(signing.signature(), expected["signature"], "{id}");

        let authority = Authority::new(credentials.clone(), region, clock(expected["amzdate"].as_str().unwrap()));
        let response = hex::decode(text(expected, "response_hex")).unwrap();
        assert_eq!(Challenge { bytes, authority }.verify(&response), Ok(()), "{id}");
        seen += 1;
    }
    assert!(seen > 30, "only {seen} cases");
}

#[test]
fn challenge_has_a_fresh_nonce_of_32_lowercase_hex_digits() {
    let authority = authority(credentials());
    let (first, second) = (challenge(&authority), challenge(&authority));
    for bytes in [&first.bytes, &second.bytes] {
        let nonce = bytes.strip_prefix(b"nonce=").unwrap();
        assert_eq!(nonce.len(), 32);
        assert!(nonce.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    }
    assert_ne!(first.bytes, second.bytes);
    let for_the_first = answer(&first, &credentials(), |_| {});
    assert_eq!(
        refused(second.verify(&for_the_first)),
        (0x0100, "Authentication failure: Invalid signature".to_owned()),
        "an answer to another nonce"
    );
    assert_eq!(first.verify(&for_the_first), Ok(()));
}

#[test]
fn authenticator_has_the_name_used_by_the_service() {
    assert_eq!(authority(credentials()).authenticator_name(), "com.amazon.helenus.auth.HelenusAuthenticator");
}

#[test]
fn wrong_secret_region_or_nonce_is_an_invalid_signature() {
    let changes: [fn(&mut SignatureInput<'_>); 4] = [
        |signing| signing.secret_key = "Secret",
        |signing| signing.region = "eu-west-2",
        |signing| signing.region = "EU-WEST-1",
        |signing| signing.nonce = b"0123456789abcdef0123456789abcdef",
    ];
    for change in changes {
        let challenge = challenge(&authority(credentials()));
        let answer = answer(&challenge, &credentials(), change);
        assert_eq!(
            refused(challenge.verify(&answer)),
            (0x0100, "Authentication failure: Invalid signature".to_owned())
        );
    }
}

#[test]
fn a_date_is_compared_with_the_clock_in_both_directions() {
    for (seconds, millis, expected) in [
        (900, 0, None),
        (-900, 0, None),
        (900, 1, Some("900 s ahead of")),
        (-900, -1, Some("900 s behind")),
        (3600, 0, Some("3600 s ahead of")),
        (-3600, 0, Some("3600 s behind")),
    ] {
        let challenge = challenge(&authority(credentials()));
        let off = TimeDelta::seconds(seconds) + TimeDelta::milliseconds(millis);
        let at = NOW.parse::<DateTime<Utc>>().unwrap() + off;
        let answer = answer(&challenge, &credentials(), |signing| signing.at = at);
        let judged = challenge.verify(&answer);
        let Some(expected) = expected else {
            assert_eq!(judged, Ok(()), "{off}");
            continue;
        };
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        assert_eq!(
            refused(judged),
            (
                0x0100,
                format!(
                    "keyspaces-local: the signature's date {at} is {expected} this service's clock; more than 900 s is \
                     refused (the service's message is not known)"
                )
            )
        );
    }
}

#[test]
fn a_malformed_timestamp_is_an_unknown_sigv4_error() {
    for stamp in [
        "2026-02-03T04:05:06.1000Z",
        "2026-02-03T04:05:06Z",
        "2026-02-03T04:05:06.78Z",
        "2026-02-03T04:05:06.789+00:00",
        "2026-02-03t04:05:06.789Z",
        "2026-02-30T04:05:06.789Z",
        "20260203T040506Z",
        "",
    ] {
        let challenge = challenge(&authority(credentials()));
        let answer = format!("signature={},access_key=AKIAEXAMPLE,amzdate={stamp}", "0".repeat(64));
        assert_eq!(refused(challenge.verify(answer.as_bytes())), (0x0100, "Unknown SigV4 error".to_owned()), "{stamp}");
    }
}

#[test]
fn session_token_must_belong_to_the_access_key() {
    let cases = [
        (with_token(), with_token(), None),
        (with_token(), credentials(), Some("this access key needs its session token, which is missing")),
        (credentials(), with_token(), Some("a session token was sent, but this access key has none")),
        (
            with_token(),
            Credentials { session_token: Some("tok,en=/".to_owned()), ..credentials() },
            Some("the session token does not belong to this access key"),
        ),
        (
            credentials(),
            Credentials { session_token: Some(String::new()), ..credentials() },
            Some("a session token was sent, but this access key has none"),
        ),
    ];
    for (known, given, expected) in cases {
        let challenge = challenge(&authority(known));
        let answer = answer(&challenge, &given, |_| {});
        let judged = challenge.verify(&answer);
        match expected {
            None => assert_eq!(judged, Ok(())),
            Some(expected) => assert_eq!(
                refused(judged),
                (0x0100, format!("keyspaces-local: {expected} (the service's message is not known)"))
            ),
        }
    }
}

#[test]
fn an_answer_of_another_form_is_refused_with_the_expected_form() {
    let zeros = "0".repeat(64);
    let form = "keyspaces-local: the answer to the challenge is not \
                signature=…,access_key=…,amzdate=…[,session_token=…] (the service's message is not known)";
    for text in [
        String::new(),
        format!("signature={zeros}"),
        format!("access_key=AKIAEXAMPLE,signature={zeros},amzdate={NOW}"),
        format!("signature={zeros},access_key=AKIAEXAMPLE"),
        format!("signature={zeros},access_key=AKIAEXAMPLE,amzdate={NOW},session_token={}", "t".repeat(40_000)),
    ] {
        assert_eq!(refused(challenge(&authority(credentials())).verify(text.as_bytes())), (0x0100, form.to_owned()));
    }
    assert_eq!(refused(challenge(&authority(credentials())).verify(b"\xFF")), (0x0100, form.to_owned()));

    let stranger = format!("signature={zeros},access_key=AKIAOTHER,amzdate={NOW}");
    assert_eq!(
        refused(challenge(&authority(credentials())).verify(stranger.as_bytes())).1,
        "keyspaces-local: the access key of the signature is unknown (the service's message is not known)"
    );
}

#[test]
fn a_password_is_accepted_or_refused_with_the_services_text() {
    let authority = authority(credentials());
    assert!(matches!(authority.begin(b"\0alice-at-111122223333\0pass word"), FirstResponse::Accepted));
    for (first, user) in [
        (&b"\0alice-at-111122223333\0password"[..], "alice-at-111122223333"),
        (b"\0alice-at-111122223333\0", "alice-at-111122223333"),
        (b"\0bob\0pass word", "bob"),
        (b"\0\0", ""),
    ] {
        let FirstResponse::Refused(refusal) = authority.begin(first) else { panic!("{first:?}") };
        let text = format!("Provided username {user} and/or password are incorrect");
        assert_eq!(refusal, Refusal { code: 0x0100, text });
    }
}

#[test]
fn an_answer_that_is_neither_sigv4_nor_a_password_is_refused() {
    let authority = authority(credentials());
    let neither = "keyspaces-local: the first AUTH_RESPONSE is neither SigV4's (SigV4, NUL, NUL) nor a password's \
                   (NUL, user, NUL, password) (the service's message is not known)";
    for first in [&b""[..], b"SigV4", b"SigV4\0", b"sigv4\0\0", b"someone\0user\0password", b"\0user"] {
        let FirstResponse::Refused(refusal) = authority.begin(first) else { panic!("{first:?}") };
        assert_eq!(refusal, Refusal { code: 0x0100, text: neither.to_owned() }, "{first:?}");
    }
    for first in [b"\0a\0b\0c".to_vec(), [&b"\0a\0"[..], &[b'p'; 5000]].concat()] {
        let FirstResponse::Refused(refusal) = authority.begin(&first) else { panic!("{first:?}") };
        assert_eq!(
            refusal.text,
            "keyspaces-local: the password login is too long, or has more than two NULs (the service's \
             message is not known)"
        );
    }
}

#[test]
fn a_principal_without_permissions_is_refused_after_its_signature_verified() {
    let nobody = Credentials {
        access_key: "AKIANOBODY".to_owned(),
        user: "testuser-at-12345678910".to_owned(),
        ..credentials()
    };
    let authority = authority(credentials()).with_principal_without_permissions(nobody.clone());
    let no_permissions = (0x2100, "User arn:aws:iam::12345678910:user/testuser has no permissions.".to_owned());

    let pending = challenge(&authority);
    let signed = answer(&pending, &nobody, |_| {});
    assert_eq!(refused(pending.verify(&signed)), no_permissions);
    let FirstResponse::Refused(refusal) = authority.begin(b"\0testuser-at-12345678910\0pass word") else { panic!() };
    assert_eq!((refusal.code, refusal.text), no_permissions);

    let pending = challenge(&authority);
    let forged = answer(&pending, &nobody, |signing| signing.secret_key = "guess");
    assert_eq!(refused(pending.verify(&forged)).1, "Authentication failure: Invalid signature");
    let pending = challenge(&authority);
    let signed = answer(&pending, &credentials(), |_| {});
    assert_eq!(pending.verify(&signed), Ok(()));
}

#[test]
fn debug_output_contains_no_secret_and_no_nonce() {
    let authority = authority(with_token());
    let challenge = challenge(&authority);
    let debug = format!("{authority:?} {challenge:?}");
    assert_eq!(debug, r#"Authority { region: "eu-west-1", .. } Challenge { .. }"#);
}

proptest! {
    #[test]
    fn sigv4_response_with_any_byte_changed_is_refused(
        position in any::<prop::sample::Index>(), flip in 1_u8..=255, token in any::<bool>()
    ) {
        let credentials = if token { with_token() } else { credentials() };
        let challenge = challenge(&authority(credentials.clone()));
        let mut answer = answer(&challenge, &credentials, |_| {});
        let position = position.index(answer.len());
        answer[position] ^= flip;
        prop_assert!(challenge.verify(&answer).is_err());
    }

    #[test]
    fn truncated_or_extended_sigv4_response_is_refused(cut in any::<prop::sample::Index>(), more in "[ -~]{1,20}") {
        let nonce = challenge(&authority(with_token())).bytes;
        let again = || Challenge { bytes: nonce.clone(), authority: authority(with_token()) };
        let answer = answer(&again(), &with_token(), |_| {});
        prop_assert!(again().verify(&answer[..cut.index(answer.len())]).is_err());
        prop_assert!(again().verify(&[&answer[..], more.as_bytes()].concat()).is_err());
    }

    #[test]
    fn no_answer_makes_the_verifier_panic(first in prop::collection::vec(any::<u8>(), 0..100), second in any::<Vec<u8>>()) {
        let authority = authority(credentials());
        let accepted = matches!(authority.begin(&first), FirstResponse::Accepted);
        prop_assert!(!accepted);
        prop_assert!(challenge(&authority).verify(&second).is_err());
    }
}
