//! Writes a row and reads it with the bare driver, with the same TLS and SigV4 as `keyspaces` and nothing else.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::{DateTime, SecondsFormat, Utc};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use scylla::authentication::{AuthError, AuthenticatorProvider, AuthenticatorSession};
use scylla::client::session_builder::SessionBuilder;
use sha2::{Digest, Sha256};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let region = env::var("AWS_REGION")?;
    let name = format!("cassandra.{region}.amazonaws.com");
    let sigv4 =
        SigV4 { region, access_key: env::var("AWS_ACCESS_KEY_ID")?, secret_key: env::var("AWS_SECRET_ACCESS_KEY")? };
    let session = SessionBuilder::new()
        .known_node(format!("{name}:9142"))
        .tls_context(Some(tls(&env::var("ROOTS_PEM")?, &name)?))
        .authenticator_provider(Arc::new(sigv4))
        .build()
        .await?;
    let write = session.prepare("INSERT INTO shop.products (id, name) VALUES (?, ?)").await?;
    session.execute_unpaged(&write, (1, "Tea")).await?;
    let read = session.prepare("SELECT name FROM shop.products WHERE id = ?").await?;
    let rows = session.execute_unpaged(&read, (1,)).await?.into_rows_result()?;
    println!("{:?}", rows.maybe_first_row::<(String,)>()?);
    Ok(())
}

#[derive(Clone)]
struct SigV4 {
    region: String,
    access_key: String,
    secret_key: String,
}

#[async_trait]
impl AuthenticatorProvider for SigV4 {
    async fn start_authentication_session(
        &self,
        _: &str,
    ) -> Result<(Option<Vec<u8>>, Box<dyn AuthenticatorSession>), AuthError> {
        Ok((Some(b"SigV4\0\0".to_vec()), Box::new(self.clone())))
    }
}

#[async_trait]
impl AuthenticatorSession for SigV4 {
    async fn evaluate_challenge(&mut self, challenge: Option<&[u8]>) -> Result<Option<Vec<u8>>, AuthError> {
        let nonce = challenge.and_then(|text| text.strip_prefix(b"nonce=")).ok_or("there is no nonce")?;
        Ok(Some(self.answer(nonce, SystemTime::now()).into_bytes()))
    }

    async fn success(&mut self, _: Option<&[u8]>) -> Result<(), AuthError> {
        Ok(())
    }
}

impl SigV4 {
    fn answer(&self, nonce: &[u8], now: SystemTime) -> String {
        let Self { region, access_key, secret_key } = self;
        let time = DateTime::<Utc>::from(now);
        let date = time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let scope = format!("{}/{region}/cassandra/aws4_request", time.format("%Y%m%d"));
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={access_key}%2F{}&X-Amz-Date={}&X-Amz-Expires=900",
            scope.replace('/', "%2F"),
            date.replace(':', "%3A")
        );
        let request = format!("PUT\n/authenticate\n{query}\nhost:cassandra\n\nhost\n{}", hash(nonce));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(request.as_bytes()));
        let key = generate_signing_key(secret_key, now, region, "cassandra");
        let signature = calculate_signature(key, to_sign.as_bytes());
        format!("signature={signature},access_key={access_key},amzdate={date}")
    }
}

fn hash(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

/// Trusts the roots of a file, and verifies certificates for the endpoint's name where the driver passes an address.
fn tls(roots_pem: &str, name: &str) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots_pem)? {
        roots.add(root?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let verifier = OneName { chain, name: ServerName::try_from(name.to_owned())? };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct OneName {
    chain: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for OneName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.chain.verify_server_cert(certificate, intermediates, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
