//! Error recovery inside a statement, so that one error does not hide the next.

use super::{Parsed, Parser};
use crate::SyntaxError;
use crate::lexer::{Token, TokenKind};

/// Records the error and continues if a script is read; otherwise returns the error.
pub(super) fn recover(parser: &mut Parser<'_>, error: SyntaxError) -> Parsed<()> {
    match &mut parser.recovered {
        Some(errors) => {
            errors.push(error);
            Ok(())
        }
        None => Err(error),
    }
}

pub(super) fn recovers(parser: &Parser<'_>) -> bool {
    parser.recovered.is_some()
}

pub(super) fn at_end_of_statement(parser: &Parser<'_>) -> bool {
    matches!(parser.kind(), TokenKind::Semicolon | TokenKind::End) || begins_statement(parser)
}

/// Whether the next words begin a statement and cannot continue the statement before them.
pub(super) fn begins_statement(parser: &Parser<'_>) -> bool {
    let token = parser.token(0);
    let is_one_of = |token: Token, words: &[&str]| {
        token.kind == TokenKind::Word && words.iter().any(|word| word.eq_ignore_ascii_case(parser.slice(token.span())))
    };
    if is_one_of(token, &["CREATE", "ALTER", "DROP"]) {
        return is_one_of(parser.token(1), DEFINED);
    }
    is_one_of(token, BEGINNINGS) || (is_one_of(token, &["RESTORE"]) && is_one_of(parser.token(1), &["TABLE"]))
}

/// Skips an item of a parenthesised list that cannot be parsed, up to the token that ends the item.
pub(super) fn skip_item(parser: &mut Parser<'_>, from: usize) {
    parser.at = from;
    let (mut parentheses, mut angles) = (0_usize, 0_usize);
    while !at_end_of_statement(parser) && !parser.is_word("WITH") {
        match parser.kind() {
            TokenKind::OpenParenthesis => parentheses += 1,
            TokenKind::CloseParenthesis if parentheses == 0 => return,
            TokenKind::CloseParenthesis => parentheses -= 1,
            TokenKind::Less => angles += 1,
            TokenKind::Greater => angles = angles.saturating_sub(1),
            TokenKind::Comma if parentheses == 0 && (angles == 0 || begins_column(parser, 1)) => return,
            _ => {}
        }
        parser.advance();
    }
}

/// Whether a column with its type, or a PRIMARY KEY, begins `ahead` tokens from here. No column begins after the comma
/// inside `map<text, int>`.
pub(super) fn begins_column(parser: &Parser<'_>, ahead: usize) -> bool {
    let key = parser.is_word_at(ahead, "PRIMARY") && parser.is_word_at(ahead + 1, "KEY");
    let word = matches!(parser.kind_at(ahead + 1), TokenKind::Word | TokenKind::QuotedName | TokenKind::String);
    key || (word && parser.is_name_at(ahead))
}

/// Skips the rest of an option that cannot be parsed, up to the AND before the next option. No value contains AND.
pub(super) fn skip_option(parser: &mut Parser<'_>) {
    while !at_end_of_statement(parser) && !parser.is_word("AND") {
        parser.advance();
    }
}

pub(super) fn begins_option(parser: &Parser<'_>) -> bool {
    (parser.is_name_at(0) && parser.kind_at(1) == TokenKind::Equal) || parser.are_words(&["CLUSTERING", "ORDER", "BY"])
}

const BEGINNINGS: &[&str] = &["BEGIN", "DELETE", "INSERT", "SELECT", "TRUNCATE", "UPDATE", "USE"];

/// The words that follow CREATE, ALTER and DROP.
const DEFINED: &[&str] = &[
    "AGGREGATE",
    "COLUMNFAMILY",
    "CUSTOM",
    "FUNCTION",
    "INDEX",
    "KEYSPACE",
    "MATERIALIZED",
    "OR",
    "ROLE",
    "SCHEMA",
    "TABLE",
    "TRIGGER",
    "TYPE",
    "USER",
];
