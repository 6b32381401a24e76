//! Pages of a SELECT that filters: `PAGE SIZE` counts the rows that were read, not those that match.
//!
//! Cassandra reads until it has a full page of matching rows. So the gateway sends two queries: one without the filter,
//! which determines the end of the page, and one for the matching rows. The page contains the matching rows before that
//! end.

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};
use keyspaces_cql::statement::{Operator, Relation, Select, Subject, Target};
use keyspaces_cql::{Span, Statement as Tree};

use super::super::answer::malformed_answer;
use super::super::data_request::SingleRequest;
use super::super::dml::DmlStatement;
use super::super::request_context::RequestContext;
use super::limit::Limit;
use super::position::Position;
use super::{Page, PageOrAnswer, read_part, read_parts, requested_rows, rows_of};
use crate::names::quoted;
use crate::protocol::request::{self, Parameters};
use crate::protocol::{Frame, Opcode, Reader, Refusal, Rows, RowsMetadata, read_values};
use crate::saturated::saturated;
use crate::statement::{BoundMarkers, StatementText};
use crate::upstream::{Column, Layout, connection_lost};

/// A page, and how many rows the LIMIT leaves after it.
pub(super) type FilteredPage = (Page, Option<u32>);

/// The three SELECTs that are sent to Cassandra for one that filters.
struct FilterQueries {
    /// All columns of the rows that are read, the primary key first.
    read: String,
    /// The primary key of the matching rows.
    matching: String,
    /// The client's SELECT without its LIMIT: Cassandra ignores the paging state of a SELECT whose LIMIT fits into one
    /// page.
    rows: String,
}

/// Reads one page of a SELECT that filters rows; `None` for other SELECTs.
pub(super) async fn read_filtered(
    context: &RequestContext<'_>,
    stream: i16,
    statement: &DmlStatement,
    request: SingleRequest<'_>,
    from: &Position,
) -> Result<Option<PageOrAnswer<FilteredPage>>, Refusal> {
    let [table] = statement.tables.as_slice() else { return Ok(None) };
    if !statement.filters() {
        return Ok(None);
    }
    let Tree::Select(select) = &*statement.tree else { return Ok(None) };
    let layout = context.layout(stream, table).await?;
    let key_relations = key_relations(select, &layout);
    if key_relations.len() == select.relations.len() || layout.partition_key.is_empty() {
        return Ok(None);
    }
    let upstream = context.shared.schema.names().qualified(table);
    let queries = FilterQueries::new(&statement.text, select, &layout, &key_relations, &upstream);

    let values = request.parameters().values();
    let bound = BoundMarkers::new(&statement.tree, &values);
    let limit = Limit::new(&statement.tree, &bound);
    if limit == Limit::Invalid || !bound.is_complete() {
        // Cassandra refuses the statement.
        return Ok(None);
    }
    let parameters = bound.parameters(key_relations.iter().flat_map(|relation| bound.markers_in(relation.span)));
    let left = from.left.or(match limit {
        Limit::Rows(rows) => Some(rows),
        Limit::Unlimited | Limit::Invalid => None,
    });

    let read = read_parts(context, from, requested_rows(request), |rows, state| {
        Frame::new(stream, Opcode::Query, request::query(&queries.read, &parameters.for_page(rows, state)))
    });
    let window = match read.await? {
        Ok(window) => window,
        Err(answer) => return Ok(Some(Err(answer))),
    };
    let keys = keys(&window, &layout);
    let parameters = bound.parameters(bound.markers_in(where_span(select)));
    let matching = match count_matching(context, stream, &queries.matching, &parameters, from, &keys).await? {
        Ok(matching) => left.map_or(matching, |left| matching.min(saturated::<usize>(left))),
        Err(answer) => return Ok(Some(Err(answer))),
    };
    let limit_markers: Vec<_> = select.limit.iter().flat_map(|limit| bound.markers_in(limit.span)).collect();
    let markers = bound.markers_in(select.span).filter(|marker| !limit_markers.contains(marker));
    let parameters = bound.parameters(markers);
    let (head, count, content) = match read_rows(context, stream, &queries.rows, &parameters, from, matching).await? {
        Ok((head, count, content)) => {
            let head = if request.parameters().skips_metadata() { head.without_columns() } else { head };
            (head, count, content)
        }
        Err(answer) => return Ok(Some(Err(answer))),
    };
    let left = left.map(|left| left.saturating_sub(saturated::<u32>(count)));
    let state = window.state.filter(|_| left != Some(0));
    Ok(Some(Ok((Page { head, count, content, state, largest: window.largest }, left))))
}

/// Counts the matching rows among those with these keys, which begin at `from`.
async fn count_matching(
    context: &RequestContext<'_>,
    stream: i16,
    text: &str,
    parameters: &Parameters,
    from: &Position,
    keys: &HashSet<Bytes>,
) -> Result<PageOrAnswer<usize>, Refusal> {
    /// Cassandra reads until it has this many matching rows, even far beyond the end of the page.
    const FIRST_ROWS: usize = 4;
    const MAX_ROWS: usize = 1000;
    let (mut matching, mut rows, mut state) = (0, FIRST_ROWS, from.state.clone());
    while !keys.is_empty() {
        let body = request::query(text, &parameters.for_page(rows, state.clone()));
        let answer = read_part(context, Frame::new(stream, Opcode::Query, body), 1).await?;
        let Some(part) = rows_of(&answer)? else { return Ok(Err(answer)) };
        let within = part.iter().take_while(|key| keys.contains(*key)).count();
        matching += within;
        state = part.state;
        if within < part.count || state.is_none() {
            break;
        }
        rows = MAX_ROWS.min(rows * 4);
    }
    Ok(Ok(matching))
}

/// Reads this many rows from `from` on, with the columns of the client's SELECT.
async fn read_rows(
    context: &RequestContext<'_>,
    stream: i16,
    text: &str,
    parameters: &Parameters,
    from: &Position,
    rows: usize,
) -> Result<PageOrAnswer<(RowsMetadata, usize, BytesMut)>, Refusal> {
    if rows > 0 {
        let body = request::query(text, &parameters.for_page(rows, from.state.clone()));
        let answer = read_part(context, Frame::new(stream, Opcode::Query, body), rows).await?;
        let Some(Rows { head, count, content, .. }) = rows_of(&answer)? else { return Ok(Err(answer)) };
        return Ok(Ok((head.owned(), count, BytesMut::from(&content[..]))));
    }
    // An empty page has the metadata of its columns, too.
    let answer = context.upstream.call(request::write_prepare(stream, text)).await.map_err(|_| connection_lost())?;
    let Some(head) = RowsMetadata::from_prepared(&answer.body).map_err(malformed_answer)? else {
        return Ok(Err(answer));
    };
    Ok(Ok((head.owned(), 0, BytesMut::new())))
}

impl FilterQueries {
    fn new(
        text: &StatementText,
        select: &Select,
        layout: &Layout,
        key_relations: &[&Relation],
        upstream: &str,
    ) -> Self {
        let names = |columns: &mut dyn Iterator<Item = &Column>| {
            columns.map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
        };
        let key_relations: Vec<_> = key_relations.iter().map(|relation| text.part(relation.span)).collect();
        let key_relations =
            if key_relations.is_empty() { String::new() } else { format!(" WHERE {}", key_relations.join(" AND ")) };
        let order = select.order_by.iter().map(|ordering| ordering.span).reduce(Span::to);
        let order = order.map_or_else(String::new, |span| format!(" ORDER BY {}", text.part(span)));
        let mut changes = vec![(select.table.span(), upstream.to_owned())];
        changes.extend(select.limit.iter().map(|limit| (limit.span, String::new())));
        Self {
            read: format!("SELECT {} FROM {upstream}{key_relations}{order}", names(&mut layout.all())),
            matching: format!(
                "SELECT {} FROM {upstream} WHERE {}{order} ALLOW FILTERING",
                names(&mut layout.key()),
                text.part(where_span(select))
            ),
            rows: text.with(&changes),
        }
    }
}

/// The primary keys of the rows of a page, as encoded bytes.
fn keys(page: &Page, layout: &Layout) -> HashSet<Bytes> {
    let (key, all) = (layout.key().count(), layout.all().count());
    let mut reader = Reader::new(&page.content);
    let mut keys = HashSet::with_capacity(page.count);
    for _ in 0..page.count {
        let Ok(of_row) = read_values(&mut reader, key) else { break };
        keys.insert(Bytes::copy_from_slice(of_row));
        if read_values(&mut reader, all - key).is_err() {
            break;
        }
    }
    keys
}

fn where_span(select: &Select) -> Span {
    select.relations.iter().map(|relation| relation.span).reduce(Span::to).unwrap_or_default()
}

/// The relations that determine which rows are read; the other relations filter these rows.
fn key_relations<'s>(select: &'s Select, layout: &Layout) -> Vec<&'s Relation> {
    let relations = &select.relations;
    let is_exact = |relation: &&Relation| matches!(relation.operator, Operator::Equal | Operator::In);
    let mut key_relations: Vec<_> =
        relations.iter().filter(|relation| matches!(relation.subject, Subject::Token(_))).collect();
    let restricts = |column: &Column, relation: &Relation| first_column(relation) == Some(&column.name);
    let exact = |column: &Column| relations.iter().filter(|relation| restricts(column, relation)).find(is_exact);
    let Some(partition) = layout.partition_key.iter().map(exact).collect::<Option<Vec<_>>>() else {
        return key_relations;
    };
    key_relations.extend(partition);
    let mut next = 0;
    while let Some(column) = layout.clustering.get(next) {
        if let Some(relation) = exact(column) {
            key_relations.push(relation);
            next += width(relation);
        } else {
            key_relations.extend(
                relations.iter().filter(|relation| restricts(column, relation) && relation.operator.is_range()),
            );
            break;
        }
    }
    key_relations.sort_by_key(|relation| relation.span);
    key_relations
}

/// The column of a relation, or the first of several.
fn first_column(relation: &Relation) -> Option<&str> {
    match &relation.subject {
        Subject::Single(Target::Column(column)) => Some(&column.text),
        Subject::Tuple(columns) => columns.first().map(|column| column.text.as_str()),
        Subject::Single(_) | Subject::Token(_) => None,
    }
}

fn width(relation: &Relation) -> usize {
    if let Subject::Tuple(columns) = &relation.subject { columns.len() } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_relations_of(relations: &str) -> String {
        let column = |name: &&str| Column::new((*name).into(), "int".into());
        let columns = |names: &[&str]| names.iter().map(column).collect::<Vec<_>>();
        let layout = Layout {
            partition_key: columns(&["a", "b"]),
            clustering: columns(&["c", "d", "e"]),
            statics: Vec::new(),
            regular: columns(&["v"]),
            ..Layout::default()
        };
        let text = format!("SELECT * FROM t WHERE {relations} ALLOW FILTERING");
        let Tree::Select(select) = keyspaces_cql::parse(&text).unwrap() else { panic!() };
        let key_relations: Vec<_> =
            key_relations(&select, &layout).into_iter().map(|relation| &text[relation.span.range()]).collect();
        key_relations.join(" & ")
    }

    #[test]
    fn relations_on_the_key_are_kept_and_filters_are_removed() {
        for (relations, key_relations) in [
            ("v = 1", ""),
            ("a = 1 AND v = 1", ""),
            ("token(a, b) > 5 AND c = 1", "token(a, b) > 5"),
            ("a = 1 AND b IN (1, 2) AND v = 1", "a = 1 & b IN (1, 2)"),
            (
                "v > 1 AND b = 1 AND a = 1 AND c = 1 AND d > 1 AND d < 5 AND e = 1",
                "b = 1 & a = 1 & c = 1 & d > 1 & d < 5",
            ),
            ("a = 1 AND b = 1 AND d = 1", "a = 1 & b = 1"),
            ("a = 1 AND b = 1 AND (c, d) = (1, 2) AND e < 1 AND v = 1", "a = 1 & b = 1 & (c, d) = (1, 2) & e < 1"),
            ("a = 1 AND b = 1 AND (c, d) > (1, 2) AND v = 1", "a = 1 & b = 1 & (c, d) > (1, 2)"),
        ] {
            assert_eq!(key_relations_of(relations), key_relations, "{relations}");
        }
    }
}
