//! Values and types.

use std::fmt::{self, Display, Formatter};

use super::commas;
use crate::name::TypeName;
use crate::statement::{
    Access, Arithmetic, ArithmeticOperator, BindMarker, Call, Constant, ConstantKind, CqlType, CqlTypeKind, Term,
    TermKind,
};

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Constant(constant) => constant.fmt(f),
            TermKind::Null => f.write_str("NULL"),
            TermKind::Marker(marker) => marker.fmt(f),
            TermKind::Name(name) => name.fmt(f),
            TermKind::Call(call) => call.fmt(f),
            TermKind::Star => f.write_str("*"),
            TermKind::Cast(cast) => write!(f, "CAST({} AS {})", cast.term, cast.to),
            TermKind::TypeHint(hint) => write!(f, "({}) {}", hint.hint, hint.term),
            TermKind::Tuple(parts) => write!(f, "({})", commas(parts)),
            TermKind::List(parts) => write!(f, "[{}]", commas(parts)),
            TermKind::Set(parts) => write!(f, "{{{}}}", commas(parts)),
            TermKind::Map(entries) => write_map(f, entries),
            TermKind::UserType(fields) => write_map(f, fields),
            // Two signs would begin a comment.
            TermKind::Negative(negated) => write!(f, "- {negated}"),
            TermKind::Arithmetic(arithmetic) => arithmetic.fmt(f),
            TermKind::Access(access) => access.fmt(f),
        }
    }
}

fn write_map<K: Display>(f: &mut Formatter<'_>, entries: &[(K, Term)]) -> fmt::Result {
    f.write_str("{")?;
    for (place, (key, value)) in entries.iter().enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        write!(f, "{comma}{key}: {value}")?;
    }
    f.write_str("}")
}

impl Display for Constant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.kind {
            ConstantKind::String => write!(f, "'{}'", self.text.replace('\'', "''")),
            _ => f.write_str(&self.text),
        }
    }
}

impl Display for BindMarker {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, ":{name}"),
            None => f.write_str("?"),
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.function, commas(&self.arguments))
    }
}

impl Display for Arithmetic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.rest.iter().try_for_each(|(operator, operand)| write!(f, " {operator} {operand}"))
    }
}

impl Display for ArithmeticOperator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divided => "/",
            Self::Modulo => "%",
        })
    }
}

impl Display for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { base, field } => write!(f, "{base}.{field}"),
            Self::Element { base, key } => write!(f, "{base}[{key}]"),
        }
    }
}

impl Display for CqlType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            CqlTypeKind::Native(native) => f.write_str(native.name()),
            CqlTypeKind::List(element) => write!(f, "list<{element}>"),
            CqlTypeKind::Set(element) => write!(f, "set<{element}>"),
            CqlTypeKind::Map(key, value) => write!(f, "map<{key}, {value}>"),
            CqlTypeKind::Tuple(parts) => write!(f, "tuple<{}>", commas(parts)),
            CqlTypeKind::Frozen(inner) => write!(f, "frozen<{inner}>"),
            CqlTypeKind::UserDefined(name) => TypeName(name).fmt(f),
            CqlTypeKind::Vector(element, dimension) => write!(f, "vector<{element}, {dimension}>"),
            CqlTypeKind::Custom(class) => write!(f, "'{}'", class.replace('\'', "''")),
        }
    }
}
