//! Refusals before an operation is executed, in JSON and CBOR.

use std::time::{Duration, SystemTime};

use super::{JSON, NOT_KNOWN, client, in_cbor, in_json, send};
use crate::auth::http::tests::{ClientRequest, RequestSigner};
use crate::{Credentials, Local};

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                        Access Key and signing method. Consult the service documentation for details.";
const NO_CLIENT: &str = "The security token included in the request is invalid.";

#[tokio::test]
async fn an_invalid_signature_is_refused_by_name_in_both_protocols() {
    let local = Local::shared().await.unwrap();
    let right = client(local.credentials(), "cassandra");
    let with = |change: fn(&mut Credentials)| {
        let mut credentials = local.credentials().clone();
        change(&mut credentials);
        client(&credentials, "cassandra")
    };
    let day = Duration::from_secs(86_400);
    let clients = [
        (with(|key| key.secret_key = "other".to_owned()), "InvalidSignatureException", MISMATCH),
        (with(|key| key.access_key = "AKIAIOSFODNN7EXAMPLE".to_owned()), "UnrecognizedClientException", NO_CLIENT),
        (with(|key| key.session_token = Some("token".to_owned())), "UnrecognizedClientException", NO_CLIENT),
        (
            RequestSigner { region: "eu-west-1", ..client(local.credentials(), "cassandra") },
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'eu-west-1'.",
        ),
        (
            client(local.credentials(), "keyspaces"),
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'cassandra'.",
        ),
        (
            RequestSigner { at: SystemTime::now() - day, ..client(local.credentials(), "cassandra") },
            "InvalidSignatureException",
            "Signature expired: ",
        ),
        (
            RequestSigner { at: SystemTime::now() + day, ..client(local.credentials(), "cassandra") },
            "InvalidSignatureException",
            "Signature not yet current: ",
        ),
    ];
    let list = |client: &RequestSigner| {
        let path = "/service/KeyspacesService/operation/ListKeyspaces";
        [in_json(client, "KeyspacesService.ListKeyspaces", JSON, "{}"), in_cbor(client, path, &[])]
    };
    let refused = async |signed: &ClientRequest, name: &str, text: &str| {
        let answer = send(local, signed).await;
        let (status, shape, message) = answer.error();
        assert_eq!((status, shape), (403, format!("com.amazon.coral.service#{name}")), "{text}");
        let is_whole = !text.ends_with(": ");
        assert!(if is_whole { message == text } else { message.starts_with(text) }, "{message}");
    };
    for (client, name, text) in clients {
        for signed in list(&client) {
            refused(&signed, name, text).await;
        }
    }
    let unsigned_header =
        format!("keyspaces-local: the header 'x-amz-other' must be a 'SignedHeader' {}", text_not_known());
    type Change = fn(&mut ClientRequest);
    let changes: [(Change, &str, &str); 6] = [
        (
            |signed| signed.headers.retain(|(name, _)| name != "authorization"),
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
        ),
        (
            |signed| signed.headers.push(("x-amz-other".to_owned(), b"1".to_vec())),
            "InvalidSignatureException",
            &unsigned_header,
        ),
        // An empty structure in both protocols, encoded differently.
        (
            |signed| signed.body = if signed.body == b"{}" { b"{ }".to_vec() } else { b"\xbf\xff".to_vec() },
            "InvalidSignatureException",
            MISMATCH,
        ),
        (|signed| signed.path += "?a=b", "InvalidSignatureException", MISMATCH),
        (
            |signed| set_header(signed, "authorization", "Basic YTpi"),
            "IncompleteSignatureException",
            "keyspaces-local: the Authorization header does not begin with 'AWS4-HMAC-SHA256 '",
        ),
        (
            |signed| set_header(signed, "x-amz-date", "yesterday"),
            "IncompleteSignatureException",
            "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See http://en.wikipedia.org/wiki/ISO_8601",
        ),
    ];
    for (change, name, text) in changes {
        for mut signed in list(&right) {
            change(&mut signed);
            refused(&signed, name, text).await;
        }
    }
    for signed in list(&right) {
        assert_eq!(send(local, &signed).await.status, 200);
    }
}

fn set_header(signed: &mut ClientRequest, header: &str, value: &str) {
    let found = signed.headers.iter_mut().find(|(name, _)| name == header);
    found.unwrap().1 = value.as_bytes().to_vec();
}

/// The suffix of the texts about signatures.
fn text_not_known() -> String {
    NOT_KNOWN.replace("message", "text")
}

#[tokio::test]
async fn body_in_wrong_protocol_is_refused_in_the_protocol_of_the_headers() {
    let local = Local::shared().await.unwrap();
    let client = client(local.credentials(), "cassandra");
    let headers = [("x-amz-target", "KeyspacesService.ListKeyspaces"), ("content-type", JSON)];
    let json = client.sign("/", "", &headers, b"\xa1\x6amaxResults\x07");
    let path = "/service/KeyspacesService/operation/ListKeyspaces";
    let headers = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
    let cbor = client.sign(path, "", &headers, br#"{"maxResults": 7}"#);
    for (signed, format) in [(json, "JSON"), (cbor, "CBOR")] {
        let (status, name, message) = send(local, &signed).await.error();
        assert_eq!((status, name.as_str()), (400, "com.amazon.coral.service#SerializationException"));
        let prefix = format!("keyspaces-local: the body cannot be read as {format}: ");
        assert!(message.starts_with(&prefix), "{message}");
    }
}
