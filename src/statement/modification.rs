//! Finds the columns that an INSERT, UPDATE or DELETE modifies.

use keyspaces_cql::Statement;
use keyspaces_cql::statement::{InsertContent, Target, Term};

/// The columns that a modification sets, and the columns that its WHERE restricts to one value.
#[derive(Debug)]
pub(super) struct ModifiedColumns<'t> {
    pub(super) set_columns: Vec<&'t str>,
    /// The columns restricted to one value, with that value; for an INSERT, the columns that it sets.
    pub(super) fixed_columns: Vec<(&'t str, &'t Term)>,
    /// Whether WHERE has a relation other than equality.
    pub(super) has_range: bool,
    pub(super) deletes_rows: bool,
}

impl<'t> ModifiedColumns<'t> {
    pub(super) fn find(statement: &'t Statement) -> Option<Self> {
        let relations = match statement {
            Statement::Insert(insert) => {
                let InsertContent::Values { columns, values } = &insert.content else { return None };
                let set_columns: Vec<_> = columns.iter().map(|column| column.text.as_str()).collect();
                let fixed_columns = set_columns.iter().copied().zip(values).collect();
                return Some(Self { fixed_columns, set_columns, has_range: false, deletes_rows: false });
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
            set_columns: targets.iter().map(|target| target.column().text.as_str()).collect(),
            fixed_columns: relations
                .iter()
                .filter_map(|relation| relation.equality())
                .map(|(column, value)| (column.text.as_str(), value))
                .collect(),
            has_range: relations.iter().any(|relation| relation.equality().is_none()),
            deletes_rows: matches!(statement, Statement::Delete(delete) if delete.targets.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modified_columns_are_read_from_the_statement_text() {
        let modified = |text: &str| {
            let statement = keyspaces_cql::parse(text).expect("it is CQL");
            let found = ModifiedColumns::find(&statement).expect("a modification");
            let fixed_columns: Vec<_> = found.fixed_columns.iter().map(|(column, _)| *column).collect();
            (found.set_columns.join(" "), fixed_columns.join(" "), found.has_range, found.deletes_rows)
        };
        let is = |set_columns: &str, fixed_columns: &str, has_range, deletes| {
            (set_columns.to_owned(), fixed_columns.to_owned(), has_range, deletes)
        };
        assert_eq!(modified("INSERT INTO ks.t (a, b) VALUES (?, 1)"), is("a b", "a b", false, false));
        assert_eq!(modified("UPDATE ks.t SET s = ? WHERE a = ? AND b = 1"), is("s", "a b", false, false));
        assert_eq!(modified("DELETE FROM ks.t WHERE a = ? AND b > 1"), is("", "a", true, true));
        assert_eq!(modified("DELETE s FROM ks.t WHERE a = ? AND b = ?"), is("s", "a b", false, false));
    }
}
