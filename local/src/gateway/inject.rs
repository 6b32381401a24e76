//! Injecting faults into requests and their answers.

use super::answer::Answer;
use super::link::Link;
use crate::fault::{Effect, Injected, Moment, error_body, garbage};
use crate::journal::{JournalEntry, Outcome, Record};
use crate::protocol::{Damage, Frame, Opcode};

/// Carries out a connection's requests, with the faults that strike them.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) record: Record,
    pub(super) link: Link,
}

impl Exchange {
    /// Carries out a request as far as its fault allows, records the outcome, and gives the frame for the client.
    pub(super) async fn run(
        &self,
        entered: &JournalEntry,
        stream: i16,
        work: impl Future<Output = Answer>,
    ) -> Option<Frame> {
        let Some(fault) = &entered.fault else {
            let (answer, outcome) = work.await;
            self.record.settle(entered, outcome);
            return Some(answer);
        };
        match before(fault, stream, &self.link).await {
            Before::CarryOut => {
                let (answer, outcome) = work.await;
                self.record.settle(entered, outcome);
                after(fault, answer, &self.link).await
            }
            Before::Prevent(answer, outcome) => {
                self.record.settle(entered, outcome);
                answer
            }
        }
    }
}

/// Whether a request is carried out.
#[derive(Debug)]
enum Before {
    /// It is carried out.
    CarryOut,
    /// It is not carried out, and this is its answer, if any.
    Prevent(Option<Frame>, Outcome),
}

/// The effect of a fault before the request is carried out.
async fn before(fault: &Injected, stream: i16, link: &Link) -> Before {
    match &fault.effect {
        Effect::Delay(Moment::Before, by) => tokio::time::sleep(*by).await,
        Effect::Drop(Moment::Before) => {}
        Effect::Close(Moment::Before) => link.close(),
        Effect::Silence(Moment::Before) => link.silence(),
        Effect::CloseAll => link.close_all(),
        Effect::Restart(down) => link.restart(*down),
        Effect::Error { moment: Moment::Before, code, text } => {
            let outcome = Outcome::Refused { code: *code, text: text.as_str().into() };
            return Before::Prevent(Some(error(stream, *code, text)), outcome);
        }
        _ => {}
    }
    if fault.effect.keeps_from_being_carried_out() {
        Before::Prevent(None, Outcome::Prevented)
    } else {
        Before::CarryOut
    }
}

/// The effect of a fault on the answer.
async fn after(fault: &Injected, answer: Frame, link: &Link) -> Option<Frame> {
    match &fault.effect {
        Effect::Drop(_) => None,
        Effect::Close(_) => {
            link.close();
            None
        }
        Effect::Silence(_) => {
            link.silence();
            None
        }
        Effect::Garbage => Some(answer.damaged(Damage::Garbage(garbage(fault.seed)))),
        Effect::Truncated => Some(answer.damaged(Damage::Truncated)),
        Effect::ByteByByte => Some(answer.damaged(Damage::ByteByByte)),
        Effect::Error { code, text, .. } => Some(error(answer.stream, *code, text)),
        Effect::Delay(Moment::After, by) => {
            tokio::time::sleep(*by).await;
            Some(answer)
        }
        Effect::Delay(..) | Effect::EmptyPage | Effect::CloseAll | Effect::Restart(_) => Some(answer),
    }
}

fn error(stream: i16, code: i32, text: &str) -> Frame {
    Frame::new(stream, Opcode::Error, error_body(code, text))
}
