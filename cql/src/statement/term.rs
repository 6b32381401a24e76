//! Values and selected terms.

use super::CqlType;
use crate::{Name, QualifiedName, Span};

/// A value, or a term that a SELECT reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Term {
    /// The kind of the term.
    pub kind: TermKind,
    /// The place in the text.
    pub span: Span,
}

impl Term {
    /// Whether the term contains a bind marker.
    #[must_use]
    pub fn has_markers(&self) -> bool {
        crate::value::literal::has_markers(self)
    }
}

/// The kind of a [`Term`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TermKind {
    /// `'text'`, `12`, `true`, …
    Constant(Constant),
    /// `NULL`
    Null,
    /// `?` or `:name`
    Marker(BindMarker),
    /// A name by itself: a column in a SELECT, or a word as the value of an option.
    Name(Name),
    /// `now()`, `token(id)`, `count(*)`
    Call(Box<Call>),
    /// The `*` of `count(*)`.
    Star,
    /// `CAST(size AS text)`
    Cast(Box<Cast>),
    /// `(bigint) 5`
    TypeHint(Box<TypeHint>),
    /// `(1, 'a')`; one value in parentheses is a tuple of one element.
    Tuple(Vec<Term>),
    /// `[1, 2]`
    List(Vec<Term>),
    /// `{1, 2}`; `{}` is an empty set here, although it may also mean an empty map.
    Set(Vec<Term>),
    /// `{'a': 1, 'b': 2}`
    Map(Vec<(Term, Term)>),
    /// `{street: '…', city: '…'}`, a value of a user-defined type.
    UserType(Vec<(Name, Term)>),
    /// `-x`; a negative number is a constant.
    Negative(Box<Term>),
    /// `a + b - c`
    Arithmetic(Box<Arithmetic>),
    /// `address.city`, `m['key']`
    Access(Box<Access>),
}

/// A literal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Constant {
    /// The kind of the literal.
    pub kind: ConstantKind,
    /// The contents of a string, with one `'` for each `''`. Other literals are as they were written, with their sign.
    pub text: String,
}

/// The kind of a [`Constant`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ConstantKind {
    /// `'…'` or `$$…$$`
    String,
    /// `-12`
    Integer,
    /// `1.5`, `2e-3`, `NaN`, `-Infinity`
    Float,
    /// `true`, `false`
    Boolean,
    /// `5132b130-ae79-11e4-ab27-0800200c9a66`
    Uuid,
    /// `0xcafe`
    Blob,
    /// `12h30m`, `P3D`
    Duration,
}

/// `?` or `:name`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BindMarker {
    /// The name after the colon.
    pub name: Option<Name>,
    /// The place in the text.
    pub span: Span,
}

/// A call of a function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// The name of the function. The names of Cassandra's own functions are in lower case.
    pub function: QualifiedName,
    /// The arguments.
    pub arguments: Vec<Term>,
}

/// `CAST(term AS type)`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cast {
    /// The value to cast.
    pub term: Term,
    /// The target type.
    pub to: CqlType,
}

/// `(type) term`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypeHint {
    /// The type in parentheses.
    pub hint: CqlType,
    /// The value after it.
    pub term: Term,
}

/// A chain of operators of equal precedence, evaluated from left to right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arithmetic {
    /// The leftmost operand.
    pub first: Term,
    /// Each further operator with its right operand; at least one.
    pub rest: Vec<(ArithmeticOperator, Term)>,
}

/// An operator between two numbers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ArithmeticOperator {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Divided,
    /// `%`
    Modulo,
}

/// Access to a part of a value: a field or an element.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// `base.field`
    Field {
        /// The value of a user-defined type.
        base: Term,
        /// Its field.
        field: Name,
    },
    /// `base[key]`
    Element {
        /// The collection.
        base: Term,
        /// The key in a map, or the index in a list.
        key: Term,
    },
}
