//! Scripts: several statements in one text.

use super::Parser;
use super::recovery::at_end_of_statement;
use crate::lexer::{TokenKind, tokens};
use crate::{MAX_TEXT_BYTES, Span, Statement, SyntaxError, SyntaxProblem};

/// Parses all statements of `text`, separated by `;`. A statement that cannot be parsed is returned as its first error.
/// Parsing continues after its `;` (after its `APPLY BATCH;` if it begins a batch), or at words that can only begin a
/// statement, so that an error does not hide the next statement.
#[must_use]
pub fn parse_script(text: &str) -> Vec<Result<Statement, SyntaxError>> {
    let statements = read_script(text).into_iter();
    statements.map(|parsed| parsed.recovered.into_iter().next().map_or(parsed.statement, Err)).collect()
}

/// One statement of a script, as far as it could be parsed.
pub(crate) struct ScriptStatement {
    pub(crate) statement: Result<Statement, SyntaxError>,
    /// The errors before the one in `statement`. The faulty parts are missing from `statement`.
    pub(crate) recovered: Vec<SyntaxError>,
}

/// Like [`parse_script`], but with all errors of each statement and the parts that could be parsed.
pub(crate) fn read_script(text: &str) -> Vec<ScriptStatement> {
    read(text, false)
}

/// Like [`read_script`], but accepts as names the words that only Keyspaces and Cassandra 3.11 reserve.
pub(crate) fn read_cassandra_script(text: &str) -> Vec<ScriptStatement> {
    read(text, true)
}

fn read(text: &str, cassandra_dialect: bool) -> Vec<ScriptStatement> {
    if text.len() > MAX_TEXT_BYTES {
        let span = Span::new(0, 0);
        let error = SyntaxError { span, position: span.position(text), problem: SyntaxProblem::TooLong };
        return vec![ScriptStatement { statement: Err(error), recovered: Vec::new() }];
    }
    let tokens = tokens(text);
    let mut parser = Parser::new(text, &tokens);
    parser.cassandra_dialect = cassandra_dialect;
    script(&mut parser)
}

pub(super) fn script(parser: &mut Parser<'_>) -> Vec<ScriptStatement> {
    let mut statements = Vec::new();
    loop {
        while parser.accept(TokenKind::Semicolon).is_some() {}
        if parser.kind() == TokenKind::End {
            return statements;
        }
        let start = parser.at;
        parser.recovered = Some(Vec::new());
        let statement = parser.parse_statement();
        let mut recovered = parser.recovered.take().unwrap_or_default();
        if statement.is_err() {
            skip_statement(parser, start);
        } else if !matches!(parser.kind(), TokenKind::Semicolon | TokenKind::End) {
            if recovered.is_empty() {
                recovered.push(parser.unexpected("';' or the end of the text"));
            }
            skip_to_end_of_statement(parser);
        }
        statements.push(ScriptStatement { statement, recovered });
    }
}

/// Skips to the end of a statement that began at `start` and could not be parsed.
fn skip_statement(parser: &mut Parser<'_>, start: usize) {
    let failed_at = parser.at;
    parser.at = start;
    if parser.accept_word("BEGIN").is_some() {
        while parser.kind() != TokenKind::End && !parser.is_word("BEGIN") {
            if parser.accept_words(&["APPLY", "BATCH"]).is_some() {
                return skip_to_end_of_statement(parser);
            }
            parser.advance();
        }
    }
    parser.at = failed_at.max(start + 1);
    skip_to_end_of_statement(parser);
}

fn skip_to_end_of_statement(parser: &mut Parser<'_>) {
    while !at_end_of_statement(parser) {
        parser.advance();
    }
}
