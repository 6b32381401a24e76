//! Types of columns and fields.

use crate::{Name, QualifiedName, Rule, Span, rules};

/// The type of a column or a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CqlType {
    /// The kind of the type.
    pub kind: CqlTypeKind,
    /// The place in the text.
    pub span: Span,
}

/// The kind of a [`CqlType`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CqlTypeKind {
    /// `text`, `int`, …
    Native(NativeType),
    /// `list<…>`
    List(Box<CqlType>),
    /// `set<…>`
    Set(Box<CqlType>),
    /// `map<…, …>`
    Map(Box<CqlType>, Box<CqlType>),
    /// `tuple<…>`
    Tuple(Vec<CqlType>),
    /// `frozen<…>`, or `FROZEN` after the type of a column, which only Keyspaces has.
    Frozen(Box<CqlType>),
    /// The name of a user-defined type.
    UserDefined(QualifiedName),
    /// `vector<float, 3>`, which Keyspaces lacks.
    Vector(Box<CqlType>, u64),
    /// `'org.apache.cassandra.db.marshal.…'`
    Custom(String),
}

macro_rules! native_types {
    ($($variant:ident $name:literal,)*) => {
        /// A native type, which has no element types.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum NativeType {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl NativeType {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in CQL.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

native_types! {
    Ascii "ascii",
    Bigint "bigint",
    Blob "blob",
    Boolean "boolean",
    Counter "counter",
    Date "date",
    Decimal "decimal",
    Double "double",
    Duration "duration",
    Float "float",
    Inet "inet",
    Int "int",
    Smallint "smallint",
    Text "text",
    Time "time",
    Timestamp "timestamp",
    Timeuuid "timeuuid",
    Tinyint "tinyint",
    Uuid "uuid",
    Varchar "varchar",
    Varint "varint",
}

impl NativeType {
    /// The type of this name. Case does not matter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|native| native.name().eq_ignore_ascii_case(name))
    }

    /// The type whose name differs from `name` by one letter or by two swapped letters.
    pub(crate) fn similar_to(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|native| is_one_edit_away(native.name(), name))
    }
}

fn is_one_edit_away(right: &str, written: &str) -> bool {
    let (right, written) = (right.as_bytes(), written.as_bytes());
    let same = right.iter().zip(written).take_while(|(one, other)| one == other).count();
    let (right, written) = (&right[same..], &written[same..]);
    match (right, written) {
        ([], []) => false,
        ([a, b, right @ ..], [c, d, written @ ..]) if (a, b) == (d, c) && right == written => true,
        _ => {
            let without_first = |bytes: &[u8]| bytes.get(1..).map(<[u8]>::to_vec);
            let (shorter_right, shorter_written) = (without_first(right), without_first(written));
            shorter_right.as_deref() == Some(written)
                || shorter_written.as_deref() == Some(right)
                || shorter_right.is_some() && shorter_right == shorter_written
        }
    }
}

impl CqlType {
    /// `list<element>`
    #[must_use]
    pub fn list(element: impl Into<Self>) -> Self {
        CqlTypeKind::List(Box::new(element.into())).into()
    }

    /// `set<element>`
    #[must_use]
    pub fn set(element: impl Into<Self>) -> Self {
        CqlTypeKind::Set(Box::new(element.into())).into()
    }

    /// `map<key, value>`
    #[must_use]
    pub fn map(key: impl Into<Self>, value: impl Into<Self>) -> Self {
        CqlTypeKind::Map(Box::new(key.into()), Box::new(value.into())).into()
    }

    /// `tuple<…>`
    #[must_use]
    pub fn tuple(parts: impl IntoIterator<Item = Self>) -> Self {
        CqlTypeKind::Tuple(parts.into_iter().collect()).into()
    }

    /// `frozen<inner>`
    #[must_use]
    pub fn frozen(inner: impl Into<Self>) -> Self {
        CqlTypeKind::Frozen(Box::new(inner.into())).into()
    }

    /// A user-defined type in the keyspace of the table.
    #[must_use]
    pub fn user_defined(name: impl Into<String>) -> Self {
        CqlTypeKind::UserDefined(QualifiedName { keyspace: None, name: Name::new(name) }).into()
    }

    /// The user-defined types that the type names, in order. Types inside those are not included.
    #[must_use]
    pub fn user_types(&self) -> Vec<&QualifiedName> {
        match &self.kind {
            CqlTypeKind::UserDefined(name) => vec![name],
            CqlTypeKind::List(part)
            | CqlTypeKind::Set(part)
            | CqlTypeKind::Frozen(part)
            | CqlTypeKind::Vector(part, _) => part.user_types(),
            CqlTypeKind::Map(key, value) => [key.user_types(), value.user_types()].concat(),
            CqlTypeKind::Tuple(parts) => parts.iter().flat_map(Self::user_types).collect(),
            CqlTypeKind::Native(_) | CqlTypeKind::Custom(_) => Vec::new(),
        }
    }

    /// The same type, with user-defined types named without their keyspaces.
    #[must_use]
    pub(crate) fn without_keyspaces(mut self) -> Self {
        self.user_types_mut().into_iter().for_each(|name| name.keyspace = None);
        self
    }

    /// Like [`user_types`](Self::user_types), to rename the types.
    pub fn user_types_mut(&mut self) -> Vec<&mut QualifiedName> {
        match &mut self.kind {
            CqlTypeKind::UserDefined(name) => vec![name],
            CqlTypeKind::List(part)
            | CqlTypeKind::Set(part)
            | CqlTypeKind::Frozen(part)
            | CqlTypeKind::Vector(part, _) => part.user_types_mut(),
            CqlTypeKind::Map(key, value) => {
                let mut types = key.user_types_mut();
                types.extend(value.user_types_mut());
                types
            }
            CqlTypeKind::Tuple(parts) => parts.iter_mut().flat_map(Self::user_types_mut).collect(),
            CqlTypeKind::Native(_) | CqlTypeKind::Custom(_) => Vec::new(),
        }
    }

    /// The number of nested collections, counted from the outermost frozen one.
    pub(crate) fn frozen_levels(&self) -> usize {
        self.levels(false)
    }

    fn levels(&self, frozen: bool) -> usize {
        let inside = |part: &Self| part.levels(frozen);
        let level = usize::from(frozen);
        match &self.kind {
            CqlTypeKind::Frozen(inner) => inner.levels(true),
            CqlTypeKind::List(element) | CqlTypeKind::Set(element) => level + inside(element),
            CqlTypeKind::Map(key, value) => level + inside(key).max(inside(value)),
            CqlTypeKind::Tuple(parts) => parts.iter().map(inside).max().unwrap_or_default(),
            CqlTypeKind::Vector(element, _) => inside(element),
            CqlTypeKind::Native(_) | CqlTypeKind::UserDefined(_) | CqlTypeKind::Custom(_) => 0,
        }
    }

    /// The rule that refuses a counter inside the type; `None` if the type contains no counter.
    pub(crate) fn counter_inside(&self) -> Option<&'static Rule> {
        let (parts, rule): (Vec<&Self>, _) = match &self.kind {
            CqlTypeKind::Frozen(inner) => return inner.counter_inside(),
            CqlTypeKind::List(element) | CqlTypeKind::Set(element) | CqlTypeKind::Vector(element, _) => {
                (vec![element], &rules::COUNTER_IN_COLLECTION)
            }
            CqlTypeKind::Map(key, value) => (vec![key, value], &rules::COUNTER_IN_COLLECTION),
            CqlTypeKind::Tuple(parts) => (parts.iter().collect(), &rules::COUNTER_IN_TUPLE),
            CqlTypeKind::Native(_) | CqlTypeKind::UserDefined(_) | CqlTypeKind::Custom(_) => return None,
        };
        let counter = CqlTypeKind::Native(NativeType::Counter);
        parts.into_iter().find_map(|part| if part.kind == counter { Some(rule) } else { part.counter_inside() })
    }

    /// The same type in one canonical form: without places in the text, with names quoted only where necessary, and without
    /// `frozen` where it has no effect (around a tuple and inside a frozen type).
    #[must_use]
    pub(crate) fn canonical(&self) -> Self {
        self.canonical_inside(false)
    }

    fn canonical_inside(&self, frozen: bool) -> Self {
        let inside = |part: &Self| Box::new(part.canonical_inside(frozen));
        let in_tuple = |part: &Self| part.canonical_inside(true);
        match &self.kind {
            CqlTypeKind::Native(NativeType::Varchar) => NativeType::Text.into(),
            CqlTypeKind::Native(native) => (*native).into(),
            CqlTypeKind::List(element) => CqlTypeKind::List(inside(element)).into(),
            CqlTypeKind::Set(element) => CqlTypeKind::Set(inside(element)).into(),
            CqlTypeKind::Map(key, value) => CqlTypeKind::Map(inside(key), inside(value)).into(),
            CqlTypeKind::Tuple(parts) => CqlTypeKind::Tuple(parts.iter().map(in_tuple).collect()).into(),
            CqlTypeKind::Frozen(inner) if frozen || matches!(inner.kind, CqlTypeKind::Tuple(_)) => {
                inner.canonical_inside(true)
            }
            CqlTypeKind::Frozen(inner) => CqlTypeKind::Frozen(Box::new(inner.canonical_inside(true))).into(),
            CqlTypeKind::UserDefined(name) => CqlTypeKind::UserDefined(name.canonical()).into(),
            CqlTypeKind::Vector(element, dimension) => CqlTypeKind::Vector(inside(element), *dimension).into(),
            CqlTypeKind::Custom(class) => CqlTypeKind::Custom(class.clone()).into(),
        }
    }
}

impl From<CqlTypeKind> for CqlType {
    fn from(kind: CqlTypeKind) -> Self {
        Self { kind, span: Span::default() }
    }
}

impl From<NativeType> for CqlType {
    fn from(native: NativeType) -> Self {
        CqlTypeKind::Native(native).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_type_name_suggests_the_nearest_type() {
        for (written, meant) in [
            ("itn", Some(NativeType::Int)),
            ("inte", Some(NativeType::Inet)),
            ("tex", Some(NativeType::Text)),
            ("tixt", Some(NativeType::Text)),
            ("address", None),
            ("", None),
        ] {
            assert_eq!(NativeType::similar_to(written), meant, "{written}");
        }
    }
}
