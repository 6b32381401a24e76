//! Types of columns.

use super::{Parsed, Parser, TYPES_WITH_PARTS};
use crate::QualifiedName;
use crate::lexer::TokenKind;
use crate::reserved::is_reserved_for_types;
use crate::statement::{CqlType, CqlTypeKind, NativeType};

impl Parser<'_> {
    pub(super) fn cql_type(&mut self) -> Parsed<CqlType> {
        self.deeper(Self::cql_type_here)
    }

    fn cql_type_here(&mut self) -> Parsed<CqlType> {
        let start = self.span();
        let kind = if self.kind() == TokenKind::String {
            let span = self.advance();
            CqlTypeKind::Custom(self.string_in(span))
        } else if self.kind() == TokenKind::Word && self.kind_at(1) == TokenKind::Less {
            self.type_with_parts()?
        } else {
            let name = self.qualified_name("a type")?;
            let native =
                if name.keyspace.is_none() && !name.name.quoted { NativeType::named(&name.name.text) } else { None };
            match native {
                Some(native) => CqlTypeKind::Native(native),
                None => {
                    self.check_type_name(&name)?;
                    CqlTypeKind::UserDefined(name)
                }
            }
        };
        Ok(CqlType { kind, span: self.since(start) })
    }

    /// A user-defined type may have the name only in quotes if it is that of a native one.
    pub(super) fn check_type_name(&self, name: &QualifiedName) -> Parsed<()> {
        let free = self.of_cassandra || name.name.quoted || !is_reserved_for_types(&name.name.text);
        if free { Ok(()) } else { Err(self.reserved(name.name.span, "a user-defined type")) }
    }

    fn type_with_parts(&mut self) -> Parsed<CqlTypeKind> {
        let word = self.slice(self.span()).to_ascii_lowercase();
        if !TYPES_WITH_PARTS.contains(&word.as_str()) {
            return Err(self.unexpected("list, set, map, tuple or frozen"));
        }
        self.advance();
        self.advance();
        let first = self.cql_type()?;
        let kind = match word.as_str() {
            "list" => CqlTypeKind::List(Box::new(first)),
            "set" => CqlTypeKind::Set(Box::new(first)),
            "frozen" => CqlTypeKind::Frozen(Box::new(first)),
            "map" => {
                self.expect(TokenKind::Comma, "','")?;
                CqlTypeKind::Map(Box::new(first), Box::new(self.cql_type()?))
            }
            "vector" => {
                self.expect(TokenKind::Comma, "','")?;
                let span = self.expect(TokenKind::Integer, "a number")?;
                CqlTypeKind::Vector(Box::new(first), self.slice(span).parse().unwrap_or(u64::MAX))
            }
            _ => {
                let mut parts = vec![first];
                while self.accept(TokenKind::Comma).is_some() {
                    parts.push(self.cql_type()?);
                }
                CqlTypeKind::Tuple(parts)
            }
        };
        self.expect(TokenKind::Greater, "'>'")?;
        Ok(kind)
    }
}
