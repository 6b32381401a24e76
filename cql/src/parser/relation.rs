//! Relations of WHERE and conditions of IF.

use super::term::{parse_marker, parse_value};
use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{Comparand, Operator, Relation, Subject, Target};

/// Parses `relation AND relation …`.
pub(super) fn parse_relations(parser: &mut Parser<'_>) -> Parsed<Vec<Relation>> {
    let mut relations = vec![parse_relation(parser)?];
    while parser.accept_word("AND").is_some() {
        relations.push(parse_relation(parser)?);
    }
    Ok(relations)
}

fn parse_relation(parser: &mut Parser<'_>) -> Parsed<Relation> {
    if parser.kind() == TokenKind::OpenParenthesis && !is_tuple_of_names(parser) {
        return parser.nested(|parser| {
            parser.advance();
            let relation = parse_relation(parser)?;
            parser.expect(TokenKind::CloseParenthesis, "')'")?;
            Ok(relation)
        });
    }
    let start = parser.span();
    let subject = parse_subject(parser)?;
    let operator_start = parser.span();
    let operator = parse_operator(parser)?;
    let operator_span = parser.span_from(operator_start);
    let comparand = parse_comparand(parser, operator)?;
    Ok(Relation { subject, operator, operator_span, comparand, span: parser.span_from(start) })
}

fn is_tuple_of_names(parser: &Parser<'_>) -> bool {
    parser.is_name_at(1) && matches!(parser.kind_at(2), TokenKind::Comma | TokenKind::CloseParenthesis)
}

fn parse_subject(parser: &mut Parser<'_>) -> Parsed<Subject> {
    if parser.kind() == TokenKind::OpenParenthesis {
        return parser.parse_parenthesised(|parser| parser.parse_name("a column")).map(Subject::Tuple);
    }
    if parser.is_word("TOKEN") && parser.kind_at(1) == TokenKind::OpenParenthesis {
        parser.advance();
        return parser.parse_parenthesised(|parser| parser.parse_name("a column")).map(Subject::Token);
    }
    parse_target(parser, "a column").map(Subject::Single)
}

/// Parses a column, an element of a collection column, or a field of a column.
pub(super) fn parse_target(parser: &mut Parser<'_>, expected: &str) -> Parsed<Target> {
    let column = parser.parse_name(expected)?;
    if parser.accept(TokenKind::OpenBracket).is_some() {
        let key = parse_value(parser)?;
        parser.expect(TokenKind::CloseBracket, "']'")?;
        return Ok(Target::Element { column, key });
    }
    if parser.accept(TokenKind::Dot).is_some() {
        return Ok(Target::Field { column, field: parser.parse_name("the name of a field")? });
    }
    Ok(Target::Column(column))
}

fn parse_operator(parser: &mut Parser<'_>) -> Parsed<Operator> {
    let sign = match parser.kind() {
        TokenKind::Equal => Some(Operator::Equal),
        TokenKind::NotEqual => Some(Operator::NotEqual),
        TokenKind::Less => Some(Operator::Less),
        TokenKind::LessOrEqual => Some(Operator::LessOrEqual),
        TokenKind::Greater => Some(Operator::Greater),
        TokenKind::GreaterOrEqual => Some(Operator::GreaterOrEqual),
        _ => None,
    };
    if let Some(operator) = sign {
        parser.advance();
        return Ok(operator);
    }
    for (words, operator) in WORDS {
        // `CONTAINS key.f()` calls a function of the keyspace `key`.
        let names_keyspace = words.ends_with(&["KEY"]) && parser.kind_at(words.len()) == TokenKind::Dot;
        if !names_keyspace && parser.accept_words(words).is_some() {
            return Ok(*operator);
        }
    }
    Err(parser.unexpected("an operator"))
}

fn parse_comparand(parser: &mut Parser<'_>, operator: Operator) -> Parsed<Comparand> {
    match operator {
        Operator::In | Operator::NotIn => parse_in_values(parser),
        Operator::Between => {
            let from = parse_value(parser)?;
            parser.expect_word("AND")?;
            Ok(Comparand::Range(Box::new((from, parse_value(parser)?))))
        }
        Operator::IsNotNull => Ok(Comparand::Nothing),
        _ => parse_value(parser).map(Comparand::Term),
    }
}

fn parse_in_values(parser: &mut Parser<'_>) -> Parsed<Comparand> {
    if parser.kind() != TokenKind::OpenParenthesis {
        return parse_marker(parser).map(Comparand::Term);
    }
    if parser.kind_at(1) == TokenKind::CloseParenthesis {
        parser.advance();
        parser.advance();
        return Ok(Comparand::Values(Vec::new()));
    }
    parser.parse_parenthesised(parse_value).map(Comparand::Values)
}

/// The words of the operators; longer sequences come first because the first match wins.
const WORDS: &[(&[&str], Operator)] = &[
    (&["IN"], Operator::In),
    (&["NOT", "IN"], Operator::NotIn),
    (&["CONTAINS", "KEY"], Operator::ContainsKey),
    (&["CONTAINS"], Operator::Contains),
    (&["NOT", "CONTAINS", "KEY"], Operator::NotContainsKey),
    (&["NOT", "CONTAINS"], Operator::NotContains),
    (&["LIKE"], Operator::Like),
    (&["BETWEEN"], Operator::Between),
    (&["IS", "NOT", "NULL"], Operator::IsNotNull),
];
