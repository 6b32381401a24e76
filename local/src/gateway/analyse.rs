//! Analyses a statement: its kind, whether the service accepts it, and its text with Cassandra's names.

use std::sync::Arc;

use keyspaces_cql::statement::{Batch, BatchKind, Modification, Using};
use keyspaces_cql::{
    Context, Effect, Judgement, KnownTables, QualifiedName, Span, Statement, SyntaxError, SyntaxProblem, Unknown,
    judge_in,
};

use super::check::not_a_write;
use super::dml::{CachedCapacityPlan, Checks, DmlStatement};
use super::request_context::RequestContext;
use super::scope::NameScope;
use crate::names::system_tables;
use crate::protocol::{Refusal, error_code, not_emulated, refused_by};
use crate::schema::{Definition, Features, unconfigured};
use crate::statement::{StatementText, name_edits, parse};

/// A statement that the service accepts, judging by its text alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Analysed {
    Dml(DmlStatement),
    Define(Box<Definition>),
    Use(String),
    /// CREATE … IF NOT EXISTS of something that exists.
    NothingToDo,
}

/// Why a statement is not executed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Rejected {
    /// The service refuses it.
    Refused(Refusal),
    /// The text cannot be parsed here. The answer is Cassandra's syntax error if it finds one, otherwise this refusal.
    Unparsed(Refusal),
}

/// Parses and analyses a statement. `prepared` is whether it came in a PREPARE.
pub(super) async fn analyse(
    context: &RequestContext<'_>,
    stream: i16,
    text: &str,
    prepared: bool,
) -> Result<Analysed, Rejected> {
    let statement = parse_statement(text)?;
    let tables = if statement.effect() == Effect::Definition {
        if prepared && let Some(table) = context.in_scope(prepared, |scope| scope.defined_table(&statement)) {
            return Err(Rejected::Refused(unconfigured(&table)));
        }
        // An object that exists stays as it is, whatever the rest of the statement says.
        if let Some(created) = context.in_scope(prepared, |scope| scope.created_if_missing(&statement)) {
            context.apply_due_changes().await.map_err(Rejected::Refused)?;
            if context.shared.schema.has(&created) {
                return Ok(Analysed::NothingToDo);
            }
        }
        KnownTables::default()
    } else {
        let named = context.in_scope(prepared, |scope| scope.tables(&statement));
        context.known_tables(stream, &named).await.map_err(Rejected::Refused)?
    };
    context.in_scope(prepared, |scope| analyse_in(scope, statement, text, &tables)).map_err(Rejected::Refused)
}

/// Refuses a BATCH frame that the rules do not allow as a whole. Each of its statements was analysed by itself.
pub(super) async fn check_batch(
    context: &RequestContext<'_>,
    stream: i16,
    kind: BatchKind,
    statements: &[Arc<DmlStatement>],
) -> Result<(), Refusal> {
    if statements.iter().any(|statement| statement.reads) {
        return Err(not_a_write());
    }
    let tables = context.known_tables(stream, statements.iter().flat_map(|statement| &statement.tables)).await?;
    let modifications = statements.iter().map(|statement| match &*statement.tree {
        Statement::Insert(insert) => Ok(Modification::Insert(insert.clone())),
        Statement::Update(update) => Ok(Modification::Update(update.clone())),
        Statement::Delete(delete) => Ok(Modification::Delete(delete.clone())),
        _ => Err(not_emulated("this batch: a statement of a batch is an INSERT, an UPDATE or a DELETE")),
    });
    let statements = modifications.collect::<Result<_, _>>()?;
    let batch = Statement::Batch(Batch { span: Span::default(), kind, using: None, statements });
    context.in_scope(false, |scope| check_rules(scope, &batch, "", &tables))
}

fn parse_statement(text: &str) -> Result<Statement, Rejected> {
    parse(text).map_err(|error| rejected(&error))
}

fn rejected(error: &SyntaxError) -> Rejected {
    let refusal = not_emulated(format!("this statement: {error}"));
    match error.problem {
        // The backing Cassandra accepts some words as names that the service reserves.
        SyntaxProblem::Reserved { .. } => {
            Rejected::Refused(Refusal { code: error_code::SYNTAX_ERROR, text: format!("keyspaces-local: {error}") })
        }
        SyntaxProblem::Unexpected { .. } | SyntaxProblem::Unterminated(_) => Rejected::Unparsed(refusal),
        // The text is too long or too deeply nested: Cassandra is not asked to read it.
        _ => Rejected::Refused(refusal),
    }
}

/// Analyses a statement of this text. `tables` are the tables that it names, as far as they exist.
pub(super) fn analyse_in(
    scope: NameScope<'_>,
    statement: Statement,
    text: &str,
    tables: &KnownTables,
) -> Result<Analysed, Refusal> {
    check_rules(scope, &statement, text, tables)?;
    match &statement {
        Statement::Use(use_statement) => Ok(Analysed::Use(use_statement.keyspace.text.clone())),
        Statement::Select(_)
        | Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Batch(_) => analyse_dml(scope, statement, text).map(Analysed::Dml),
        definition => {
            let definition = Definition::new(definition, scope.keyspace, scope.names, scope.data_center)?;
            Ok(Analysed::Define(Box::new(definition)))
        }
    }
}

/// Whether the service's rules allow a statement.
fn check_rules(scope: NameScope<'_>, statement: &Statement, text: &str, tables: &KnownTables) -> Result<(), Refusal> {
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
        Judgement::Unknown(Unknown { span, feature }) => {
            Err(not_emulated(format!("{feature} ({})", span.position(text))))
        }
    }
}

fn analyse_dml(scope: NameScope<'_>, statement: Statement, text: &str) -> Result<DmlStatement, Refusal> {
    let reads = matches!(statement, Statement::Select(_));
    let (named, conditional) = named_tables(&statement);
    let (mut tables, mut required_features) = (Vec::with_capacity(named.len()), Vec::with_capacity(named.len()));
    let mut table_edits = Vec::with_capacity(named.len());
    for (name, features) in named {
        let table = scope.table(name)?;
        let upstream = match system_tables::find(&table.keyspace, &table.name) {
            Some(system) => scope.names.system_table(system),
            None => scope.names.qualified(&table),
        };
        table_edits.push((name.span(), upstream));
        tables.push(table);
        required_features.push(features);
    }
    // The rules allow one change in a system keyspace: that of the partitioner.
    if !reads && tables.iter().any(|table| system_tables::is_system(&table.keyspace)) {
        return Err(not_emulated("another partitioner: it is chosen when the local service is started"));
    }
    // The service allows queries of tags by columns that are not in their key.
    if let Statement::Select(select) = &statement
        && select.allow_filtering.is_none()
        && tables.iter().any(system_tables::needs_filtering)
    {
        table_edits.push((Span::new(select.span.end, select.span.end), " ALLOW FILTERING".into()));
    }
    Ok(DmlStatement {
        text: StatementText { sent: text.into(), edits: name_edits(&statement, scope.keyspace), table_edits },
        checks: Checks::new(&statement),
        tree: Arc::new(statement),
        tables,
        reads,
        conditional,
        required_features,
        capacity_plan: CachedCapacityPlan::default(),
    })
}

/// The tables that a DML statement reads or writes, with the features that it needs of each, and whether it is a
/// conditional write.
fn named_tables(statement: &Statement) -> (Vec<(&QualifiedName, Features)>, bool) {
    match statement {
        Statement::Select(select) => {
            let timestamps = statement.functions().iter().any(|function| function.name == "writetime");
            (vec![(&select.table, Features { ttl: false, timestamps })], false)
        }
        Statement::Insert(insert) => {
            (vec![(&insert.table, features_required_by(insert.using.as_ref()))], insert.if_not_exists.is_some())
        }
        Statement::Update(update) => {
            (vec![(&update.table, features_required_by(update.using.as_ref()))], update.condition.is_some())
        }
        Statement::Delete(delete) => {
            (vec![(&delete.table, features_required_by(delete.using.as_ref()))], delete.condition.is_some())
        }
        Statement::Batch(batch) => {
            let batch_features = features_required_by(batch.using.as_ref());
            let tables = batch.statements.iter().map(|modification| {
                (modification.table(), features_required_by(modification.using()).union(batch_features))
            });
            (tables.collect(), batch.statements.iter().any(Modification::is_conditional))
        }
        _ => (Vec::new(), false),
    }
}

fn features_required_by(using: Option<&Using>) -> Features {
    let (ttl, timestamps) = (using.and_then(Using::ttl), using.and_then(Using::timestamp));
    Features { ttl: ttl.is_some(), timestamps: timestamps.is_some() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::{Names, SchemaObject, quoted};
    use crate::schema::Change;

    fn read(text: &str) -> Result<Analysed, Rejected> {
        let names = Names::new("test");
        let scope = NameScope { keyspace: Some("here"), names: &names, data_center: "datacenter1", prepared: false };
        analyse_in(scope, parse_statement(text)?, text, &KnownTables::default()).map_err(Rejected::Refused)
    }

    fn dml(text: &str) -> DmlStatement {
        match read(text) {
            Ok(Analysed::Dml(statement)) => statement,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// The text for Cassandra, with `P` in place of the prefix of this instance's names.
    fn upstream(text: &str) -> String {
        let prefix = Names::new("test").inner().to_owned();
        let upstream = match read(text).unwrap_or_else(|not| panic!("{text}: {not:?}")) {
            Analysed::Define(definition) => definition.text.unwrap_or_default(),
            Analysed::Dml(statement) => statement.text.for_cassandra(),
            other => panic!("{text}: {other:?}"),
        };
        upstream.replace(&prefix, "P")
    }

    #[test]
    fn only_names_are_changed_for_cassandra() {
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
    fn the_kind_and_the_tables_of_a_statement_are_analysed() {
        let ttl = Features { ttl: true, timestamps: false };
        let timestamps = Features { ttl: false, timestamps: true };
        for (text, reads, conditional, required_features) in [
            ("SELECT ttl(a) FROM t", true, false, &[Features::default()][..]),
            ("SELECT WRITETIME(a) FROM t", true, false, &[timestamps]),
            ("INSERT INTO t (a) VALUES (1)", false, false, &[Features::default()]),
            ("INSERT INTO t (a) VALUES (1) IF NOT EXISTS USING TTL ?", false, true, &[ttl]),
            ("UPDATE t USING TIMESTAMP 1 SET a = 1 WHERE b = 1", false, false, &[timestamps]),
            ("DELETE FROM t WHERE b = 1 IF EXISTS", false, true, &[Features::default()]),
            (
                "BEGIN BATCH INSERT INTO t (a) VALUES (1) USING TTL 1; INSERT INTO t (a) VALUES (2) IF NOT EXISTS APPLY BATCH",
                false,
                true,
                &[ttl, Features::default()],
            ),
            (
                "BEGIN BATCH USING TIMESTAMP 1 INSERT INTO t (a) VALUES (1) USING TTL 1; DELETE FROM u WHERE b = 1; APPLY BATCH",
                false,
                false,
                &[ttl.union(timestamps), timestamps],
            ),
        ] {
            let statement = dml(text);
            assert_eq!((statement.reads, statement.conditional), (reads, conditional), "{text}");
            assert_eq!(statement.required_features, required_features, "{text}");
        }
        assert_eq!(read("USE \"App\""), Ok(Analysed::Use("App".into())));
    }

    #[test]
    fn a_restore_names_two_tables_and_has_no_text_for_cassandra() {
        let text = "RESTORE TABLE t FROM TABLE app.u WITH restore_timestamp = '2020-06-30T04:05:00Z'";
        let Ok(Analysed::Define(definition)) = read(text) else { panic!() };
        assert_eq!((definition.change, definition.object), (Change::Restore, SchemaObject::table("here", "t")));
        assert_eq!((definition.source, definition.text), (Some(SchemaObject::table("app", "u")), None));
    }

    #[test]
    fn a_text_that_is_too_long_is_not_sent_to_cassandra() {
        let deep = format!("SELECT {}a{} FROM t", "(".repeat(1000), ")".repeat(1000));
        let long = format!("SELECT * FROM t -- {}", "x".repeat(5 << 20));
        for text in [deep, long] {
            assert!(matches!(read(&text), Err(Rejected::Refused(_))));
        }
        assert!(matches!(read("SELECT 'x FROM t"), Err(Rejected::Unparsed(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_analysed_or_refused(text: String) {
            let _ = read(&text);
        }

        #[test]
        fn any_names_are_mapped_back_unchanged(keyspace in "[a-zA-Z0-9][a-zA-Z0-9_]{0,47}", table in "[ -~]{1,48}") {
            let text = format!("SELECT * FROM {}.{}", quoted(&keyspace), quoted(&table));
            let analysed = dml(&text);
            prop_assert_eq!(&analysed.tables, &[SchemaObject::table(&keyspace, &table)]);
            let again = keyspaces_cql::parse(&analysed.text.for_cassandra()).unwrap();
            let names = Names::new("test");
            let found = again.tables()[0];
            let upstream = names.keyspace(&keyspace);
            if !system_tables::is_system(&keyspace) {
                prop_assert_eq!(&found.keyspace.as_ref().unwrap().text, &upstream);
                prop_assert_eq!(&found.name.text, &table);
                prop_assert_eq!(names.client_keyspace(&upstream), keyspace);
            }
        }
    }
}
