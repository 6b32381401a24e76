//! The driver's types for value types that implement [`SerializeValue`](crate::SerializeValue) and
//! [`DeserializeValue`](crate::DeserializeValue) by hand. Most types need not do that:
//! [`derive(Value)`](macro@crate::Value) implements both for newtypes and enums, [`Json`](crate::value::Json) and
//! [`AsText`](crate::value::AsText) store other types in a text column, and [`user_type`](macro@crate::user_type)
//! implements both for a user-defined type.
//!
//! A value writes itself into a cell and reads itself from the bytes of a cell. If the value does not fit, it returns
//! an error of its own; the error of the call contains that error's text and the name of the column.
//!
//! ```
//! use keyspaces::codec::{
//!     CellWriter, ColumnType, DeserializationError, FrameSlice, NativeType, SerializationError, TypeCheckError,
//!     WrittenCellProof,
//! };
//! use keyspaces::{DeserializeValue, SerializeValue};
//!
//! /// A temperature, stored as a `double` in kelvin.
//! #[derive(Debug, PartialEq)]
//! struct Celsius(f64);
//!
//! const ABSOLUTE_ZERO: f64 = -273.15;
//!
//! impl SerializeValue for Celsius {
//!     fn serialize<'b>(
//!         &self,
//!         typ: &ColumnType<'_>,
//!         writer: CellWriter<'b>,
//!     ) -> Result<WrittenCellProof<'b>, SerializationError> {
//!         if self.0 < ABSOLUTE_ZERO {
//!             return Err(SerializationError::new(std::io::Error::other("colder than absolute zero")));
//!         }
//!         (self.0 - ABSOLUTE_ZERO).serialize(typ, writer)
//!     }
//! }
//!
//! impl<'frame, 'metadata> DeserializeValue<'frame, 'metadata> for Celsius {
//!     fn type_check(typ: &ColumnType<'_>) -> Result<(), TypeCheckError> {
//!         match typ {
//!             ColumnType::Native(NativeType::Double) => Ok(()),
//!             _ => Err(TypeCheckError::new(std::io::Error::other("a temperature is a double"))),
//!         }
//!     }
//!
//!     fn deserialize(
//!         typ: &'metadata ColumnType<'metadata>,
//!         value: Option<FrameSlice<'frame>>,
//!     ) -> Result<Self, DeserializationError> {
//!         f64::deserialize(typ, value).map(|kelvin| Self(kelvin + ABSOLUTE_ZERO))
//!     }
//! }
//!
//! let double = ColumnType::Native(NativeType::Double);
//! let mut cell = Vec::new();
//! Celsius(0.0).serialize(&double, CellWriter::new(&mut cell)).unwrap();
//! assert_eq!(cell[4..], 273.15_f64.to_be_bytes());
//! let read = Celsius::deserialize(&double, Some(FrameSlice::new_borrowed(&cell[4..]))).unwrap();
//! assert_eq!(read, Celsius(0.0));
//! ```

pub use scylla::deserialize::row::{ColumnIterator, RawColumn};
pub use scylla::deserialize::{DeserializationError, FrameSlice, TypeCheckError};
pub use scylla::frame::response::result::{
    CollectionType, ColumnSpec, ColumnType, NativeType, TableSpec, UserDefinedType,
};
pub use scylla::serialize::SerializationError;
pub use scylla::serialize::row::RowSerializationContext;
pub use scylla::serialize::writers::{CellOverflowError, CellValueBuilder, CellWriter, RowWriter, WrittenCellProof};
