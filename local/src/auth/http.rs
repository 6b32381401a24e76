//! Verifies Signature Version 4 of HTTP requests, with code that shares nothing with the clients.
//!
//! The texts of refusals come from the IAM User Guide ("Troubleshoot signed requests for AWS APIs") and from public
//! reports about other AWS services. Whether Keyspaces uses them is not known.

mod canonical;
#[cfg(test)]
pub(crate) mod tests;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::sigv4::{ALGORITHM, TERMINATOR, hmac, signing_key};
use super::{Authority, constant_time_eq};
use crate::credentials::Credentials;

/// A request as it was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a str,
    /// The path of the request line, still encoded.
    pub(crate) path: &'a str,
    /// The part after the question mark, still encoded.
    pub(crate) query: &'a str,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    pub(crate) body: &'a [u8],
}

/// The Regions and the service for which a signature is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CredentialScope<'a> {
    /// Any of these Regions.
    pub(crate) regions: &'a [&'a str],
    pub(crate) service: &'a str,
}

/// The principal that signed a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Principal {
    pub(crate) arn: String,
    /// The name of the IAM user.
    pub(crate) user: String,
    pub(crate) account: String,
    /// Whether the principal has any permission.
    pub(crate) has_permissions: bool,
}

/// Why authentication of a request failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unauthenticated {
    /// There is no Authorization header.
    Missing,
    /// The Authorization header, or the date, is malformed.
    Incomplete(String),
    /// The access key is unknown, or its session token is a different one.
    UnknownClient,
    /// The signature is wrong, does not cover a required header, has a date too far from the clock, or is for another
    /// Region or service.
    Signature(String),
    /// The credentials have expired.
    Expired,
}

/// Verifies that a request is signed for one of these Regions and this service, and returns the principal that signed
/// it.
pub(crate) fn verify_request(
    authority: &Authority,
    request: &SignedRequest<'_>,
    scope: CredentialScope<'_>,
) -> Result<Principal, Unauthenticated> {
    let authorization = Authorization::parse(request)?;
    let (stamp, at) = date(request)?;
    authorization.check_scope(scope, stamp)?;
    let permitted = authority.permitted();
    let principals = [
        Some((&*permitted.credentials, true)),
        authority.0.without_permissions.as_ref().map(|credentials| (credentials, false)),
    ];
    let principal = principals.into_iter().flatten().find(|(credentials, _)| {
        constant_time_eq(credentials.access_key.as_bytes(), authorization.access_key.as_bytes())
    });
    let (credentials, has_permissions) = principal.ok_or(Unauthenticated::UnknownClient)?;
    check_token(credentials, request)?;
    authorization.check_signed_headers(request)?;
    check_age(at, DateTime::from((authority.0.clock)()))?;
    let expected = authorization.expected(request, stamp, &credentials.secret_key);
    if !constant_time_eq(expected.as_bytes(), authorization.signature.as_bytes()) {
        return Err(Unauthenticated::Signature(MISMATCH.to_owned()));
    }
    if has_permissions && permitted.expired {
        return Err(Unauthenticated::Expired);
    }
    let (user, account) = credentials.user_and_account();
    let (user, account) = (user.to_owned(), account.to_owned());
    Ok(Principal { arn: credentials.arn(&authority.0.region), user, account, has_permissions })
}

/// The parts of an Authorization header.
#[derive(Debug)]
struct Authorization<'a> {
    access_key: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(request: &SignedRequest<'a>) -> Result<Self, Unauthenticated> {
        let mut headers = request.values("authorization");
        let header = headers.next().ok_or(Unauthenticated::Missing)?;
        if headers.next().is_some() {
            return Err(incomplete("keyspaces-local: there is more than one Authorization header"));
        }
        let header = std::str::from_utf8(header).unwrap_or_default().trim();
        let parameters = header.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' '));
        let parameters = parameters.ok_or_else(|| {
            incomplete(format!("keyspaces-local: the Authorization header does not begin with '{ALGORITHM} '"))
        })?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for parameter in parameters.split(',').map(str::trim).filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or_else(|| {
                incomplete("keyspaces-local: a parameter of the Authorization header is not a key=value pair")
            })?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(incomplete(format!("keyspaces-local: the Authorization header has '{name}' twice")));
            }
        }
        let has_date = request.values("x-amz-date").chain(request.values("date")).next().is_some();
        let (Some(credential), Some(signed_headers), Some(signature), true) =
            (credential, signed_headers, signature, has_date)
        else {
            let missing = [
                (credential.is_none(), "'Credential' parameter."),
                (signature.is_none(), "'Signature' parameter."),
                (signed_headers.is_none(), "'SignedHeaders' parameter."),
                (!has_date, "existence of either a 'X-Amz-Date' or a 'Date' header."),
            ];
            let missing = missing.iter().filter(|(is_missing, _)| *is_missing);
            let missing: Vec<String> =
                missing.map(|(_, what)| format!("Authorization header requires {what}")).collect();
            return Err(incomplete(missing.join(" ")));
        };
        // Splits from the end, because an access key may contain slashes.
        let mut parts = credential.rsplitn(5, '/');
        let (Some(terminator), Some(service), Some(region), Some(day), Some(access_key)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
                truncated(credential)
            )));
        };
        let signed_headers = signed_headers.split(';').collect();
        Ok(Self { access_key, day, region, service, terminator, signed_headers, signature })
    }

    fn check_scope(&self, scope: CredentialScope<'_>, stamp: &str) -> Result<(), Unauthenticated> {
        let Self { day, region, service, terminator, .. } = self;
        let problem = if *terminator != TERMINATOR {
            format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
                truncated(terminator)
            )
        } else if *service != scope.service {
            format!("Credential should be scoped to correct service: '{}'.", scope.service)
        } else if !scope.regions.contains(region) {
            format!("Credential should be scoped to a valid region, not '{}'.", truncated(region))
        } else if *day != &stamp[..8] {
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', \
                 from '{stamp}'.",
                truncated(day),
                &stamp[..8]
            )
        } else {
            return Ok(());
        };
        Err(Unauthenticated::Signature(problem))
    }

    /// Checks that `host` and every `x-amz-` header are signed, and that every signed header is present.
    fn check_signed_headers(&self, request: &SignedRequest<'_>) -> Result<(), Unauthenticated> {
        let is_signed = |name: &str| self.signed_headers.contains(&name);
        if !is_signed("host") {
            let problem = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
            return Err(Unauthenticated::Signature(problem.to_owned()));
        }
        let unsigned = request.headers.iter().find(|(name, _)| name.starts_with("x-amz-") && !is_signed(name));
        if let Some((name, _)) = unsigned {
            let problem = format!(
                "keyspaces-local: the header '{name}' must be a 'SignedHeader' (the service's text is not known)"
            );
            return Err(Unauthenticated::Signature(problem));
        }
        if self.signed_headers.iter().any(|name| request.values(name).next().is_none()) {
            return Err(Unauthenticated::Signature(MISMATCH.to_owned()));
        }
        Ok(())
    }

    /// The expected signature of a request, in lower-case hexadecimal.
    fn expected(&self, request: &SignedRequest<'_>, stamp: &str, secret_key: &str) -> String {
        let Self { day, region, service, terminator, signed_headers, .. } = self;
        let hash = canonical::hash(request, signed_headers);
        let to_sign = format!("{ALGORITHM}\n{stamp}\n{day}/{region}/{service}/{terminator}\n{hash}");
        hex::encode(hmac(&signing_key(secret_key, day, region, service), to_sign.as_bytes()))
    }
}

impl<'a> SignedRequest<'a> {
    /// The values of a header, whose name is in lower case.
    fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.headers.iter().filter(move |(header, _)| *header == name).map(|(_, value)| *value)
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

/// The maximum difference between a signature's date and the service's clock (IAM User Guide, "Elements of an AWS API
/// request signature").
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);

const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// The date of a request, as text and as a time. X-Amz-Date takes precedence over Date.
fn date<'a>(request: &SignedRequest<'a>) -> Result<(&'a str, DateTime<Utc>), Unauthenticated> {
    let header = request.values("x-amz-date").chain(request.values("date")).next().unwrap_or_default();
    let text = std::str::from_utf8(header).unwrap_or_default().trim();
    let at = NaiveDateTime::parse_from_str(text, STAMP).ok().filter(|at| at.format(STAMP).to_string() == text);
    at.map(|at| (text, at.and_utc())).ok_or_else(|| {
        let text = truncated(text);
        incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ))
    })
}

fn check_age(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Unauthenticated> {
    let [at_text, now_text, earliest, latest] =
        [at, now, now - MAX_SKEW, now + MAX_SKEW].map(|at| at.format(STAMP).to_string());
    let problem = if at < now - MAX_SKEW {
        format!("Signature expired: {at_text} is now earlier than {earliest} ({now_text} - 5 min.)")
    } else if at > now + MAX_SKEW {
        format!("Signature not yet current: {at_text} is still later than {latest} ({now_text} + 5 min.)")
    } else {
        return Ok(());
    };
    Err(Unauthenticated::Signature(problem))
}

fn check_token(credentials: &Credentials, request: &SignedRequest<'_>) -> Result<(), Unauthenticated> {
    let token = request.values("x-amz-security-token").next().filter(|token| !token.is_empty());
    let is_right = match (&credentials.session_token, token) {
        (None, None) => true,
        (Some(expected), Some(token)) => constant_time_eq(expected.as_bytes(), token),
        _ => false,
    };
    if is_right { Ok(()) } else { Err(Unauthenticated::UnknownClient) }
}

fn incomplete(problem: impl Into<String>) -> Unauthenticated {
    Unauthenticated::Incomplete(problem.into())
}

/// Limits the part of a client's input that an error repeats.
fn truncated(text: &str) -> String {
    text.chars().take(128).collect()
}
