//! Values, and what a SELECT reads.

use super::{Parsed, Parser, TrimOnce};
use crate::Span;
use crate::lexer::TokenKind;
use crate::statement::{
    Access, Arithmetic, ArithmeticOperator, BindMarker, Call, Cast, Constant, ConstantKind, NativeType, Term, TermKind,
    TypeHint,
};

/// Where a term stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Where a name is no value.
    Value,
    /// In a SELECT, where a name is a column.
    Selector,
    /// After the `=` of an option, where a name is a word.
    OptionValue,
}

impl Parser<'_> {
    pub(super) fn value(&mut self) -> Parsed<Term> {
        self.term(Place::Value)
    }

    pub(super) fn term(&mut self, place: Place) -> Parsed<Term> {
        self.deeper(|parser| parser.sum(place))
    }

    fn sum(&mut self, place: Place) -> Parsed<Term> {
        let first = self.product(place)?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.kind() {
                TokenKind::Plus => ArithmeticOperator::Plus,
                TokenKind::Minus => ArithmeticOperator::Minus,
                _ => break,
            };
            // The `+ l` of `SET l = [1] + l` belongs to the assignment.
            if place == Place::Value && self.is_column_at(1) {
                break;
            }
            self.advance();
            rest.push((operator, self.product(place)?));
        }
        Ok(chain(first, rest))
    }

    fn product(&mut self, place: Place) -> Parsed<Term> {
        let first = self.operand(place)?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.kind() {
                TokenKind::Star => ArithmeticOperator::Times,
                TokenKind::Slash => ArithmeticOperator::Divided,
                TokenKind::Percent => ArithmeticOperator::Modulo,
                _ => break,
            };
            self.advance();
            rest.push((operator, self.operand(place)?));
        }
        Ok(chain(first, rest))
    }

    fn operand(&mut self, place: Place) -> Parsed<Term> {
        let start = self.span();
        if self.accept(TokenKind::Minus).is_some() {
            if let Some(kind) = self.number_here() {
                let text = format!("-{}", self.number_text());
                self.advance();
                return Ok(Term { kind: TermKind::Constant(Constant { kind, text }), span: self.since(start) });
            }
            let negated = self.deeper(|parser| parser.operand(place))?;
            return Ok(Term { kind: TermKind::Negative(Box::new(negated)), span: self.since(start) });
        }
        let mut term = self.primary(place)?;
        let mut levels = 0;
        while place == Place::Selector && matches!(self.kind(), TokenKind::Dot | TokenKind::OpenBracket) {
            levels += 1;
            if self.depth + levels > crate::MAX_DEPTH {
                return Err(self.failure(self.span(), crate::SyntaxProblem::TooDeep));
            }
            let access = if self.accept(TokenKind::Dot).is_some() {
                Access::Field { of: term, field: self.name("the name of a field")? }
            } else {
                self.advance();
                let key = self.value()?;
                self.expect(TokenKind::CloseBracket, "']'")?;
                Access::Element { of: term, key }
            };
            term = Term { kind: TermKind::Access(Box::new(access)), span: self.since(start) };
        }
        Ok(term)
    }

    fn primary(&mut self, place: Place) -> Parsed<Term> {
        let start = self.span();
        let constant = |kind, text: String| TermKind::Constant(Constant { kind, text });
        let kind = match self.kind() {
            TokenKind::Question | TokenKind::Colon => return self.marker(),
            TokenKind::String | TokenKind::DollarString => {
                let span = self.advance();
                constant(ConstantKind::String, self.string_in(span))
            }
            TokenKind::Integer => constant(ConstantKind::Integer, self.raw()),
            TokenKind::Float => constant(ConstantKind::Float, self.raw()),
            TokenKind::Uuid => constant(ConstantKind::Uuid, self.raw()),
            TokenKind::Blob => constant(ConstantKind::Blob, self.raw()),
            TokenKind::Duration => constant(ConstantKind::Duration, self.raw()),
            TokenKind::OpenParenthesis if self.is_type_hint(place) => self.type_hint(place)?,
            TokenKind::OpenParenthesis => TermKind::Tuple(self.parenthesised(|parser| parser.term(place))?),
            TokenKind::OpenBracket => {
                self.advance();
                TermKind::List(self.terms_until(place, TokenKind::CloseBracket, "',' or ']'")?)
            }
            TokenKind::OpenBrace => self.braces(place)?,
            TokenKind::Word | TokenKind::QuotedName => self.word_or_call(place)?,
            _ => return Err(self.unexpected(what_is_expected(place))),
        };
        Ok(Term { kind, span: self.since(start) })
    }

    /// `?` or `:name`
    pub(super) fn marker(&mut self) -> Parsed<Term> {
        let start = self.span();
        let name = if self.accept(TokenKind::Question).is_some() {
            None
        } else {
            self.expect(TokenKind::Colon, "'?' or ':'")?;
            Some(self.name("the name of a bind marker")?)
        };
        let span = self.since(start);
        Ok(Term { kind: TermKind::Marker(BindMarker { name, span }), span })
    }

    /// An integer, or a marker for one.
    pub(super) fn integer(&mut self) -> Parsed<Term> {
        if matches!(self.kind(), TokenKind::Question | TokenKind::Colon) {
            return self.marker();
        }
        let minus = usize::from(self.kind() == TokenKind::Minus);
        if self.kind_at(minus) == TokenKind::Integer {
            self.value_without_operators()
        } else {
            Err(self.unexpected("an integer or a bind marker"))
        }
    }

    /// A number, a string or a marker, without what may follow it.
    pub(super) fn value_without_operators(&mut self) -> Parsed<Term> {
        self.operand(Place::Value)
    }

    fn word_or_call(&mut self, place: Place) -> Parsed<TermKind> {
        let unquoted = self.kind() == TokenKind::Word;
        let called = self.kind_at(1) == TokenKind::OpenParenthesis;
        if unquoted
            && !called
            && let Some(kind) = self.constant_word()
        {
            self.advance();
            return Ok(kind);
        }
        if unquoted && called && self.is_word("CAST") {
            return self.cast(place);
        }
        let qualified =
            self.kind_at(1) == TokenKind::Dot && self.is_name_at(2) && self.kind_at(3) == TokenKind::OpenParenthesis;
        if called || qualified {
            return self.call(place);
        }
        if place == Place::Value {
            let field = self.kind_at(1) == TokenKind::Colon;
            return Err(if field {
                self.no_name("the name of a field")
            } else {
                self.unexpected(what_is_expected(place))
            });
        }
        self.name(what_is_expected(place)).map(TermKind::Name)
    }

    fn constant_word(&self) -> Option<TermKind> {
        if let Some(kind) = self.number_here() {
            return Some(TermKind::Constant(Constant { kind, text: self.number_text() }));
        }
        if self.is_word("NULL") {
            return Some(TermKind::Null);
        }
        ["true", "false"]
            .into_iter()
            .find(|word| self.is_word(word))
            .map(|word| TermKind::Constant(Constant { kind: ConstantKind::Boolean, text: word.to_owned() }))
    }

    fn call(&mut self, place: Place) -> Parsed<TermKind> {
        let function = if self.is_word("TOKEN") {
            let span = self.advance();
            crate::QualifiedName { keyspace: None, name: self.name_in(span, false) }
        } else {
            self.qualified_name("the name of a function")?
        };
        self.expect(TokenKind::OpenParenthesis, "'('")?;
        let arguments = if self.kind() == TokenKind::Star {
            let span = self.advance();
            self.expect(TokenKind::CloseParenthesis, "')'")?;
            vec![Term { kind: TermKind::Star, span }]
        } else {
            self.terms_until(place, TokenKind::CloseParenthesis, "',' or ')'")?
        };
        Ok(TermKind::Call(Box::new(Call { function, arguments })))
    }

    fn cast(&mut self, place: Place) -> Parsed<TermKind> {
        self.advance();
        self.expect(TokenKind::OpenParenthesis, "'('")?;
        let term = self.term(place)?;
        self.expect_word("AS")?;
        let to = self.cql_type()?;
        self.expect(TokenKind::CloseParenthesis, "')'")?;
        Ok(TermKind::Cast(Box::new(Cast { term, to })))
    }

    fn terms_until(&mut self, place: Place, end: TokenKind, sign: &str) -> Parsed<Vec<Term>> {
        if self.accept(end).is_some() {
            return Ok(Vec::new());
        }
        let terms = self.list_of(|parser| parser.term(place))?;
        self.expect(end, sign)?;
        Ok(terms)
    }

    /// A set, a map or a value of a user-defined type.
    fn braces(&mut self, place: Place) -> Parsed<TermKind> {
        self.advance();
        if self.accept(TokenKind::CloseBrace).is_some() {
            return Ok(TermKind::Set(Vec::new()));
        }
        let kind = if self.is_name_at(0) && self.kind_at(1) == TokenKind::Colon {
            TermKind::UserType(self.list_of(|parser| {
                let field = parser.name("the name of a field")?;
                parser.expect(TokenKind::Colon, "':'")?;
                Ok((field, parser.term(place)?))
            })?)
        } else {
            let first = self.term(place)?;
            if self.accept(TokenKind::Colon).is_some() {
                let mut entries = vec![(first, self.term(place)?)];
                while self.accept(TokenKind::Comma).is_some() {
                    let key = self.term(place)?;
                    self.expect(TokenKind::Colon, "':'")?;
                    entries.push((key, self.term(place)?));
                }
                TermKind::Map(entries)
            } else {
                let mut elements = vec![first];
                while self.accept(TokenKind::Comma).is_some() {
                    elements.push(self.term(place)?);
                }
                TermKind::Set(elements)
            }
        };
        self.expect(TokenKind::CloseBrace, "',' or '}'")?;
        Ok(kind)
    }

    fn type_hint(&mut self, place: Place) -> Parsed<TermKind> {
        self.advance();
        let hint = self.cql_type()?;
        self.expect(TokenKind::CloseParenthesis, "')'")?;
        let term = self.deeper(|parser| parser.operand(place))?;
        Ok(TermKind::TypeHint(Box::new(TypeHint { hint, term })))
    }

    /// Whether the parenthesis here holds a type that says how to take the value after it.
    fn is_type_hint(&self, place: Place) -> bool {
        let mut ahead = 1;
        let mut open = 0_usize;
        let mut parts = false;
        loop {
            match self.kind_at(ahead) {
                TokenKind::CloseParenthesis if open == 0 && ahead > 1 => break,
                TokenKind::Word | TokenKind::QuotedName | TokenKind::Dot => {}
                TokenKind::Comma | TokenKind::Integer if open > 0 => {}
                TokenKind::Less => {
                    parts = true;
                    open += 1;
                }
                TokenKind::Greater if open > 0 => open -= 1,
                _ => return false,
            }
            ahead += 1;
        }
        if place == Place::Value || parts {
            // `(null)` and `(true)` are tuples of one, and so is `(NaN)`.
            return parts || self.is_name_at(1);
        }
        let native = self.token(1).kind == TokenKind::Word
            && ahead == 2
            && NativeType::named(self.slice(self.token(1).span())).is_some();
        match self.kind_at(ahead + 1) {
            TokenKind::Word => {
                let constant = ["null", "true", "false", "NaN", "Infinity"];
                let constant = constant.iter().any(|word| self.is_word_at(ahead + 1, word));
                let called = self.is_word_at(ahead + 1, "TOKEN") || self.is_name_at(ahead + 1);
                self.is_name_at(1) && (constant || called && !self.is_word_at(ahead + 1, "AS"))
            }
            TokenKind::QuotedName | TokenKind::OpenParenthesis | TokenKind::OpenBrace => self.is_name_at(1),
            TokenKind::String
            | TokenKind::DollarString
            | TokenKind::Integer
            | TokenKind::Float
            | TokenKind::Uuid
            | TokenKind::Blob
            | TokenKind::Duration
            | TokenKind::Question
            | TokenKind::Colon => self.is_name_at(1),
            TokenKind::OpenBracket | TokenKind::Minus => native,
            _ => false,
        }
    }

    /// Whether a column stands there: a name that is not called.
    fn is_column_at(&self, ahead: usize) -> bool {
        let called = match self.kind_at(ahead + 1) {
            TokenKind::OpenParenthesis => true,
            TokenKind::Dot => self.kind_at(ahead + 3) == TokenKind::OpenParenthesis,
            _ => false,
        };
        self.is_name_at(ahead) && !called
    }

    /// Which kind of number stands here, `NaN` and `Infinity` included.
    fn number_here(&self) -> Option<ConstantKind> {
        match self.kind() {
            TokenKind::Integer => Some(ConstantKind::Integer),
            TokenKind::Float => Some(ConstantKind::Float),
            TokenKind::Duration => Some(ConstantKind::Duration),
            TokenKind::Word if self.is_word("NaN") || self.is_word("Infinity") => Some(ConstantKind::Float),
            _ => None,
        }
    }

    fn number_text(&self) -> String {
        let slice = self.slice(self.span());
        let word = ["NaN", "Infinity"].into_iter().find(|word| word.eq_ignore_ascii_case(slice));
        word.unwrap_or(slice).to_owned()
    }

    fn raw(&mut self) -> String {
        let span = self.advance();
        self.slice(span).to_owned()
    }

    /// What the string at `span` contains.
    pub(super) fn string_in(&self, span: Span) -> String {
        let slice = self.slice(span);
        match slice.strip_prefix("$$").and_then(|rest| rest.strip_suffix("$$")) {
            Some(contents) => contents.to_owned(),
            None => slice.trim_matches_once('\'').replace("''", "'"),
        }
    }
}

fn chain(first: Term, rest: Vec<(ArithmeticOperator, Term)>) -> Term {
    let Some((_, last)) = rest.last() else { return first };
    let span = first.span.to(last.span);
    Term { kind: TermKind::Arithmetic(Box::new(Arithmetic { first, rest })), span }
}

fn what_is_expected(place: Place) -> &'static str {
    match place {
        Place::Value | Place::OptionValue => "a value",
        Place::Selector => "a column or a value",
    }
}
