//! The bind markers of a prepared statement that this crate treats specially. They are found once for each prepared
//! text.

use keyspaces_cql::statement::{Comparand, CqlType, CqlTypeKind, NativeType as Native, Operator, Term, Using};
use keyspaces_cql::value::max_digits;
use keyspaces_cql::{Span, Statement, UserTypes, rules};
use scylla::frame::response::result::{CollectionType, ColumnSpec, ColumnType, NativeType};

use super::serialized::SerializedView;

/// Indexes of bind markers, in the order in which values are bound.
#[derive(Debug, Default)]
pub(super) struct Markers {
    pub(super) ttl: Vec<usize>,
    pub(super) timestamp: Vec<usize>,
    pub(super) limit: Option<usize>,
    /// The markers of the partition key, if all of it is bound.
    pub(super) partition_key: Vec<usize>,
    /// The markers of stored values that contain a `varint` or a `decimal`, with their types.
    numbers: Vec<(usize, CqlTypeKind)>,
    /// The marker of each `IN ?`.
    in_lists: Vec<usize>,
    /// The product of the lengths of the literal lists after IN.
    literal_combinations: usize,
}

impl Markers {
    /// Finds the markers. `tree` is `None` if only the server can parse the text.
    pub(super) fn find(tree: Option<&Statement>, columns: &[ColumnSpec<'_>], partition_key: Vec<usize>) -> Self {
        let spans: Vec<Span> =
            tree.map(Statement::bind_markers).unwrap_or_default().iter().map(|marker| marker.span).collect();
        let Some(tree) = tree.filter(|_| spans.len() == columns.len()) else {
            // Cassandra uses these names for unnamed markers that belong to no column.
            let at = |name| columns.iter().position(|column| column.name() == name);
            let [ttl, timestamp] = ["[ttl]", "[timestamp]"].map(|name| at(name).into_iter().collect());
            return Self { ttl, timestamp, limit: at("[limit]"), partition_key, ..Self::default() };
        };
        let index = |term: &Term| spans.iter().position(|span| *span == term.span);
        let usings = tree.usings();
        let markers_of = |parameter: fn(&Using) -> Option<&Term>| {
            usings.iter().filter_map(|using| index(parameter(using)?)).collect::<Vec<_>>()
        };
        let (mut in_lists, mut literal_combinations) = (Vec::new(), 1_usize);
        if let Statement::Select(select) = tree {
            for relation in select.relations.iter().filter(|relation| relation.operator == Operator::In) {
                match &relation.comparand {
                    Comparand::Values(values) => {
                        literal_combinations = literal_combinations.saturating_mul(values.len())
                    }
                    Comparand::Term(term) => in_lists.extend(index(term)),
                    _ => {}
                }
            }
        }
        let numbers = if matches!(tree, Statement::Select(_)) { Vec::new() } else { numbers(tree, &spans, columns) };
        Self {
            ttl: markers_of(Using::ttl),
            timestamp: markers_of(Using::timestamp),
            limit: tree.limit().and_then(index),
            partition_key,
            numbers,
            in_lists,
            literal_combinations,
        }
    }

    /// The markers that the options may bind. The values may leave them out.
    pub(super) fn optional(&self) -> Vec<usize> {
        self.ttl.iter().chain(&self.timestamp).copied().collect()
    }

    /// Whether a bound value can break a rule other than a size limit.
    pub(super) fn need_value_checks(&self) -> bool {
        !(self.ttl.is_empty() && self.timestamp.is_empty() && self.numbers.is_empty() && self.in_lists.is_empty())
    }

    /// The first marker whose value has more digits than the service accepts, and the number of digits.
    pub(super) fn too_many_digits(&self, values: SerializedView<'_>) -> Option<(usize, usize)> {
        // A number of this many bytes has at most 36 digits. Its digits are not counted, because counting allocates.
        const MAX_UNCOUNTED_BYTES: usize = 15;
        let mut digits = self.numbers.iter().filter_map(|(index, kind)| {
            let bytes = values.value(*index).filter(|bytes| bytes.len() > MAX_UNCOUNTED_BYTES)?;
            Some((*index, max_digits(kind, bytes, &UserTypes::default())))
        });
        digits.find(|(_, digits)| *digits > rules::MAX_DIGITS)
    }

    /// The number of key combinations that the lists after IN produce.
    pub(super) fn subqueries(&self, values: SerializedView<'_>) -> usize {
        let bound = self.in_lists.iter().map(|index| {
            let count = values.value(*index).and_then(|list| list.first_chunk::<4>());
            count.map_or(1, |count| u32::from_be_bytes(*count) as usize)
        });
        bound.fold(self.literal_combinations, usize::saturating_mul)
    }
}

/// The markers of a write whose stored values contain numbers of any size. Markers in conditions are left out, because a
/// condition stores nothing.
fn numbers(tree: &Statement, spans: &[Span], columns: &[ColumnSpec<'_>]) -> Vec<(usize, CqlTypeKind)> {
    let conditions = tree.conditions();
    let compares = |span: &Span| {
        conditions.iter().any(|condition| condition.span.start <= span.start && span.end <= condition.span.end)
    };
    let markers = spans.iter().zip(columns).enumerate().filter(|(_, (span, _))| !compares(span));
    markers.filter_map(|(index, (_, column))| Some((index, numbers_of_type(column.typ())?))).collect()
}

/// The type of a value, reduced to the positions of its numbers; `None` if it contains none.
fn numbers_of_type(column: &ColumnType<'_>) -> Option<CqlTypeKind> {
    let part = |column_type: &ColumnType<'_>| {
        CqlType::from(numbers_of_type(column_type).unwrap_or(CqlTypeKind::Native(Native::Blob)))
    };
    let parts = |column_type: &[&ColumnType<'_>]| -> Option<Vec<CqlType>> {
        let parts: Vec<_> = column_type.iter().map(|column_type| numbers_of_type(column_type)).collect();
        parts.iter().any(Option::is_some).then(|| column_type.iter().map(|column_type| part(column_type)).collect())
    };
    match column {
        ColumnType::Native(NativeType::Varint) => Some(CqlTypeKind::Native(Native::Varint)),
        ColumnType::Native(NativeType::Decimal) => Some(CqlTypeKind::Native(Native::Decimal)),
        ColumnType::Collection {
            typ: CollectionType::List(column_type) | CollectionType::Set(column_type), ..
        } => numbers_of_type(column_type).map(|column_type| CqlTypeKind::List(Box::new(column_type.into()))),
        ColumnType::Collection { typ: CollectionType::Map(key, value), .. } => {
            parts(&[key, value]).map(|_| CqlTypeKind::Map(Box::new(part(key)), Box::new(part(value))))
        }
        ColumnType::Tuple(column_type) => parts(&column_type.iter().collect::<Vec<_>>()).map(CqlTypeKind::Tuple),
        // A user-defined type is encoded like a tuple of its fields.
        ColumnType::UserDefinedType { definition, .. } => {
            parts(&definition.field_types.iter().map(|(_, column_type)| column_type).collect::<Vec<_>>())
                .map(CqlTypeKind::Tuple)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use scylla::frame::response::result::TableSpec;

    use super::*;

    const VARINT: ColumnType<'static> = ColumnType::Native(NativeType::Varint);
    const INT: ColumnType<'static> = ColumnType::Native(NativeType::Int);

    fn markers(text: &str, columns: &[ColumnType<'static>]) -> Markers {
        let tree = keyspaces_cql::parse(text).expect("it is CQL");
        let column = |column_type: &ColumnType<'static>| {
            ColumnSpec::borrowed("c", column_type.clone(), TableSpec::borrowed("ks", "t"))
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        Markers::find(Some(&tree), &columns, Vec::new())
    }

    #[test]
    fn bind_markers_are_identified_by_position_not_by_name() {
        let found =
            markers("INSERT INTO ks.t (a, b) VALUES (:b, ?) USING TTL :a AND TIMESTAMP :c", &[INT, INT, INT, INT]);
        assert_eq!((found.ttl, found.timestamp), (vec![2], vec![3]));
        let batch = "BEGIN UNLOGGED BATCH INSERT INTO ks.t (a) VALUES (?) USING TTL ?; \
                     UPDATE ks.t USING TTL :n SET b = ? WHERE a = ?; APPLY BATCH";
        assert_eq!(markers(batch, &[INT, INT, INT, INT, INT]).ttl, [1, 2]);
        assert_eq!(markers("SELECT a FROM ks.t LIMIT :rows", &[INT]).limit, Some(0));
    }

    #[test]
    fn digit_limit_applies_only_to_stored_values() {
        let list =
            |column_type| ColumnType::Collection { frozen: false, typ: CollectionType::List(Box::new(column_type)) };
        let insert = "INSERT INTO ks.t (a, b, c, d) VALUES (?, ?, ?, ?)";
        let column_type = [INT, VARINT, list(VARINT), ColumnType::Tuple(vec![INT, VARINT])];
        let numbers: Vec<_> = markers(insert, &column_type).numbers.iter().map(|(index, _)| *index).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert!(!markers("INSERT INTO ks.t (a, b) VALUES (?, ?)", &[INT, list(INT)]).need_value_checks());
        assert!(!markers("SELECT a FROM ks.t WHERE a = ?", &[VARINT]).need_value_checks());
        let conditional = markers("UPDATE ks.t SET a = ? WHERE b = ? IF a = ?", &[VARINT, INT, VARINT]);
        assert_eq!(conditional.numbers.len(), 1);
    }

    #[test]
    fn bound_and_literal_in_lists_multiply_to_the_subquery_count() {
        let found = markers("SELECT a FROM ks.t WHERE a IN ? AND b IN (1, 2)", &[list_of_ints()]);
        let value = [&[0, 0, 0, 8][..], &[0, 0, 0, 51], &[0; 4]].concat();
        assert_eq!(found.subqueries(SerializedView::new(&value, 1)), 102);
    }

    fn list_of_ints() -> ColumnType<'static> {
        ColumnType::Collection { frozen: true, typ: CollectionType::List(Box::new(INT)) }
    }
}
