//! A server that always sends the same answers at once, so that benches measure the client and not the server.
//!
//! It speaks CQL v4 over plain TCP, appears as one node, and has the tables of `columns`. A read returns one row. If its first bound
//! value is a text such as `5000 rows`, it returns that many, in pages of the requested size.

mod columns;
mod statement;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex as AsyncMutex;

use self::statement::Prepared;
use crate::frame::{Answer, Request, opcode};

/// The delay of answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delay {
    pub duration: Duration,
    /// Whether all answers are delayed. If not, only answers to batches and to prepared statements over user tables are.
    pub applies_to_all: bool,
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener, delay: Delay) -> io::Result<()> {
    let statements = Arc::new(Statements::default());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let statements = Arc::clone(&statements);
        tokio::spawn(async move {
            // A client may close the connection in the middle of a frame.
            let _ = Connection::new(stream, statements, delay).answer_all().await;
        });
    }
}

/// Prepared statements of all connections, by id.
#[derive(Default)]
struct Statements(Mutex<HashMap<Vec<u8>, Arc<Prepared>>>);

impl Statements {
    fn prepare(&self, text: &str) -> Option<Arc<Prepared>> {
        let prepared = Arc::new(Prepared::read(text)?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(all.entry(prepared.id().to_vec()).or_insert(prepared)))
    }

    fn get(&self, id: &[u8]) -> Option<Arc<Prepared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

struct Connection {
    reader: OwnedReadHalf,
    writer: Arc<AsyncMutex<OwnedWriteHalf>>,
    statements: Arc<Statements>,
    delay: Delay,
}

impl Connection {
    fn new(stream: TcpStream, statements: Arc<Statements>, delay: Delay) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader, writer: Arc::new(AsyncMutex::new(writer)), statements, delay }
    }

    async fn answer_all(mut self) -> io::Result<()> {
        while let Some(request) = Request::read(&mut self.reader).await? {
            let (answer, at_once) = self.answer(&request);
            let bytes = answer.on_stream(request.stream);
            if at_once && !self.delay.applies_to_all || self.delay.duration.is_zero() {
                self.writer.lock().await.write_all(&bytes).await?;
            } else {
                let (writer, delay) = (Arc::clone(&self.writer), self.delay.duration);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = writer.lock().await.write_all(&bytes).await;
                });
            }
        }
        Ok(())
    }

    /// The answer, and whether it may be sent without delay.
    fn answer(&self, request: &Request) -> (Answer, bool) {
        let answer = match request.opcode {
            opcode::OPTIONS => Answer::supported(),
            opcode::STARTUP | opcode::REGISTER => Answer::ready(),
            opcode::PREPARE => match self.statements.prepare(request.text()) {
                Some(prepared) => prepared.description(),
                None => Answer::invalid("the stub does not know this statement or one of its columns"),
            },
            opcode::QUERY => match Prepared::read(request.text()) {
                Some(statement) => statement.result(&request.query_parameters()),
                None => Answer::invalid("the stub does not know this statement or one of its columns"),
            },
            opcode::EXECUTE => match self.statements.get(request.prepared_id()) {
                Some(prepared) => {
                    return (prepared.result(&request.execute_parameters()), prepared.is_over_system_table());
                }
                None => Answer::unprepared(request.prepared_id()),
            },
            opcode::BATCH => return (Answer::void(), false),
            _ => Answer::invalid("the stub does not know this opcode"),
        };
        (answer, true)
    }
}
