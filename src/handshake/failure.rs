//! The errors of failed handshakes: what the stage found, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::wire::{Response, WireFault};
use super::{Handshake, Stage};
use crate::auth::Identity;
use crate::{Error, ErrorKind, tls};

/// A failed handshake.
#[derive(Debug)]
pub(crate) struct HandshakeFailure {
    pub(crate) stage: Stage,
    /// Whether trying again within the same `connect()` cannot help.
    pub(crate) permanent: bool,
    /// Whether the stage ended by silence, not by an answer.
    pub(crate) silent: bool,
    pub(crate) error: Error,
}

impl HandshakeFailure {
    pub(super) fn credentials(error: Error) -> Self {
        Self { stage: Stage::Credentials, permanent: true, silent: false, error }
    }

    /// Adds the peer and the elapsed time, except for missing credentials, which have neither.
    pub(super) fn at(mut self, address: SocketAddr, elapsed: Duration) -> Self {
        if self.stage != Stage::Credentials || self.silent {
            self.error = self.error.with_peer(address);
            self = self.after(elapsed);
        }
        self
    }

    pub(crate) fn after(mut self, elapsed: Duration) -> Self {
        self.error = self.error.with_elapsed(elapsed);
        self
    }

    fn advise(mut self, advice: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        self.error = self.error.with_advice(advice);
        self
    }

    fn say(mut self, said: impl AsRef<str>) -> Self {
        self.error = self.error.with_server_message(word_for_word(said.as_ref()));
        self
    }

    fn because(mut self, error: io::Error) -> Self {
        self.error = self.error.with_source(error);
        self
    }
}

const SECURITY_GROUPS: &str = "Check that security groups, network ACLs and routes let this machine reach it; Amazon \
                               Keyspaces listens on 9142";
const CLOSE_TO_IT: &str = "Something between here and the endpoint may hold it up, or the endpoint is not well; \
                           another try may reach another address";
const IAM: &str = "Allow the IAM user or role cassandra:Select on /keyspace/system* and on what it is to read, for \
                   instance with the policy AmazonKeyspacesReadOnlyAccess_v2";

mod code {
    pub(super) const SERVER_ERROR: i32 = 0x0000;
    pub(super) const PROTOCOL_ERROR: i32 = 0x000A;
    pub(super) const BAD_CREDENTIALS: i32 = 0x0100;
    pub(super) const UNAVAILABLE: i32 = 0x1000;
    pub(super) const OVERLOADED: i32 = 0x1001;
    pub(super) const IS_BOOTSTRAPPING: i32 = 0x1002;
    pub(super) const UNAUTHORIZED: i32 = 0x2100;
}

fn kind(stage: Stage) -> ErrorKind {
    match stage {
        Stage::Resolve => ErrorKind::Resolve,
        Stage::Tcp | Stage::Options | Stage::Startup => ErrorKind::Connect,
        Stage::Tls => ErrorKind::Tls,
        Stage::Credentials => ErrorKind::Credentials,
        Stage::Authentication => ErrorKind::Authentication,
        Stage::Register | Stage::SystemTables => ErrorKind::Topology,
    }
}

/// The request that the other side has to answer at this stage.
fn asked(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "the look-up",
        Stage::Tcp => "TCP",
        Stage::Tls => "the TLS handshake",
        Stage::Options => "OPTIONS",
        Stage::Startup => "STARTUP",
        Stage::Credentials => "the request for credentials",
        Stage::Authentication => "AUTH_RESPONSE",
        Stage::Register => "REGISTER",
        Stage::SystemTables => "the SELECT from system.local and system.peers",
    }
}

fn failed(handshake: &Handshake, stage: Stage, permanent: bool, problem: impl Into<String>) -> HandshakeFailure {
    let error = Error::new(kind(stage), format!("connecting to {}", handshake.endpoint), problem.into());
    HandshakeFailure { stage, permanent, silent: false, error }
}

pub(super) fn no_address(handshake: &Handshake, error: Option<io::Error>) -> HandshakeFailure {
    let host = handshake.endpoint.host();
    let problem = match &error {
        Some(error) => format!("{host} has no address that can be looked up: {error}"),
        None => format!("{host} has no address"),
    };
    let mut failure = failed(handshake, Stage::Resolve, true, problem).advise(
        "Check the region or host, and that DNS works on this machine; in a VPC, that DNS resolution is enabled",
    );
    if let Some(error) = error {
        failure.error = failure.error.with_source(error);
    }
    failure
}

pub(super) fn no_connection(handshake: &Handshake, error: io::Error) -> HandshakeFailure {
    let (problem, advice) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            "the connection was refused".to_owned(),
            "Nothing listens there: check host and port; Amazon Keyspaces listens on 9142",
        ),
        _ => (format!("no connection: {error}"), SECURITY_GROUPS),
    };
    failed(handshake, Stage::Tcp, true, problem).advise(advice).because(error)
}

pub(super) fn no_tls(handshake: &Handshake, error: io::Error) -> HandshakeFailure {
    let tls::Explanation { problem, said, advice, permanent } = tls::explain(&error);
    let mut failure = failed(handshake, Stage::Tls, permanent, problem).advise(advice).because(error);
    if let Some(said) = said {
        failure.error = failure.error.with_server_message(said);
    }
    failure
}

/// The failure of a stage that was still waiting when the deadline passed.
pub(super) fn silent(handshake: &Handshake, stage: Stage) -> HandshakeFailure {
    let (problem, advice) = match stage {
        Stage::Resolve => (
            format!("DNS did not answer for {}", handshake.endpoint.host()),
            "Check that DNS works on this machine; in a VPC, that DNS resolution is enabled",
        ),
        Stage::Tcp => ("TCP was not answered".to_owned(), SECURITY_GROUPS),
        Stage::Tls => (
            "TCP connected, and the TLS handshake was not answered".to_owned(),
            "Check the port: Keyspaces listens on 9142, with TLS only. A proxy or firewall may let TCP through and \
             hold up what follows",
        ),
        Stage::Credentials => (
            "the provider of the credentials did not answer".to_owned(),
            "Check what it asks: a metadata service, an SSO session, a credential process",
        ),
        _ => (format!("{} was not answered", asked(stage)), CLOSE_TO_IT),
    };
    HandshakeFailure { silent: true, ..failed(handshake, stage, false, problem).advise(advice) }
}

pub(super) fn no_answer(handshake: &Handshake, stage: Stage, fault: WireFault) -> HandshakeFailure {
    match fault {
        WireFault::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            no_tls(handshake, error)
        }
        WireFault::Io(error) => failed(
            handshake,
            stage,
            false,
            format!("the connection was closed instead of an answer to {}", asked(stage)),
        )
        .advise(CLOSE_TO_IT)
        .because(error),
        WireFault::NoCql(bytes) if handshake.tls.is_none() && matches!(bytes.first(), Some(0x15 | 0x16)) => {
            failed(handshake, stage, true, "what answers speaks TLS, and this is an endpoint without TLS").advise(
                "Use Endpoint::region or Endpoint::explicit; Endpoint::cassandra is for a Cassandra without TLS",
            )
        }
        WireFault::NoCql(bytes) => failed(handshake, stage, true, "what answers does not speak CQL v4")
            .say(String::from_utf8_lossy(&bytes))
            .advise("Check host and port: Amazon Keyspaces listens on 9142, a Cassandra on 9042"),
        WireFault::TooLong(length) => {
            failed(handshake, stage, true, format!("{} was answered by a frame of {length} bytes", asked(stage)))
                .advise("No server of CQL does that here: check what listens on this port")
        }
        WireFault::Malformed => {
            failed(handshake, stage, true, format!("{} was answered by a frame that is not CQL v4", asked(stage)))
                .advise("No server of CQL does that here: check what listens on this port")
        }
    }
}

/// The failure of a stage that got an unexpected answer.
pub(super) fn unexpected(handshake: &Handshake, stage: Stage, response: Response) -> HandshakeFailure {
    let Response::Error { code, text } = response else {
        return failed(
            handshake,
            stage,
            true,
            format!("{} was answered by something else than CQL v4 has for it", asked(stage)),
        )
        .advise("No server of CQL does that here: check what listens on this port");
    };
    let refused = match (stage, code) {
        (Stage::Authentication, code::BAD_CREDENTIALS) => bad_credentials(handshake),
        (_, code::UNAUTHORIZED) => {
            let mut failure = failed(handshake, stage, true, "the server knows who this is and allows nothing");
            failure.error = Error::new(
                ErrorKind::Authentication,
                format!("connecting to {}", handshake.endpoint),
                "these credentials have no permissions",
            );
            failure.advise(IAM)
        }
        (_, code::PROTOCOL_ERROR) => failed(handshake, stage, true, format!("the server refused {}", asked(stage)))
            .advise("The server has to speak CQL v4"),
        (_, code) => {
            let transient = [code::SERVER_ERROR, code::UNAVAILABLE, code::OVERLOADED, code::IS_BOOTSTRAPPING];
            failed(
                handshake,
                stage,
                !transient.contains(&code),
                format!("the server refused {} with error 0x{code:04X}", asked(stage)),
            )
            .advise("What the server says is all that is known; without it, no session is possible")
        }
    };
    refused.say(text)
}

fn bad_credentials(handshake: &Handshake) -> HandshakeFailure {
    match handshake.authenticator.describe() {
        Identity::SigV4 { region, .. } => {
            failed(handshake, Stage::Authentication, true, format!("the signature for {region} was refused")).advise(
                format!(
                    "Check that the endpoint is in {region}, that this machine's clock is right, and that the access \
                 key is active and its session token not expired"
                ),
            )
        }
        Identity::Password { .. } | Identity::Nobody => {
            failed(handshake, Stage::Authentication, true, "the user name or password was refused").advise(
                "For Amazon Keyspaces they are the service-specific credentials of an IAM user \
                 (alice-at-111122223333), not the user's own password",
            )
        }
    }
}

/// The failure when the server asks for credentials and none are configured.
pub(super) fn no_credentials(handshake: &Handshake, authenticator: &str) -> HandshakeFailure {
    failed(
        handshake,
        Stage::Credentials,
        true,
        format!("the server asks for credentials ({authenticator}), and there are none"),
    )
    .advise("Give Builder::password, or an endpoint with TLS and Builder::credentials")
}

/// Checks whether the server may answer READY without AUTHENTICATE. A plain Cassandra may, even if credentials are
/// configured.
pub(crate) fn was_not_asked(handshake: &Handshake) -> Result<(), HandshakeFailure> {
    if handshake.endpoint.is_cassandra() {
        return Ok(());
    }
    Err(failed(handshake, Stage::Authentication, true, "the server let us in without asking for credentials").advise(
        "Amazon Keyspaces always asks, so this is something else: check host and port; a Cassandra without \
             TLS is Endpoint::cassandra",
    ))
}

/// The server's text, shortened to fit an error, with control characters escaped.
pub(super) fn word_for_word(text: &str) -> String {
    const LONGEST: usize = 1_000;
    let mut shown = String::new();
    for character in text.chars().take(LONGEST) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
