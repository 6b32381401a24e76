//! SELECT.

use super::relation::{relations, target};
use super::term::TermContext;
use super::term::{integer, term};
use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{Limit, Order, Ordering, Select, Selection, Selector};

pub(super) fn select(parser: &mut Parser<'_>) -> Parsed<Select> {
    let start = parser.expect_word("SELECT")?;
    let json = if begins_selection(parser, "JSON") { parser.accept_word("JSON") } else { None };
    let distinct = if begins_selection(parser, "DISTINCT") { parser.accept_word("DISTINCT") } else { None };
    let selection = if parser.kind() == TokenKind::Star {
        Selection::All(parser.advance())
    } else {
        Selection::Selectors(parser.list_of(selector)?)
    };
    parser.expect_word("FROM")?;
    let table = parser.qualified_name("a table")?;
    let relations = if parser.accept_word("WHERE").is_some() { relations(parser)? } else { Vec::new() };
    let group_by = if parser.accept_words(&["GROUP", "BY"]).is_some() {
        parser.list_of(|parser| term(parser, TermContext::Selector))?
    } else {
        Vec::new()
    };
    let order_by = if parser.accept_words(&["ORDER", "BY"]).is_some() { parser.list_of(ordering)? } else { Vec::new() };
    let per_partition_limit = limit(parser, &["PER", "PARTITION", "LIMIT"])?;
    let limit = limit(parser, &["LIMIT"])?;
    let allow_filtering = parser.accept_words(&["ALLOW", "FILTERING"]);
    let span = parser.since(start);
    Ok(Select {
        span,
        json,
        distinct,
        selection,
        table,
        relations,
        group_by,
        order_by,
        per_partition_limit,
        limit,
        allow_filtering,
    })
}

/// Whether `word` at the current position is a keyword and not a column of that name.
fn begins_selection(parser: &Parser<'_>, word: &str) -> bool {
    let follows = match parser.kind_at(1) {
        TokenKind::Word => !parser.is_word_at(1, "FROM") && !parser.is_word_at(1, "AS"),
        TokenKind::QuotedName | TokenKind::Star | TokenKind::OpenBrace => true,
        TokenKind::String
        | TokenKind::DollarString
        | TokenKind::Integer
        | TokenKind::Float
        | TokenKind::Uuid
        | TokenKind::Blob
        | TokenKind::Duration
        | TokenKind::Question
        | TokenKind::Colon => true,
        _ => false,
    };
    parser.is_word(word) && follows
}

fn selector(parser: &mut Parser<'_>) -> Parsed<Selector> {
    let term = term(parser, TermContext::Selector)?;
    let alias = if parser.accept_word("AS").is_some() { Some(parser.name("an alias")?) } else { None };
    Ok(Selector { term, alias })
}

fn ordering(parser: &mut Parser<'_>) -> Parsed<Ordering> {
    let start = parser.span();
    let target = target(parser, "a column")?;
    let order = order(parser);
    Ok(Ordering { target, order, span: parser.since(start) })
}

pub(super) fn order(parser: &mut Parser<'_>) -> Order {
    if parser.accept_word("DESC").is_some() {
        return Order::Descending;
    }
    parser.accept_word("ASC");
    Order::Ascending
}

fn limit(parser: &mut Parser<'_>, words: &[&str]) -> Parsed<Option<Limit>> {
    let Some(start) = parser.accept_words(words) else { return Ok(None) };
    let rows = integer(parser)?;
    Ok(Some(Limit { rows, span: parser.since(start) }))
}
