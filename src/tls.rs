//! The trusted certificates: five roots, and one name that every peer's certificate must have.
//!
//! Certificates of Keyspaces carry DNS names only, and the driver hands rustls the address of a peer instead of a
//! name. So the name to verify is pinned here: chain, dates, usage and name are all checked, for the contact point
//! and for each peer, and nothing turns that off.

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

/// The roots that Keyspaces chains to, from `certs/`: Amazon's four, and Starfield's for Regions that have not moved
/// (`DG:using_java_driver`).
const ROOTS: [(&str, &str); 5] = [
    ("AmazonRootCA1.pem", include_str!("../certs/AmazonRootCA1.pem")),
    ("AmazonRootCA2.pem", include_str!("../certs/AmazonRootCA2.pem")),
    ("AmazonRootCA3.pem", include_str!("../certs/AmazonRootCA3.pem")),
    ("AmazonRootCA4.pem", include_str!("../certs/AmazonRootCA4.pem")),
    ("sf-class2-root.pem", include_str!("../certs/sf-class2-root.pem")),
];

const CHECKING_ROOTS: &str = "reading the certificates to trust";

/// The roots that a server's certificate may chain to.
#[derive(Clone)]
pub(crate) struct Trust {
    anchors: Arc<RootCertStore>,
    roots: Arc<[CertificateDer<'static>]>,
    clock: Arc<dyn TimeProvider>,
}

impl Trust {
    /// The five roots, and those of each PEM in `more`.
    pub(crate) fn new<'a>(more: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Error> {
        Self::with_clock(more, Arc::new(DefaultTimeProvider))
    }

    fn with_clock<'a>(more: impl IntoIterator<Item = &'a [u8]>, clock: Arc<dyn TimeProvider>) -> Result<Self, Error> {
        let mut roots = built_in()?.to_vec();
        for pem in more {
            roots.extend(certificates_in(pem)?);
        }
        let mut anchors = RootCertStore::empty();
        for root in &roots {
            anchors.add(root.clone()).map_err(|error| {
                Error::new(ErrorKind::Configuration, CHECKING_ROOTS, "a PEM block is not an X.509 certificate")
                    .with_source(error)
            })?;
        }
        Ok(Self { anchors: Arc::new(anchors), roots: roots.into(), clock })
    }

    /// Returns the configuration that all connections of a session share, so that TLS sessions resume: TLS 1.2 and 1.3, and
    /// `server_name` as the name to find in each certificate.
    pub(crate) fn client_config(&self, server_name: &str) -> Result<Arc<ClientConfig>, Error> {
        let refused = |source: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(
                ErrorKind::Configuration,
                "setting up TLS",
                format!("{} cannot be verified against a certificate", server_name.escape_debug()),
            )
            .with_source(source)
        };
        let name = ServerName::try_from(server_name.to_owned()).map_err(|error| refused(error.into()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = PinnedName::new(name, Arc::clone(&self.anchors), Arc::clone(&provider))
            .map_err(|error| refused(error.into()))?;
        let config = ClientConfig::builder_with_details(provider, Arc::clone(&self.clock))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| refused(error.into()))?
            .dangerous() // rustls's word for any verifier but its own; this one leaves nothing out
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// The name of the root that a verified chain, leaf first, ends in.
    pub(crate) fn root_of(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        certificate::root_of(chain, &self.roots)
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

/// The five roots, read once per program, because reading them takes longer than everything else in setting up a session.
fn built_in() -> Result<&'static [CertificateDer<'static>], Error> {
    static READ: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    if let Some(roots) = READ.get() {
        return Ok(roots);
    }
    let mut roots = Vec::new();
    for (_, pem) in ROOTS {
        roots.extend(certificates_in(pem.as_bytes())?);
    }
    Ok(READ.get_or_init(|| roots))
}

/// Reads the certificates of one PEM. A PEM without any is an error, because the caller meant to add one.
fn certificates_in(mut pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refused = |problem: &'static str| {
        Error::new(ErrorKind::Configuration, CHECKING_ROOTS, problem)
            .with_advice("What is wanted is PEM: -----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----")
    };
    let certificates = rustls_pemfile::certs(&mut pem)
        .collect::<Result<Vec<_>, io::Error>>()
        .map_err(|error| refused("the PEM is damaged").with_source(error))?;
    if certificates.is_empty() {
        return Err(refused("the PEM holds no certificate"));
    }
    Ok(certificates)
}

/// WebPKI's verifier with the endpoint's name in the place of whatever name it is asked about, and the reason of a
/// refusal in words.
#[derive(Debug)]
struct PinnedName {
    name: ServerName<'static>,
    webpki: Arc<WebPkiServerVerifier>,
}

impl PinnedName {
    fn new(
        name: ServerName<'static>,
        anchors: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let webpki = WebPkiServerVerifier::builder_with_provider(anchors, provider).build()?;
        Ok(Self { name, webpki })
    }
}

impl ServerCertVerifier for PinnedName {
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

/// The meaning of a failed TLS handshake, and the advice.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Explanation {
    pub(crate) problem: String,
    pub(crate) said: Option<String>,
    pub(crate) advice: &'static str,
    /// Whether trying again cannot help.
    pub(crate) permanent: bool,
}

const WRONG_PORT: &str = "Check the port: Keyspaces listens on 9142, with TLS only; a Cassandra without TLS is \
                          Endpoint::cassandra";

/// Explains the error of a TLS handshake, or of the connection under it.
pub(crate) fn explain(error: &io::Error) -> Explanation {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Explanation {
            problem: match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => "the connection was closed in the TLS handshake".into(),
                _ => format!("the connection broke in the TLS handshake: {error}"),
            },
            said: None,
            advice: WRONG_PORT,
            permanent: false,
        };
    };
    if let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) = tls
        && let Some(refused) = reason.downcast_ref::<RefusedCertificate>()
    {
        return Explanation { problem: refused.to_string(), said: None, advice: refused.advice(), permanent: true };
    }
    match tls {
        rustls::Error::InvalidMessage(_) => Explanation {
            problem: "what answers does not speak TLS".into(),
            said: None,
            advice: WRONG_PORT,
            permanent: true,
        },
        rustls::Error::AlertReceived(alert) => Explanation {
            problem: "the server ended the TLS handshake".into(),
            said: Some(format!("{alert:?}")),
            advice: "Check the endpoint's host and port; the server has to speak TLS 1.2 or 1.3",
            permanent: true,
        },
        rustls::Error::PeerIncompatible(_) => Explanation {
            problem: format!("the server's TLS does not fit: {tls}"),
            said: None,
            advice: "The server has to speak TLS 1.2 or 1.3 with an ephemeral key exchange",
            permanent: true,
        },
        _ => Explanation {
            problem: format!("TLS failed: {tls}"),
            said: None,
            advice: "Check the endpoint's host and port, and what is between here and there",
            permanent: true,
        },
    }
}
