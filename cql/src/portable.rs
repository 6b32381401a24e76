//! The part of a definition that a plain Cassandra can execute.

use crate::Statement;
use crate::allowed::{is_ignored, is_ignored_keyspace_option};
use crate::statement::{AlterTable, AlterTableChange};

/// The part of a definition that does not need Keyspaces.
#[derive(Clone, Debug, PartialEq)]
pub enum Portable {
    /// The whole definition.
    All,
    /// This statement, without the options that only Keyspaces has.
    Part(Box<Statement>),
    /// Nothing: only Keyspaces can execute the definition.
    Nothing,
}

/// The options of a table or a keyspace that only Keyspaces has (`DG:cql.ddl.table`). Cassandra's `cdc` is unrelated.
const ONLY_KEYSPACES: [&str; 4] = ["autoscaling_settings", "cdc", "custom_properties", "tags"];

pub(crate) fn portable(statement: &Statement) -> Portable {
    let mut part = statement.clone();
    let options = match &mut part {
        Statement::CreateKeyspace(create) => &mut create.options,
        Statement::CreateTable(create) => &mut create.options,
        Statement::AlterTable(alter) => match &mut alter.change {
            AlterTableChange::With(options) => options,
            AlterTableChange::AddTags(_)
            | AlterTableChange::DropTags(_)
            | AlterTableChange::AddStreamTags(_)
            | AlterTableChange::DropStreamTags(_) => return Portable::Nothing,
            _ => return Portable::All,
        },
        // A keyspace can only change its tags and Regions, which Cassandra lacks.
        Statement::AlterKeyspace(_) | Statement::RestoreTable(_) => return Portable::Nothing,
        _ => return Portable::All,
    };
    let before = options.len();
    options.retain(|option| !ONLY_KEYSPACES.contains(&option.name.text.as_str()));
    match (before - options.len(), options.len()) {
        (0, _) => Portable::All,
        (_, 0) if matches!(statement, Statement::AlterTable(_)) => Portable::Nothing,
        _ => Portable::Part(Box::new(part)),
    }
}

pub(crate) fn without_ignored_options(statement: &Statement) -> Option<Statement> {
    let mut part = statement.clone();
    let options = match &mut part {
        Statement::CreateKeyspace(create) => {
            create.options.retain(|option| !is_ignored_keyspace_option(option));
            return Some(part);
        }
        Statement::CreateTable(create) => &mut create.options,
        Statement::AlterTable(AlterTable { change: AlterTableChange::With(options), .. }) => options,
        _ => return Some(part),
    };
    options.retain(|option| !is_ignored(option));
    let nothing = options.is_empty() && matches!(statement, Statement::AlterTable(_));
    (!nothing).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn options_ignored_by_keyspaces_are_left_out() {
        let create =
            "CREATE TABLE t (a int PRIMARY KEY) WITH caching = 'none' AND comment = 'c' AND cdc = {'enabled': true}";
        let left = parse(create).unwrap().without_ignored_options().unwrap();
        assert_eq!(left.to_string(), "CREATE TABLE t (a int PRIMARY KEY) WITH comment = 'c'");
        assert_eq!(parse("ALTER TABLE t WITH gc_grace_seconds = 0").unwrap().without_ignored_options(), None);
        let add = parse("ALTER TABLE t ADD b int").unwrap();
        assert_eq!(add.without_ignored_options().as_ref(), Some(&add));
    }

    #[test]
    fn keyspaces_only_parts_are_left_out() {
        for (text, expected) in [
            ("CREATE TABLE t (a int PRIMARY KEY) WITH comment = 'c'", "all"),
            (
                "CREATE TABLE t (a int PRIMARY KEY) WITH TAGS = {'a': 'b'} AND comment = 'c'",
                "CREATE TABLE t (a int PRIMARY KEY) WITH comment = 'c'",
            ),
            ("CREATE TABLE t (a int PRIMARY KEY) WITH CDC = TRUE", "CREATE TABLE t (a int PRIMARY KEY)"),
            ("ALTER TABLE t ADD b int", "all"),
            ("ALTER TABLE t WITH custom_properties = {'ttl': {'status': 'enabled'}}", "nothing"),
            ("ALTER TABLE t ADD TAGS {'a': 'b'}", "nothing"),
            ("ALTER KEYSPACE k DROP TAGS {'a': 'b'}", "nothing"),
            ("RESTORE TABLE a FROM TABLE b", "nothing"),
            ("DROP TABLE t", "all"),
        ] {
            let actual = match parse(text).unwrap().portable() {
                Portable::All => "all".to_owned(),
                Portable::Part(part) => part.to_string(),
                Portable::Nothing => "nothing".to_owned(),
            };
            assert_eq!(actual, expected, "{text}");
        }
    }
}
