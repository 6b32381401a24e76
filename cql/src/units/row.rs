//! The stored size of a row.

use super::value::ValueSize;
use super::write_units;
use crate::statement::{CqlTypeKind, NativeType};

/// The bytes that each row has in storage in addition to its values. They consume no capacity.
pub const ROW_METADATA_BYTES: usize = 100;

/// The overhead of the static columns of a partition (`DG:static-columns-estimate`).
const STATIC_METADATA_BYTES: usize = 104;

const PARTITION_KEY_METADATA: usize = 3;

/// The properties of a table on which the sizes of its rows depend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Table {
    name: usize,
    ttl: bool,
    timestamps: bool,
}

/// The size of a row, by kind of column, including metadata.
///
/// Columns are added one by one: all columns for the size of a stored row, or the columns of a statement for the size of
/// its write.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Row {
    partition_key: usize,
    clustering: usize,
    regular: usize,
    /// The partition key once, because it is stored with the static columns.
    statics_key: usize,
    statics: usize,
}

impl Table {
    /// A table with this number of columns, without TTL and client-side timestamps.
    #[must_use]
    pub fn with_columns(columns: usize) -> Self {
        Self { name: column_id_bytes(columns), ttl: false, timestamps: false }
    }

    /// Sets whether the table has TTL.
    #[must_use]
    pub fn with_ttl(self, ttl: bool) -> Self {
        Self { ttl, ..self }
    }

    /// Sets whether the table has client-side timestamps.
    #[must_use]
    pub fn with_client_side_timestamps(self, timestamps: bool) -> Self {
        Self { timestamps, ..self }
    }

    fn column_bytes(&self, cql_type: &CqlTypeKind, value: ValueSize) -> usize {
        value.bytes + self.name + self.metadata_bytes(cql_type, value.elements)
    }

    /// The metadata of TTL and client-side timestamps for a column. A counter cannot have a time to live.
    fn metadata_bytes(&self, cql_type: &CqlTypeKind, elements: usize) -> usize {
        const NOTHING: (usize, usize) = (0, 0);
        let (element, column) = match (cql_type, self.timestamps, self.ttl) {
            (_, false, false) => NOTHING,
            (CqlTypeKind::Native(NativeType::Counter), timestamps, _) => (0, if timestamps { 51 } else { 0 }),
            (CqlTypeKind::List(_), true, false) => (30, 19),
            (CqlTypeKind::List(_), false, true) => (15, 0),
            (CqlTypeKind::List(_), true, true) => (39, 19),
            (CqlTypeKind::Set(_), true, false) => (14, 26),
            (CqlTypeKind::Set(_), false, true) => (12, 7),
            (CqlTypeKind::Set(_), true, true) => (23, 26),
            (CqlTypeKind::Map(..) | CqlTypeKind::UserDefined(_), true, false) => (17, 26),
            (CqlTypeKind::Map(..) | CqlTypeKind::UserDefined(_), false, true) => (15, 7),
            (CqlTypeKind::Map(..) | CqlTypeKind::UserDefined(_), true, true) => (26, 26),
            (_, true, false) => (0, 18),
            (_, false, true) => (0, 16),
            (_, true, true) => (0, 27),
        };
        element * elements + column
    }
}

impl Row {
    /// Adds a partition key column with a value of this many bytes, which is stored twice.
    pub fn add_partition_key(&mut self, table: &Table, value: usize) {
        self.partition_key += 2 * value + table.name + PARTITION_KEY_METADATA;
        self.statics_key += value + PARTITION_KEY_METADATA;
    }

    /// Adds a clustering column with a value of this many bytes, which is stored twice.
    pub fn add_clustering(&mut self, table: &Table, value: usize) {
        self.clustering += 2 * value + value.div_ceil(5) + table.name;
    }

    /// Adds a regular column.
    pub fn add_regular(&mut self, table: &Table, cql_type: &CqlTypeKind, value: ValueSize) {
        self.regular += table.column_bytes(cql_type, value);
    }

    /// Adds a static column.
    pub fn add_static(&mut self, table: &Table, cql_type: &CqlTypeKind, value: ValueSize) {
        self.statics += table.column_bytes(cql_type, value);
    }

    /// The bytes that consume capacity: keys and regular columns.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.partition_key + self.clustering + self.regular
    }

    /// The bytes that are billed as storage and count towards the size limit of a row.
    #[must_use]
    pub fn storage_bytes(&self) -> usize {
        self.bytes() + ROW_METADATA_BYTES
    }

    /// The bytes of the static columns, including the partition key once and the overhead of a row; 0 without static columns.
    /// AWS counts that overhead in capacity as well as in storage (`DG:static-columns-estimate`).
    #[must_use]
    pub fn static_bytes(&self) -> usize {
        if self.statics == 0 { 0 } else { self.statics_key + self.statics + STATIC_METADATA_BYTES }
    }

    /// The units to write the row. A row with both static and other columns costs twice the units of each part
    /// (`DG:static-columns-metering`).
    #[must_use]
    pub fn write_units(&self) -> u64 {
        let statics = write_units(self.static_bytes());
        match (self.statics > 0, self.regular > 0 || self.clustering > 0) {
            (false, _) => write_units(self.bytes()),
            (true, false) => statics,
            (true, true) => 2 * write_units(self.bytes()) + 2 * statics,
        }
    }
}

/// The size of the identifier that is stored with each column. It grows with the number of columns.
pub(super) fn column_id_bytes(columns: usize) -> usize {
    columns.div_ceil(62).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::value_size;
    use super::*;

    const INT: CqlTypeKind = CqlTypeKind::Native(NativeType::Int);
    const TEXT: CqlTypeKind = CqlTypeKind::Native(NativeType::Text);

    /// The example of DG:calculating-row-size: two partition key columns, two clustering columns and one regular column,
    /// all of them numbers of one digit.
    #[test]
    fn guide_example_row_has_131_storage_bytes() {
        let table = Table::with_columns(5);
        let one = value_size(&INT, Some(&1_i32.to_be_bytes()));
        let mut row = Row::default();
        for _ in 0..2 {
            row.add_partition_key(&table, one.bytes);
            row.add_clustering(&table, one.bytes);
        }
        row.add_regular(&table, &INT, one);
        assert_eq!((row.partition_key, row.clustering, row.regular), (16, 12, 3));
        assert_eq!((row.bytes(), row.storage_bytes(), row.write_units()), (31, 131, 1));
    }

    #[test]
    fn column_identifier_takes_one_byte_per_62_columns() {
        let sizes = [1, 62, 63, 124, 125, 186, 187].map(column_id_bytes);
        assert_eq!(sizes, [1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn ttl_and_timestamps_add_the_bytes_stated_in_the_guide() {
        let list = CqlTypeKind::List(Box::new(crate::statement::CqlType { kind: INT, span: crate::Span::default() }));
        let counter = CqlTypeKind::Native(NativeType::Counter);
        for (cql_type, elements, [timestamps, ttl, both]) in
            [(&TEXT, 0, [18, 16, 27]), (&list, 2, [79, 30, 97]), (&counter, 0, [51, 0, 51])]
        {
            let plain = Table::with_columns(3);
            let added = |table: Table| table.metadata_bytes(cql_type, elements);
            assert_eq!(added(plain), 0);
            assert_eq!(added(plain.with_client_side_timestamps(true)), timestamps);
            assert_eq!(added(plain.with_ttl(true)), ttl);
            assert_eq!(added(plain.with_ttl(true).with_client_side_timestamps(true)), both);
        }
    }

    #[test]
    fn writing_static_with_other_columns_doubles_the_units_of_both() {
        let table = Table::with_columns(4);
        let [small, large] = [10, 2_000].map(|bytes| ValueSize { bytes, elements: 0 });
        let mut statics = Row::default();
        statics.add_partition_key(&table, 10);
        statics.add_static(&table, &TEXT, large);
        assert_eq!(statics.write_units(), 3);
        assert_eq!(statics.static_bytes(), 10 + 3 + 2_000 + 1 + 104);
        let mut both = statics;
        both.add_clustering(&table, 4);
        both.add_regular(&table, &TEXT, small);
        assert_eq!(both.write_units(), 2 + 2 * 3);
    }
}
