//! Statements of Cassandra that Keyspaces lacks, known by their first words.

use super::{Parsed, Parser};
use crate::QualifiedName;
use crate::lexer::TokenKind;
use crate::statement::{Other, OtherKind};

impl Parser<'_> {
    /// The statement here, to its `;` or to the end of the text, if it is one of these.
    pub(super) fn other(&mut self) -> Parsed<Option<Other>> {
        let Some(kind) = OtherKind::ALL.iter().copied().find(|kind| self.begins_with(kind.name())) else {
            return Ok(None);
        };
        let start = self.span();
        let tables = self.tables_of_other(kind);
        let mut text = String::new();
        while !matches!(self.kind(), TokenKind::Semicolon | TokenKind::End) && (text.is_empty() || !self.ends_other()) {
            if self.is_no_token() {
                return Err(self.unexpected("the end of the statement"));
            }
            let span = self.advance();
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.slice(span));
        }
        Ok(Some(Other { span: self.since(start), kind, tables, text }))
    }

    /// Whether a definition begins here; the words of other statements can stand inside, as in `GRANT SELECT`.
    fn ends_other(&self) -> bool {
        self.recovers() && self.is_word("CREATE") && self.begins_statement()
    }

    fn begins_with(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(ahead, word)| self.is_word_at(ahead, word))
    }

    fn is_no_token(&self) -> bool {
        matches!(
            self.kind(),
            TokenKind::Stray
                | TokenKind::EmptyName
                | TokenKind::TooMany
                | TokenKind::UnterminatedComment
                | TokenKind::UnterminatedName
                | TokenKind::UnterminatedString
        )
    }

    fn tables_of_other(&mut self, kind: OtherKind) -> Vec<QualifiedName> {
        let before = self.at;
        let word = match kind {
            OtherKind::Truncate => Some("TRUNCATE"),
            OtherKind::CreateIndex
            | OtherKind::CreateCustomIndex
            | OtherKind::CreateTrigger
            | OtherKind::DropTrigger => Some("ON"),
            OtherKind::CreateMaterializedView => Some("FROM"),
            _ => None,
        };
        let mut tables = Vec::new();
        while let Some(word) = word
            && !matches!(self.kind(), TokenKind::Semicolon | TokenKind::End)
        {
            if self.accept_word(word).is_some() {
                if kind == OtherKind::Truncate && (self.is_word("TABLE") || self.is_word("COLUMNFAMILY")) {
                    self.advance();
                }
                tables.extend(self.qualified_name("a table").ok());
                break;
            }
            self.advance();
        }
        self.at = before;
        tables
    }
}
