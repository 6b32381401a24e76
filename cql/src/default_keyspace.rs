//! Adds the default keyspace to unqualified names in the text of a statement.

use crate::{Name, QualifiedName, Statement};

pub(crate) fn qualified_names(statement: &Statement) -> Vec<&QualifiedName> {
    match statement {
        Statement::CreateType(create) => vec![&create.name],
        Statement::DropType(drop) => vec![&drop.name],
        _ => statement.tables(),
    }
}

pub(crate) fn qualify_names(statement: &Statement, text: &str, keyspace: &str) -> Option<String> {
    let prefix = format!("{}.", Name::new(keyspace));
    let unqualified = qualified_names(statement).into_iter().filter(|name| name.keyspace.is_none());
    let places: Vec<usize> = unqualified.map(|name| name.name.span.start).collect();
    if places.is_empty() {
        return None;
    }
    let mut complete = String::with_capacity(text.len() + places.len() * prefix.len());
    let mut copied = 0;
    for place in places {
        complete.push_str(text.get(copied..place)?);
        complete.push_str(&prefix);
        copied = place;
    }
    complete.push_str(text.get(copied..)?);
    Some(complete)
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn complete(text: &str, keyspace: &str) -> Option<String> {
        parse(text).expect(text).qualify_names(text, keyspace)
    }

    #[test]
    fn only_unqualified_names_are_given_the_default_keyspace() {
        for (text, expected) in [
            ("SELECT a FROM t /* t */ WHERE a = 't'", Some("SELECT a FROM s.t /* t */ WHERE a = 't'")),
            ("INSERT INTO \"T\" (t) VALUES (?)", Some("INSERT INTO s.\"T\" (t) VALUES (?)")),
            ("UPDATE t SET a = ? WHERE k = ?", Some("UPDATE s.t SET a = ? WHERE k = ?")),
            ("DELETE t FROM t WHERE k = ?", Some("DELETE t FROM s.t WHERE k = ?")),
            (
                "BEGIN BATCH INSERT INTO t (a) VALUES (1); DELETE FROM o.t WHERE a = 2; UPDATE u SET a = 1 WHERE k = 1; APPLY BATCH",
                Some(
                    "BEGIN BATCH INSERT INTO s.t (a) VALUES (1); DELETE FROM o.t WHERE a = 2; UPDATE s.u SET a = 1 WHERE k = 1; APPLY BATCH",
                ),
            ),
            (
                "CREATE TABLE IF NOT EXISTS t (t int PRIMARY KEY, a frozen<address>)",
                Some("CREATE TABLE IF NOT EXISTS s.t (t int PRIMARY KEY, a frozen<address>)"),
            ),
            ("ALTER TABLE t ADD a int", Some("ALTER TABLE s.t ADD a int")),
            ("DROP TABLE IF EXISTS t", Some("DROP TABLE IF EXISTS s.t")),
            ("RESTORE TABLE t FROM TABLE old", Some("RESTORE TABLE s.t FROM TABLE s.old")),
            ("CREATE TYPE address (street text)", Some("CREATE TYPE s.address (street text)")),
            ("DROP TYPE address", Some("DROP TYPE s.address")),
            ("TRUNCATE TABLE t", Some("TRUNCATE TABLE s.t")),
            ("CREATE INDEX i ON t (a)", Some("CREATE INDEX i ON s.t (a)")),
            ("SELECT a FROM o.t", None),
            ("CREATE KEYSPACE t WITH replication = {'class': 'SingleRegionStrategy'}", None),
            ("USE t", None),
        ] {
            assert_eq!(complete(text, "s").as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn default_keyspace_is_quoted_when_cql_requires_it() {
        assert_eq!(complete("DROP TABLE t", "Shop").as_deref(), Some("DROP TABLE \"Shop\".t"));
        assert_eq!(complete("DROP TABLE t", "a\"b").as_deref(), Some("DROP TABLE \"a\"\"b\".t"));
    }
}
