//! The sizes of rows, and the capacity units to read or write them.
//!
//! These are the estimates that AWS documents (`DG:calculating-row-size`, `DG:consistency`). How the service itself
//! measures rows is not documented. Sizes are in bytes.
//!
//! ```
//! use keyspaces_cql::statement::{CqlTypeKind, NativeType};
//! use keyspaces_cql::units::{ReadCost, Row, Table, value_size, write_units};
//!
//! let text = CqlTypeKind::Native(NativeType::Text);
//! let table = Table::with_columns(3);
//! let mut row = Row::default();
//! row.add_partition_key(&table, value_size(&text, Some(b"device-001")).bytes);
//! row.add_clustering(&table, value_size(&CqlTypeKind::Native(NativeType::Int), Some(&7_i32.to_be_bytes())).bytes);
//! row.add_regular(&table, &text, value_size(&text, Some(&[b'x'; 2_000])));
//! assert_eq!(row.bytes(), 2 * 10 + 1 + 3 + 2 * 2 + 1 + 1 + 2_000 + 1);
//! assert_eq!(row.write_units(), 2);
//! assert_eq!(write_units(1_024), 1);
//! assert_eq!(ReadCost::Quorum.units(4_097), 2.0);
//! assert_eq!(ReadCost::One.units(4_097), 1.0);
//! ```

mod capacity;
mod row;
mod value;

pub use capacity::{LOGGED_BATCH_FACTOR, READ_UNIT_BYTES, ReadCost, WRITE_UNIT_BYTES, write_units};
pub use row::{ROW_METADATA_BYTES, Row, Table};
pub use value::{ValueSize, value_size};
