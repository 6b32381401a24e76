//! Many statements in one text.

use super::Parser;
use crate::lexer::{TokenKind, tokens};
use crate::{MAX_TEXT_BYTES, Span, Statement, SyntaxError, SyntaxProblem};

/// Reads all statements of `text`, separated by `;`. A statement that cannot be read gives its error, and reading goes on
/// after its `;` (after its `APPLY BATCH;` where it begins a batch), so that it does not hide the next.
#[must_use]
pub fn parse_script(text: &str) -> Vec<Result<Statement, SyntaxError>> {
    if text.len() > MAX_TEXT_BYTES {
        let span = Span::new(0, 0);
        return vec![Err(SyntaxError { span, position: span.position(text), problem: SyntaxProblem::TooLong })];
    }
    let tokens = tokens(text);
    let mut parser = Parser::new(text, &tokens);
    let mut statements = Vec::new();
    loop {
        while parser.accept(TokenKind::Semicolon).is_some() {}
        if parser.kind() == TokenKind::End {
            return statements;
        }
        let start = parser.at;
        let mut parsed = parser.statement();
        if parsed.is_ok() && !matches!(parser.kind(), TokenKind::Semicolon | TokenKind::End) {
            parsed = Err(parser.unexpected("';' or the end of the text"));
        }
        if parsed.is_err() {
            parser.depth = 0;
            parser.skip_statement(start);
        }
        statements.push(parsed);
    }
}

impl Parser<'_> {
    /// Goes to the end of a statement that began at `start` and could not be read.
    fn skip_statement(&mut self, start: usize) {
        let failed_at = self.at;
        self.at = start;
        if self.is_word("BEGIN") {
            while self.kind() != TokenKind::End {
                if self.accept_words(&["APPLY", "BATCH"]).is_some() {
                    return self.skip_to_semicolon();
                }
                let ended = self.accept(TokenKind::Semicolon).is_some();
                if ended && !["INSERT", "UPDATE", "DELETE", "APPLY"].iter().any(|word| self.is_word(word)) {
                    break;
                }
                if !ended {
                    self.advance();
                }
            }
        }
        self.at = failed_at.max(start);
        self.skip_to_semicolon();
    }

    fn skip_to_semicolon(&mut self) {
        while !matches!(self.kind(), TokenKind::Semicolon | TokenKind::End) {
            self.advance();
        }
    }
}
