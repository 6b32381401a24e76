//! One connection's entries in the journal.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Journal, Kind, Outcome, Received};
use crate::clock::Clock;
use crate::fault::{Faults, Injected};
use crate::protocol::Frame;
use crate::protocol::request::{Parameters, Request, TextOrId};

/// Enters the requests of one connection in the journal.
#[derive(Clone)]
pub(crate) struct ConnectionJournal {
    journal: Journal,
    connection: u64,
    peer: SocketAddr,
    client: SocketAddr,
    clock: Clock,
    faults: Faults,
}

/// A request that was added to the journal.
#[derive(Debug)]
pub(crate) struct JournalEntry {
    number: u64,
    kind: Kind,
    statement: Option<Arc<str>>,
    /// The fault that strikes it.
    pub(crate) fault: Option<Injected>,
}

impl ConnectionJournal {
    pub(crate) fn new(
        journal: Journal,
        connection: u64,
        peer: SocketAddr,
        client: SocketAddr,
        clock: Clock,
        faults: Faults,
    ) -> Self {
        Self { journal, connection, peer, client, clock, faults }
    }

    pub(crate) fn options(&self, frame: &Frame) -> JournalEntry {
        self.add(self.entry(frame.stream, Kind::Options))
    }

    pub(crate) fn startup(&self, frame: &Frame, options: &[(&str, &str)]) -> JournalEntry {
        let options: Vec<String> = options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let statement = Some(options.join(", ").into());
        self.add(Received { statement, ..self.entry(frame.stream, Kind::Startup) })
    }

    /// Records only the login method: the response itself is a secret.
    pub(crate) fn auth_response(&self, frame: &Frame, method: &str) -> JournalEntry {
        let statement = Some(method.into());
        self.add(Received { statement, ..self.entry(frame.stream, Kind::AuthResponse) })
    }

    pub(crate) fn register(&self, frame: &Frame, events: &[&str]) -> JournalEntry {
        let statement = Some(events.join(", ").into());
        self.add(Received { statement, ..self.entry(frame.stream, Kind::Register) })
    }

    /// `prepared` gives the text of a prepared statement.
    pub(crate) fn statement(
        &self,
        stream: i16,
        request: &Request,
        prepared: impl Fn(&[u8]) -> Option<Arc<str>>,
    ) -> JournalEntry {
        let with = |kind: Kind, statement: Option<Arc<str>>, parameters: &Parameters| Received {
            statement,
            consistency: Some(parameters.consistency),
            serial_consistency: parameters.serial_consistency,
            page_size: parameters.page_size,
            timestamp: parameters.timestamp,
            ..self.entry(stream, kind)
        };
        self.add(match request {
            Request::Query(query) => with(Kind::Query, Some(query.text.as_str().into()), &query.parameters),
            Request::Execute(execute) => with(Kind::Execute, prepared(&execute.id), &execute.parameters),
            Request::Prepare(text) => {
                Received { statement: Some(text.as_str().into()), ..self.entry(stream, Kind::Prepare) }
            }
            Request::Batch(batch) => Received {
                batched: batch
                    .statements
                    .iter()
                    .filter_map(|batched| match &batched.statement {
                        TextOrId::Text(text) => Some(text.as_str().into()),
                        TextOrId::Id(id) => prepared(id),
                    })
                    .collect(),
                consistency: Some(batch.consistency),
                serial_consistency: batch.serial_consistency,
                timestamp: batch.timestamp,
                ..self.entry(stream, Kind::Batch)
            },
        })
    }

    pub(crate) fn record_outcome(&self, request: &JournalEntry, outcome: Outcome) {
        self.log(request, &outcome);
        self.journal.set_outcome(request.number, outcome);
    }

    /// Logs why this connection is closed.
    pub(crate) fn log_close(&self, reason: &str) {
        tracing::info!(target: LOG, client = %self.client, reason, "connection closed");
    }

    /// Logs that a fault has silenced this connection, which stays open.
    pub(crate) fn log_silence(&self) {
        tracing::info!(target: LOG, client = %self.client, "connection silenced by a fault");
    }

    /// Logs a line for each request that was refused or failed.
    fn log(&self, request: &JournalEntry, outcome: &Outcome) {
        let (client, kind) = (self.client, request.kind);
        let statement = request.statement.as_deref().map(in_one_line).unwrap_or_default();
        match outcome {
            Outcome::Refused { text, .. } if kind == Kind::AuthResponse => {
                tracing::info!(target: LOG, %client, by = statement, reason = &**text, "login failed");
            }
            Outcome::Refused { code, text } | Outcome::Failed { code, text } => {
                let code = format_args!("0x{code:04X}");
                tracing::info!(target: LOG, %client, ?kind, statement, %code, reason = &**text, "refused");
            }
            // There may be thousands of throttled requests. The metrics count them.
            Outcome::Throttled { exceeded, .. } => {
                tracing::debug!(target: LOG, %client, ?kind, statement, ?exceeded, "throttled");
            }
            Outcome::Forwarded | Outcome::Answered | Outcome::Prevented => {}
        }
    }

    fn add(&self, received: Received) -> JournalEntry {
        let fault = self.faults.apply(&received.candidate());
        let (kind, statement) =
            (received.kind, received.statement.clone().or_else(|| received.batched.first().cloned()));
        let number = self.journal.add(Received { fault: fault.clone(), ..received });
        JournalEntry { number, kind, statement, fault }
    }

    fn entry(&self, stream: i16, kind: Kind) -> Received {
        Received {
            number: 0,
            at: (self.clock)(),
            connection: self.connection,
            peer: self.peer,
            client: self.client,
            stream,
            kind,
            statement: None,
            batched: Arc::default(),
            consistency: None,
            serial_consistency: None,
            page_size: None,
            timestamp: None,
            outcome: None,
            fault: None,
        }
    }
}

/// The log target of refusals, and of the reasons why connections were closed.
pub(crate) const LOG: &str = "keyspaces_local::client";

/// The beginning of a statement, without its line breaks.
fn in_one_line(statement: &str) -> String {
    const MAX_BYTES: usize = 200;
    let mut line = String::new();
    for word in statement.split_whitespace() {
        if line.len() + word.len() > MAX_BYTES {
            line.push('…');
            break;
        }
        line.extend((!line.is_empty()).then_some(' '));
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::captured_log::CapturedLog;
    use super::*;

    #[test]
    fn refusals_failed_logins_and_closed_connections_are_logged_and_successes_are_not() {
        let log = CapturedLog::default();
        let client = ([127, 0, 0, 1], 5000).into();
        let clock: Clock = Arc::new(SystemTime::now);
        let record = ConnectionJournal::new(Journal::new(), 1, client, client, clock, Faults::default());
        let login = Frame::new(0, crate::protocol::Opcode::AuthResponse, bytes::Bytes::new());
        tracing::subscriber::with_default(log.subscriber(), || {
            let refused = |text: &str| Outcome::Refused { code: 0x2200, text: text.into() };
            let text = "TRUNCATE\n  ks.t".to_owned();
            let request = Request::Prepare(text);
            let statement = record.statement(1, &request, |_| None);
            record.record_outcome(&statement, refused("no TRUNCATE"));
            record.record_outcome(&record.auth_response(&login, "password"), refused("wrong password"));
            record.record_outcome(&statement, Outcome::Forwarded);
            record.log_close("no login within 30 s");
        });
        let head = " INFO keyspaces_local::client:";
        assert_eq!(
            log.text(),
            format!(
                "{head} refused client=127.0.0.1:5000 kind=Prepare statement=\"TRUNCATE ks.t\" code=0x2200 reason=\"no \
                 TRUNCATE\"\n\
                 {head} login failed client=127.0.0.1:5000 by=\"password\" reason=\"wrong password\"\n\
                 {head} connection closed client=127.0.0.1:5000 reason=\"no login within 30 s\"\n"
            )
        );
    }

    #[test]
    fn a_statement_is_logged_in_one_line_of_limited_length() {
        assert_eq!(in_one_line("SELECT *\n  FROM t\n"), "SELECT * FROM t");
        assert_eq!(in_one_line(&"x".repeat(300)), "…");
        assert!(in_one_line(&"INSERT ".repeat(100)).len() <= 210);
    }
}
