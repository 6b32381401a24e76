//! Values in the encoding of protocol version 4, from the literals of a text.
//!
//! ```
//! use keyspaces_cql::statement::NativeType;
//! use keyspaces_cql::value::{Value, scalar};
//!
//! assert_eq!(scalar(NativeType::Date, "1970-01-02"), Value::from_bytes([0x80, 0, 0, 1]));
//! // Only the server knows the current time.
//! assert!(!scalar(NativeType::Timestamp, "now").is_exact);
//! ```

mod big_integer;
mod digits;
mod duration;
pub(crate) mod literal;
mod scalar;
mod text;
mod time;

pub use digits::max_digits;
pub use literal::serialize;
pub use scalar::{append_scalar, scalar};
pub use text::write_scalar;

use crate::saturated::saturated;
use crate::statement::{CqlTypeKind, NativeType};

/// A value as it would be bound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// The encoded value; `None` is null.
    pub bytes: Option<Vec<u8>>,
    /// Whether Cassandra stores exactly these bytes. Otherwise, as for the result of a function, only the number of bytes is
    /// right, and only for a type of fixed width.
    pub is_exact: bool,
}

impl Value {
    /// Null.
    #[must_use]
    pub fn null() -> Self {
        Self { bytes: None, is_exact: true }
    }

    /// A value of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Some(bytes.into()), is_exact: true }
    }

    /// A value of which only the type is known: zeros of the type's fixed width, or no bytes if the width varies.
    #[must_use]
    pub fn of_type(cql_type: &CqlTypeKind) -> Self {
        let width = match cql_type {
            CqlTypeKind::Native(native) => fixed_width(*native).unwrap_or_default(),
            CqlTypeKind::Frozen(inner) => return Self::of_type(&inner.kind),
            _ => 0,
        };
        Self { bytes: Some(vec![0; width]), is_exact: false }
    }

    /// A list.
    #[must_use]
    pub fn list(elements: Vec<Self>) -> Self {
        Self::with_count(elements.len(), &elements)
    }

    /// A set. It is exact for at most one element, because Cassandra sorts the elements.
    #[must_use]
    pub fn set(elements: Vec<Self>) -> Self {
        let one_order = elements.len() <= 1;
        let set = Self::with_count(elements.len(), &elements);
        Self { is_exact: set.is_exact && one_order, ..set }
    }

    /// A map. It is exact for at most one pair, because Cassandra sorts the pairs.
    #[must_use]
    pub fn map(pairs: Vec<(Self, Self)>) -> Self {
        let count = pairs.len();
        let parts: Vec<_> = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
        let map = Self::with_count(count, &parts);
        Self { is_exact: map.is_exact && count <= 1, ..map }
    }

    /// A tuple, or a value of a user-defined type with all fields.
    #[must_use]
    pub fn tuple(parts: &[Self]) -> Self {
        let mut bytes = Vec::new();
        parts.iter().for_each(|part| part.append_to(&mut bytes));
        Self { bytes: Some(bytes), is_exact: parts.iter().all(|part| part.is_exact) }
    }

    fn with_count(count: usize, parts: &[Self]) -> Self {
        let mut bytes = length(count).to_vec();
        parts.iter().for_each(|part| part.append_to(&mut bytes));
        Self { bytes: Some(bytes), is_exact: parts.iter().all(|part| part.is_exact) }
    }

    /// Appends the value with its length.
    fn append_to(&self, out: &mut Vec<u8>) {
        match &self.bytes {
            Some(bytes) => {
                out.extend_from_slice(&length(bytes.len()));
                out.extend_from_slice(bytes);
            }
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
}

/// A length in the protocol's encoding. It never saturates, because texts are shorter.
fn length(length: usize) -> [u8; 4] {
    saturated::<i32>(length).to_be_bytes()
}

/// The number of bytes of every value of a type, if it is fixed.
fn fixed_width(native: NativeType) -> Option<usize> {
    match native {
        NativeType::Boolean | NativeType::Tinyint => Some(1),
        NativeType::Smallint => Some(2),
        NativeType::Int | NativeType::Float | NativeType::Date => Some(4),
        NativeType::Bigint | NativeType::Counter | NativeType::Double | NativeType::Time | NativeType::Timestamp => {
            Some(8)
        }
        NativeType::Uuid | NativeType::Timeuuid => Some(16),
        _ => None,
    }
}
