use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const NOW: &str = "2026-02-03T04:05:06Z";

fn credentials() -> Credentials {
    Credentials {
        access_key: "AKIAEXAMPLE".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
        user: "alice-at-111122223333".to_owned(),
        password: "password".to_owned(),
    }
}

fn nobody() -> Credentials {
    let (access_key, user) = ("AKIANOBODY".to_owned(), "nobody-at-111122223333".to_owned());
    Credentials { access_key, user, ..credentials() }
}

fn time(text: &str) -> SystemTime {
    text.parse::<DateTime<Utc>>().unwrap().into()
}

fn authority(credentials: Credentials, now: SystemTime) -> Authority {
    Authority::new(credentials, "eu-west-1", Arc::new(move || now)).with_principal_without_permissions(nobody())
}

const SCOPE: CredentialScope<'_> = CredentialScope { regions: &["eu-west-1"], service: "cassandra" };

/// A request that a client has signed.
#[derive(Clone, Debug)]
pub(crate) struct ClientRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// The credentials, the scope and the time with which a client signs.
pub(crate) struct RequestSigner {
    pub(crate) credentials: Credentials,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    pub(crate) at: SystemTime,
}

impl RequestSigner {
    fn new(credentials: Credentials) -> Self {
        Self { credentials, region: "eu-west-1", service: "cassandra", at: time(NOW) }
    }

    pub(crate) fn sign(&self, path: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> ClientRequest {
        let Credentials { access_key, secret_key, session_token, .. } = &self.credentials;
        let identity =
            aws_credential_types::Credentials::new(access_key, secret_key, session_token.clone(), None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let mut headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        headers.push(("host".to_owned(), "localhost:8443".to_owned()));
        let question = if query.is_empty() { "" } else { "?" };
        let url = format!("https://localhost:8443{path}{question}{query}");
        let borrowed = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = SignableRequest::new("POST", &url, borrowed, SignableBody::Bytes(body)).unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
        let added: Vec<(String, String)> =
            instructions.headers().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let all = headers.into_iter().chain(added);
        ClientRequest {
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: all.map(|(name, value)| (name, value.into_bytes())).collect(),
            body: body.to_vec(),
        }
    }

    fn list_keyspaces(&self) -> ClientRequest {
        self.sign("/", "", &[("x-amz-target", "KeyspacesService.ListKeyspaces")], b"{}")
    }
}

impl ClientRequest {
    fn verify(&self, authority: &Authority) -> Result<Principal, Unauthenticated> {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let Self { method, path, query, body, .. } = self;
        verify_request(authority, &SignedRequest { method, path, query, headers: &headers, body }, SCOPE)
    }

    fn header(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.headers.iter_mut().find(|(header, _)| header == name).unwrap().1
    }

    fn replace(&mut self, name: &str, from: &str, to: &str) {
        let value = String::from_utf8(self.header(name).clone()).unwrap();
        assert!(value.contains(from), "{value}");
        *self.header(name) = value.replace(from, to).into_bytes();
    }
}

fn signature(problem: &str) -> Unauthenticated {
    Unauthenticated::Signature(problem.to_owned())
}

/// AWS's test suite for Signature Version 4, as in the crate aws-sigv4 1.6.4 (Apache-2.0): headers, the canonical
/// request, the signature. Two kinds of requests are left out: those to services that do not normalise paths, because
/// only S3 does not, and one whose session token is not signed.
#[test]
fn published_sigv4_test_suite_signatures_verify() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let mut verified = 0;
    for vector in &vectors {
        let text = |field: &str| vector[field].as_str().unwrap();
        if vector["normalize"] == false || vector["omit_token"] == true {
            continue;
        }
        let (head, body) = text("request").split_once("\n\n").unwrap();
        // A line that begins with a space continues the header before it.
        let head = head.replace("\n ", " ");
        let mut lines = head.lines();
        let line = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: Vec<(String, &[u8])> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes()))
            .collect();
        let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let request = SignedRequest { method, path, query, headers: &headers, body: body.as_bytes() };
        let authorization = Authorization::parse(&request).unwrap();
        let canonical = canonical::form(&request, &authorization.signed_headers);
        let name = text("name");
        assert_eq!(String::from_utf8(canonical).unwrap(), text("canonical"), "{name}");
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let expected = authorization.expected(&request, "20150830T123600Z", secret);
        assert_eq!((expected.as_str(), authorization.signature), (text("signature"), text("signature")), "{name}");
        verified += 1;
    }
    assert_eq!((vectors.len(), verified), (38, 30));
}

#[test]
fn signed_request_identifies_its_principal() {
    let authority = authority(credentials(), time(NOW));
    let principal = RequestSigner::new(credentials()).list_keyspaces().verify(&authority).unwrap();
    let expected = Principal {
        arn: "arn:aws:iam::111122223333:user/alice".to_owned(),
        user: "alice".to_owned(),
        account: "111122223333".to_owned(),
        has_permissions: true,
    };
    assert_eq!(principal, expected);
    assert!(!RequestSigner::new(nobody()).list_keyspaces().verify(&authority).unwrap().has_permissions);
}

#[test]
fn invalid_signatures_are_refused_with_the_texts_of_aws() {
    let authority = authority(credentials(), time(NOW));
    let client = || RequestSigner::new(credentials());
    let refused = |signed: &ClientRequest| signed.verify(&authority).unwrap_err();

    let wrong_secret = RequestSigner::new(Credentials { secret_key: "other".to_owned(), ..credentials() });
    assert_eq!(refused(&wrong_secret.list_keyspaces()), signature(MISMATCH));
    let mut changed = client().list_keyspaces();
    changed.body = b"{ }".to_vec();
    assert_eq!(refused(&changed), signature(MISMATCH));
    let mut unsigned = client().list_keyspaces();
    unsigned.headers.push(("x-amz-other".to_owned(), b"1".to_vec()));
    let problem =
        "keyspaces-local: the header 'x-amz-other' must be a 'SignedHeader' (the service's text is not known)";
    assert_eq!(refused(&unsigned), signature(problem));
    let mut without_host = client().list_keyspaces();
    without_host.replace("authorization", "host;", "");
    let problem = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
    assert_eq!(refused(&without_host), signature(problem));

    let region = RequestSigner { region: "eu-west-2", ..client() }.list_keyspaces();
    assert_eq!(refused(&region), signature("Credential should be scoped to a valid region, not 'eu-west-2'."));
    let service = RequestSigner { service: "iam", ..client() }.list_keyspaces();
    assert_eq!(refused(&service), signature("Credential should be scoped to correct service: 'cassandra'."));
    let mut terminator = client().list_keyspaces();
    terminator.replace("authorization", "aws4_request", "aws5_request");
    let problem = "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'.";
    assert_eq!(refused(&terminator), signature(problem));
    let mut day = client().list_keyspaces();
    day.replace("authorization", "/20260203/", "/20260204/");
    let problem = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260204' != \
                   '20260203', from '20260203T040506Z'.";
    assert_eq!(refused(&day), signature(problem));

    let late = RequestSigner { at: time(NOW) - Duration::from_secs(301), ..client() }.list_keyspaces();
    let problem =
        "Signature expired: 20260203T040005Z is now earlier than 20260203T040006Z (20260203T040506Z - 5 min.)";
    assert_eq!(refused(&late), signature(problem));
    let early = RequestSigner { at: time(NOW) + Duration::from_secs(301), ..client() }.list_keyspaces();
    let problem =
        "Signature not yet current: 20260203T041007Z is still later than 20260203T041006Z (20260203T040506Z + 5 min.)";
    assert_eq!(refused(&early), signature(problem));
    for seconds in [0, 300] {
        let at = time(NOW) - Duration::from_secs(seconds);
        assert!(RequestSigner { at, ..client() }.list_keyspaces().verify(&authority).is_ok());
    }
}

#[test]
fn a_missing_or_malformed_authorization_is_refused() {
    let authority = authority(credentials(), time(NOW));
    let good = RequestSigner::new(credentials()).list_keyspaces();
    let mut without = good.clone();
    without.headers.retain(|(name, _)| name != "authorization");
    assert_eq!(without.verify(&authority), Err(Unauthenticated::Missing));

    let incomplete = |text: &str| {
        let mut signed = good.clone();
        *signed.header("authorization") = text.as_bytes().to_vec();
        match signed.verify(&authority) {
            Err(Unauthenticated::Incomplete(problem)) => problem,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        incomplete("Basic YTpi"),
        "keyspaces-local: the Authorization header does not begin with 'AWS4-HMAC-SHA256 '"
    );
    assert_eq!(
        incomplete("AWS4-HMAC-SHA256 SignedHeaders=host"),
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter."
    );
    assert_eq!(
        incomplete("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0"),
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b'"
    );
    let mut date = good.clone();
    *date.header("x-amz-date") = b"2026-02-03".to_vec();
    let problem =
        "Date must be in ISO-8601 'basic format'. Got '2026-02-03'. See http://en.wikipedia.org/wiki/ISO_8601";
    assert_eq!(date.verify(&authority), Err(Unauthenticated::Incomplete(problem.to_owned())));
    date.headers.retain(|(name, _)| name != "x-amz-date");
    let problem = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
    assert_eq!(date.verify(&authority), Err(Unauthenticated::Incomplete(problem.to_owned())));
}

#[test]
fn a_key_needs_its_session_token_and_must_not_have_expired() {
    let temporary = Credentials { session_token: Some("tok,en=/+".to_owned()), ..credentials() };
    let authority = authority(temporary.clone(), time(NOW));
    assert!(RequestSigner::new(temporary.clone()).list_keyspaces().verify(&authority).is_ok());
    let other = Credentials { session_token: Some("other".to_owned()), ..credentials() };
    let unknown = Credentials { access_key: "AKIAOTHER".to_owned(), ..temporary.clone() };
    for wrong in [credentials(), other, unknown] {
        assert_eq!(RequestSigner::new(wrong).list_keyspaces().verify(&authority), Err(Unauthenticated::UnknownClient));
    }
    authority.expire();
    assert_eq!(RequestSigner::new(temporary).list_keyspaces().verify(&authority), Err(Unauthenticated::Expired));
}

/// A random signed request: with headers, a query and a body, with or without a session token.
fn signed() -> impl Strategy<Value = (Credentials, ClientRequest)> {
    let path = prop_oneof![Just("/"), Just("/service/KeyspacesService/operation/ListKeyspaces"), Just("/a b/%20/ü/")];
    let query = prop_oneof![Just(""), Just("b=2&a=1"), Just("a=%2f&a")];
    let header = "[!-~]{1,20}( [!-~]{1,5})?";
    (path, query, header, header, prop::collection::vec(any::<u8>(), 0..64), prop::option::of("[!-~]{1,40}")).prop_map(
        |(path, query, target, other, body, session_token)| {
            let credentials = Credentials { session_token, ..credentials() };
            let path = path.replace(' ', "%20").replace('ü', "%C3%BC");
            let headers = [("x-amz-target", target.as_str()), ("accept", other.as_str())];
            let signed = RequestSigner::new(credentials.clone()).sign(&path, query, &headers, &body);
            (credentials, signed)
        },
    )
}

proptest! {
    #[test]
    fn signatures_of_the_aws_sdk_verify_and_no_bit_can_be_changed((credentials, signed) in signed(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let authority = authority(credentials, time(NOW));
        prop_assert!(signed.verify(&authority).is_ok(), "{:?}", signed.verify(&authority));

        let change = |bytes: &mut Vec<u8>| {
            if bytes.is_empty() {
                bytes.push(bit);
            } else {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
        };
        let mut body = signed.clone();
        change(&mut body.body);
        prop_assert!(body.verify(&authority).is_err());
        for name in signed.headers.iter().map(|(name, _)| name) {
            let mut changed = signed.clone();
            change(changed.header(name));
            prop_assert!(changed.verify(&authority).is_err(), "{changed:?}");
        }
        for name in signed.headers.iter().map(|(name, _)| name) {
            let mut changed = signed.clone();
            changed.headers.retain(|(header, _)| header != name);
            prop_assert!(changed.verify(&authority).is_err(), "without {name}");
        }
        // The first byte of a path is a slash in every request.
        let mut path = signed.path.clone().into_bytes();
        if path.len() > 1 {
            let place = 1 + at.index(path.len() - 1);
            // Two encodings of one character are equal in a query, and different in a path.
            path[place] ^= 1 << bit;
        } else {
            path.push(b'x');
        }
        if let Ok(path) = String::from_utf8(path) {
            let changed = ClientRequest { path, ..signed.clone() };
            prop_assert!(changed.verify(&authority).is_err(), "{changed:?}");
        }
        let method = ClientRequest { method: "PUT".to_owned(), ..signed.clone() };
        prop_assert!(method.verify(&authority).is_err());
        let query = ClientRequest { query: "c=3".to_owned(), ..signed };
        prop_assert!(query.verify(&authority).is_err());
    }

    #[test]
    fn verifier_never_panics_on_arbitrary_requests(
        authorization in "(AWS4-HMAC-SHA256 )?((Credential|SignedHeaders|Signature)?=?[ -~]{0,20},? ?){0,5}",
        date in "([0-9]{8}T[0-9]{6}Z|[ -~]{0,20}|.{0,20})",
        path in ".{0,30}",
        query in ".{0,30}",
        value in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let authority = authority(credentials(), time(NOW));
        let headers = [
            ("authorization".to_owned(), authorization.into_bytes()),
            ("x-amz-date".to_owned(), date.into_bytes()),
            ("host".to_owned(), value),
        ];
        let request = ClientRequest { method: "POST".to_owned(), path, query, headers: headers.to_vec(), body: Vec::new() };
        prop_assert!(request.verify(&authority).is_err());
    }
}
