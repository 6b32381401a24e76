//! How many bytes a row has where the service keeps it.

use super::value::ValueSize;
use super::write_units;
use crate::statement::{CqlTypeKind, NativeType};

/// How many bytes each row has in storage beside its values. They take no capacity.
pub const ROW_METADATA_BYTES: usize = 100;

/// The overhead of the static columns of a partition (`DG:static-columns-estimate`).
const STATIC_METADATA_BYTES: usize = 104;

const PARTITION_KEY_METADATA: usize = 3;

/// What of a table the sizes of its rows depend on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Table {
    name: usize,
    ttl: bool,
    timestamps: bool,
}

/// How many bytes each kind of a row's columns has, metadata included.
///
/// Columns are added one by one: all of them for the size of a row, those that a statement writes for what is known of
/// the row from that statement alone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Row {
    partition_key: usize,
    clustering: usize,
    regular: usize,
    /// The partition key once, as static columns are kept with it.
    statics_key: usize,
    statics: usize,
}

impl Table {
    /// A table with so many columns, without TTL and client-side timestamps.
    #[must_use]
    pub fn with_columns(columns: usize) -> Self {
        Self { name: name_bytes(columns), ttl: false, timestamps: false }
    }

    /// With TTL turned on, or not.
    #[must_use]
    pub fn with_ttl(self, ttl: bool) -> Self {
        Self { ttl, ..self }
    }

    /// With client-side timestamps turned on, or not.
    #[must_use]
    pub fn with_client_side_timestamps(self, timestamps: bool) -> Self {
        Self { timestamps, ..self }
    }

    fn column(&self, of: &CqlTypeKind, value: ValueSize) -> usize {
        value.bytes + self.name + self.tracking(of, value.elements)
    }

    /// What TTL and client-side timestamps keep with a column. A counter cannot have a time to live.
    fn tracking(&self, of: &CqlTypeKind, elements: usize) -> usize {
        const NOTHING: (usize, usize) = (0, 0);
        let (element, column) = match (of, self.timestamps, self.ttl) {
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
    /// Adds a column of the partition key with a value of so many bytes, which is kept twice.
    pub fn add_partition_key(&mut self, table: &Table, value: usize) {
        self.partition_key += 2 * value + table.name + PARTITION_KEY_METADATA;
        self.statics_key += value + PARTITION_KEY_METADATA;
    }

    /// Adds a clustering column with a value of so many bytes, which is kept twice.
    pub fn add_clustering(&mut self, table: &Table, value: usize) {
        self.clustering += 2 * value + value.div_ceil(5) + table.name;
    }

    /// Adds a column that is in no key.
    pub fn add_regular(&mut self, table: &Table, of: &CqlTypeKind, value: ValueSize) {
        self.regular += table.column(of, value);
    }

    /// Adds a static column.
    pub fn add_static(&mut self, table: &Table, of: &CqlTypeKind, value: ValueSize) {
        self.statics += table.column(of, value);
    }

    /// What capacity is taken for: keys and regular columns.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.partition_key + self.clustering + self.regular
    }

    /// What is paid for in storage, and held against the limit of a row.
    #[must_use]
    pub fn storage_bytes(&self) -> usize {
        self.bytes() + ROW_METADATA_BYTES
    }

    /// The bytes of the static columns, with the partition key once and the overhead of a row, which AWS counts for them in
    /// capacity as well as in storage (`DG:static-columns-estimate`); 0 without static columns.
    #[must_use]
    pub fn static_bytes(&self) -> usize {
        if self.statics == 0 { 0 } else { self.statics_key + self.statics + STATIC_METADATA_BYTES }
    }

    /// The units that it takes to write it: if it has both static columns and others beside the keys, twice what each
    /// takes (`DG:static-columns-metering`).
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

/// A column is kept with an identifier that grows with the number of columns.
pub(super) fn name_bytes(columns: usize) -> usize {
    columns.div_ceil(62).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::value_size;
    use super::*;

    const INT: CqlTypeKind = CqlTypeKind::Native(NativeType::Int);
    const TEXT: CqlTypeKind = CqlTypeKind::Native(NativeType::Text);

    /// The example of DG:calculating-row-size: two columns of partition key, two of clustering, one regular, all of them
    /// numbers of one digit.
    #[test]
    fn the_guides_own_example_has_131_bytes() {
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
    fn a_columns_name_has_a_byte_for_every_62_columns() {
        let sizes = [1, 62, 63, 124, 125, 186, 187].map(name_bytes);
        assert_eq!(sizes, [1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn ttl_and_timestamps_add_what_the_guide_says() {
        let list = CqlTypeKind::List(Box::new(crate::statement::CqlType { kind: INT, span: crate::Span::default() }));
        let counter = CqlTypeKind::Native(NativeType::Counter);
        for (of, elements, [timestamps, ttl, both]) in
            [(&TEXT, 0, [18, 16, 27]), (&list, 2, [79, 30, 97]), (&counter, 0, [51, 0, 51])]
        {
            let plain = Table::with_columns(3);
            let added = |table: Table| table.tracking(of, elements);
            assert_eq!(added(plain), 0);
            assert_eq!(added(plain.with_client_side_timestamps(true)), timestamps);
            assert_eq!(added(plain.with_ttl(true)), ttl);
            assert_eq!(added(plain.with_ttl(true).with_client_side_timestamps(true)), both);
        }
    }

    #[test]
    fn static_columns_beside_others_make_both_cost_twice() {
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
