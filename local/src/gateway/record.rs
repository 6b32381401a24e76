//! One connection's entries in the journal.

use std::net::SocketAddr;
use std::sync::Arc;

use super::frame::Frame;
use super::prepared::Prepared;
use super::request::{Parameters, TextOrId};
use super::statement::Request;
use crate::auth::Clock;
use crate::fault::{Faults, Injected};
use crate::journal::{Journal, Kind, Outcome, Received};

/// Writes down what one connection receives.
#[derive(Clone)]
pub(super) struct Record {
    journal: Journal,
    connection: u64,
    peer: SocketAddr,
    client: SocketAddr,
    clock: Clock,
    faults: Faults,
}

/// A request that was written down.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) number: u64,
    /// What it is struck by.
    pub(super) fault: Option<Injected>,
}

impl Record {
    pub(super) fn new(
        journal: Journal,
        connection: u64,
        peer: SocketAddr,
        client: SocketAddr,
        clock: Clock,
        faults: Faults,
    ) -> Self {
        Self { journal, connection, peer, client, clock, faults }
    }

    pub(super) fn options(&self, frame: &Frame) -> Entered {
        self.enter(self.entry(frame.stream, Kind::Options))
    }

    pub(super) fn startup(&self, frame: &Frame, options: &[(&str, &str)]) -> Entered {
        let options: Vec<String> = options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let statement = Some(options.join(", ").into());
        self.enter(Received { statement, ..self.entry(frame.stream, Kind::Startup) })
    }

    /// `what` is all that is written down: the answer itself is a secret.
    pub(super) fn auth_response(&self, frame: &Frame, what: &str) -> Entered {
        let statement = Some(what.into());
        self.enter(Received { statement, ..self.entry(frame.stream, Kind::AuthResponse) })
    }

    pub(super) fn register(&self, frame: &Frame, events: &[&str]) -> Entered {
        let statement = Some(events.join(", ").into());
        self.enter(Received { statement, ..self.entry(frame.stream, Kind::Register) })
    }

    pub(super) fn statement(&self, stream: i16, request: &Request, prepared: &Prepared) -> Entered {
        let text_of = |id: &[u8]| prepared.get(id).map(|facts| Arc::clone(&facts.text));
        let with = |kind: Kind, statement: Option<Arc<str>>, parameters: &Parameters| Received {
            statement,
            consistency: Some(parameters.consistency),
            serial_consistency: parameters.serial_consistency,
            page_size: parameters.page_size,
            timestamp: parameters.timestamp,
            ..self.entry(stream, kind)
        };
        self.enter(match request {
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

    fn enter(&self, received: Received) -> Entered {
        let fault = self.faults.strike(&received);
        let number = self.journal.receive(Received { fault: fault.clone(), ..received });
        Entered { number, fault }
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
