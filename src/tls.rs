//! TLS: the trusted roots, and the name that every server's certificate must contain.
//!
//! Certificates of Keyspaces contain only DNS names, and the driver passes the address of a peer to rustls instead of a
//! name. So the verifier here ignores that address and checks the endpoint's name, which is fixed when the session is
//! built.
//!
//! For the contact points and each peer, WebPKI checks the chain up to a trusted root, the dates, the usage, and the
//! name. No setting turns any of this off. A program can only add roots
//! ([`SessionBuilder::trust_pem`](crate::SessionBuilder::trust_pem)) and choose the name
//! ([`Endpoint::explicit`](crate::Endpoint::explicit)).

mod certificate;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::{Error, ErrorKind};
pub(crate) use certificate::{PeerCertificate, RefusedCertificate};

/// The roots of the service's certificates, from `certs/`: Amazon's four, and Starfield's for Regions that have not
/// migrated to them (`DG:using_java_driver`).
const ROOTS: [(&str, &str); 5] = [
    ("AmazonRootCA1.pem", include_str!("../certs/AmazonRootCA1.pem")),
    ("AmazonRootCA2.pem", include_str!("../certs/AmazonRootCA2.pem")),
    ("AmazonRootCA3.pem", include_str!("../certs/AmazonRootCA3.pem")),
    ("AmazonRootCA4.pem", include_str!("../certs/AmazonRootCA4.pem")),
    ("sf-class2-root.pem", include_str!("../certs/sf-class2-root.pem")),
];

const READING_ROOTS: &str = "reading the trusted certificates";

/// The roots that a server's certificate may chain to.
#[derive(Clone)]
pub(crate) struct Trust {
    anchors: Arc<RootCertStore>,
    roots: Arc<[CertificateDer<'static>]>,
    clock: Arc<dyn TimeProvider>,
}

impl Trust {
    /// Trusts the five roots, and the certificates in each PEM of `extra_roots`.
    ///
    /// # Errors
    ///
    /// `Configuration` if a PEM contains no certificate, or a damaged one.
    pub(crate) fn new<'a>(extra_roots: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Error> {
        Self::with_clock(extra_roots, Arc::new(DefaultTimeProvider))
    }

    fn with_clock<'a>(
        extra_roots: impl IntoIterator<Item = &'a [u8]>,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, Error> {
        let mut roots = built_in_roots()?.to_vec();
        for pem in extra_roots {
            roots.extend(parse_pem(pem)?);
        }
        let mut anchors = RootCertStore::empty();
        for root in &roots {
            anchors.add(root.clone()).map_err(|error| {
                Error::new(ErrorKind::Configuration, READING_ROOTS, "a PEM block is not an X.509 certificate")
                    .with_source(error)
            })?;
        }
        Ok(Self { anchors: Arc::new(anchors), roots: roots.into(), clock })
    }

    /// Returns the TLS configuration with TLS 1.2 and 1.3 and `server_name` as the name that each certificate must
    /// contain. All connections of a session share it, so that they resume each other's TLS sessions.
    pub(crate) fn client_config(&self, server_name: &str) -> Result<Arc<ClientConfig>, Error> {
        let refused = |source: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(
                ErrorKind::Configuration,
                "setting up TLS",
                format!("{} is not a name that a certificate can be verified against", server_name.escape_debug()),
            )
            .with_source(source)
        };
        let name = ServerName::try_from(server_name.to_owned()).map_err(|error| refused(error.into()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = PinnedNameVerifier::new(name, Arc::clone(&self.anchors), Arc::clone(&provider))
            .map_err(|error| refused(error.into()))?;
        let config = ClientConfig::builder_with_details(provider, Arc::clone(&self.clock))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| refused(error.into()))?
            // rustls calls every custom verifier dangerous. This one makes all the checks of rustls's own verifier.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// The name of the root that a verified chain ends in. The leaf is the first certificate of the chain.
    pub(crate) fn root_name(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        certificate::root_name(chain, &self.roots)
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

/// The five roots. They are parsed once per program, because that takes longer than the rest of setting up a session.
fn built_in_roots() -> Result<&'static [CertificateDer<'static>], Error> {
    static READ: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    if let Some(roots) = READ.get() {
        return Ok(roots);
    }
    let mut roots = Vec::new();
    for (_, pem) in ROOTS {
        roots.extend(parse_pem(pem.as_bytes())?);
    }
    Ok(READ.get_or_init(|| roots))
}

/// Parses the certificates of one PEM. A PEM without a certificate is an error, because the caller intended to add one.
fn parse_pem(mut pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refused = |problem: &'static str| {
        Error::new(ErrorKind::Configuration, READING_ROOTS, problem)
            .with_advice("Expected PEM: -----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----")
    };
    let certificates = rustls_pemfile::certs(&mut pem)
        .collect::<Result<Vec<_>, io::Error>>()
        .map_err(|error| refused("the PEM is damaged").with_source(error))?;
    if certificates.is_empty() {
        return Err(refused("the PEM contains no certificate"));
    }
    Ok(certificates)
}

/// Calls WebPKI's verifier with the endpoint's name instead of the name that rustls passes. It accepts exactly what
/// WebPKI accepts, and explains in words why a certificate is refused.
#[derive(Debug)]
struct PinnedNameVerifier {
    name: ServerName<'static>,
    webpki: Arc<WebPkiServerVerifier>,
}

impl PinnedNameVerifier {
    fn new(
        name: ServerName<'static>,
        anchors: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let webpki = WebPkiServerVerifier::builder_with_provider(anchors, provider).build()?;
        Ok(Self { name, webpki })
    }
}

impl ServerCertVerifier for PinnedNameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.webpki.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now).map_err(|error| {
            match error {
                rustls::Error::InvalidCertificate(cause) => {
                    let refused = RefusedCertificate::new(cause, end_entity, intermediates, &self.name, now);
                    CertificateError::Other(OtherError(Arc::new(refused))).into()
                }
                other => other,
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Why a TLS handshake failed, and what to do.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Explanation {
    pub(crate) problem: String,
    pub(crate) server_message: Option<String>,
    pub(crate) advice: &'static str,
    /// Whether another try would fail, too.
    pub(crate) permanent: bool,
}

const WRONG_PORT: &str = "Check the port: Keyspaces listens on 9142, with TLS only; for a Cassandra without TLS use \
                          Endpoint::cassandra";

/// Explains the error of a TLS handshake, or of the connection under it.
pub(crate) fn explain(error: &io::Error) -> Explanation {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Explanation {
            problem: match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => "the connection was closed during the TLS handshake".into(),
                _ => format!("the connection failed during the TLS handshake: {error}"),
            },
            server_message: None,
            advice: WRONG_PORT,
            permanent: false,
        };
    };
    if let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) = tls
        && let Some(refused) = reason.downcast_ref::<RefusedCertificate>()
    {
        return Explanation {
            problem: refused.to_string(),
            server_message: None,
            advice: refused.advice(),
            permanent: true,
        };
    }
    match tls {
        rustls::Error::InvalidMessage(_) => Explanation {
            problem: "the server does not speak TLS".into(),
            server_message: None,
            advice: WRONG_PORT,
            permanent: true,
        },
        rustls::Error::AlertReceived(alert) => Explanation {
            problem: "the server ended the TLS handshake".into(),
            server_message: Some(format!("{alert:?}")),
            advice: "Check the endpoint's host and port; the server must support TLS 1.2 or 1.3",
            permanent: true,
        },
        rustls::Error::PeerIncompatible(_) => Explanation {
            problem: format!("the server's TLS is not compatible: {tls}"),
            server_message: None,
            advice: "The server must support TLS 1.2 or 1.3 with an ephemeral key exchange",
            permanent: true,
        },
        _ => Explanation {
            problem: format!("TLS failed: {tls}"),
            server_message: None,
            advice: "Check the endpoint's host and port, and any proxy or firewall on the way",
            permanent: true,
        },
    }
}
