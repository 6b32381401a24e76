//! SELECT.

use super::relation::{parse_relations, parse_target};
use super::term::TermContext;
use super::term::{parse_integer, parse_term};
use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{Limit, Ordering, Select, Selection, Selector, SortOrder};

pub(super) fn parse_select(parser: &mut Parser<'_>) -> Parsed<Select> {
    let start = parser.expect_word("SELECT")?;
    let json = if begins_selection(parser, "JSON") { parser.accept_word("JSON") } else { None };
    let distinct = if begins_selection(parser, "DISTINCT") { parser.accept_word("DISTINCT") } else { None };
    let selection = if parser.kind() == TokenKind::Star {
        Selection::All(parser.advance())
    } else {
        Selection::Selectors(parser.parse_list(parse_selector)?)
    };
    parser.expect_word("FROM")?;
    let table = parser.parse_qualified_name("a table")?;
    let relations = if parser.accept_word("WHERE").is_some() { parse_relations(parser)? } else { Vec::new() };
    let group_by = if parser.accept_words(&["GROUP", "BY"]).is_some() {
        parser.parse_list(|parser| parse_term(parser, TermContext::Selector))?
    } else {
        Vec::new()
    };
    let order_by =
        if parser.accept_words(&["ORDER", "BY"]).is_some() { parser.parse_list(parse_ordering)? } else { Vec::new() };
    let per_partition_limit = parse_limit(parser, &["PER", "PARTITION", "LIMIT"])?;
    let limit = parse_limit(parser, &["LIMIT"])?;
    let allow_filtering = parser.accept_words(&["ALLOW", "FILTERING"]);
    let span = parser.span_from(start);
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

fn parse_selector(parser: &mut Parser<'_>) -> Parsed<Selector> {
    let term = parse_term(parser, TermContext::Selector)?;
    let alias = if parser.accept_word("AS").is_some() { Some(parser.parse_name("an alias")?) } else { None };
    Ok(Selector { term, alias })
}

fn parse_ordering(parser: &mut Parser<'_>) -> Parsed<Ordering> {
    let start = parser.span();
    let target = parse_target(parser, "a column")?;
    let order = parse_order(parser);
    Ok(Ordering { target, order, span: parser.span_from(start) })
}

pub(super) fn parse_order(parser: &mut Parser<'_>) -> SortOrder {
    if parser.accept_word("DESC").is_some() {
        return SortOrder::Descending;
    }
    parser.accept_word("ASC");
    SortOrder::Ascending
}

fn parse_limit(parser: &mut Parser<'_>, words: &[&str]) -> Parsed<Option<Limit>> {
    let Some(start) = parser.accept_words(words) else { return Ok(None) };
    let rows = parse_integer(parser)?;
    Ok(Some(Limit { rows, span: parser.span_from(start) }))
}
