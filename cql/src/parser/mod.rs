//! Turns tokens into the syntax tree, by recursive descent.
//!
//! Each rule looks ahead a fixed number of tokens, with one exception: a parenthesis that may hold a type is scanned to its
//! end, as long as its tokens can occur in types. No token is scanned twice this way, so parsing takes linear time.

mod cql_type;
mod cqlsh;
mod definition;
mod modification;
mod recovery;
mod relation;
mod script;
mod select;
mod term;
mod unsupported;

use std::cell::Cell;
use std::str::FromStr;

use crate::lexer::{Token, TokenKind, tokens};
use crate::reserved::{is_reserved, is_reserved_only_in_keyspaces};
use crate::statement::{CqlType, NativeType, Term};
use crate::{MAX_DEPTH, MAX_TEXT_BYTES, Name, Position, QualifiedName, Span, Statement, SyntaxError, SyntaxProblem};

pub use script::parse_script;
pub(crate) use script::{ScriptStatement, read_cassandra_script, read_script};

/// Parses one statement, with or without a `;` after it.
///
/// # Errors
///
/// `text` is not CQL that Cassandra 3.11 or Keyspaces knows, is nested more than [`MAX_DEPTH`] levels deep, or is longer
/// than [`MAX_TEXT_BYTES`] or [`MAX_TOKENS`](crate::MAX_TOKENS). The error has the problem and its place.
pub fn parse(text: &str) -> Result<Statement, SyntaxError> {
    parse_all(text, |parser| {
        let statement = parser.parse_statement()?;
        while parser.accept(TokenKind::Semicolon).is_some() {}
        Ok(statement)
    })
}

impl FromStr for CqlType {
    type Err = SyntaxError;

    /// Parses a type as CQL writes it, `frozen<list<text>>` for instance.
    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let cql_type = parse_all(text, |parser| {
            // System tables quote names by the rules of the database that wrote them, which may be Cassandra or ScyllaDB.
            parser.cassandra_dialect = true;
            cql_type::parse_cql_type(parser)
        });
        cql_type.map(|cql_type| cql_type.canonical())
    }
}

impl FromStr for Term {
    type Err = SyntaxError;

    /// Parses a value as CQL writes it, `{'a': [1, 2]}` for instance.
    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        parse_all(text, term::parse_value)
    }
}

fn parse_all<T>(text: &str, read: impl FnOnce(&mut Parser<'_>) -> Parsed<T>) -> Parsed<T> {
    if text.len() > MAX_TEXT_BYTES {
        let span = Span::new(0, 0);
        return Err(SyntaxError { span, position: span.position(text), problem: SyntaxProblem::TooLong });
    }
    let tokens = tokens(text);
    let mut parser = Parser::new(text, &tokens);
    let read = read(&mut parser)?;
    if parser.kind() == TokenKind::End { Ok(read) } else { Err(parser.unexpected("the end of the statement")) }
}

type Parsed<T> = Result<T, SyntaxError>;

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// The index of the next token. The last token is the end, and the parser never moves past it.
    at: usize,
    depth: usize,
    /// Whether the text comes from Cassandra or ScyllaDB, which reserve fewer words.
    cassandra_dialect: bool,
    /// The errors in the current statement after which parsing continued; `None` unless a script is parsed.
    recovered: Option<Vec<SyntaxError>>,
    /// The offset and position of the last error. The next position is counted from there, because a script can have many
    /// errors.
    last_error: Cell<(usize, Position)>,
    /// The number of reads of tokens and of bytes before errors, for the test that parsing takes linear time.
    #[cfg(test)]
    reads: Cell<usize>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, tokens: &'t [Token]) -> Self {
        Self {
            text,
            tokens,
            at: 0,
            depth: 0,
            cassandra_dialect: false,
            recovered: None,
            last_error: Cell::default(),
            #[cfg(test)]
            reads: Cell::new(0),
        }
    }

    fn parse_statement(&mut self) -> Parsed<Statement> {
        if let Some(unsupported) = unsupported::parse_unsupported(self)? {
            return Ok(Statement::Unsupported(unsupported));
        }
        let word =
            if self.kind() == TokenKind::Word { self.slice(self.span()).to_ascii_uppercase() } else { String::new() };
        match word.as_str() {
            "SELECT" => select::parse_select(self).map(|select| Statement::Select(Box::new(select))),
            "INSERT" => modification::parse_insert(self).map(Statement::Insert),
            "UPDATE" => modification::parse_update(self).map(Statement::Update),
            "DELETE" => modification::parse_delete(self).map(Statement::Delete),
            "BEGIN" => modification::parse_batch(self).map(Statement::Batch),
            "CREATE" | "ALTER" | "DROP" | "RESTORE" | "USE" => definition::parse_definition(self),
            _ => Err(match cqlsh::cqlsh_problem(self) {
                Some(problem) => self.error_at(self.span(), problem),
                None => self.unexpected("a statement"),
            }),
        }
    }

    fn token(&self, ahead: usize) -> Token {
        #[cfg(test)]
        self.reads.set(self.reads.get() + 1);
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> TokenKind {
        self.token(0).kind
    }

    fn kind_at(&self, ahead: usize) -> TokenKind {
        self.token(ahead).kind
    }

    fn span(&self) -> Span {
        self.token(0).span()
    }

    fn slice(&self, span: Span) -> &'t str {
        &self.text[span.range()]
    }

    /// The span from the beginning of `start` to the end of the last consumed token.
    fn span_from(&self, start: Span) -> Span {
        start.to(self.tokens[self.at.saturating_sub(1)].span())
    }

    fn advance(&mut self) -> Span {
        let span = self.span();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        span
    }

    fn accept(&mut self, kind: TokenKind) -> Option<Span> {
        (self.kind() == kind).then(|| self.advance())
    }

    fn expect(&mut self, kind: TokenKind, sign: &str) -> Parsed<Span> {
        self.accept(kind).ok_or_else(|| self.unexpected(sign))
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        let token = self.token(ahead);
        token.kind == TokenKind::Word && self.slice(token.span()).eq_ignore_ascii_case(word)
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    fn are_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.is_word_at(ahead, word))
    }

    fn accept_word(&mut self, word: &str) -> Option<Span> {
        self.is_word(word).then(|| self.advance())
    }

    /// Consumes all of the words, or none of them.
    fn accept_words(&mut self, words: &[&str]) -> Option<Span> {
        self.are_words(words).then(|| {
            let start = self.span();
            for _ in words {
                self.advance();
            }
            self.span_from(start)
        })
    }

    fn expect_word(&mut self, word: &str) -> Parsed<Span> {
        self.accept_word(word).ok_or_else(|| self.unexpected(word))
    }

    fn expect_words(&mut self, words: &[&str]) -> Parsed<Span> {
        let start = self.span();
        for word in words {
            self.expect_word(word)?;
        }
        Ok(self.span_from(start))
    }

    fn is_name_at(&self, ahead: usize) -> bool {
        let token = self.token(ahead);
        match token.kind {
            TokenKind::QuotedName => true,
            TokenKind::Word => {
                let word = self.slice(token.span());
                !is_reserved(word) || (self.cassandra_dialect && is_reserved_only_in_keyspaces(word))
            }
            _ => false,
        }
    }

    /// Parses a name; `expected` names its kind in the error.
    fn parse_name(&mut self, expected: &str) -> Parsed<Name> {
        if !self.is_name_at(0) {
            return Err(self.expected_name(expected));
        }
        let quoted = self.kind() == TokenKind::QuotedName;
        let span = self.advance();
        let mut name = self.name_in(span, quoted);
        name.quoted |= self.cassandra_dialect && is_reserved(&name.text);
        Ok(name)
    }

    fn name_in(&self, span: Span, quoted: bool) -> Name {
        let slice = self.slice(span);
        let text = if quoted { slice.trim_matches_once('"').replace("\"\"", "\"") } else { slice.to_ascii_lowercase() };
        Name { text, quoted, span }
    }

    fn parse_qualified_name(&mut self, expected: &str) -> Parsed<QualifiedName> {
        let first = self.parse_name(expected)?;
        if self.accept(TokenKind::Dot).is_none() {
            return Ok(QualifiedName { keyspace: None, name: first });
        }
        let name = self.parse_name(expected)?;
        Ok(QualifiedName { keyspace: Some(first), name })
    }

    /// Parses `item, item, …`.
    fn parse_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept(TokenKind::Comma).is_some() {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Parses `(item, item, …)`.
    fn parse_parenthesised<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect(TokenKind::OpenParenthesis, "'('")?;
        let items = self.parse_list(item)?;
        self.expect(TokenKind::CloseParenthesis, "',' or ')'")?;
        Ok(items)
    }

    /// Runs `inner` one nesting level deeper, or fails if that is deeper than [`MAX_DEPTH`].
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.error_at(self.span(), SyntaxProblem::TooDeep));
        }
        self.depth += 1;
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }

    /// The error for a token that is not the expected name.
    fn expected_name(&self, expected: &str) -> SyntaxError {
        if self.is_reserved_name() { self.reserved(self.span(), expected) } else { self.unexpected(expected) }
    }

    fn reserved(&self, span: Span, expected: &str) -> SyntaxError {
        let word = self.slice(span).to_owned();
        self.error_at(span, SyntaxProblem::Reserved { expected: expected.to_owned(), word })
    }

    /// Whether the reserved word at the current position is used as a name: the next token is one that follows a name.
    fn is_reserved_name(&self) -> bool {
        let word = self.slice(self.span());
        if self.kind() != TokenKind::Word || !is_reserved(word) {
            return false;
        }
        match self.kind_at(1) {
            TokenKind::Word => {
                let next = self.slice(self.token(1).span());
                is_type_word(next) || AFTER_A_NAME.iter().any(|after| after.eq_ignore_ascii_case(next))
            }
            TokenKind::End | TokenKind::Semicolon => {
                !BEFORE_A_NAME.iter().any(|before| before.eq_ignore_ascii_case(word))
            }
            TokenKind::Comma
            | TokenKind::CloseParenthesis
            | TokenKind::OpenParenthesis
            | TokenKind::OpenBracket
            | TokenKind::Dot
            | TokenKind::Colon
            | TokenKind::Equal
            | TokenKind::NotEqual
            | TokenKind::Less
            | TokenKind::LessOrEqual
            | TokenKind::Greater
            | TokenKind::GreaterOrEqual
            | TokenKind::PlusEqual
            | TokenKind::MinusEqual => true,
            _ => false,
        }
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let span = self.span();
        let problem = match self.kind() {
            TokenKind::UnterminatedString => SyntaxProblem::Unterminated("the string"),
            TokenKind::UnterminatedName => SyntaxProblem::Unterminated("the quoted name"),
            TokenKind::UnterminatedComment => SyntaxProblem::Unterminated("the comment"),
            TokenKind::TooMany => SyntaxProblem::TooLong,
            _ => SyntaxProblem::Unexpected { expected: expected.to_owned(), found: self.describe_token() },
        };
        self.error_at(span, problem)
    }

    fn error_at(&self, span: Span, problem: SyntaxProblem) -> SyntaxError {
        let (at, position) = self.last_error.get();
        let (at, position) = if at <= span.start { (at, position) } else { (0, Position::default()) };
        #[cfg(test)]
        self.reads.set(self.reads.get() + span.start - at);
        let position = position.after(&self.text[at..span.start]);
        self.last_error.set((span.start, position));
        SyntaxError { span, position, problem }
    }

    /// The next token in words, without the contents of literals.
    fn describe_token(&self) -> String {
        let slice = self.slice(self.span());
        match self.kind() {
            TokenKind::End => "the end of the text".to_owned(),
            TokenKind::String | TokenKind::DollarString => "a string".to_owned(),
            TokenKind::Integer | TokenKind::Float => "a number".to_owned(),
            TokenKind::Uuid => "a UUID".to_owned(),
            TokenKind::Blob => "a blob".to_owned(),
            TokenKind::Duration => "a duration".to_owned(),
            TokenKind::EmptyName => "an empty name".to_owned(),
            _ => {
                let shown: String = slice.chars().take(40).collect();
                let cut = if shown.len() < slice.len() { "…" } else { "" };
                format!("'{shown}{cut}'")
            }
        }
    }
}

/// Whether the type of a column may begin with the word.
fn is_type_word(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    NativeType::from_name(&word).is_some() || TYPES_WITH_PARTS.contains(&word.as_str())
}

const TYPES_WITH_PARTS: &[&str] = &["list", "set", "map", "tuple", "frozen", "vector"];

/// Words that can follow the name of a column, a table or a keyspace.
const AFTER_A_NAME: &[&str] = &[
    "and", "as", "asc", "contains", "desc", "from", "in", "like", "limit", "order", "set", "to", "type", "using",
    "values", "where", "with",
];

/// Reserved words that precede a name. At the end of a text, they are keywords of an incomplete statement, not names.
const BEFORE_A_NAME: &[&str] =
    &["and", "by", "from", "if", "in", "into", "limit", "on", "or", "set", "to", "using", "where", "with"];

trait TrimOnce {
    fn trim_matches_once(&self, delimiter: char) -> &str;
}

impl TrimOnce for str {
    /// Removes one delimiter from each end.
    fn trim_matches_once(&self, delimiter: char) -> &str {
        self.strip_prefix(delimiter).and_then(|rest| rest.strip_suffix(delimiter)).unwrap_or(self)
    }
}

#[cfg(test)]
mod tests;
