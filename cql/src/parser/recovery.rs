//! Going on after an error inside a statement, so that it does not hide the next.

use super::{Parsed, Parser};
use crate::SyntaxError;
use crate::lexer::{Token, TokenKind};

impl Parser<'_> {
    /// Keeps the error and goes on where a script is read; otherwise gives it back.
    pub(super) fn recover(&mut self, error: SyntaxError) -> Parsed<()> {
        match &mut self.recovered {
            Some(errors) => {
                errors.push(error);
                Ok(())
            }
            None => Err(error),
        }
    }

    pub(super) fn recovers(&self) -> bool {
        self.recovered.is_some()
    }

    pub(super) fn at_end_of_statement(&self) -> bool {
        matches!(self.kind(), TokenKind::Semicolon | TokenKind::End) || self.begins_statement()
    }

    /// Whether the words here begin a statement and can stand nowhere inside one of those that are read to their end.
    pub(super) fn begins_statement(&self) -> bool {
        let token = self.token(0);
        let is_one_of = |token: Token, words: &[&str]| {
            token.kind == TokenKind::Word
                && words.iter().any(|word| word.eq_ignore_ascii_case(self.slice(token.span())))
        };
        if is_one_of(token, &["CREATE", "ALTER", "DROP"]) {
            return is_one_of(self.token(1), DEFINED);
        }
        is_one_of(token, BEGINNINGS) || (is_one_of(token, &["RESTORE"]) && is_one_of(self.token(1), &["TABLE"]))
    }

    /// Goes from an item of a list in parentheses, which could not be read, to what ends it.
    pub(super) fn skip_item(&mut self, from: usize) {
        self.at = from;
        let (mut parentheses, mut angles) = (0_usize, 0_usize);
        while !self.at_end_of_statement() && !self.is_word("WITH") {
            match self.kind() {
                TokenKind::OpenParenthesis => parentheses += 1,
                TokenKind::CloseParenthesis if parentheses == 0 => return,
                TokenKind::CloseParenthesis => parentheses -= 1,
                TokenKind::Less => angles += 1,
                TokenKind::Greater => angles = angles.saturating_sub(1),
                TokenKind::Comma if parentheses == 0 && (angles == 0 || self.begins_column(1)) => return,
                _ => {}
            }
            self.advance();
        }
    }

    /// Whether a column with its type or a PRIMARY KEY begins here: what comes after the comma inside `map<text, int>` does
    /// not look like one.
    pub(super) fn begins_column(&self, ahead: usize) -> bool {
        let key = self.is_word_at(ahead, "PRIMARY") && self.is_word_at(ahead + 1, "KEY");
        let word = matches!(self.kind_at(ahead + 1), TokenKind::Word | TokenKind::QuotedName | TokenKind::String);
        key || (word && self.is_name_at(ahead))
    }

    /// Goes from inside an option that could not be read to the AND before the next, which stands inside no value.
    pub(super) fn skip_option(&mut self) {
        while !self.at_end_of_statement() && !self.is_word("AND") {
            self.advance();
        }
    }

    pub(super) fn begins_option(&self) -> bool {
        (self.is_name_at(0) && self.kind_at(1) == TokenKind::Equal) || self.are_words(&["CLUSTERING", "ORDER", "BY"])
    }
}

const BEGINNINGS: &[&str] = &["BEGIN", "DELETE", "INSERT", "SELECT", "TRUNCATE", "UPDATE", "USE"];

/// What CREATE, ALTER and DROP are followed by.
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
