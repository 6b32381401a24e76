//! The errors of failed handshakes, with the problem of the stage and advice.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::wire::{Response, WireError};
use super::{Handshake, HandshakeStage};
use crate::auth::Identity;
use crate::{Error, ErrorKind, tls};

/// A failed handshake.
#[derive(Debug)]
pub(crate) struct HandshakeFailure {
    pub(crate) stage: HandshakeStage,
    /// Whether a retry within the same `connect()` would fail, too.
    pub(crate) permanent: bool,
    /// Whether the deadline passed while the stage waited for an answer.
    pub(crate) silent: bool,
    pub(crate) error: Error,
}

impl HandshakeFailure {
    pub(super) fn credentials(error: Error) -> Self {
        Self { stage: HandshakeStage::Credentials, permanent: true, silent: false, error }
    }

    /// Adds the peer and the elapsed time. An error of the credentials gets neither, because it does not depend on
    /// them.
    pub(super) fn with_peer(mut self, address: SocketAddr, elapsed: Duration) -> Self {
        if self.stage != HandshakeStage::Credentials || self.silent {
            self.error = self.error.with_peer(address);
            self = self.with_elapsed(elapsed);
        }
        self
    }

    pub(crate) fn with_elapsed(mut self, elapsed: Duration) -> Self {
        self.error = self.error.with_elapsed(elapsed);
        self
    }

    fn with_advice(mut self, advice: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        self.error = self.error.with_advice(advice);
        self
    }

    fn with_server_message(mut self, message: impl AsRef<str>) -> Self {
        self.error = self.error.with_server_message(sanitized(message.as_ref()));
        self
    }

    fn with_source(mut self, error: io::Error) -> Self {
        self.error = self.error.with_source(error);
        self
    }
}

const SECURITY_GROUPS_ADVICE: &str = "Check that security groups, network ACLs and routes let this machine reach it; \
                                      Amazon Keyspaces listens on 9142";
const SILENCE_ADVICE: &str = "A proxy or firewall may block it, or the endpoint may be down; another try may reach \
                              another address";
const IAM_ADVICE: &str = "Allow the IAM user or role cassandra:Select on /keyspace/system* and on the tables that it \
                          reads, for instance with the policy AmazonKeyspacesReadOnlyAccess_v2";

mod code {
    pub(super) const SERVER_ERROR: i32 = 0x0000;
    pub(super) const PROTOCOL_ERROR: i32 = 0x000A;
    pub(super) const BAD_CREDENTIALS: i32 = 0x0100;
    pub(super) const UNAVAILABLE: i32 = 0x1000;
    pub(super) const OVERLOADED: i32 = 0x1001;
    pub(super) const IS_BOOTSTRAPPING: i32 = 0x1002;
    pub(super) const UNAUTHORIZED: i32 = 0x2100;
}

fn error_kind(stage: HandshakeStage) -> ErrorKind {
    match stage {
        HandshakeStage::Resolve => ErrorKind::Resolve,
        HandshakeStage::Tcp | HandshakeStage::Options | HandshakeStage::Startup => ErrorKind::Connect,
        HandshakeStage::Tls => ErrorKind::Tls,
        HandshakeStage::Credentials => ErrorKind::Credentials,
        HandshakeStage::Authentication => ErrorKind::Authentication,
        HandshakeStage::Register | HandshakeStage::SystemTables => ErrorKind::Topology,
    }
}

/// The request that is answered at this stage, for error texts.
fn request_name(stage: HandshakeStage) -> &'static str {
    match stage {
        HandshakeStage::Resolve => "the lookup",
        HandshakeStage::Tcp => "TCP",
        HandshakeStage::Tls => "the TLS handshake",
        HandshakeStage::Options => "OPTIONS",
        HandshakeStage::Startup => "STARTUP",
        HandshakeStage::Credentials => "the request for credentials",
        HandshakeStage::Authentication => "AUTH_RESPONSE",
        HandshakeStage::Register => "REGISTER",
        HandshakeStage::SystemTables => "the SELECT from system.local and system.peers",
    }
}

fn attempted(handshake: &Handshake) -> String {
    format!("connecting to {}", handshake.endpoint)
}

fn stage_failure(
    handshake: &Handshake,
    stage: HandshakeStage,
    permanent: bool,
    problem: impl Into<String>,
) -> HandshakeFailure {
    let error = Error::new(error_kind(stage), attempted(handshake), problem.into());
    HandshakeFailure { stage, permanent, silent: false, error }
}

pub(super) fn resolve_failed(handshake: &Handshake, error: Option<io::Error>) -> HandshakeFailure {
    let host = handshake.endpoint.host();
    let problem = match &error {
        Some(error) => format!("{host} could not be resolved: {error}"),
        None => format!("{host} has no address"),
    };
    let mut failure = stage_failure(handshake, HandshakeStage::Resolve, true, problem).with_advice(
        "Check the region or host, and that DNS works on this machine; in a VPC, that DNS resolution is enabled",
    );
    if let Some(error) = error {
        failure.error = failure.error.with_source(error);
    }
    failure
}

pub(super) fn tcp_failed(handshake: &Handshake, error: io::Error) -> HandshakeFailure {
    let (problem, advice) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            "the connection was refused".to_owned(),
            "Nothing listens there: check host and port; Amazon Keyspaces listens on 9142",
        ),
        _ => (format!("the connection failed: {error}"), SECURITY_GROUPS_ADVICE),
    };
    stage_failure(handshake, HandshakeStage::Tcp, true, problem).with_advice(advice).with_source(error)
}

pub(super) fn tls_failed(handshake: &Handshake, error: io::Error) -> HandshakeFailure {
    let tls::Explanation { problem, server_message, advice, permanent } = tls::explain(&error);
    let mut failure =
        stage_failure(handshake, HandshakeStage::Tls, permanent, problem).with_advice(advice).with_source(error);
    if let Some(message) = server_message {
        failure.error = failure.error.with_server_message(message);
    }
    failure
}

/// The failure of a stage that was still waiting when the deadline passed.
pub(super) fn timed_out(handshake: &Handshake, stage: HandshakeStage) -> HandshakeFailure {
    let (problem, advice) = match stage {
        HandshakeStage::Resolve => (
            format!("DNS did not answer for {}", handshake.endpoint.host()),
            "Check that DNS works on this machine; in a VPC, that DNS resolution is enabled",
        ),
        HandshakeStage::Tcp => ("TCP was not answered".to_owned(), SECURITY_GROUPS_ADVICE),
        HandshakeStage::Tls => (
            "TCP connected, and the TLS handshake was not answered".to_owned(),
            "Check the port: Keyspaces listens on 9142, with TLS only. A proxy or firewall may let TCP through and \
             block what follows",
        ),
        HandshakeStage::Credentials => (
            "the credentials provider did not answer".to_owned(),
            "Check the source that it uses: a metadata service, an SSO session, a credential process",
        ),
        _ => (format!("{} was not answered", request_name(stage)), SILENCE_ADVICE),
    };
    HandshakeFailure { silent: true, ..stage_failure(handshake, stage, false, problem).with_advice(advice) }
}

pub(super) fn exchange_failed(handshake: &Handshake, stage: HandshakeStage, error: WireError) -> HandshakeFailure {
    match error {
        WireError::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            tls_failed(handshake, error)
        }
        WireError::Io(error) => stage_failure(
            handshake,
            stage,
            false,
            format!("the connection was closed instead of answering {}", request_name(stage)),
        )
        .with_advice(SILENCE_ADVICE)
        .with_source(error),
        WireError::NotCql(bytes) if handshake.tls.is_none() && matches!(bytes.first(), Some(0x15 | 0x16)) => {
            stage_failure(
                handshake,
                stage,
                true,
                "the server speaks TLS, but the endpoint is configured without \
                                             TLS",
            )
            .with_advice(
                "Use Endpoint::region or Endpoint::explicit; Endpoint::cassandra is for a Cassandra without TLS",
            )
        }
        WireError::NotCql(bytes) => stage_failure(handshake, stage, true, "the server does not speak CQL v4")
            .with_server_message(String::from_utf8_lossy(&bytes))
            .with_advice("Check host and port: Amazon Keyspaces listens on 9142, a Cassandra on 9042"),
        WireError::TooLong(length) => stage_failure(
            handshake,
            stage,
            true,
            format!(
                "the answer to {} announces {length} bytes, more than any answer in a handshake has",
                request_name(stage)
            ),
        )
        .with_advice("A CQL server does not answer like this: check what listens on this port"),
        WireError::Malformed => stage_failure(
            handshake,
            stage,
            true,
            format!("the answer to {} is not a valid frame of CQL v4", request_name(stage)),
        )
        .with_advice("A CQL server does not answer like this: check what listens on this port"),
    }
}

/// The failure of a stage that got an unexpected answer.
pub(super) fn unexpected_response(
    handshake: &Handshake,
    stage: HandshakeStage,
    response: Response,
) -> HandshakeFailure {
    let Response::Error { code, text } = response else {
        return stage_failure(
            handshake,
            stage,
            true,
            format!("the answer to {} is of a kind that CQL v4 does not allow here", request_name(stage)),
        )
        .with_advice("A CQL server does not answer like this: check what listens on this port");
    };
    let refused = match (stage, code) {
        (HandshakeStage::Authentication, code::BAD_CREDENTIALS) => bad_credentials(handshake),
        (_, code::UNAUTHORIZED) => {
            let problem = "the credentials have no permissions";
            let error = Error::new(ErrorKind::Authentication, attempted(handshake), problem);
            HandshakeFailure { stage, permanent: true, silent: false, error }.with_advice(IAM_ADVICE)
        }
        (_, code::PROTOCOL_ERROR) => {
            stage_failure(handshake, stage, true, format!("the server refused {}", request_name(stage)))
                .with_advice("The server must support CQL v4")
        }
        (_, code) => {
            let transient = [code::SERVER_ERROR, code::UNAVAILABLE, code::OVERLOADED, code::IS_BOOTSTRAPPING];
            stage_failure(
                handshake,
                stage,
                !transient.contains(&code),
                format!("the server refused {} with error 0x{code:04X}", request_name(stage)),
            )
            .with_advice(
                "No session is possible while the server refuses this request; its message is all that is \
                          known",
            )
        }
    };
    refused.with_server_message(text)
}

fn bad_credentials(handshake: &Handshake) -> HandshakeFailure {
    match handshake.authenticator.identity() {
        Identity::SigV4 { region, .. } => stage_failure(
            handshake,
            HandshakeStage::Authentication,
            true,
            format!("the signature for {region} was refused"),
        )
        .with_advice(format!(
            "Check that the endpoint is in {region}, that this machine's clock is right, and that the access key is \
             active and its session token not expired"
        )),
        Identity::Password { .. } | Identity::Anonymous => {
            stage_failure(handshake, HandshakeStage::Authentication, true, "the user name or password was refused")
                .with_advice(
                    "For Amazon Keyspaces they are the service-specific credentials of an IAM user \
                     (alice-at-111122223333), not the user's own password",
                )
        }
    }
}

/// The failure if the server requires credentials and none are configured.
pub(super) fn credentials_missing(handshake: &Handshake, authenticator: &str) -> HandshakeFailure {
    stage_failure(
        handshake,
        HandshakeStage::Credentials,
        true,
        format!("the server requires authentication ({authenticator}), and the session has no credentials"),
    )
    .with_advice("Set SessionBuilder::password, or use an endpoint with TLS and SessionBuilder::credentials")
}

/// Refuses a server that answers STARTUP with READY, which means that it requires no authentication. Amazon Keyspaces
/// always requires authentication, so such a server is not Amazon Keyspaces. A plain Cassandra is accepted, even if
/// credentials are configured.
pub(crate) fn refuse_unauthenticated(handshake: &Handshake) -> Result<(), HandshakeFailure> {
    if handshake.endpoint.is_cassandra() {
        return Ok(());
    }
    Err(stage_failure(
        handshake,
        HandshakeStage::Authentication,
        true,
        "the server accepted the connection without authentication",
    )
    .with_advice(
        "Amazon Keyspaces always requires authentication, so this is another server: check host and port; for a \
             Cassandra without TLS use Endpoint::cassandra",
    ))
}

/// Text from the server as it may appear in an error: at most 1,000 characters, with control characters escaped.
pub(super) fn sanitized(text: &str) -> String {
    const MAX_CHARS: usize = 1_000;
    let mut sanitized = String::new();
    for character in text.chars().take(MAX_CHARS) {
        if character.is_control() {
            sanitized.extend(character.escape_default());
        } else {
            sanitized.push(character);
        }
    }
    sanitized
}
