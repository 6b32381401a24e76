//! Values, and the selectors of a SELECT.

use super::cql_type::parse_cql_type;
use super::{Parsed, Parser, TrimOnce};
use crate::Span;
use crate::lexer::TokenKind;
use crate::statement::{
    Access, Arithmetic, ArithmeticOperator, BindMarker, Call, Cast, Constant, ConstantKind, NativeType, Term, TermKind,
    TypeHint,
};

/// The context of a term, which decides what a name means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TermContext {
    /// A value: a name is not allowed.
    Value,
    /// A selector of a SELECT: a name is a column.
    Selector,
    /// The value of an option after `=`: a name is a plain word.
    OptionValue,
}

pub(super) fn parse_value(parser: &mut Parser<'_>) -> Parsed<Term> {
    parse_term(parser, TermContext::Value)
}

pub(super) fn parse_term(parser: &mut Parser<'_>, context: TermContext) -> Parsed<Term> {
    parser.nested(|parser| parse_sum(parser, context))
}

fn parse_sum(parser: &mut Parser<'_>, context: TermContext) -> Parsed<Term> {
    let first = parse_product(parser, context)?;
    let mut rest = Vec::new();
    loop {
        let operator = match parser.kind() {
            TokenKind::Plus => ArithmeticOperator::Plus,
            TokenKind::Minus => ArithmeticOperator::Minus,
            _ => break,
        };
        // The `+ l` of `SET l = [1] + l` belongs to the assignment.
        if context == TermContext::Value && is_column_at(parser, 1) {
            break;
        }
        parser.advance();
        rest.push((operator, parse_product(parser, context)?));
    }
    Ok(chain(first, rest))
}

fn parse_product(parser: &mut Parser<'_>, context: TermContext) -> Parsed<Term> {
    let first = parse_operand(parser, context)?;
    let mut rest = Vec::new();
    loop {
        let operator = match parser.kind() {
            TokenKind::Star => ArithmeticOperator::Times,
            TokenKind::Slash => ArithmeticOperator::Divided,
            TokenKind::Percent => ArithmeticOperator::Modulo,
            _ => break,
        };
        parser.advance();
        rest.push((operator, parse_operand(parser, context)?));
    }
    Ok(chain(first, rest))
}

fn parse_operand(parser: &mut Parser<'_>, context: TermContext) -> Parsed<Term> {
    let start = parser.span();
    if parser.accept(TokenKind::Minus).is_some() {
        if let Some(kind) = number_kind(parser) {
            let text = format!("-{}", number_text(parser));
            parser.advance();
            return Ok(Term { kind: TermKind::Constant(Constant { kind, text }), span: parser.span_from(start) });
        }
        let negated = parser.nested(|parser| parse_operand(parser, context))?;
        return Ok(Term { kind: TermKind::Negative(Box::new(negated)), span: parser.span_from(start) });
    }
    let mut term = parse_primary(parser, context)?;
    let mut levels = 0;
    while context == TermContext::Selector && matches!(parser.kind(), TokenKind::Dot | TokenKind::OpenBracket) {
        levels += 1;
        if parser.depth + levels > crate::MAX_DEPTH {
            return Err(parser.error_at(parser.span(), crate::SyntaxProblem::TooDeep));
        }
        let access = if parser.accept(TokenKind::Dot).is_some() {
            Access::Field { base: term, field: parser.parse_name("the name of a field")? }
        } else {
            parser.advance();
            let key = parse_value(parser)?;
            parser.expect(TokenKind::CloseBracket, "']'")?;
            Access::Element { base: term, key }
        };
        term = Term { kind: TermKind::Access(Box::new(access)), span: parser.span_from(start) };
    }
    Ok(term)
}

fn parse_primary(parser: &mut Parser<'_>, context: TermContext) -> Parsed<Term> {
    let start = parser.span();
    let constant = |kind, text: String| TermKind::Constant(Constant { kind, text });
    let kind = match parser.kind() {
        TokenKind::Question | TokenKind::Colon => return parse_marker(parser),
        TokenKind::String | TokenKind::DollarString => {
            let span = parser.advance();
            constant(ConstantKind::String, string_contents(parser, span))
        }
        TokenKind::Integer => constant(ConstantKind::Integer, take_text(parser)),
        TokenKind::Float => constant(ConstantKind::Float, take_text(parser)),
        TokenKind::Uuid => constant(ConstantKind::Uuid, take_text(parser)),
        TokenKind::Blob => constant(ConstantKind::Blob, take_text(parser)),
        TokenKind::Duration => constant(ConstantKind::Duration, take_text(parser)),
        TokenKind::OpenParenthesis if is_type_hint(parser, context) => parse_type_hint(parser, context)?,
        TokenKind::OpenParenthesis => {
            TermKind::Tuple(parser.parse_parenthesised(|parser| parse_term(parser, context))?)
        }
        TokenKind::OpenBracket => {
            parser.advance();
            TermKind::List(parse_terms_until(parser, context, TokenKind::CloseBracket, "',' or ']'")?)
        }
        TokenKind::OpenBrace => parse_braced(parser, context)?,
        TokenKind::Word | TokenKind::QuotedName => parse_word_or_call(parser, context)?,
        _ => return Err(parser.unexpected(what_is_expected(context))),
    };
    Ok(Term { kind, span: parser.span_from(start) })
}

/// Parses `?` or `:name`.
pub(super) fn parse_marker(parser: &mut Parser<'_>) -> Parsed<Term> {
    let start = parser.span();
    let name = if parser.accept(TokenKind::Question).is_some() {
        None
    } else {
        parser.expect(TokenKind::Colon, "'?' or ':'")?;
        Some(parser.parse_name("the name of a bind marker")?)
    };
    let span = parser.span_from(start);
    Ok(Term { kind: TermKind::Marker(BindMarker { name, span }), span })
}

/// Parses an integer or a bind marker for one.
pub(super) fn parse_integer(parser: &mut Parser<'_>) -> Parsed<Term> {
    if matches!(parser.kind(), TokenKind::Question | TokenKind::Colon) {
        return parse_marker(parser);
    }
    let minus = usize::from(parser.kind() == TokenKind::Minus);
    if parser.kind_at(minus) == TokenKind::Integer {
        parse_simple_value(parser)
    } else {
        Err(parser.unexpected("an integer or a bind marker"))
    }
}

/// Parses a number, a string or a bind marker, without the operators that may follow.
pub(super) fn parse_simple_value(parser: &mut Parser<'_>) -> Parsed<Term> {
    parse_operand(parser, TermContext::Value)
}

fn parse_word_or_call(parser: &mut Parser<'_>, context: TermContext) -> Parsed<TermKind> {
    let unquoted = parser.kind() == TokenKind::Word;
    let called = parser.kind_at(1) == TokenKind::OpenParenthesis;
    if unquoted
        && !called
        && let Some(kind) = read_constant_word(parser)
    {
        parser.advance();
        return Ok(kind);
    }
    if unquoted && called && parser.is_word("CAST") {
        return parse_cast(parser, context);
    }
    let qualified =
        parser.kind_at(1) == TokenKind::Dot && parser.is_name_at(2) && parser.kind_at(3) == TokenKind::OpenParenthesis;
    if called || qualified {
        return parse_call(parser, context);
    }
    if context == TermContext::Value {
        let field = parser.kind_at(1) == TokenKind::Colon;
        return Err(if field {
            parser.expected_name("the name of a field")
        } else {
            parser.unexpected(what_is_expected(context))
        });
    }
    parser.parse_name(what_is_expected(context)).map(TermKind::Name)
}

fn read_constant_word(parser: &Parser<'_>) -> Option<TermKind> {
    if let Some(kind) = number_kind(parser) {
        return Some(TermKind::Constant(Constant { kind, text: number_text(parser) }));
    }
    if parser.is_word("NULL") {
        return Some(TermKind::Null);
    }
    ["true", "false"]
        .into_iter()
        .find(|word| parser.is_word(word))
        .map(|word| TermKind::Constant(Constant { kind: ConstantKind::Boolean, text: word.to_owned() }))
}

fn parse_call(parser: &mut Parser<'_>, context: TermContext) -> Parsed<TermKind> {
    let function = if parser.is_word("TOKEN") {
        let span = parser.advance();
        crate::QualifiedName { keyspace: None, name: parser.name_in(span, false) }
    } else {
        parser.parse_qualified_name("the name of a function")?
    };
    parser.expect(TokenKind::OpenParenthesis, "'('")?;
    let arguments = if parser.kind() == TokenKind::Star {
        let span = parser.advance();
        parser.expect(TokenKind::CloseParenthesis, "')'")?;
        vec![Term { kind: TermKind::Star, span }]
    } else {
        parse_terms_until(parser, context, TokenKind::CloseParenthesis, "',' or ')'")?
    };
    Ok(TermKind::Call(Box::new(Call { function, arguments })))
}

fn parse_cast(parser: &mut Parser<'_>, context: TermContext) -> Parsed<TermKind> {
    parser.advance();
    parser.expect(TokenKind::OpenParenthesis, "'('")?;
    let term = parse_term(parser, context)?;
    parser.expect_word("AS")?;
    let to = parse_cql_type(parser)?;
    parser.expect(TokenKind::CloseParenthesis, "')'")?;
    Ok(TermKind::Cast(Box::new(Cast { term, to })))
}

fn parse_terms_until(parser: &mut Parser<'_>, context: TermContext, end: TokenKind, sign: &str) -> Parsed<Vec<Term>> {
    if parser.accept(end).is_some() {
        return Ok(Vec::new());
    }
    let terms = parser.parse_list(|parser| parse_term(parser, context))?;
    parser.expect(end, sign)?;
    Ok(terms)
}

/// Parses a set, a map or a value of a user-defined type.
fn parse_braced(parser: &mut Parser<'_>, context: TermContext) -> Parsed<TermKind> {
    parser.advance();
    if parser.accept(TokenKind::CloseBrace).is_some() {
        return Ok(TermKind::Set(Vec::new()));
    }
    let kind = if parser.is_name_at(0) && parser.kind_at(1) == TokenKind::Colon {
        TermKind::UserType(parser.parse_list(|parser| {
            let field = parser.parse_name("the name of a field")?;
            parser.expect(TokenKind::Colon, "':'")?;
            Ok((field, parse_term(parser, context)?))
        })?)
    } else {
        let first = parse_term(parser, context)?;
        if parser.accept(TokenKind::Colon).is_some() {
            let mut entries = vec![(first, parse_term(parser, context)?)];
            while parser.accept(TokenKind::Comma).is_some() {
                let key = parse_term(parser, context)?;
                parser.expect(TokenKind::Colon, "':'")?;
                entries.push((key, parse_term(parser, context)?));
            }
            TermKind::Map(entries)
        } else {
            let mut elements = vec![first];
            while parser.accept(TokenKind::Comma).is_some() {
                elements.push(parse_term(parser, context)?);
            }
            TermKind::Set(elements)
        }
    };
    parser.expect(TokenKind::CloseBrace, "',' or '}'")?;
    Ok(kind)
}

fn parse_type_hint(parser: &mut Parser<'_>, context: TermContext) -> Parsed<TermKind> {
    parser.advance();
    let hint = parse_cql_type(parser)?;
    parser.expect(TokenKind::CloseParenthesis, "')'")?;
    let term = parser.nested(|parser| parse_operand(parser, context))?;
    Ok(TermKind::TypeHint(Box::new(TypeHint { hint, term })))
}

/// Whether the parenthesis at the current position contains a type hint for the value after it.
fn is_type_hint(parser: &Parser<'_>, context: TermContext) -> bool {
    let mut ahead = 1;
    let mut open = 0_usize;
    let mut parts = false;
    loop {
        match parser.kind_at(ahead) {
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
    if context == TermContext::Value || parts {
        // `(null)`, `(true)` and `(NaN)` are tuples of one element.
        return parts || parser.is_name_at(1);
    }
    let native = parser.token(1).kind == TokenKind::Word
        && ahead == 2
        && NativeType::from_name(parser.slice(parser.token(1).span())).is_some();
    match parser.kind_at(ahead + 1) {
        TokenKind::Word => {
            let constant = ["null", "true", "false", "NaN", "Infinity"];
            let constant = constant.iter().any(|word| parser.is_word_at(ahead + 1, word));
            let called = parser.is_word_at(ahead + 1, "TOKEN") || parser.is_name_at(ahead + 1);
            parser.is_name_at(1) && (constant || called && !parser.is_word_at(ahead + 1, "AS"))
        }
        TokenKind::QuotedName | TokenKind::OpenParenthesis | TokenKind::OpenBrace => parser.is_name_at(1),
        TokenKind::String
        | TokenKind::DollarString
        | TokenKind::Integer
        | TokenKind::Float
        | TokenKind::Uuid
        | TokenKind::Blob
        | TokenKind::Duration
        | TokenKind::Question
        | TokenKind::Colon => parser.is_name_at(1),
        TokenKind::OpenBracket | TokenKind::Minus => native,
        _ => false,
    }
}

/// Whether a column stands `ahead` tokens from here: a name that is not called as a function.
fn is_column_at(parser: &Parser<'_>, ahead: usize) -> bool {
    let called = match parser.kind_at(ahead + 1) {
        TokenKind::OpenParenthesis => true,
        TokenKind::Dot => parser.kind_at(ahead + 3) == TokenKind::OpenParenthesis,
        _ => false,
    };
    parser.is_name_at(ahead) && !called
}

/// The kind of the number at the current position, including `NaN` and `Infinity`.
fn number_kind(parser: &Parser<'_>) -> Option<ConstantKind> {
    match parser.kind() {
        TokenKind::Integer => Some(ConstantKind::Integer),
        TokenKind::Float => Some(ConstantKind::Float),
        TokenKind::Duration => Some(ConstantKind::Duration),
        TokenKind::Word if parser.is_word("NaN") || parser.is_word("Infinity") => Some(ConstantKind::Float),
        _ => None,
    }
}

fn number_text(parser: &Parser<'_>) -> String {
    let slice = parser.slice(parser.span());
    let word = ["NaN", "Infinity"].into_iter().find(|word| word.eq_ignore_ascii_case(slice));
    word.unwrap_or(slice).to_owned()
}

fn take_text(parser: &mut Parser<'_>) -> String {
    let span = parser.advance();
    parser.slice(span).to_owned()
}

/// The contents of the string at `span`.
pub(super) fn string_contents(parser: &Parser<'_>, span: Span) -> String {
    let slice = parser.slice(span);
    match slice.strip_prefix("$$").and_then(|rest| rest.strip_suffix("$$")) {
        Some(contents) => contents.to_owned(),
        None => slice.trim_matches_once('\'').replace("''", "'"),
    }
}

fn chain(first: Term, rest: Vec<(ArithmeticOperator, Term)>) -> Term {
    let Some((_, last)) = rest.last() else { return first };
    let span = first.span.to(last.span);
    Term { kind: TermKind::Arithmetic(Box::new(Arithmetic { first, rest })), span }
}

fn what_is_expected(context: TermContext) -> &'static str {
    match context {
        TermContext::Value | TermContext::OptionValue => "a value",
        TermContext::Selector => "a column or a value",
    }
}
