//! Describes certificates in words. Only WebPKI decides whether a certificate is accepted.

use std::fmt;

use chrono::DateTime;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The maximum number of characters of a text, and of names, in a message. Certificates come from the network.
const MAX_TEXT_CHARS: usize = 253;
const MAX_NAMES: usize = 8;

/// The contents of a server's certificate, for messages. The texts are shortened, and control characters are escaped.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct PeerCertificate {
    /// The DNS names, in order.
    pub(crate) names: Vec<String>,
    /// The IP addresses among the names. Certificates of Keyspaces have none.
    pub(crate) addresses: Vec<String>,
    pub(crate) issuer: String,
    pub(crate) self_signed: bool,
    /// The purposes of a certificate that servers may not use; `None` if servers may use it.
    pub(crate) not_for_servers: Option<Vec<&'static str>>,
    /// The end of its validity, in seconds since 1970.
    pub(crate) not_after: i64,
}

impl PeerCertificate {
    /// Reads a certificate in DER; `None` if it is not one.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut leaf = Self {
            issuer: printable(&certificate.issuer().to_string()),
            self_signed: certificate.issuer().as_raw() == certificate.subject().as_raw(),
            not_after: certificate.validity().not_after.timestamp(),
            ..Self::default()
        };
        if let Ok(Some(names)) = certificate.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::DNSName(name) => leaf.names.push(printable(name)),
                    GeneralName::IPAddress(bytes) => leaf.addresses.push(formatted_address(bytes)),
                    _ => {}
                }
            }
        }
        if let Ok(Some(usage)) = certificate.extended_key_usage()
            && !usage.value.server_auth
        {
            let usage = usage.value;
            let purposes = [
                (usage.client_auth, "clients"),
                (usage.code_signing, "code signing"),
                (usage.email_protection, "email"),
                (usage.time_stamping, "time stamping"),
                (usage.ocsp_signing, "OCSP signing"),
            ];
            leaf.not_for_servers =
                Some(purposes.into_iter().filter_map(|(is, purpose)| is.then_some(purpose)).collect());
        }
        Some(leaf)
    }

    fn names_text(&self) -> String {
        match (self.names.is_empty(), self.addresses.is_empty()) {
            (true, true) => "no name".into(),
            (true, false) => format!("{} and no DNS name", joined(&self.addresses)),
            (false, _) => joined(&self.names),
        }
    }
}

/// Why a certificate was refused, in words.
#[derive(Debug)]
pub(crate) struct RefusedCertificate {
    problem: String,
    advice: &'static str,
}

impl RefusedCertificate {
    pub(super) fn new(
        cause: CertificateError,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        expected_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Self {
        let leaf = PeerCertificate::read(end_entity).unwrap_or_default();
        let (problem, advice) = match &cause {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                format!("the certificate is for {}, not for {}", leaf.names_text(), expected_name.to_str()),
                "Check the endpoint's region and host; if this server is the intended one, set its name as the name to \
                 verify (Endpoint::explicit)",
            ),
            CertificateError::UnknownIssuer => (
                match top_issuer(end_entity, intermediates) {
                    Some(_) if leaf.self_signed && intermediates.is_empty() => {
                        format!("the certificate is self-signed ({}) and not trusted", leaf.issuer)
                    }
                    Some(issuer) => format!("the issuer of the certificate is not trusted: {issuer}"),
                    None => "the issuer of the certificate is not trusted".into(),
                },
                "If the issuer is your own authority or that of a local Keyspaces, add its PEM with \
                 SessionBuilder::trust_pem; if not, another server answers in place of the endpoint",
            ),
            CertificateError::BadSignature => (
                format!(
                    "the certificate names a trusted issuer ({}), but was signed by another issuer of that name",
                    top_issuer(end_entity, intermediates).unwrap_or_default()
                ),
                "If the issuer is your own authority, or that of a local Keyspaces, which has a new one at each start, \
                 give its current PEM to SessionBuilder::trust_pem; if not, another server answers in place of the \
                 endpoint",
            ),
            CertificateError::ExpiredContext { time, not_after } => (
                format!(
                    "{} expired on {}, and this machine's clock says {}",
                    expired_certificate(&leaf, *not_after),
                    formatted_time(*not_after),
                    formatted_time(*time)
                ),
                "If the clock is right, the server needs a new certificate",
            ),
            CertificateError::NotValidYetContext { time, not_before } => (
                format!(
                    "the certificate is not valid before {}, and this machine's clock says {}",
                    formatted_time(*not_before),
                    formatted_time(*time)
                ),
                "Check this machine's clock, which is the most frequent cause",
            ),
            CertificateError::Expired => (
                format!("the certificate expired, and this machine's clock says {}", formatted_time(now)),
                "If the clock is right, the server needs a new certificate",
            ),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
                match leaf.not_for_servers.as_deref() {
                    None | Some([]) => "the certificate is not for servers".into(),
                    Some(purposes) => format!("the certificate is for {} and not for servers", purposes.join(", ")),
                },
                "The server needs a certificate whose extended key usage includes server authentication",
            ),
            other => (format!("the certificate is not accepted: {other:?}"), "The server needs another certificate"),
        };
        Self { problem, advice }
    }

    pub(super) fn advice(&self) -> &'static str {
        self.advice
    }
}

impl fmt::Display for RefusedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for RefusedCertificate {}

/// The subject of the root that a chain ends in: the first issuer, from the leaf up, that is one of `roots`.
pub(super) fn root_name(chain: &[CertificateDer<'_>], roots: &[CertificateDer<'_>]) -> Option<String> {
    chain.iter().find_map(|presented| {
        let (_, presented) = X509Certificate::from_der(presented).ok()?;
        roots.iter().find_map(|root| {
            let (_, root) = X509Certificate::from_der(root).ok()?;
            (root.subject().as_raw() == presented.issuer().as_raw()).then(|| printable(&root.subject().to_string()))
        })
    })
}

/// The issuer of the topmost certificate of the chain, which is the issuer that has to be trusted.
fn top_issuer(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Option<String> {
    let (_, mut top) = X509Certificate::from_der(end_entity).ok()?;
    let others: Vec<_> =
        intermediates.iter().filter_map(|der| X509Certificate::from_der(der).ok()).map(|(_, other)| other).collect();
    for _ in 0..others.len() {
        let issuer = others.iter().find(|other| {
            other.subject().as_raw() == top.issuer().as_raw() && other.issuer().as_raw() != other.subject().as_raw()
        });
        match issuer {
            Some(issuer) => top = issuer.clone(),
            None => break,
        }
    }
    Some(printable(&top.issuer().to_string()))
}

fn expired_certificate(leaf: &PeerCertificate, not_after: UnixTime) -> &'static str {
    if i64::try_from(not_after.as_secs()) == Ok(leaf.not_after) {
        "the certificate"
    } else {
        "a certificate of the chain"
    }
}

fn formatted_time(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map_or_else(|| format!("{} s after 1970", time.as_secs()), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn joined(names: &[String]) -> String {
    let more = names.len().saturating_sub(MAX_NAMES);
    let shown = &names[..names.len() - more];
    match (shown, more) {
        ([one], 0) => one.clone(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn printable(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).flat_map(char::escape_debug).collect::<String>().replace("\\'", "'")
}

fn formatted_address(bytes: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        std::net::Ipv4Addr::from(four).to_string()
    } else if let Ok(sixteen) = <[u8; 16]>::try_from(bytes) {
        std::net::Ipv6Addr::from(sixteen).to_string()
    } else {
        "an address of an unknown form".into()
    }
}
