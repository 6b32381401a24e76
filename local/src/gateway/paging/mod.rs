//! Pages as the service cuts them: after 1 MB of data, and `PAGE SIZE` counts the rows that were read
//! (DG:paginating-results).
//!
//! Cassandra is asked for a page in small parts, because it cuts by number of rows alone and cannot hold many large ones.

mod filter;
mod limit;
mod part;
mod position;

use bytes::{Bytes, BytesMut};

use super::analyse::Checks;
use super::bound::Bound;
use super::prepared::Facts;
use super::statement::{Answer, Statement, came_of};
use crate::names::system_tables;
use crate::protocol::request::{self, Execute, Parameters, Query};
use crate::protocol::{Frame, Head, Opcode, Refusal, Rows, error_code, error_of, metadata, not_emulated};
use crate::upstream::lost;
use limit::Limit;
use part::{PAGE, PART, Sizes};
use position::{BEGINNING, Position};

/// How many rows Cassandra is asked for at once by all connections together: each may have 1 MB, and Cassandra has a heap
/// of 512 MB.
pub(super) const ROWS_AT_ONCE: u32 = 32;

/// A SELECT as a client sent it: how it is asked for again with another page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    /// With the text for Cassandra.
    Query(&'a Query, &'a str),
    Execute(&'a Execute),
}

impl Asked<'_> {
    pub(super) fn parameters(&self) -> &Parameters {
        match self {
            Self::Query(query, _) => &query.parameters,
            Self::Execute(execute) => &execute.parameters,
        }
    }

    /// The body of the request, with this timestamp.
    pub(super) fn body(&self, timestamp: Option<i64>) -> Bytes {
        match self {
            Self::Query(query, text) => query.write(text, timestamp),
            Self::Execute(execute) => execute.write(timestamp),
        }
    }

    fn page(&self, stream: i16, rows: usize, state: Option<Bytes>) -> Frame {
        let parameters = self.parameters().for_page(rows, state);
        match self {
            Self::Query(_, text) => Frame::new(stream, Opcode::Query, request::query(text, &parameters)),
            Self::Execute(execute) => Frame::new(stream, Opcode::Execute, execute.write_with(&parameters, None)),
        }
    }
}

/// One page, put together.
#[derive(Debug)]
struct Page {
    head: Head,
    count: usize,
    content: BytesMut,
    /// Cassandra's.
    state: Option<Bytes>,
    largest: usize,
}

/// A page, or Cassandra's answer where it is no rows.
type Read<T> = Result<T, Frame>;

impl Statement<'_> {
    /// One page of a SELECT.
    /// Its second value is how many bytes its rows have.
    pub(super) async fn read(&self, frame: Frame, facts: &Facts, asked: Asked<'_>) -> Result<(Answer, usize), Refusal> {
        let stream = frame.stream;
        let share = self.answers.take(1).await;
        if facts.tables.iter().any(|table| system_tables::is_system(&table.keyspace)) {
            let (answer, outcome) = self.forward(frame.with_body(asked.body(None))).await?;
            return Ok(((answer.holding(share), outcome), 0));
        }
        let Some(from) = Position::read(asked.parameters().paging_state()) else {
            return Err(Refusal {
                code: error_code::PROTOCOL_ERROR,
                // Cassandra's own words.
                text: "Invalid value for the paging state".into(),
            });
        };
        let read = match self.filtered(stream, facts, asked, &from).await? {
            Some(read) => read,
            None => {
                let limit = facts.limit(&asked);
                let page = |rows: usize, state: Option<Bytes>| {
                    let rows = if state.is_some() { limit.paged(rows) } else { rows };
                    asked.page(stream, rows, state)
                };
                self.joined(&from, rows_wanted(&asked), page).await?.map(|page| (page, None))
            }
        };
        let bytes = read.as_ref().map_or(0, |(page, _)| page.content.len());
        let answer = match read {
            Ok((page, _)) if self.empty_page => {
                let state = asked.parameters().paging_state().map_or(&BEGINNING[..], |state| state);
                let body = page.head.body(0, Some(state)).freeze();
                Ok(came_of(self.restored(Frame::new(stream, Opcode::Result, body))?.holding(share)))
            }
            Ok((page, left)) => Ok(came_of(self.answer_with(stream, page, left)?.holding(share))),
            Err(answer) => {
                let answer = self.restored(answer)?;
                match error_of(&answer) {
                    Some((_, text)) if text.starts_with("Cannot page queries with both ORDER BY and a IN") => {
                        Err(not_emulated("ORDER BY with IN on the partition key"))
                    }
                    _ => Ok(came_of(answer)),
                }
            }
        };
        Ok((answer?, bytes))
    }

    /// Asks for parts until there is a page: so many rows, or 1 MB of them, or all that there are.
    async fn joined(
        &self,
        from: &Position,
        wanted: usize,
        ask: impl Fn(usize, Option<Bytes>) -> Frame,
    ) -> Result<Read<Page>, Refusal> {
        let mut sizes = Sizes::new(from.largest);
        let mut state = from.state.clone();
        let mut page: Option<Page> = None;
        loop {
            let (count, bytes) = page.as_ref().map_or((0, 0), |page| (page.count, page.content.len()));
            let rows = sizes.next(wanted - count, bytes);
            let answer = self.part(ask(rows, state.clone()), rows).await?;
            let part = match self.rows(&answer)? {
                Some(part) => part,
                None if rows > 1 && is_too_long(&answer) => {
                    sizes.was_unreadable();
                    continue;
                }
                None => return Ok(Err(answer)),
            };
            sizes.came(part.largest());
            if part.count > 1 && part.content.len() > PART {
                continue;
            }
            if page.as_ref().is_some_and(|page| page.head != part.head) {
                // The table was altered after the first part: all rows of a page have the same columns.
                (page, state) = (None, from.state.clone());
                continue;
            }
            state = part.state.as_ref().map(|state| Bytes::copy_from_slice(state));
            let page = page.get_or_insert_with(|| Page::new(&part.head));
            page.count += part.count;
            page.content.extend_from_slice(&part.content);
            page.largest = sizes.largest();
            page.state.clone_from(&state);
            if state.is_none() || page.count >= wanted || page.content.len() >= PAGE {
                break;
            }
        }
        page.map(Ok).ok_or_else(lost)
    }

    /// Asks for so many rows at most.
    async fn part(&self, request: Frame, rows: usize) -> Result<Frame, Refusal> {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX).min(ROWS_AT_ONCE);
        let _rows = self.shared.rows.acquire_many(rows).await.map_err(|_| lost())?;
        self.upstream.call(request).await.map_err(|_| lost())
    }

    /// The rows of an answer, if it is rows.
    fn rows(&self, answer: &Frame) -> Result<Option<Rows>, Refusal> {
        match answer.opcode {
            Opcode::Result => Rows::read(&answer.body).map_err(unreadable),
            _ => Ok(None),
        }
    }

    /// What the client gets.
    fn answer_with(&self, stream: i16, page: Page, left: Option<u32>) -> Result<Frame, Refusal> {
        let Page { head, count, content, state, largest } = page;
        let state = Position { largest, left, state }.write();
        let head = Frame::new(stream, Opcode::Result, head.body(count, state.as_deref()).freeze());
        let head = self.restored(head)?;
        let mut body = BytesMut::with_capacity(head.body.len() + content.len());
        body.extend_from_slice(&head.body);
        body.extend_from_slice(&content);
        Ok(head.with_body(body.freeze()))
    }

    pub(super) fn restored(&self, answer: Frame) -> Result<Frame, Refusal> {
        metadata::restored(answer, self.shared.schema.names()).map_err(unreadable)
    }
}

impl Page {
    fn new(head: &Head) -> Self {
        // A copy: the part's frame must not live as long as the page.
        Self { head: head.owned(), count: 0, content: BytesMut::new(), state: None, largest: 0 }
    }
}

/// As many rows as the client wants on a page; all that there are if it wants no pages.
fn rows_wanted(asked: &Asked<'_>) -> usize {
    let asked = asked.parameters().page_size.and_then(|rows| usize::try_from(rows).ok());
    asked.filter(|rows| *rows > 0).unwrap_or(usize::MAX)
}

/// Whether an answer stands for one that was too long to be read.
fn is_too_long(answer: &Frame) -> bool {
    error_of(answer).is_some_and(|(code, _)| code == error_code::SERVER_ERROR)
}

fn unreadable(malformed: impl std::fmt::Display) -> Refusal {
    Refusal {
        code: error_code::SERVER_ERROR,
        text: format!("keyspaces-local: Cassandra's answer cannot be read: {malformed}"),
    }
}

impl Facts {
    /// Whether it is a SELECT with ALLOW FILTERING and something to filter by.
    fn filters(&self) -> bool {
        matches!(self.checks, Checks::Read { filters: true, .. })
    }

    fn limit(&self, asked: &Asked<'_>) -> Limit {
        if !matches!(self.checks, Checks::Read { limited: true, .. }) {
            return Limit::Unlimited;
        }
        Limit::of(&self.tree, &Bound::new(&self.tree, &asked.parameters().values()))
    }
}
