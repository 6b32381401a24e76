//! Compares the answer with a file of test vectors: the file that the environment variable `SIGV4_VECTORS` names, or
//! `tests/vectors/sigv4.json` if it is not set.
//!
//! A file contains an object with the list `cases`, or the list alone. A case has the challenge (`challenge_hex`), the
//! credentials (`access_key`, `secret`, `token`), `region`, `time`, and in `recommended` the expected result: an object
//! with `response_hex` or `response`, an object with `error`, or the name of another field of the case, such as `"=
//! expected"`. If the expected result has intermediate results (`canonical_request`, `string_to_sign`,
//! `signing_key_hex`, `signature`), they are compared, too.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

use aws_credential_types::Credentials;
use chrono::DateTime;
use serde_json::Value;

use super::{INITIAL_RESPONSE, SignedRequest, SigningError, answer};

#[test]
#[expect(clippy::print_stdout, reason = "who runs a file of their own wants to see that it was run")]
fn sigv4_vectors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = env::var_os("SIGV4_VECTORS").map_or_else(|| root.join("tests/vectors/sigv4.json"), PathBuf::from);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} (a relative path starts at {}): {error}", path.display(), root.display()));
    match check_file(&text) {
        Ok(count) => println!("{count} cases of {} hold", path.display()),
        Err(failures) => panic!("{}:\n{}", path.display(), failures.join("\n")),
    }
}

/// Returns the number of cases if all passed, or the failures.
fn check_file(text: &str) -> Result<usize, Vec<String>> {
    let file: Value = serde_json::from_str(text).map_err(|error| vec![error.to_string()])?;
    let mut failures = Vec::new();
    if let Some(initial) = text_of(&file, "initial_response_hex")
        && initial != hex::encode(INITIAL_RESPONSE)
    {
        failures.push(format!("initial_response_hex is {initial}"));
    }
    let cases = file.as_array().or_else(|| file.get("cases")?.as_array()).map_or(&[][..], Vec::as_slice);
    if cases.is_empty() {
        failures.push("the file has no cases".to_owned());
    }
    for (index, case) in cases.iter().enumerate() {
        if let Err(failure) = check_case(case) {
            let id = text_of(case, "id").map_or_else(|| format!("case {index}"), str::to_owned);
            failures.push(format!("{id}: {failure}"));
        }
    }
    if failures.is_empty() { Ok(cases.len()) } else { Err(failures) }
}

fn check_case(case: &Value) -> Result<(), String> {
    let expected = expected(case)?;
    let credentials = Credentials::new(
        required(case, "access_key")?,
        required(case, "secret")?,
        text_of(case, "token").map(str::to_owned),
        None,
        "vector",
    );
    let challenge = challenge(case)?;
    let region = text_of(case, "region").unwrap_or_default();
    let time: SystemTime = DateTime::parse_from_rfc3339(required(case, "time")?)
        .map_err(|error| format!("its time cannot be read: {error}"))?
        .into();

    match (expected, answer(challenge.as_deref(), &credentials, region, time)) {
        (Expected::Refused(reason), Err(refused)) if matches_reason(&refused, reason) => Ok(()),
        (Expected::Refused(reason), Err(refused)) => {
            Err(format!("must be refused for {reason:?}, was refused: {refused}"))
        }
        (Expected::Refused(reason), Ok(answer)) => {
            Err(format!("must be refused for {reason:?}, answered {}", escaped(&answer)))
        }
        (Expected::Answer(expected, _), Err(refused)) => {
            Err(format!("must answer {}, refused: {refused}", escaped(&expected)))
        }
        (Expected::Answer(expected, _), Ok(answer)) if answer != expected => {
            Err(format!("must answer\n  {}, answered\n  {}", escaped(&expected), escaped(&answer)))
        }
        (Expected::Answer(_, steps), Ok(_)) => {
            let request = SignedRequest::new(challenge.as_deref(), credentials.access_key_id(), region, time)
                .map_err(|refused| refused.to_string())?;
            let secret = credentials.secret_access_key();
            for (step, actual) in [
                ("amzdate", request.timestamp.clone()),
                ("scope", request.scope.clone()),
                ("canonical_request", request.canonical_request()),
                ("string_to_sign", request.string_to_sign()),
                ("signing_key_hex", hex::encode(request.signing_key(secret))),
                ("signature", request.signature(secret)),
            ] {
                if let Some(expected) = text_of(steps, step)
                    && actual != expected
                {
                    return Err(format!("its {step} must be\n  {expected:?}, is\n  {actual:?}"));
                }
            }
            Ok(())
        }
    }
}

enum Expected<'a> {
    /// These bytes, and the object in the file that may have intermediate results.
    Answer(Vec<u8>, &'a Value),
    Refused(&'a str),
}

fn expected(case: &Value) -> Result<Expected<'_>, String> {
    let mut expected_value =
        case.get("recommended").or_else(|| case.get("expected")).ok_or("it does not say what is expected")?;
    if let Some(text) = expected_value.as_str() {
        match text.strip_prefix("= ") {
            Some(field) => {
                expected_value = case.get(field).ok_or_else(|| format!("it refers to {field}, which it lacks"))?
            }
            None => return Ok(Expected::Refused(text)),
        }
    }
    if let Some(hex_text) = text_of(expected_value, "response_hex") {
        return Ok(Expected::Answer(from_hex(hex_text)?, expected_value));
    }
    if let Some(response) = text_of(expected_value, "response") {
        return Ok(Expected::Answer(response.as_bytes().to_vec(), expected_value));
    }
    match expected_value.get("error") {
        Some(error) => Ok(Expected::Refused(error.as_str().unwrap_or_default())),
        None => Err("what is expected is neither a response nor an error".to_owned()),
    }
}

fn challenge(case: &Value) -> Result<Option<Vec<u8>>, String> {
    if let Some(hex_text) = text_of(case, "challenge_hex") {
        return from_hex(hex_text).map(Some);
    }
    if let Some(text) = text_of(case, "challenge_text") {
        return Ok(Some(text.as_bytes().to_vec()));
    }
    let null = case.get("challenge_hex").is_some_and(Value::is_null);
    Ok(text_of(case, "nonce").filter(|_| !null).map(|nonce| format!("nonce={nonce}").into_bytes()))
}

/// Whether the error is the one that the file names. For a reason that is not known here, any error matches.
fn matches_reason(error: &SigningError, reason: &str) -> bool {
    let is_nonce_error =
        matches!(error, SigningError::NoChallenge | SigningError::NoNonce | SigningError::NonceLength(_));
    match reason {
        reason if reason.contains("nonce") => is_nonce_error,
        reason if reason.contains("region") => *error == SigningError::Region,
        _ => true,
    }
}

fn text_of<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str()
}

fn required<'a>(case: &'a Value, field: &str) -> Result<&'a str, String> {
    text_of(case, field).ok_or_else(|| format!("it has no {field}"))
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| format!("{text:?} is not hexadecimal: {error}"))
}

fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn test_vector_file_without_cases_fails() {
    for text in ["{}", "[]", r#"{"cases": []}"#, r#"{"cases": {}}"#] {
        assert_eq!(check_file(text), Err(vec!["the file has no cases".to_owned()]));
    }
    assert!(check_file("").is_err());
}

#[test]
fn every_failing_signature_vector_is_reported() {
    let default = include_str!("../../../tests/vectors/sigv4.json");
    let mut file: Value = serde_json::from_str(default).unwrap();
    let cases = file["cases"].as_array_mut().unwrap();
    let right = cases[0].clone();
    let wrong = |field: &str, value: &str| {
        let mut case = right.clone();
        case["id"] = field.into();
        case[field] = value.into();
        case
    };
    *cases = vec![
        wrong("secret", "other"),
        wrong("region", "us-east-1"),
        wrong("time", "2020-06-09T22:41:51.001Z"),
        wrong("recommended", "bad or missing nonce"),
    ];
    let failures = check_file(&file.to_string()).unwrap_err();
    let failed: Vec<_> = failures.iter().map(|failure| failure.split(':').next().unwrap()).collect();
    assert_eq!(failed, ["secret", "region", "time", "recommended"]);
}
