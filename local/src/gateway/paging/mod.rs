//! Pages as the service cuts them: after 1 MB of data, and `PAGE SIZE` counts the rows that were read
//! (DG:paginating-results).
//!
//! A page is read from Cassandra in small parts, because Cassandra limits pages only by the number of rows, and cannot
//! hold many large ones.

mod filter;
mod limit;
mod part_size;
mod position;

use bytes::{Bytes, BytesMut};

use super::answer::{Answer, from_cassandra, malformed_answer};
use super::data_request::SingleRequest;
use super::dml::DmlStatement;
use super::request_context::RequestContext;
use super::shared::ROWS_AT_ONCE;
use crate::protocol::{Frame, Opcode, Refusal, Rows, RowsMetadata, error_code, error_of, not_emulated};
use crate::saturated::saturated;
use crate::statement::BoundMarkers;
use crate::upstream::connection_lost;
use limit::Limit;
use part_size::{MAX_PAGE_BYTES, MAX_PART_BYTES, PartSize};
use position::{BEGINNING, Position};

/// A page, joined from Cassandra's parts.
#[derive(Debug)]
struct Page {
    head: RowsMetadata,
    count: usize,
    content: BytesMut,
    /// Cassandra's paging state.
    state: Option<Bytes>,
    largest: usize,
}

/// A page, or Cassandra's answer if it is not rows.
type PageOrAnswer<T> = Result<T, Frame>;

/// Reads one page of a SELECT. Returns the answer, and the number of bytes of its rows.
pub(super) async fn read(
    context: &RequestContext<'_>,
    frame: Frame,
    statement: &DmlStatement,
    request: SingleRequest<'_>,
) -> Result<(Answer, usize), Refusal> {
    let stream = frame.stream;
    let share = context.answers.take(1).await;
    if statement.has_system_table() {
        let (answer, outcome) = context.forward(frame.with_body(request.body(None))).await?;
        return Ok(((answer.holding_permit(share), outcome), 0));
    }
    let Some(from) = Position::read(request.parameters().paging_state()) else {
        return Err(Refusal {
            code: error_code::PROTOCOL_ERROR,
            // Cassandra's own text.
            text: "Invalid value for the paging state".into(),
        });
    };
    let page = match filter::read_filtered(context, stream, statement, request, &from).await? {
        Some(page) => page,
        None => {
            let limit = limit_of(statement, request);
            let request_part = |rows: usize, state: Option<Bytes>| {
                let rows = if state.is_some() { limit.later_page_size(rows) } else { rows };
                request.page(stream, rows, state)
            };
            read_parts(context, &from, requested_rows(request), request_part).await?.map(|page| (page, None))
        }
    };
    let bytes = page.as_ref().map_or(0, |(page, _)| page.content.len());
    let answer = match page {
        Ok((page, _)) if context.empty_page => {
            let state = request.parameters().paging_state().map_or(&BEGINNING[..], |state| state);
            let body = page.head.body(0, Some(state)).freeze();
            context.with_client_names(Frame::new(stream, Opcode::Result, body))?
        }
        Ok((page, left)) => page_answer(context, stream, page, left)?,
        Err(answer) => {
            let answer = context.with_client_names(answer)?;
            match error_of(&answer) {
                Some((_, text)) if text.starts_with("Cannot page queries with both ORDER BY and a IN") => {
                    return Err(not_emulated("ORDER BY with IN on the partition key"));
                }
                _ => return Ok((from_cassandra(answer), bytes)),
            }
        }
    };
    Ok((from_cassandra(answer.holding_permit(share)), bytes))
}

/// Reads parts from Cassandra until the page is complete: `requested` rows, 1 MB of rows, or all rows.
async fn read_parts(
    context: &RequestContext<'_>,
    from: &Position,
    requested: usize,
    request_part: impl Fn(usize, Option<Bytes>) -> Frame,
) -> Result<PageOrAnswer<Page>, Refusal> {
    let mut size = PartSize::new(from.largest);
    let mut state = from.state.clone();
    let mut page: Option<Page> = None;
    loop {
        let (count, bytes) = page.as_ref().map_or((0, 0), |page| (page.count, page.content.len()));
        let rows = size.next(requested - count, bytes);
        let answer = read_part(context, request_part(rows, state.clone()), rows).await?;
        let part = match rows_of(&answer)? {
            Some(part) => part,
            None if rows > 1 && is_too_long(&answer) => {
                size.record_oversized_part();
                continue;
            }
            None => return Ok(Err(answer)),
        };
        size.record_part(part.largest_row());
        if part.count > 1 && part.content.len() > MAX_PART_BYTES {
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
        page.largest = size.largest();
        page.state.clone_from(&state);
        if state.is_none() || page.count >= requested || page.content.len() >= MAX_PAGE_BYTES {
            break;
        }
    }
    page.map(Ok).ok_or_else(connection_lost)
}

/// Sends a request for at most `rows` rows, once as many permits are free.
async fn read_part(context: &RequestContext<'_>, request: Frame, rows: usize) -> Result<Frame, Refusal> {
    let rows = saturated::<u32>(rows).min(ROWS_AT_ONCE);
    let _rows = context.shared.rows.acquire_many(rows).await.map_err(|_| connection_lost())?;
    context.upstream.call(request).await.map_err(|_| connection_lost())
}

/// The rows of an answer; `None` if it is not a RESULT of kind Rows.
fn rows_of(answer: &Frame) -> Result<Option<Rows>, Refusal> {
    match answer.opcode {
        Opcode::Result => Rows::read(&answer.body).map_err(malformed_answer),
        _ => Ok(None),
    }
}

/// The frame for the client. `left` is how many rows the LIMIT leaves after this page.
fn page_answer(context: &RequestContext<'_>, stream: i16, page: Page, left: Option<u32>) -> Result<Frame, Refusal> {
    let Page { head, count, content, state, largest } = page;
    let state = Position { largest, left, state }.write();
    let head = Frame::new(stream, Opcode::Result, head.body(count, state.as_deref()).freeze());
    let head = context.with_client_names(head)?;
    let mut body = BytesMut::with_capacity(head.body.len() + content.len());
    body.extend_from_slice(&head.body);
    body.extend_from_slice(&content);
    Ok(head.with_body(body.freeze()))
}

impl Page {
    fn new(head: &RowsMetadata) -> Self {
        // A copy: the part's frame must not live as long as the page.
        Self { head: head.owned(), count: 0, content: BytesMut::new(), state: None, largest: 0 }
    }
}

/// The rows that the client requests for a page; all rows if it requests no pages.
fn requested_rows(request: SingleRequest<'_>) -> usize {
    let page_size = request.parameters().page_size.and_then(|rows| usize::try_from(rows).ok());
    page_size.filter(|rows| *rows > 0).unwrap_or(usize::MAX)
}

/// Whether an answer replaces a response that was too long to be read.
fn is_too_long(answer: &Frame) -> bool {
    error_of(answer).is_some_and(|(code, _)| code == error_code::SERVER_ERROR)
}

fn limit_of(statement: &DmlStatement, request: SingleRequest<'_>) -> Limit {
    if !statement.has_limit() {
        return Limit::Unlimited;
    }
    Limit::new(&statement.tree, &BoundMarkers::new(&statement.tree, &request.parameters().values()))
}
