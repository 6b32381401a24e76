//! Types of columns.

use crate::{QualifiedName, Span};

/// The type of a column or a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CqlType {
    /// What it is.
    pub kind: CqlTypeKind,
    /// Where.
    pub span: Span,
}

/// What a [`CqlType`] is.
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
    /// `frozen<…>`; Keyspaces also writes `… FROZEN` after the type of a column, which is this too.
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
        /// A type that has no parts.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum NativeType {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl NativeType {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// As CQL writes it.
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
    /// The type of this name, in whatever case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|native| native.name().eq_ignore_ascii_case(name))
    }
}
