//! Types of columns.

use super::term::string_contents;
use super::{Parsed, Parser, TYPES_WITH_PARTS};
use crate::QualifiedName;
use crate::lexer::TokenKind;
use crate::reserved::is_reserved_for_types;
use crate::statement::{CqlType, CqlTypeKind, NativeType};

pub(super) fn parse_cql_type(parser: &mut Parser<'_>) -> Parsed<CqlType> {
    parser.nested(parse_type_level)
}

fn parse_type_level(parser: &mut Parser<'_>) -> Parsed<CqlType> {
    let start = parser.span();
    let kind = if parser.kind() == TokenKind::String {
        let span = parser.advance();
        CqlTypeKind::Custom(string_contents(parser, span))
    } else if parser.kind() == TokenKind::Word && parser.kind_at(1) == TokenKind::Less {
        parse_composite_type(parser)?
    } else {
        let name = parser.parse_qualified_name("a type")?;
        let native =
            if name.keyspace.is_none() && !name.name.quoted { NativeType::from_name(&name.name.text) } else { None };
        match native {
            Some(native) => CqlTypeKind::Native(native),
            None => {
                check_type_name(parser, &name)?;
                CqlTypeKind::UserDefined(name)
            }
        }
    };
    Ok(CqlType { kind, span: parser.span_from(start) })
}

/// Refuses an unquoted name of a user-defined type that is the name of a native type, or reserved for one.
pub(super) fn check_type_name(parser: &Parser<'_>, name: &QualifiedName) -> Parsed<()> {
    let free = parser.cassandra_dialect || name.name.quoted || !is_reserved_for_types(&name.name.text);
    if free { Ok(()) } else { Err(parser.reserved(name.name.span, "a user-defined type")) }
}

fn parse_composite_type(parser: &mut Parser<'_>) -> Parsed<CqlTypeKind> {
    let word = parser.slice(parser.span()).to_ascii_lowercase();
    if !TYPES_WITH_PARTS.contains(&word.as_str()) {
        return Err(parser.unexpected("list, set, map, tuple or frozen"));
    }
    parser.advance();
    parser.advance();
    let first = parse_cql_type(parser)?;
    let kind = match word.as_str() {
        "list" => CqlTypeKind::List(Box::new(first)),
        "set" => CqlTypeKind::Set(Box::new(first)),
        "frozen" => CqlTypeKind::Frozen(Box::new(first)),
        "map" => {
            parser.expect(TokenKind::Comma, "','")?;
            CqlTypeKind::Map(Box::new(first), Box::new(parse_cql_type(parser)?))
        }
        "vector" => {
            parser.expect(TokenKind::Comma, "','")?;
            let span = parser.expect(TokenKind::Integer, "a number")?;
            CqlTypeKind::Vector(Box::new(first), parser.slice(span).parse().unwrap_or(u64::MAX))
        }
        _ => {
            let mut parts = vec![first];
            while parser.accept(TokenKind::Comma).is_some() {
                parts.push(parse_cql_type(parser)?);
            }
            CqlTypeKind::Tuple(parts)
        }
    };
    parser.expect(TokenKind::Greater, "'>'")?;
    Ok(kind)
}
