//! Injecting faults into requests and their answers.

use super::answer::Answer;
use super::connection_handle::ConnectionHandle;
use crate::fault::{Effect, Injected, Moment, error_body, garbage};
use crate::journal::{ConnectionJournal, JournalEntry, Outcome};
use crate::protocol::{Frame, FrameFault, Opcode};

/// Executes a connection's requests, with the faults that strike them.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) journal: ConnectionJournal,
    pub(super) connection: ConnectionHandle,
}

impl Exchange {
    /// Executes a request as far as its fault allows, records the outcome, and returns the frame for the client.
    pub(super) async fn run(
        &self,
        entry: &JournalEntry,
        stream: i16,
        work: impl Future<Output = Answer>,
    ) -> Option<Frame> {
        let Some(fault) = &entry.fault else {
            let (answer, outcome) = work.await;
            self.journal.record_outcome(entry, outcome);
            return Some(answer);
        };
        match inject_before(fault, stream, &self.connection).await {
            Interception::Proceed => {
                let (answer, outcome) = work.await;
                self.journal.record_outcome(entry, outcome);
                inject_after(fault, answer, &self.connection).await
            }
            Interception::Prevent(answer, outcome) => {
                self.journal.record_outcome(entry, outcome);
                answer
            }
        }
    }
}

/// Whether a request is executed despite its fault.
#[derive(Debug)]
enum Interception {
    Proceed,
    /// The request is not executed, and this is its answer, if it gets one.
    Prevent(Option<Frame>, Outcome),
}

/// The effect of a fault before the request is executed.
async fn inject_before(fault: &Injected, stream: i16, connection: &ConnectionHandle) -> Interception {
    match &fault.effect {
        Effect::Delay(Moment::Before, delay) => tokio::time::sleep(*delay).await,
        Effect::Close(Moment::Before) => connection.close(),
        Effect::Silence(Moment::Before) => connection.silence(),
        Effect::CloseAll => connection.close_all(),
        Effect::Restart(down) => connection.restart(*down),
        Effect::Error { moment: Moment::Before, code, text } => {
            let outcome = Outcome::Refused { code: *code, text: text.as_str().into() };
            return Interception::Prevent(Some(error(stream, *code, text)), outcome);
        }
        Effect::Drop(_)
        | Effect::Delay(Moment::After, _)
        | Effect::Close(Moment::After)
        | Effect::Silence(Moment::After)
        | Effect::Error { moment: Moment::After, .. }
        | Effect::Garbage
        | Effect::Truncated
        | Effect::ByteByByte
        | Effect::EmptyPage => {}
    }
    if fault.effect.prevents_execution() {
        Interception::Prevent(None, Outcome::Prevented)
    } else {
        Interception::Proceed
    }
}

/// The effect of a fault on the answer.
async fn inject_after(fault: &Injected, answer: Frame, connection: &ConnectionHandle) -> Option<Frame> {
    match &fault.effect {
        Effect::Drop(_) => None,
        Effect::Close(_) => {
            connection.close();
            None
        }
        Effect::Silence(_) => {
            connection.silence();
            None
        }
        Effect::Garbage => Some(answer.with_fault(FrameFault::Garbage(garbage(fault.seed)))),
        Effect::Truncated => Some(answer.with_fault(FrameFault::Truncated)),
        Effect::ByteByByte => Some(answer.with_fault(FrameFault::ByteByByte)),
        Effect::Error { code, text, .. } => Some(error(answer.stream, *code, text)),
        Effect::Delay(Moment::After, delay) => {
            tokio::time::sleep(*delay).await;
            Some(answer)
        }
        Effect::Delay(Moment::Before, _) | Effect::EmptyPage | Effect::CloseAll | Effect::Restart(_) => Some(answer),
    }
}

fn error(stream: i16, code: i32, text: &str) -> Frame {
    Frame::new(stream, Opcode::Error, error_body(code, text))
}
