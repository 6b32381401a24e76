mod closing;
mod configuration;
mod connecting;
mod diagnosing;
mod recovering;
mod silence;
mod topology;

use std::time::Duration;

use super::*;
use testkit::stub::{Ca, FaultPoint, Reaction, Stub};

const NAME: &str = "cassandra.us-east-1.amazonaws.com";
const SIGV4: &str = "com.amazon.helenus.auth.HelenusAuthenticator";

/// A stub behind TLS that asks for credentials, at 127.0.0.1 and the addresses after it.
struct Site {
    ca: Ca,
    stub: Stub,
}

impl Site {
    async fn new(addresses: u8, change: impl FnOnce(testkit::stub::Builder) -> testkit::stub::Builder) -> Self {
        let ca = Ca::new("Test CA");
        let stub = change(Stub::with_addresses(addresses).tls(ca.server(&[NAME])).authenticator(SIGV4)).start().await;
        Self { ca, stub }
    }

    /// A builder whose deadline only the tests of the deadline reach.
    fn builder(&self) -> SessionBuilder {
        self.builder_at("127.0.0.1")
    }

    fn builder_at(&self, host: &str) -> SessionBuilder {
        Session::builder()
            .endpoint(Endpoint::explicit(host, self.stub.port(), NAME).unwrap())
            .static_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", None)
            .trust_pem(self.ca.pem())
            .unwrap()
            .connect_timeout(Duration::from_secs(60))
    }

    /// The error text with the port and the times replaced by placeholders.
    fn normalized(&self, error: &Error) -> String {
        let mut text = error.to_string().replace(&format!(":{}", self.stub.port()), ":<port>");
        if let Some(elapsed) = error.elapsed() {
            text = text.replace(&format!("after {elapsed:.1?}:"), "after <t>:");
        }
        text
    }
}

async fn run(session: &Session, statement: &str) {
    session.begin().unwrap().driver().query_unpaged(statement, ()).await.unwrap();
}

fn connected(session: &Session) -> usize {
    session.peers().iter().filter(|peer| peer.is_connected()).count()
}
