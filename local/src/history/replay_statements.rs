//! The statements that write one entry to a table that is being restored.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use keyspaces_cql::statement::CqlTypeKind;

use super::entry::{ColumnValue, Expiry, HistoryEntry, Marker};
use super::store::StoredEntry;
use crate::names::quoted;
use crate::protocol::{Binding, Malformed, Reader, Writer};
use crate::saturated::saturated;
use crate::upstream::{Column, Layout};

/// The table to which the statements write.
#[derive(Clone, Debug)]
pub(super) struct TargetTable {
    /// Its name in statements.
    pub(super) name: String,
    pub(super) layout: Layout,
    /// The fields of user-defined types, by the types' names.
    pub(super) fields: Vec<(String, Vec<String>)>,
}

/// One statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ReplayStatement {
    pub(super) text: String,
    pub(super) values: Binding,
    pub(super) timestamp: i64,
}

/// The longest time to live that Cassandra accepts, in seconds.
const MAX_TTL_SECONDS: u64 = 630_720_000;

/// The statements that write an entry as it was at a moment, in the order in which they are to be sent.
pub(super) fn replay_statements(
    table: &TargetTable,
    stored: &StoredEntry,
    moment: u64,
) -> Result<Vec<ReplayStatement>, Malformed> {
    let timestamp = saturated::<i64>(stored.sequence_number);
    match &stored.entry {
        HistoryEntry::Deleted { columns, range } => {
            let columns: Vec<_> = columns.iter().map(|column| quoted(column)).collect();
            let text = format!("DELETE {} FROM {} WHERE {}", columns.join(", "), table.name, range.text);
            Ok(vec![ReplayStatement { text, values: range.values.clone(), timestamp }])
        }
        HistoryEntry::Statics { key, cells } | HistoryEntry::Row { marker: Marker::Kept, key, cells } => {
            write_statements(table, key, cells, None, timestamp, moment)
        }
        HistoryEntry::Row { marker: Marker::Written { expires }, key, cells } => {
            let ttl = expires.map_or(Some(0), |at| remaining_ttl(at, moment));
            let mut statements = Vec::new();
            if ttl.is_none() {
                // It replaced an older row, which must not come back.
                statements.push(ReplayStatement {
                    text: format!("DELETE FROM {} WHERE {}", table.name, key_condition(key)),
                    values: Binding::positional(key.iter().map(|(_, value)| Some(&**value))),
                    timestamp: timestamp - 1,
                });
            }
            statements.extend(write_statements(table, key, cells, ttl, timestamp, moment)?);
            Ok(statements)
        }
    }
}

/// One assignment of an UPDATE.
struct Assignment {
    text: String,
    /// The quoted name of the column, if the assignment sets the whole column, so that an INSERT can write it too.
    column: Option<String>,
    value: Option<Bytes>,
}

/// Writes all cells, in one statement for each time to live. `marker_ttl` is the time to live of the row itself, if it
/// gets a marker.
fn write_statements(
    table: &TargetTable,
    key: &[(String, Bytes)],
    cells: &[ColumnValue],
    marker_ttl: Option<i32>,
    timestamp: i64,
    moment: u64,
) -> Result<Vec<ReplayStatement>, Malformed> {
    // Grouped by time to live; 0 means none.
    let mut by_ttl: BTreeMap<i32, Vec<Assignment>> = BTreeMap::new();
    if let Some(ttl) = marker_ttl {
        by_ttl.insert(ttl, Vec::new());
    }
    let mut later = Vec::new();
    for cell in cells {
        let Some(column) = table.layout.all().find(|column| column.name == cell.column) else { continue };
        let name = quoted(&column.name);
        let (ttl, value) =
            match (&cell.value, &cell.expires) {
                (Some(value), Expiry::Never) => (0, Some(value.clone())),
                (Some(value), Expiry::At(at)) => match remaining_ttl(*at, moment) {
                    Some(ttl) => (ttl, Some(value.clone())),
                    None => (0, None),
                },
                (Some(value), Expiry::Each(times)) => {
                    let mut groups = element_groups(table, column, value, times, moment)?.into_iter();
                    let first = groups.next().map_or((0, None), |group| (group.ttl, Some(group.value)));
                    later.extend(groups.map(|group| {
                        (group.ttl, Assignment { text: group.text, column: None, value: Some(group.value) })
                    }));
                    first
                }
                (None, _) => (0, None),
            };
        let text = format!("{name} = ?");
        by_ttl.entry(ttl).or_default().push(Assignment { text, column: Some(name), value });
    }
    let mut statements = Vec::new();
    for (ttl, assignments) in by_ttl {
        if marker_ttl == Some(ttl) {
            statements.push(insert(table, key, ttl, &assignments, timestamp));
        } else if !assignments.is_empty() {
            statements.push(update(table, key, ttl, &assignments, timestamp));
        }
    }
    for (ttl, assignment) in later {
        statements.push(update(table, key, ttl, &[assignment], timestamp));
    }
    Ok(statements)
}

fn insert(
    table: &TargetTable,
    key: &[(String, Bytes)],
    ttl: i32,
    assignments: &[Assignment],
    timestamp: i64,
) -> ReplayStatement {
    let keys = key.iter().map(|(name, _)| quoted(name));
    let columns: Vec<_> = keys.chain(assignments.iter().filter_map(|assignment| assignment.column.clone())).collect();
    let markers = vec!["?"; columns.len()].join(", ");
    let text = format!("INSERT INTO {} ({}) VALUES ({markers}) USING TTL ?", table.name, columns.join(", "));
    let ttl = ttl.to_be_bytes();
    let values = key.iter().map(|(_, value)| Some(&**value));
    let values = values.chain(assignments.iter().map(|assignment| assignment.value.as_deref())).chain([Some(&ttl[..])]);
    ReplayStatement { text, values: Binding::positional(values), timestamp }
}

fn update(
    table: &TargetTable,
    key: &[(String, Bytes)],
    ttl: i32,
    assignments: &[Assignment],
    timestamp: i64,
) -> ReplayStatement {
    let set: Vec<_> = assignments.iter().map(|assignment| assignment.text.as_str()).collect();
    let text = format!("UPDATE {} USING TTL ? SET {} WHERE {}", table.name, set.join(", "), key_condition(key));
    let ttl = ttl.to_be_bytes();
    let values = [Some(&ttl[..])].into_iter().chain(assignments.iter().map(|assignment| assignment.value.as_deref()));
    let values = values.chain(key.iter().map(|(_, value)| Some(&**value)));
    ReplayStatement { text, values: Binding::positional(values), timestamp }
}

fn key_condition(key: &[(String, Bytes)]) -> String {
    let each = key.iter().map(|(name, _)| format!("{} = ?", quoted(name)));
    each.collect::<Vec<_>>().join(" AND ")
}

/// The time to live that a value has left at a moment, in seconds.
fn remaining_ttl(at: u64, moment: u64) -> Option<i32> {
    let left = at.checked_sub(moment).filter(|left| *left > 0)?;
    i32::try_from(left.div_ceil(1000).min(MAX_TTL_SECONDS)).ok()
}

/// Elements of a collection or fields that expire at the same time.
struct ElementGroup {
    ttl: i32,
    text: String,
    value: Bytes,
}

/// The live elements of a collection or fields of a user-defined type, grouped by when they expire. The first part sets
/// the whole column, the others are added to it.
fn element_groups(
    table: &TargetTable,
    column: &Column,
    value: &Bytes,
    times: &[Option<u64>],
    moment: u64,
) -> Result<Vec<ElementGroup>, Malformed> {
    let name = quoted(&column.name);
    let ttl = |time: &Option<u64>| time.map_or(Some(0), |at| remaining_ttl(at, moment));
    let mut reader = Reader::new(value);
    if let Some(user_type) = column.user_type() {
        let fields = table.fields.iter().find(|(known, _)| known == user_type).map(|(_, fields)| fields);
        let fields = fields.ok_or(Malformed)?;
        let mut groups: Vec<ElementGroup> = Vec::new();
        for (index, (field, time)) in fields.iter().zip(times).enumerate() {
            if reader.rest().is_empty() {
                break;
            }
            let (Some(value), Some(ttl)) = (reader.bytes()?, ttl(time)) else { continue };
            let value = if groups.is_empty() {
                let mut whole = BytesMut::new();
                (0..index).for_each(|_| whole.bytes(None));
                whole.bytes(Some(value));
                whole.freeze()
            } else {
                Bytes::copy_from_slice(value)
            };
            groups.push(ElementGroup { ttl, text: format!("{name}.{} = ?", quoted(field)), value });
        }
        return Ok(groups);
    }
    let is_map = matches!(column.kind, CqlTypeKind::Map(..));
    let count = reader.count()?;
    if count != times.len() {
        return Err(Malformed);
    }
    let mut runs: Vec<(i32, Vec<&[u8]>)> = Vec::new();
    for time in times {
        let start = reader.rest();
        reader.bytes()?;
        if is_map {
            reader.bytes()?;
        }
        let element = reader.since(start);
        let Some(ttl) = ttl(time) else { continue };
        match runs.last_mut() {
            Some((last, elements)) if *last == ttl => elements.push(element),
            _ => runs.push((ttl, vec![element])),
        }
    }
    let groups = runs.into_iter().map(|(ttl, elements)| {
        let mut value = BytesMut::new();
        value.put_i32(saturated::<i32>(elements.len()));
        elements.iter().for_each(|element| value.put_slice(element));
        ElementGroup { ttl, text: format!("{name} = {name} + ?"), value: value.freeze() }
    });
    Ok(groups.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TargetTable {
        let column = |name: &str, cql_type: &str| Column::new(name.into(), cql_type.into());
        let layout = Layout {
            partition_key: vec![column("p", "int")],
            regular: vec![column("a", "text"), column("L", "list<int>")],
            ..Layout::default()
        };
        TargetTable { name: "ks.t".into(), layout, fields: Vec::new() }
    }

    fn row(marker: Marker, cells: Vec<ColumnValue>) -> StoredEntry {
        let key = vec![("p".into(), Bytes::from_static(&[0, 0, 0, 1]))];
        StoredEntry { sequence_number: 500, at: 0, entry: HistoryEntry::Row { marker, key, cells } }
    }

    fn cell(column: &str, value: &'static [u8], expires: Expiry) -> ColumnValue {
        ColumnValue { column: column.into(), value: Some(Bytes::from_static(value)), expires }
    }

    fn texts(stored: &StoredEntry, moment: u64) -> Vec<(String, i64)> {
        replay_statements(&table(), stored, moment)
            .unwrap()
            .into_iter()
            .map(|statement| (statement.text, statement.timestamp))
            .collect()
    }

    #[test]
    fn a_value_exists_until_it_expires() {
        for (at, seconds) in [(999, None), (1000, None), (1001, Some(1)), (2000, Some(1)), (2001, Some(2))] {
            assert_eq!(remaining_ttl(at, 1000), seconds, "{at}");
        }
        assert_eq!(remaining_ttl(u64::MAX, 0), Some(630_720_000));
    }

    #[test]
    fn values_that_expire_together_are_written_in_one_statement() {
        let cells = vec![cell("a", b"x", Expiry::At(5000)), cell("added later", b"x", Expiry::Never)];
        let stored = row(Marker::Written { expires: None }, cells);
        assert_eq!(
            texts(&stored, 1000),
            [
                (r#"INSERT INTO ks.t ("p") VALUES (?) USING TTL ?"#.into(), 500),
                (r#"UPDATE ks.t USING TTL ? SET "a" = ? WHERE "p" = ?"#.into(), 500),
            ]
        );
        // An expired value is written as null together with the row.
        assert_eq!(texts(&stored, 5000), [(r#"INSERT INTO ks.t ("p", "a") VALUES (?, ?) USING TTL ?"#.into(), 500)]);
        let updated = row(Marker::Kept, vec![cell("a", b"x", Expiry::Never)]);
        assert_eq!(texts(&updated, 0), [(r#"UPDATE ks.t USING TTL ? SET "a" = ? WHERE "p" = ?"#.into(), 500)]);
    }

    #[test]
    fn an_expired_row_does_not_bring_an_older_one_back() {
        let stored = row(Marker::Written { expires: Some(1000) }, Vec::new());
        assert_eq!(texts(&stored, 1000), [(r#"DELETE FROM ks.t WHERE "p" = ?"#.into(), 499)]);
    }

    #[test]
    fn elements_with_different_expiries_are_added_separately() {
        let three = b"\0\0\0\x03\0\0\0\x01a\0\0\0\x01b\0\0\0\x01c";
        let stored = row(Marker::Kept, vec![cell("L", three, Expiry::Each(vec![Some(1500), None, Some(9000)]))]);
        let statements = replay_statements(&table(), &stored, 2000).unwrap();
        let texts: Vec<_> = statements.iter().map(|statement| statement.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                r#"UPDATE ks.t USING TTL ? SET "L" = ? WHERE "p" = ?"#,
                r#"UPDATE ks.t USING TTL ? SET "L" = "L" + ? WHERE "p" = ?"#,
            ]
        );
        let values = |ttl: i32, list: &[u8]| {
            Binding::positional([Some(&ttl.to_be_bytes()[..]), Some(list), Some(&[0, 0, 0, 1])])
        };
        assert_eq!(statements[0].values, values(0, b"\0\0\0\x01\0\0\0\x01b"));
        assert_eq!(statements[1].values, values(7, b"\0\0\0\x01\0\0\0\x01c"));
        let mismatched = row(Marker::Kept, vec![cell("L", three, Expiry::Each(vec![None]))]);
        assert_eq!(replay_statements(&table(), &mismatched, 0), Err(Malformed));
    }
}
