//! One connection's entries in the journal.

use std::net::SocketAddr;
use std::sync::Arc;

use super::frame::Frame;
use super::prepared::Prepared;
use super::request::{Parameters, TextOrId};
use super::statement::Request;
use crate::auth::Clock;
use crate::journal::{Journal, Kind, Outcome, Received};

/// Writes down what one connection receives.
#[derive(Clone)]
pub(super) struct Record {
    journal: Journal,
    connection: u64,
    peer: SocketAddr,
    client: SocketAddr,
    clock: Clock,
}

impl Record {
    pub(super) fn new(journal: Journal, connection: u64, peer: SocketAddr, client: SocketAddr, clock: Clock) -> Self {
        Self { journal, connection, peer, client, clock }
    }

    pub(super) fn options(&self, frame: &Frame) {
        self.journal.receive(Received { outcome: Some(Outcome::Answered), ..self.entry(frame.stream, Kind::Options) });
    }

    pub(super) fn startup(&self, frame: &Frame, options: &[(&str, &str)]) -> u64 {
        let options: Vec<String> = options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let statement = Some(options.join(", ").into());
        self.journal.receive(Received { statement, ..self.entry(frame.stream, Kind::Startup) })
    }

    /// `what` is all that is written down: the answer itself is a secret.
    pub(super) fn auth_response(&self, frame: &Frame, what: &str) -> u64 {
        let statement = Some(what.into());
        self.journal.receive(Received { statement, ..self.entry(frame.stream, Kind::AuthResponse) })
    }

    pub(super) fn register(&self, frame: &Frame, events: &[&str]) {
        let (statement, outcome) = (Some(events.join(", ").into()), Some(Outcome::Answered));
        self.journal.receive(Received { statement, outcome, ..self.entry(frame.stream, Kind::Register) });
    }

    pub(super) fn statement(&self, stream: i16, request: &Request, prepared: &Prepared) -> u64 {
        let text_of = |id: &[u8]| prepared.get(id).map(|facts| Arc::clone(&facts.text));
        let with = |kind: Kind, statement: Option<Arc<str>>, parameters: &Parameters| Received {
            statement,
            consistency: Some(parameters.consistency),
            serial_consistency: parameters.serial_consistency,
            page_size: parameters.page_size,
            timestamp: parameters.timestamp,
            ..self.entry(stream, kind)
        };
        self.journal.receive(match request {
            Request::Query(query) => with(Kind::Query, Some(query.text.as_str().into()), &query.parameters),
            Request::Execute(execute) => with(Kind::Execute, text_of(&execute.id), &execute.parameters),
            Request::Prepare(text) => {
                Received { statement: Some(text.as_str().into()), ..self.entry(stream, Kind::Prepare) }
            }
            Request::Batch(batch) => Received {
                batched: batch
                    .statements
                    .iter()
                    .filter_map(|batched| match &batched.statement {
                        TextOrId::Text(text) => Some(text.as_str().into()),
                        TextOrId::Id(id) => text_of(id),
                    })
                    .collect(),
                consistency: Some(batch.consistency),
                serial_consistency: batch.serial_consistency,
                timestamp: batch.timestamp,
                ..self.entry(stream, Kind::Batch)
            },
        })
    }

    pub(super) fn settle(&self, number: u64, outcome: Outcome) {
        self.journal.settle(number, outcome);
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
        }
    }
}
