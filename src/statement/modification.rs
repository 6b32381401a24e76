//! The columns that a modification sets, and those that it fixes to one value.

use keyspaces_cql::Statement;
use keyspaces_cql::statement::{InsertContent, Target, Term};

/// The columns that a modification sets, and the columns that its WHERE fixes to one value.
#[derive(Debug)]
pub(super) struct ModifiedColumns<'t> {
    pub(super) sets: Vec<&'t str>,
    /// The fixed columns with their values; an INSERT fixes the columns that it sets.
    pub(super) pins: Vec<(&'t str, &'t Term)>,
    /// Whether WHERE has a relation other than equality.
    pub(super) ranges: bool,
    pub(super) deletes_rows: bool,
}

impl<'t> ModifiedColumns<'t> {
    pub(super) fn by(statement: &'t Statement) -> Option<Self> {
        let relations = match statement {
            Statement::Insert(insert) => {
                let InsertContent::Values { columns, values } = &insert.content else { return None };
                let sets: Vec<_> = columns.iter().map(|column| column.text.as_str()).collect();
                let pins = sets.iter().copied().zip(values).collect();
                return Some(Self { pins, sets, ranges: false, deletes_rows: false });
            }
            Statement::Update(update) => &update.relations,
            Statement::Delete(delete) => &delete.relations,
            _ => return None,
        };
        let targets: Vec<&Target> = match statement {
            Statement::Update(update) => update.assignments.iter().map(|assignment| &assignment.target).collect(),
            Statement::Delete(delete) => delete.targets.iter().collect(),
            _ => Vec::new(),
        };
        Some(Self {
            sets: targets.iter().map(|target| target.column().text.as_str()).collect(),
            pins: relations
                .iter()
                .filter_map(|relation| relation.equality())
                .map(|(column, value)| (column.text.as_str(), value))
                .collect(),
            ranges: relations.iter().any(|relation| relation.equality().is_none()),
            deletes_rows: matches!(statement, Statement::Delete(delete) if delete.targets.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_modification_touches_is_read_from_its_text() {
        let touched = |text: &str| {
            let statement = keyspaces_cql::parse(text).expect("it is CQL");
            let it = ModifiedColumns::by(&statement).expect("a modification");
            let pins: Vec<_> = it.pins.iter().map(|(column, _)| *column).collect();
            (it.sets.join(" "), pins.join(" "), it.ranges, it.deletes_rows)
        };
        let is = |sets: &str, pins: &str, ranges, deletes| (sets.to_owned(), pins.to_owned(), ranges, deletes);
        assert_eq!(touched("INSERT INTO ks.t (a, b) VALUES (?, 1)"), is("a b", "a b", false, false));
        assert_eq!(touched("UPDATE ks.t SET s = ? WHERE a = ? AND b = 1"), is("s", "a b", false, false));
        assert_eq!(touched("DELETE FROM ks.t WHERE a = ? AND b > 1"), is("", "a", true, true));
        assert_eq!(touched("DELETE s FROM ks.t WHERE a = ? AND b = ?"), is("s", "a b", false, false));
    }
}
