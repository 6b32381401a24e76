//! What a statement is, whether the service takes it, and its text with Cassandra's names.

use keyspaces_cql::statement::{Batch, BatchKind, Modification, TermKind, Using};
use keyspaces_cql::{
    Context, Judgement, KnownTables, QualifiedName, Span, Statement, SyntaxError, SyntaxProblem, Unknown, judge_in,
};

use super::nondeterministic::is_nondeterministic;
use super::renamed;
use super::text::{Text, parse};
use crate::names::{Names, ObjectKind, SchemaObject, system_tables};
use crate::protocol::{Refusal, error_code, not_emulated, refused_by};
use crate::schema::{Definition, Features};

/// A statement that the service takes, as far as its text can tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Analysed {
    pub(super) action: Action,
    /// The tables that it reads or writes, by the client's names.
    pub(super) tables: Vec<SchemaObject>,
    /// What each of these tables needs for it.
    pub(super) needs: Vec<Features>,
    /// What else is to be looked at when its values are known.
    pub(super) checks: Checks,
    pub(super) text: Text,
}

/// What a statement does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Action {
    Read,
    Write {
        conditional: bool,
    },
    Define(Box<Definition>),
    Use(String),
    /// IF NOT EXISTS of what is there.
    Nothing,
}

impl Analysed {
    pub(super) fn nothing_to_do() -> Self {
        let checks = Checks::Write { deletes: false, ttl: false, timestamps: false, nondeterministic: false };
        let (tables, needs) = (Vec::new(), Vec::new());
        Self { action: Action::Nothing, tables, needs, checks, text: Text::default() }
    }
}

/// What in a statement only its values or its table can judge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Checks {
    /// Whether it filters rows, whether it has lists after IN that are bound as a whole, and whether it has a LIMIT.
    Read { filters: bool, lists: bool, limited: bool },
    /// Whether it may delete more than one row, whether its time to live is bound, whether it says when it wrote, and
    /// whether it calls a function that gives something else each time. How large its values are is always looked at.
    Write { deletes: bool, ttl: bool, timestamps: bool, nondeterministic: bool },
}

impl Checks {
    fn at(statement: &Statement) -> Self {
        let (mut ttl, mut timestamps) = (false, false);
        for using in statement.usings() {
            ttl |= using.ttl().is_some_and(|ttl| matches!(ttl.kind, TermKind::Marker(_)));
            timestamps |= using.timestamp().is_some();
        }
        let deletes = match statement {
            Statement::Select(select) => {
                return Self::Read {
                    filters: select.allow_filtering.is_some() && !select.relations.is_empty(),
                    lists: statement.in_widths().iter().any(|list| list.width.is_none()),
                    limited: select.limit.is_some(),
                };
            }
            Statement::Batch(batch) => batch.statements.iter().any(|of| matches!(of, Modification::Delete(_))),
            other => matches!(other, Statement::Delete(_)),
        };
        Self::Write { deletes, ttl, timestamps, nondeterministic: is_nondeterministic(statement) }
    }
}

/// Why a statement goes no further.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Rejected {
    /// Refused.
    Refused(Refusal),
    /// No CQL that is known here: Cassandra says whether it is any; this if it is.
    Unparsed(Refusal),
}

/// Where names without a keyspace are, and what Cassandra calls them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) keyspace: Option<&'a str>,
    pub(super) names: &'a Names,
    pub(super) data_center: &'a str,
    /// Whether it is to be prepared.
    pub(super) prepared: bool,
}

impl Scope<'_> {
    /// The tables that a statement names.
    pub(super) fn tables(self, statement: &Statement) -> Vec<SchemaObject> {
        let table = |name: &&QualifiedName| {
            let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).or(self.keyspace)?;
            Some(SchemaObject::table(keyspace, &name.name.text))
        };
        statement.tables().iter().filter_map(table).collect()
    }
}

impl Scope<'_> {
    /// What a CREATE … IF NOT EXISTS creates.
    pub(super) fn created_if_missing(self, statement: &Statement) -> Option<SchemaObject> {
        match statement {
            Statement::CreateKeyspace(create) => {
                create.if_not_exists.map(|_| SchemaObject::keyspace(create.keyspace.text.clone()))
            }
            Statement::CreateTable(create) => {
                create.if_not_exists?;
                self.named(&create.table, ObjectKind::Table)
            }
            Statement::CreateType(create) => {
                create.if_not_exists?;
                self.named(&create.name, ObjectKind::Type)
            }
            _ => None,
        }
    }

    /// The table that a definition is about.
    pub(super) fn defined_table(self, statement: &Statement) -> Option<SchemaObject> {
        let name = match statement {
            Statement::CreateTable(create) => &create.table,
            Statement::AlterTable(alter) => &alter.table,
            Statement::DropTable(drop) => &drop.table,
            Statement::RestoreTable(restore) => &restore.table,
            _ => return None,
        };
        self.named(name, ObjectKind::Table)
    }

    fn named(self, name: &QualifiedName, kind: ObjectKind) -> Option<SchemaObject> {
        let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).or(self.keyspace)?;
        Some(SchemaObject { keyspace: keyspace.to_owned(), kind, name: name.name.text.clone() })
    }
}

/// Parses a statement.
pub(super) fn parsed(text: &str) -> Result<Statement, Rejected> {
    parse(text).map_err(|error| unknown_syntax(&error))
}

/// Reads a statement. `tables` are those that it names, as far as they are there.
pub(super) fn analyse(
    statement: &Statement,
    text: &str,
    scope: Scope<'_>,
    tables: &KnownTables,
) -> Result<Analysed, Refusal> {
    judged(statement, text, scope, tables)?;
    let renames = renamed::edits(statement, scope.keyspace);
    Analysis { scope, checks: Checks::at(statement), text: Text { sent: text.into(), renames, tables: Vec::new() } }
        .statement(statement)
}

/// What the rules say of a batch that came in pieces. Each of its statements was understood by itself.
pub(super) fn judge_batch(
    kind: BatchKind,
    pieces: &[&Statement],
    scope: Scope<'_>,
    tables: &KnownTables,
) -> Result<(), Refusal> {
    let statements = pieces.iter().map(|piece| match piece {
        Statement::Insert(insert) => Ok(Modification::Insert(insert.clone())),
        Statement::Update(update) => Ok(Modification::Update(update.clone())),
        Statement::Delete(delete) => Ok(Modification::Delete(delete.clone())),
        _ => Err(not_emulated("this batch: a statement of a batch is an INSERT, an UPDATE or a DELETE")),
    });
    let statements = statements.collect::<Result<_, _>>()?;
    let batch = Statement::Batch(Batch { span: Span::default(), kind, using: None, statements });
    judged(&batch, "", scope, tables)
}

fn judged(statement: &Statement, text: &str, scope: Scope<'_>, tables: &KnownTables) -> Result<(), Refusal> {
    let mut context = Context::new().with_tables(tables);
    if let Some(keyspace) = scope.keyspace {
        context = context.in_keyspace(keyspace);
    }
    if scope.prepared {
        context = context.prepared();
    }
    match judge_in(statement, &context) {
        Judgement::Allowed => Ok(()),
        Judgement::Refused(refusal) => Err(refused_by(refusal.rule)),
        Judgement::Unknown(Unknown { span, what }) => Err(not_emulated(format!("{what} ({})", span.position(text)))),
    }
}

fn unknown_syntax(error: &SyntaxError) -> Rejected {
    let refusal = not_emulated(format!("this statement: {error}"));
    match error.problem {
        // The Cassandra behind takes some words as names that the service reserves.
        SyntaxProblem::Reserved { .. } => {
            Rejected::Refused(Refusal { code: error_code::SYNTAX_ERROR, text: format!("keyspaces-local: {error}") })
        }
        SyntaxProblem::Unexpected { .. } | SyntaxProblem::Unterminated(_) => Rejected::Unparsed(refusal),
        // Cassandra is not asked to read what is beyond measure.
        _ => Rejected::Refused(refusal),
    }
}

struct Analysis<'a> {
    scope: Scope<'a>,
    checks: Checks,
    text: Text,
}

impl Analysis<'_> {
    fn statement(mut self, statement: &Statement) -> Result<Analysed, Refusal> {
        match statement {
            Statement::Select(select) => {
                let table = self.table(&select.table)?;
                // The service finds tags by columns that are not their key.
                if system_tables::is_found_by_other_columns(&table) && select.allow_filtering.is_none() {
                    self.text.tables.push((Span::new(select.span.end, select.span.end), " ALLOW FILTERING".into()));
                }
                let timestamps = statement.functions().iter().any(|function| function.name == "writetime");
                Ok(self.analysed(Action::Read, vec![table], vec![Features { ttl: false, timestamps }]))
            }
            Statement::Insert(insert) => {
                self.write(&[(&insert.table, insert.using.as_ref())], insert.if_not_exists.is_some())
            }
            Statement::Update(update) => {
                self.write(&[(&update.table, update.using.as_ref())], update.condition.is_some())
            }
            Statement::Delete(delete) => {
                self.write(&[(&delete.table, delete.using.as_ref())], delete.condition.is_some())
            }
            Statement::Batch(batch) => self.batch(batch),
            Statement::Use(wanted) => {
                Ok(self.analysed(Action::Use(wanted.keyspace.text.clone()), Vec::new(), Vec::new()))
            }
            definition => {
                let Scope { keyspace, names, data_center, .. } = self.scope;
                let definition = Definition::of(definition, keyspace, names, data_center)?;
                Ok(self.analysed(Action::Define(Box::new(definition)), Vec::new(), Vec::new()))
            }
        }
    }

    fn batch(self, batch: &Batch) -> Result<Analysed, Refusal> {
        let writes: Vec<_> = batch.statements.iter().map(|statement| (statement.table(), statement.using())).collect();
        let conditional = batch.statements.iter().any(Modification::is_conditional);
        let mut analysed = self.write(&writes, conditional)?;
        for needs in &mut analysed.needs {
            *needs = needs.and(needed(batch.using.as_ref()));
        }
        Ok(analysed)
    }

    fn write(mut self, writes: &[(&QualifiedName, Option<&Using>)], conditional: bool) -> Result<Analysed, Refusal> {
        let tables = writes.iter().map(|(table, _)| self.table(table)).collect::<Result<Vec<_>, _>>()?;
        // The rules let through one change in a system keyspace: that of the partitioner.
        if tables.iter().any(|table| system_tables::is_system(&table.keyspace)) {
            return Err(not_emulated("another partitioner: it is chosen when the local service is started"));
        }
        let needs = writes.iter().map(|(_, using)| needed(*using)).collect();
        Ok(self.analysed(Action::Write { conditional }, tables, needs))
    }

    fn table(&mut self, name: &QualifiedName) -> Result<SchemaObject, Refusal> {
        let keyspace = self.keyspace_of(name)?;
        let table = SchemaObject::table(keyspace, &name.name.text);
        let upstream = match system_tables::find(&table.keyspace, &table.name) {
            Some(system) => self.scope.names.system_table(system),
            None => self.scope.names.qualified(&table),
        };
        self.text.tables.push((name.span(), upstream));
        Ok(table)
    }

    fn keyspace_of(&self, name: &QualifiedName) -> Result<String, Refusal> {
        let named = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str());
        named.or(self.scope.keyspace).map(str::to_owned).ok_or_else(|| Refusal {
            code: error_code::INVALID,
            text: "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename".into(),
        })
    }

    fn analysed(self, action: Action, tables: Vec<SchemaObject>, needs: Vec<Features>) -> Analysed {
        Analysed { action, tables, needs, checks: self.checks, text: self.text }
    }
}

fn needed(using: Option<&Using>) -> Features {
    let (ttl, timestamps) = (using.and_then(Using::ttl), using.and_then(Using::timestamp));
    Features { ttl: ttl.is_some(), timestamps: timestamps.is_some() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::quoted;
    use crate::schema::Change;

    fn read(text: &str) -> Result<Analysed, Rejected> {
        let names = Names::new("test");
        let scope = Scope { keyspace: Some("here"), names: &names, data_center: "datacenter1", prepared: false };
        analyse(&parsed(text)?, text, scope, &KnownTables::default()).map_err(Rejected::Refused)
    }

    /// The text for Cassandra, with `P` for what this instance's names begin with.
    fn upstream(text: &str) -> String {
        let prefix = Names::new("test").inner().to_owned();
        read(text).unwrap_or_else(|not| panic!("{text}: {not:?}")).text_or_definition().replace(&prefix, "P")
    }

    impl Analysed {
        fn text_or_definition(self) -> String {
            match self.action {
                Action::Define(definition) => definition.text.unwrap_or_default(),
                _ => self.text.for_cassandra(),
            }
        }
    }

    #[test]
    fn names_are_cassandras_and_everything_else_stays() {
        for (clients, cassandras) in [
            ("SELECT * FROM app.t", r#"SELECT * FROM "P_app"."t""#),
            ("select  a /* t */ from T where t = 't'", r#"select  a /* t */ from "P_here"."t" where t = 't'"#),
            (r#"SELECT * FROM "App"."T x""#, r#"SELECT * FROM "P_App"."T x""#),
            ("SELECT * FROM system.local", "SELECT * FROM P.system__local"),
            ("SELECT * FROM SYSTEM_SCHEMA_MCS.tables;", "SELECT * FROM P.system_schema_mcs__tables;"),
            ("SELECT * FROM system.nosuch", r#"SELECT * FROM "P_system"."nosuch""#),
            ("INSERT INTO app.t (a) VALUES ('app.t')", r#"INSERT INTO "P_app"."t" (a) VALUES ('app.t')"#),
            ("UPDATE t SET a = 1 WHERE b = 2", r#"UPDATE "P_here"."t" SET a = 1 WHERE b = 2"#),
            (
                "SELECT UNIXTIMESTAMPOF(a), toDate(dateOf(a)), dateof(a) AS b FROM t",
                "SELECT tounixtimestamp(a) AS \"system.unixtimestampof(a)\", toDate(totimestamp(a)) AS \
                 \"system.todate(system.dateof(a))\", totimestamp(a) AS b FROM \"P_here\".\"t\"",
            ),
            (
                "UPDATE app.t SET a = (app.y) {b: 1}, c = (other.y) {b: 2}, d = (y) {b: 3} WHERE e = 4",
                "UPDATE \"P_app\".\"t\" SET a = (\"y\") {b: 1}, c = (other.y) {b: 2}, d = (y) {b: 3} WHERE e = 4",
            ),
            ("DELETE FROM app.t WHERE b = ?", r#"DELETE FROM "P_app"."t" WHERE b = ?"#),
            (
                "BEGIN UNLOGGED BATCH DELETE FROM a.t WHERE b = 1; DELETE FROM t WHERE b = 2; APPLY BATCH",
                r#"BEGIN UNLOGGED BATCH DELETE FROM "P_a"."t" WHERE b = 1; DELETE FROM "P_here"."t" WHERE b = 2; APPLY BATCH"#,
            ),
            (
                "CREATE KEYSPACE IF NOT EXISTS app WITH replication = {'class': 'SingleRegionStrategy'} AND durable_writes = true",
                "CREATE KEYSPACE IF NOT EXISTS \"P_app\" WITH replication = \
                 {'class': 'NetworkTopologyStrategy', 'datacenter1': 1} AND durable_writes = true",
            ),
            ("DROP KEYSPACE app", r#"DROP KEYSPACE "P_app""#),
            (
                "CREATE TABLE app.t (a int PRIMARY KEY, b list<frozen<app.y>>, c frozen<z>)",
                r#"CREATE TABLE "P_app"."t" (a int PRIMARY KEY, b list<frozen<"P_app"."y">>, c frozen<z>)"#,
            ),
            ("ALTER TABLE t ADD a frozen<app.y>", r#"ALTER TABLE "P_here"."t" ADD (a frozen<"P_app"."y">)"#),
            ("DROP TABLE IF EXISTS t", r#"DROP TABLE IF EXISTS "P_here"."t""#),
            ("CREATE TYPE app.y (a frozen<x>)", r#"CREATE TYPE "P_app"."y" (a frozen<x>)"#),
            ("DROP TYPE y", r#"DROP TYPE "P_here"."y""#),
        ] {
            assert_eq!(upstream(clients), cassandras, "{clients}");
        }
    }

    #[test]
    fn what_a_statement_does_and_needs_is_known() {
        let of = |text: &str| read(text).map(|analysed| (analysed.action, analysed.needs)).unwrap();
        let ttl = Features { ttl: true, timestamps: false };
        let timestamps = Features { ttl: false, timestamps: true };
        let write = |conditional| Action::Write { conditional };
        for (text, action, needs) in [
            ("SELECT ttl(a) FROM t", Action::Read, &[Features::default()][..]),
            ("SELECT WRITETIME(a) FROM t", Action::Read, &[timestamps]),
            ("INSERT INTO t (a) VALUES (1)", write(false), &[Features::default()]),
            ("INSERT INTO t (a) VALUES (1) IF NOT EXISTS USING TTL ?", write(true), &[ttl]),
            ("UPDATE t USING TIMESTAMP 1 SET a = 1 WHERE b = 1", write(false), &[timestamps]),
            ("DELETE FROM t WHERE b = 1 IF EXISTS", write(true), &[Features::default()]),
            (
                "BEGIN BATCH INSERT INTO t (a) VALUES (1) USING TTL 1; INSERT INTO t (a) VALUES (2) IF NOT EXISTS APPLY BATCH",
                write(true),
                &[ttl, Features::default()],
            ),
            (
                "BEGIN BATCH USING TIMESTAMP 1 INSERT INTO t (a) VALUES (1) USING TTL 1; DELETE FROM u WHERE b = 1; APPLY BATCH",
                write(false),
                &[ttl.and(timestamps), timestamps],
            ),
            ("USE \"App\"", Action::Use("App".into()), &[]),
        ] {
            assert_eq!(of(text), (action, needs.to_vec()), "{text}");
        }
    }

    #[test]
    fn a_restore_names_two_tables_and_nothing_of_it_is_for_cassandra() {
        let text = "RESTORE TABLE t FROM TABLE app.u WITH restore_timestamp = '2020-06-30T04:05:00Z'";
        let Action::Define(definition) = read(text).unwrap().action else { panic!() };
        assert_eq!((definition.change, definition.object), (Change::Restore, SchemaObject::table("here", "t")));
        assert_eq!((definition.source, definition.text), (Some(SchemaObject::table("app", "u")), None));
    }

    #[test]
    fn a_text_beyond_measure_is_not_shown_to_cassandra() {
        let deep = format!("SELECT {}a{} FROM t", "(".repeat(1000), ")".repeat(1000));
        let long = format!("SELECT * FROM t -- {}", "x".repeat(5 << 20));
        for text in [deep, long] {
            assert!(matches!(read(&text), Err(Rejected::Refused(_))));
        }
        assert!(matches!(read("SELECT 'x FROM t"), Err(Rejected::Unparsed(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_not(text: String) {
            let _ = read(&text);
        }

        #[test]
        fn any_names_are_read_back_as_they_were(keyspace in "[a-zA-Z0-9][a-zA-Z0-9_]{0,47}", table in "[ -~]{1,48}") {
            let text = format!("SELECT * FROM {}.{}", quoted(&keyspace), quoted(&table));
            let analysed = read(&text).unwrap();
            prop_assert_eq!(&analysed.tables, &[SchemaObject::table(&keyspace, &table)]);
            let again = keyspaces_cql::parse(&analysed.text.for_cassandra()).unwrap();
            let names = Names::new("test");
            let found = again.tables()[0];
            let upstream = names.keyspace(&keyspace);
            if !system_tables::is_system(&keyspace) {
                prop_assert_eq!(&found.keyspace.as_ref().unwrap().text, &upstream);
                prop_assert_eq!(&found.name.text, &table);
                prop_assert_eq!(names.restored_keyspace(&upstream), keyspace);
            }
        }
    }
}
