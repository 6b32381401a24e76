//! Cassandra's statements that Keyspaces lacks, recognised by their first words.

use super::recovery::{begins_statement, recovers};
use super::{Parsed, Parser};
use crate::QualifiedName;
use crate::lexer::TokenKind;
use crate::statement::{UnsupportedKind, UnsupportedStatement};

/// Parses a statement that Keyspaces lacks, up to its `;` or the end of the text. Returns `None` for other statements.
pub(super) fn parse_unsupported(parser: &mut Parser<'_>) -> Parsed<Option<UnsupportedStatement>> {
    let Some(kind) = UnsupportedKind::ALL.iter().copied().find(|kind| is_at_words(parser, kind.name())) else {
        return Ok(None);
    };
    let start = parser.span();
    let tables = named_tables(parser, kind);
    let mut text = String::new();
    while !matches!(parser.kind(), TokenKind::Semicolon | TokenKind::End) && (text.is_empty() || !at_definition(parser))
    {
        if is_invalid_token(parser) {
            return Err(parser.unexpected("the end of the statement"));
        }
        let span = parser.advance();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(parser.slice(span));
    }
    Ok(Some(UnsupportedStatement { span: parser.span_from(start), kind, tables, text }))
}

/// Whether a definition begins at the current position. The first words of other statements do not count, because they
/// can be part of this statement, as in `GRANT SELECT`.
fn at_definition(parser: &Parser<'_>) -> bool {
    recovers(parser) && parser.is_word("CREATE") && begins_statement(parser)
}

fn is_at_words(parser: &Parser<'_>, words: &str) -> bool {
    words.split(' ').enumerate().all(|(ahead, word)| parser.is_word_at(ahead, word))
}

fn is_invalid_token(parser: &Parser<'_>) -> bool {
    matches!(
        parser.kind(),
        TokenKind::Stray
            | TokenKind::EmptyName
            | TokenKind::TooMany
            | TokenKind::UnterminatedComment
            | TokenKind::UnterminatedName
            | TokenKind::UnterminatedString
    )
}

fn named_tables(parser: &mut Parser<'_>, kind: UnsupportedKind) -> Vec<QualifiedName> {
    let before = parser.at;
    let word = match kind {
        UnsupportedKind::Truncate => Some("TRUNCATE"),
        UnsupportedKind::CreateIndex
        | UnsupportedKind::CreateCustomIndex
        | UnsupportedKind::CreateTrigger
        | UnsupportedKind::DropTrigger => Some("ON"),
        UnsupportedKind::CreateMaterializedView => Some("FROM"),
        _ => None,
    };
    let mut tables = Vec::new();
    while let Some(word) = word
        && !matches!(parser.kind(), TokenKind::Semicolon | TokenKind::End)
    {
        if parser.accept_word(word).is_some() {
            if kind == UnsupportedKind::Truncate && (parser.is_word("TABLE") || parser.is_word("COLUMNFAMILY")) {
                parser.advance();
            }
            tables.extend(parser.parse_qualified_name("a table").ok());
            break;
        }
        parser.advance();
    }
    parser.at = before;
    tables
}
