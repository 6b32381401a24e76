//! Why a connection did not come about: what the stage found, and what to do.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::wire::{Fault, Response};
use super::{Handshake, Stage};
use crate::auth::Identity;
use crate::{Error, ErrorKind, tls};

/// What ended a connection before it was one.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// Whether trying again within the same `connect()` cannot help.
    pub(crate) permanent: bool,
    /// Whether it was an answer, or the lack of one.
    pub(crate) silent: bool,
    pub(crate) error: Error,
}

impl Failure {
    pub(super) fn credentials(error: Error) -> Self {
        Self { stage: Stage::Credentials, permanent: true, silent: false, error }
    }

    /// Credentials that are not there have no place and took no time.
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

impl Stage {
    fn kind(self) -> ErrorKind {
        match self {
            Self::Resolve => ErrorKind::Resolve,
            Self::Tcp | Self::Options | Self::Startup => ErrorKind::Connect,
            Self::Tls => ErrorKind::Tls,
            Self::Credentials => ErrorKind::Credentials,
            Self::Authentication => ErrorKind::Authentication,
            Self::Register | Self::SystemTables => ErrorKind::Topology,
        }
    }

    /// What the other side was sent and has to answer.
    fn asked(self) -> &'static str {
        match self {
            Self::Resolve => "the look-up",
            Self::Tcp => "TCP",
            Self::Tls => "the TLS handshake",
            Self::Options => "OPTIONS",
            Self::Startup => "STARTUP",
            Self::Credentials => "the request for credentials",
            Self::Authentication => "AUTH_RESPONSE",
            Self::Register => "REGISTER",
            Self::SystemTables => "the SELECT from system.local and system.peers",
        }
    }
}

impl Handshake {
    fn failure(&self, stage: Stage, permanent: bool, problem: impl Into<String>) -> Failure {
        let error = Error::new(stage.kind(), format!("connecting to {}", self.endpoint), problem.into());
        Failure { stage, permanent, silent: false, error }
    }

    pub(super) fn no_address(&self, error: Option<io::Error>) -> Failure {
        let host = self.endpoint.host();
        let problem = match &error {
            Some(error) => format!("{host} has no address that can be looked up: {error}"),
            None => format!("{host} has no address"),
        };
        let mut failure = self.failure(Stage::Resolve, true, problem).advise(
            "Check the region or host, and that DNS works on this machine; in a VPC, that DNS resolution is enabled",
        );
        if let Some(error) = error {
            failure.error = failure.error.with_source(error);
        }
        failure
    }

    pub(super) fn no_connection(&self, error: io::Error) -> Failure {
        let (problem, advice) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (
                "the connection was refused".to_owned(),
                "Nothing listens there: check host and port; Amazon Keyspaces listens on 9142",
            ),
            _ => (format!("no connection: {error}"), SECURITY_GROUPS),
        };
        self.failure(Stage::Tcp, true, problem).advise(advice).because(error)
    }

    pub(super) fn no_tls(&self, error: io::Error) -> Failure {
        let tls::Explanation { problem, said, advice, permanent } = tls::explain(&error);
        let mut failure = self.failure(Stage::Tls, permanent, problem).advise(advice).because(error);
        if let Some(said) = said {
            failure.error = failure.error.with_server_message(said);
        }
        failure
    }

    /// The deadline passed, and this stage is what it waited for.
    pub(super) fn silent(&self, stage: Stage) -> Failure {
        let (problem, advice) = match stage {
            Stage::Resolve => (
                format!("DNS did not answer for {}", self.endpoint.host()),
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
            _ => (format!("{} was not answered", stage.asked()), CLOSE_TO_IT),
        };
        Failure { silent: true, ..self.failure(stage, false, problem).advise(advice) }
    }

    pub(super) fn no_answer(&self, stage: Stage, fault: Fault) -> Failure {
        match fault {
            Fault::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => self.no_tls(error),
            Fault::Io(error) => self
                .failure(stage, false, format!("the connection was closed instead of an answer to {}", stage.asked()))
                .advise(CLOSE_TO_IT)
                .because(error),
            Fault::NoCql(bytes) if self.tls.is_none() && matches!(bytes.first(), Some(0x15 | 0x16)) => {
                self.failure(stage, true, "what answers speaks TLS, and this is an endpoint without TLS").advise(
                    "Use Endpoint::region or Endpoint::explicit; Endpoint::cassandra is for a Cassandra without TLS",
                )
            }
            Fault::NoCql(bytes) => self
                .failure(stage, true, "what answers does not speak CQL v4")
                .say(String::from_utf8_lossy(&bytes))
                .advise("Check host and port: Amazon Keyspaces listens on 9142, a Cassandra on 9042"),
            Fault::TooLong(length) => self
                .failure(stage, true, format!("{} was answered by a frame of {length} bytes", stage.asked()))
                .advise("No server of CQL does that here: check what listens on this port"),
            Fault::Malformed => self
                .failure(stage, true, format!("{} was answered by a frame that is not CQL v4", stage.asked()))
                .advise("No server of CQL does that here: check what listens on this port"),
        }
    }

    /// An answer, and not the one that leads on.
    pub(super) fn unexpected(&self, stage: Stage, response: Response) -> Failure {
        let Response::Error { code, text } = response else {
            return self
                .failure(
                    stage,
                    true,
                    format!("{} was answered by something else than CQL v4 has for it", stage.asked()),
                )
                .advise("No server of CQL does that here: check what listens on this port");
        };
        let refused = match (stage, code) {
            (Stage::Authentication, code::BAD_CREDENTIALS) => self.bad_credentials(),
            (_, code::UNAUTHORIZED) => {
                let mut failure = self.failure(stage, true, "the server knows who this is and allows nothing");
                failure.error = Error::new(
                    ErrorKind::Authentication,
                    format!("connecting to {}", self.endpoint),
                    "these credentials have no permissions",
                );
                failure.advise(IAM)
            }
            (_, code::PROTOCOL_ERROR) => self
                .failure(stage, true, format!("the server refused {}", stage.asked()))
                .advise("The server has to speak CQL v4"),
            (_, code) => {
                let transient = [code::SERVER_ERROR, code::UNAVAILABLE, code::OVERLOADED, code::IS_BOOTSTRAPPING];
                self.failure(
                    stage,
                    !transient.contains(&code),
                    format!("the server refused {} with error 0x{code:04X}", stage.asked()),
                )
                .advise("What the server says is all that is known; without it, no session is possible")
            }
        };
        refused.say(text)
    }

    fn bad_credentials(&self) -> Failure {
        match self.authenticator.describe() {
            Identity::SigV4 { region, .. } => self
                .failure(Stage::Authentication, true, format!("the signature for {region} was refused"))
                .advise(format!(
                    "Check that the endpoint is in {region}, that this machine's clock is right, and that the access \
                     key is active and its session token not expired"
                )),
            Identity::Password { .. } | Identity::Nobody => {
                self.failure(Stage::Authentication, true, "the user name or password was refused").advise(
                    "For Amazon Keyspaces they are the service-specific credentials of an IAM user \
                     (alice-at-111122223333), not the user's own password",
                )
            }
        }
    }

    /// The server asks, and nothing was given to answer with.
    pub(super) fn no_credentials(&self, authenticator: &str) -> Failure {
        self.failure(
            Stage::Credentials,
            true,
            format!("the server asks for credentials ({authenticator}), and there are none"),
        )
        .advise("Give Builder::password, or an endpoint with TLS and Builder::credentials")
    }

    /// READY without AUTHENTICATE. A plain Cassandra may do that, whatever was set up.
    pub(crate) fn was_not_asked(&self) -> Result<(), Failure> {
        if self.endpoint.is_cassandra() {
            return Ok(());
        }
        Err(self.failure(Stage::Authentication, true, "the server let us in without asking for credentials").advise(
            "Amazon Keyspaces always asks, so this is something else: check host and port; a Cassandra without \
                 TLS is Endpoint::cassandra",
        ))
    }
}

impl Failure {
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

/// What the other side says, cut to a length that an error bears, control characters escaped.
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
