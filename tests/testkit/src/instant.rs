//! A server that answers at once and always the same: what a client costs shows best beside one that costs nothing.
//!
//! It speaks CQL v4 over plain TCP, is one node, and knows the tables of `columns`. A read gives one row; where the
//! first bound value is a text like `5000 rows` it gives that many, in pages of the size asked for.

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

/// How late answers come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delay {
    pub by: Duration,
    /// Every answer, not only those to prepared statements over tables other than the system's.
    pub always: bool,
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener, delay: Delay) -> io::Result<()> {
    let statements = Arc::new(Statements::default());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let statements = Arc::clone(&statements);
        tokio::spawn(async move {
            // A client that goes away in the middle of a frame is no fault of the stub's.
            let _ = Connection::new(stream, statements, delay).answer_all().await;
        });
    }
}

/// What was prepared, by its id, on whatever connection.
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
    reads: OwnedReadHalf,
    writes: Arc<AsyncMutex<OwnedWriteHalf>>,
    statements: Arc<Statements>,
    delay: Delay,
}

impl Connection {
    fn new(stream: TcpStream, statements: Arc<Statements>, delay: Delay) -> Self {
        let (reads, writes) = stream.into_split();
        Self { reads, writes: Arc::new(AsyncMutex::new(writes)), statements, delay }
    }

    async fn answer_all(mut self) -> io::Result<()> {
        while let Some(request) = Request::read(&mut self.reads).await? {
            let (answer, at_once) = self.answer(&request);
            let bytes = answer.on_stream(request.stream);
            if at_once && !self.delay.always || self.delay.by.is_zero() {
                self.writes.lock().await.write_all(&bytes).await?;
            } else {
                let (writes, delay) = (Arc::clone(&self.writes), self.delay.by);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = writes.lock().await.write_all(&bytes).await;
                });
            }
        }
        Ok(())
    }

    /// The answer, and whether it comes without delay.
    fn answer(&self, request: &Request) -> (Answer, bool) {
        let answer = match request.opcode {
            opcode::OPTIONS => Answer::supported(),
            opcode::STARTUP | opcode::REGISTER => Answer::ready(),
            opcode::PREPARE => match self.statements.prepare(request.text()) {
                Some(prepared) => prepared.description(),
                None => Answer::invalid("the stub does not know this statement or one of its columns"),
            },
            opcode::QUERY => match Prepared::read(request.text()) {
                Some(statement) => statement.result(&request.parameters_of_query()),
                None => Answer::invalid("the stub does not know this statement or one of its columns"),
            },
            opcode::EXECUTE => match self.statements.get(request.prepared_id()) {
                Some(prepared) => {
                    return (prepared.result(&request.parameters_of_execute()), prepared.is_of_the_system());
                }
                None => Answer::unprepared(request.prepared_id()),
            },
            opcode::BATCH => return (Answer::void(), false),
            _ => Answer::invalid("the stub does not know this opcode"),
        };
        (answer, true)
    }
}
