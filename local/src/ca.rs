//! The certificate authority, which is generated at each start, and the server certificate that it signs.

use std::sync::Arc;

use chrono::{Datelike, TimeDelta, Utc};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{DnsName, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, ErrorKind};
use crate::lock::RwLock;

/// A certificate authority and the server certificate that it signed last.
pub(crate) struct Ca {
    names: Vec<SanType>,
    pem: String,
    signed: RwLock<ServerCertificate>,
}

/// The certificate of the server and its authority.
struct ServerCertificate {
    authority: CertificateIssuer,
    server_config: Arc<ServerConfig>,
}

/// The key and the certificate of the authority.
struct CertificateIssuer {
    issuer: Issuer<'static, KeyPair>,
    root: Certificate,
}

impl Ca {
    /// Generates an authority, and a server certificate with these DNS names and without addresses, like the service's
    /// certificate. Both are valid from yesterday until a year from now.
    pub(crate) fn generate(names: &[String]) -> Result<Self, Error> {
        let names = names.iter().map(|name| dns_name(name)).collect::<Result<Vec<_>, _>>()?;
        let signed = CertificateIssuer::generate()
            .and_then(|authority| ServerCertificate::by(authority, &names))
            .map_err(generation_failed)?;
        Ok(Self { pem: signed.authority.root.pem(), names, signed: RwLock::new(signed) })
    }

    /// Replaces the server certificate with a new one of the same authority.
    pub(crate) fn renew(&self) -> Result<(), Error> {
        let mut signed = self.signed.write();
        signed.server_config = signed.authority.sign(&self.names).map_err(generation_failed)?;
        Ok(())
    }

    /// Replaces the authority and the server certificate, and returns the new authority's certificate as PEM.
    pub(crate) fn replace_authority(&self) -> Result<String, Error> {
        let signed = CertificateIssuer::generate()
            .and_then(|authority| ServerCertificate::by(authority, &self.names))
            .map_err(generation_failed)?;
        let pem = signed.authority.root.pem();
        *self.signed.write() = signed;
        Ok(pem)
    }

    /// The certificate of the first authority, which clients trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// An acceptor for TLS 1.2 and 1.3 with the current certificates.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.signed.read().server_config).into()
    }
}

/// Shows no fields, because one of them is a key.
impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").finish_non_exhaustive()
    }
}

type CertificateError = Box<dyn std::error::Error + Send + Sync>;

fn generation_failed(error: CertificateError) -> Error {
    Error::new(ErrorKind::Certificate, "the local certificates could not be made").with_source(error)
}

impl ServerCertificate {
    fn by(authority: CertificateIssuer, names: &[SanType]) -> Result<Self, CertificateError> {
        let server_config = authority.sign(names)?;
        Ok(Self { authority, server_config })
    }
}

impl CertificateIssuer {
    fn generate() -> Result<Self, CertificateError> {
        let mut authority = params("keyspaces-local CA")?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let root = authority.self_signed(&authority_key)?;
        Ok(Self { issuer: Issuer::new(authority, authority_key), root })
    }

    fn sign(&self, names: &[SanType]) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut server = params("keyspaces-local")?;
        server.subject_alt_names = names.to_vec();
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate()?;
        let leaf = server.signed_by(&server_key, &self.issuer)?;

        let chain = vec![leaf.der().clone(), self.root.der().clone()];
        let key = PrivateKeyDer::try_from(server_key.serialize_der())?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Arc::new(config))
    }
}

fn dns_name(name: &str) -> Result<SanType, Error> {
    let problem =
        || Error::new(ErrorKind::Setting, format!("{name:?} cannot be in a certificate: it is not a DNS name"));
    // `DnsName` accepts IPv4 addresses, and no client compares a DNS name with an address.
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Err(problem());
    }
    DnsName::try_from(name).map_err(|_| problem())?;
    Ia5String::try_from(name).map(SanType::DnsName).map_err(|_| problem())
}

fn params(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let day = |days| {
        let date = Utc::now() + TimeDelta::days(days);
        let [month, day] = [date.month(), date.day()].map(|number| u8::try_from(number).unwrap_or(1));
        rcgen::date_time_ymd(date.year(), month, day)
    };
    params.not_before = day(-1);
    params.not_after = day(365);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustls::pki_types::ServerName;
    use rustls::pki_types::pem::PemObject;
    use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsConnector;

    use super::*;

    fn names() -> Vec<String> {
        vec!["localhost".to_owned(), "cassandra.eu-west-1.amazonaws.com".to_owned()]
    }

    /// Shakes hands over a pipe as a client that trusts the authority of `trusted` and expects `name`.
    async fn handshake(
        server: &Ca,
        trusted: &Ca,
        name: &str,
        version: &'static SupportedProtocolVersion,
    ) -> io::Result<Option<ProtocolVersion>> {
        let mut roots = RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (near, far) = tokio::io::duplex(1 << 16);
        let acceptor = server.acceptor();
        let server = tokio::spawn(async move {
            let mut stream = acceptor.accept(far).await?;
            stream.write_all(b"x").await?;
            stream.shutdown().await
        });
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, near).await?;
        let mut greeting = Vec::new();
        stream.read_to_end(&mut greeting).await?;
        assert_eq!(greeting, b"x");
        server.await.unwrap()?;
        Ok(stream.get_ref().1.protocol_version())
    }

    #[tokio::test]
    async fn both_tls_versions_work_under_each_name() {
        let ca = Ca::generate(&names()).unwrap();
        for name in names() {
            let negotiated = handshake(&ca, &ca, &name, &TLS13).await.unwrap();
            assert_eq!(negotiated, Some(ProtocolVersion::TLSv1_3));
            let negotiated = handshake(&ca, &ca, &name, &TLS12).await.unwrap();
            assert_eq!(negotiated, Some(ProtocolVersion::TLSv1_2));
        }
    }

    #[tokio::test]
    async fn other_host_names_addresses_and_cas_are_not_trusted() {
        let (ca, other) = (Ca::generate(&names()).unwrap(), Ca::generate(&names()).unwrap());
        for name in ["cassandra.eu-west-2.amazonaws.com", "127.0.0.1"] {
            let error = handshake(&ca, &ca, name, &TLS13).await.unwrap_err();
            assert!(error.to_string().contains("not valid for name"), "{error}");
        }
        let error = handshake(&ca, &other, "localhost", &TLS13).await.unwrap_err();
        assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    }

    #[test]
    fn an_address_or_an_invalid_text_is_not_a_certificate_name() {
        for name in ["127.0.0.1", "::1", "", "two words", "ü.example"] {
            let error = Ca::generate(&[name.to_owned()]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Setting);
            assert_eq!(error.to_string(), format!("{name:?} cannot be in a certificate: it is not a DNS name"));
        }
    }
}
