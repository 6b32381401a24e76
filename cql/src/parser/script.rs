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
    Parser::new(text, &tokens(text)).script()
}

impl Parser<'_> {
    pub(super) fn script(&mut self) -> Vec<Result<Statement, SyntaxError>> {
        let mut statements = Vec::new();
        loop {
            while self.accept(TokenKind::Semicolon).is_some() {}
            if self.kind() == TokenKind::End {
                return statements;
            }
            let start = self.at;
            let mut parsed = self.statement();
            if parsed.is_ok() && !matches!(self.kind(), TokenKind::Semicolon | TokenKind::End) {
                parsed = Err(self.unexpected("';' or the end of the text"));
            }
            if parsed.is_err() {
                self.depth = 0;
                self.skip_statement(start);
            }
            statements.push(parsed);
        }
    }

    /// Goes to the end of a statement that began at `start` and could not be read.
    fn skip_statement(&mut self, start: usize) {
        let failed_at = self.at;
        self.at = start;
        if self.accept_word("BEGIN").is_some() {
            while self.kind() != TokenKind::End && !self.is_word("BEGIN") {
                if self.accept_words(&["APPLY", "BATCH"]).is_some() {
                    return self.skip_to_semicolon();
                }
                self.advance();
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
