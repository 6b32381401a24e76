//! Parses and checks the text of a statement before it is sent.

use std::borrow::Cow;

use keyspaces_cql::statement::{ConstantKind, Selection, TermKind};
use keyspaces_cql::{AdditionTarget, Effect, Idempotence, Judgement, Statement, SyntaxError};
use scylla::frame::response::result::{ColumnSpec, ColumnType, NativeType};
use scylla::statement::batch::BatchType;

use super::refused;
use crate::{Error, ErrorKind, Session};

/// The properties of a statement that are known from its text.
#[derive(Debug)]
pub(crate) struct StatementInfo {
    /// The statement in a few words, for errors: `INSERT INTO ks.t`.
    pub(crate) attempted: String,
    /// Whether the statement is idempotent, so that it may be sent twice.
    pub(crate) is_idempotent: bool,
    content: Content,
}

/// The parsed content of a statement, as far as it is known.
#[derive(Debug)]
enum Content {
    One(Box<Statement>),
    Batch(BatchType),
    /// A text that cannot be parsed; a plain Cassandra may understand it.
    Unparsed,
}

impl StatementInfo {
    /// Parses `text`, and refuses it if it is invalid or has none of the effects in `expected`. Also returns the text
    /// to send, in which every name has a keyspace.
    pub(crate) fn check<'t>(
        text: &'t str,
        session: &Session,
        expected: &[Effect],
    ) -> Result<(Self, Cow<'t, str>), Error> {
        let plain_cassandra = session.is_plain_cassandra();
        let parsed = keyspaces_cql::parse(text);
        if let (Ok(statement), Some(keyspace)) = (&parsed, session.keyspace())
            && let Some(complete) = statement.qualify_names(text, keyspace)
        {
            return Ok((Self::parse(&complete, plain_cassandra, expected)?, Cow::Owned(complete)));
        }
        Ok((Self::from_parsed(text, parsed, plain_cassandra, expected)?, Cow::Borrowed(text)))
    }

    pub(super) fn parse(text: &str, plain_cassandra: bool, expected: &[Effect]) -> Result<Self, Error> {
        Self::from_parsed(text, keyspaces_cql::parse(text), plain_cassandra, expected)
    }

    fn from_parsed(
        text: &str,
        parsed: Result<Statement, SyntaxError>,
        plain_cassandra: bool,
        expected: &[Effect],
    ) -> Result<Self, Error> {
        let statement = match parsed {
            Ok(statement) => statement,
            // Cassandra has more statements than this parser knows.
            Err(_) if plain_cassandra => return Ok(Self::unparsed(&refused::first_words(text))),
            Err(error) => return Err(refused::syntax_error(text, expected, error)),
        };
        let attempted = summary(&statement);
        let refused = |problem: String| Error::new(ErrorKind::Refused, attempted.clone(), problem);
        let judgement = if plain_cassandra { Judgement::Allowed } else { keyspaces_cql::judge(&statement) };
        match (&statement, &judgement) {
            (Statement::Unsupported(_), Judgement::Refused(refusal)) => {
                return Err(refused::rule_error(attempted, refusal.rule));
            }
            (Statement::Unsupported(unsupported), Judgement::Unknown(_)) => {
                return Err(refused::unsupported_error(attempted, unsupported));
            }
            _ => {}
        }
        let effect = statement.effect();
        let fits = expected.contains(&effect)
            || may_be_increment(&statement) && expected.contains(&Effect::Write)
            || effect == Effect::Unsupported;
        if !fits {
            let expected = expected.iter().map(|effect| effect_name(*effect)).collect::<Vec<_>>().join(" or ");
            return Err(refused(format!("expected {expected}, but the statement is {}", effect_name(effect)))
                .with_advice(advice_for(effect)));
        }
        if let Some(unqualified) = statement.qualified_names().into_iter().find(|name| name.keyspace.is_none()) {
            let kind = if statement.tables().is_empty() { "type" } else { "table" };
            return Err(refused(format!("the {kind} {} is named without its keyspace", unqualified.name)).with_advice(
                format!(
                    "Write keyspace.{}, or set the session's keyspace with SessionBuilder::keyspace",
                    unqualified.name
                ),
            ));
        }
        if let Judgement::Refused(refusal) = judgement {
            return Err(refused::rule_error(attempted, refusal.rule));
        }
        let is_idempotent = matches!(statement.idempotence(), Idempotence::Idempotent);
        Ok(Self { attempted, is_idempotent, content: Content::One(Box::new(statement)) })
    }

    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> Self {
        use Effect::{ConditionalWrite, Read, Write};
        Self::parse(text, false, &[Read, Write, ConditionalWrite]).expect("it is allowed")
    }

    #[cfg(test)]
    pub(crate) fn of_definition(text: &str) -> Self {
        Self::parse(text, false, &[Effect::Definition]).expect("it is allowed")
    }

    #[cfg(all(test, feature = "metrics"))]
    pub(crate) fn of_batch(attempted: String) -> Self {
        Self::for_batch(BatchType::Unlogged, attempted, true)
    }

    /// Creates the info of a text that cannot be parsed. It counts as not idempotent.
    pub(crate) fn unparsed(attempted: &str) -> Self {
        Self { attempted: attempted.to_owned(), is_idempotent: false, content: Content::Unparsed }
    }

    /// Creates the info of a batch.
    pub(super) fn for_batch(kind: BatchType, attempted: String, is_idempotent: bool) -> Self {
        Self { attempted, is_idempotent, content: Content::Batch(kind) }
    }

    pub(crate) fn tree(&self) -> Option<&Statement> {
        match &self.content {
            Content::One(statement) => Some(statement.as_ref()),
            Content::Batch(_) | Content::Unparsed => None,
        }
    }

    /// Checks, once the types of the bind markers are known, whether `SET n = n + ?` has the effect `expected`: an
    /// increment of a counter, or a write.
    pub(super) fn check_counter_effect(&self, expected: Effect, bound: &[ColumnSpec<'_>]) -> Result<(), Error> {
        let Some(tree) = self.tree().filter(|tree| may_be_increment(tree)) else { return Ok(()) };
        let counts = bound.iter().any(|column| matches!(column.typ(), ColumnType::Native(NativeType::Counter)));
        let actual = if counts { Effect::Increment } else { Effect::Write };
        if expected == actual {
            return Ok(());
        }
        debug_assert_eq!(tree.effect(), Effect::Increment);
        let problem = format!("expected {}, but the statement is {}", effect_name(expected), effect_name(actual));
        Err(Error::new(ErrorKind::Refused, self.attempted.clone(), problem).with_advice(advice_for(actual)))
    }

    /// The operation without its object: `INSERT`, `CREATE TABLE`.
    pub(crate) fn operation(&self) -> &'static str {
        match &self.content {
            Content::One(statement) => {
                let verb = verb(statement);
                verb.strip_suffix(" FROM").or_else(|| verb.strip_suffix(" INTO")).unwrap_or(verb)
            }
            Content::Batch(_) => "BATCH",
            Content::Unparsed => "OTHER",
        }
    }

    /// The operation and its object. The number of different summaries is bounded by the number of statements in the
    /// program.
    pub(crate) fn summary(&self) -> &str {
        match &self.content {
            Content::One(_) => &self.attempted,
            Content::Batch(BatchType::Unlogged) => "UNLOGGED BATCH",
            Content::Batch(BatchType::Logged | BatchType::Counter) => "LOGGED BATCH",
            Content::Unparsed => "OTHER",
        }
    }

    /// The keyspace that the statement names, or the keyspace of its table.
    pub(crate) fn keyspace(&self) -> Option<&str> {
        let tree = self.tree()?;
        let name = tree.qualified_names().first().and_then(|name| name.keyspace.as_ref());
        name.or_else(|| tree.named_keyspace()).map(|keyspace| keyspace.text.as_str())
    }

    /// The keyspace and table of the statement, if it has a table.
    pub(crate) fn table(&self) -> Option<(&str, &str)> {
        let table = *self.tree()?.tables().first()?;
        Some((table.keyspace.as_ref()?.text.as_str(), table.name.text.as_str()))
    }

    pub(crate) fn is_read(&self) -> bool {
        matches!(self.tree(), Some(Statement::Select(_)))
    }

    /// Whether the statement is `SELECT *`, which also returns columns added to the table later.
    pub(crate) fn reads_all_columns(&self) -> bool {
        match self.tree() {
            Some(Statement::Select(select)) => select.json.is_none() && matches!(select.selection, Selection::All(_)),
            _ => false,
        }
    }

    /// Whether the statement stores any of its bound values.
    pub(super) fn writes_values(&self) -> bool {
        matches!(self.tree(), Some(Statement::Insert(_) | Statement::Update(_)))
    }

    /// The page size: the session's, or a literal LIMIT if that is less and no row read is filtered out.
    pub(super) fn page_size(&self, session: i32) -> i32 {
        self.limit().filter(|_| !self.filters_rows()).map_or(session, |rows| rows.clamp(1, session))
    }

    fn limit(&self) -> Option<i32> {
        match &self.tree()?.limit()?.kind {
            TermKind::Constant(number) if number.kind == ConstantKind::Integer => number.text.parse().ok(),
            _ => None,
        }
    }

    /// Whether the statement filters out rows that it reads. A small page then has few rows or none, and still costs a
    /// request.
    pub(super) fn filters_rows(&self) -> bool {
        match self.tree() {
            Some(Statement::Select(select)) => select.allow_filtering.is_some(),
            _ => false,
        }
    }
}

/// Whether the text of an UPDATE leaves open if it increments a counter, so that the type of the column decides.
fn may_be_increment(statement: &Statement) -> bool {
    match statement {
        Statement::Update(update) => {
            update.condition.is_none()
                && update.additions().any(|addition| addition.target == AdditionTarget::Unclear)
                && update.additions().all(|addition| addition.target != AdditionTarget::Counter)
        }
        _ => false,
    }
}

pub(crate) fn summary(statement: &Statement) -> String {
    let verb = verb(statement);
    let tables = statement.tables();
    match (tables.first(), statement.named_keyspace()) {
        (Some(table), _) => format!("{verb} {table}"),
        (None, Some(keyspace)) => format!("{verb} {keyspace}"),
        (None, None) => verb.to_owned(),
    }
}

fn verb(statement: &Statement) -> &'static str {
    match statement {
        Statement::Select(_) => "SELECT FROM",
        Statement::Insert(_) => "INSERT INTO",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE FROM",
        Statement::Batch(_) => "BATCH",
        Statement::CreateKeyspace(_) => "CREATE KEYSPACE",
        Statement::AlterKeyspace(_) => "ALTER KEYSPACE",
        Statement::DropKeyspace(_) => "DROP KEYSPACE",
        Statement::CreateTable(_) => "CREATE TABLE",
        Statement::AlterTable(_) => "ALTER TABLE",
        Statement::DropTable(_) => "DROP TABLE",
        Statement::RestoreTable(_) => "RESTORE TABLE",
        Statement::CreateType(_) => "CREATE TYPE",
        Statement::DropType(_) => "DROP TYPE",
        Statement::Use(_) => "USE",
        Statement::Unsupported(unsupported) => unsupported.kind.name(),
    }
}

fn effect_name(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "a read",
        Effect::Write => "a write",
        Effect::ConditionalWrite => "a conditional write",
        Effect::Increment => "an increment of a counter",
        Effect::Definition => "a definition",
        Effect::Use => "a USE",
        Effect::Unsupported => "something that Keyspaces lacks",
    }
}

/// The advice to the caller: the type or method to use for a statement of this effect.
fn advice_for(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "Prepare it as a Select",
        Effect::Write => "Prepare it as a Write",
        Effect::ConditionalWrite => "Prepare it as a Conditional",
        Effect::Increment => "Prepare it as an Increment",
        Effect::Definition => "Run it with define()",
        Effect::Use => "Set the session's keyspace with SessionBuilder::keyspace, or write keyspace.table",
        Effect::Unsupported => "Run it with execute(), define() or rows()",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str, expected: &[Effect]) -> String {
        StatementInfo::parse(text, false, expected).expect_err("it is refused").to_string()
    }

    #[test]
    fn statement_of_wrong_kind_is_refused_with_the_type_to_use() {
        for (text, effect, message) in [
            (
                "INSERT INTO ks.t (k) VALUES (1)",
                Effect::Read,
                "INSERT INTO ks.t failed: expected a read, but the statement is a write. Prepare it as a Write",
            ),
            (
                "SELECT k FROM ks.t WHERE k = ?",
                Effect::Write,
                "SELECT FROM ks.t failed: expected a write, but the statement is a read. Prepare it as a Select",
            ),
            (
                "UPDATE ks.t SET a = ? WHERE k = ? IF a = ?",
                Effect::Write,
                "UPDATE ks.t failed: expected a write, but the statement is a conditional write. Prepare it as a Conditional",
            ),
            (
                "DELETE FROM ks.t WHERE k = ?",
                Effect::ConditionalWrite,
                "DELETE FROM ks.t failed: expected a conditional write, but the statement is a write. Prepare it as a Write",
            ),
            (
                "UPDATE ks.t SET n = n + 1 WHERE k = ?",
                Effect::Write,
                "UPDATE ks.t failed: expected a write, but the statement is an increment of a counter. Prepare it as an \
                 Increment",
            ),
            (
                "CREATE TABLE ks.t (k int PRIMARY KEY)",
                Effect::Write,
                "CREATE TABLE ks.t failed: expected a write, but the statement is a definition. Run it with define()",
            ),
        ] {
            assert_eq!(refusal(text, &[effect]), message);
        }
    }

    #[test]
    fn unqualified_name_is_refused_with_both_ways_to_qualify_it() {
        assert_eq!(
            refusal("SELECT k FROM t", &[Effect::Read]),
            "SELECT FROM t failed: the table t is named without its keyspace. Write keyspace.t, or set the session's keyspace \
             with SessionBuilder::keyspace"
        );
        assert_eq!(
            refusal("SELECT k FROM \"Odd\"", &[Effect::Read]),
            "SELECT FROM \"Odd\" failed: the table \"Odd\" is named without its keyspace. Write keyspace.\"Odd\", or set the \
             session's keyspace with SessionBuilder::keyspace"
        );
        assert_eq!(
            refusal("DROP TYPE address", &[Effect::Definition]),
            "DROP TYPE failed: the type address is named without its keyspace. Write keyspace.address, or set the session's \
             keyspace with SessionBuilder::keyspace"
        );
        assert_eq!(
            refusal("USE shop", &[Effect::Read]),
            "USE shop failed: expected a read, but the statement is a USE. Set the session's keyspace with SessionBuilder::keyspace, \
             or write keyspace.table"
        );
    }

    #[test]
    fn refused_statement_has_advice_but_is_allowed_for_a_plain_cassandra() {
        let text = "SELECT count(*) FROM ks.t";
        let error = StatementInfo::parse(text, false, &[Effect::Read]).expect_err("an aggregate");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().starts_with("SELECT FROM ks.t failed: Amazon Keyspaces refuses "), "{error}");
        assert!(error.advice().is_some());
        StatementInfo::parse(text, true, &[Effect::Read]).expect("Cassandra has aggregates");
    }

    #[test]
    fn bind_marker_type_decides_whether_plus_increments_a_counter() {
        use scylla::frame::response::result::TableSpec;
        let text = "UPDATE ks.t SET n = n + ? WHERE k = ?";
        let bound = |native| [ColumnSpec::borrowed("n", ColumnType::Native(native), TableSpec::borrowed("ks", "t"))];
        for (expected, native, holds) in [
            (Effect::Increment, NativeType::Counter, true),
            (Effect::Write, NativeType::Counter, false),
            (Effect::Write, NativeType::Blob, true),
            (Effect::Increment, NativeType::Blob, false),
        ] {
            let info = StatementInfo::parse(text, false, &[expected]).expect("the text does not say");
            assert_eq!(info.check_counter_effect(expected, &bound(native)).is_ok(), holds, "{expected:?}");
        }
        let info = StatementInfo::parse(text, false, &[Effect::Write]).expect("the text does not say");
        assert_eq!(
            info.check_counter_effect(Effect::Write, &bound(NativeType::Counter)).expect_err("it counts").to_string(),
            "UPDATE ks.t failed: expected a write, but the statement is an increment of a counter. Prepare it as an Increment"
        );
    }

    #[test]
    fn unparsable_statement_is_left_to_cassandra_and_not_idempotent() {
        let info = StatementInfo::parse("FROB the  knobs of ks", true, &[Effect::Write]).expect("the server decides");
        assert_eq!(info.attempted, "FROB the knobs of");
        assert!(!info.is_idempotent);
    }

    #[test]
    fn a_literal_limit_is_known_and_a_bound_one_is_not() {
        let limit = |text| StatementInfo::parse(text, false, &[Effect::Read]).expect("a read").limit();
        assert_eq!(limit("SELECT k FROM ks.t LIMIT 10"), Some(10));
        assert_eq!(limit("SELECT k FROM ks.t LIMIT ?"), None);
        assert_eq!(limit("SELECT k FROM ks.t"), None);
    }

    #[test]
    fn limit_caps_the_page_size_unless_rows_are_filtered() {
        let page_size = |text| StatementInfo::parse(text, true, &[Effect::Read]).expect("a read").page_size(1_000);
        assert_eq!(page_size("SELECT k FROM ks.t LIMIT 10"), 10);
        assert_eq!(page_size("SELECT k FROM ks.t LIMIT 10000"), 1_000);
        assert_eq!(page_size("SELECT k FROM ks.t LIMIT 0"), 1);
        assert_eq!(page_size("SELECT k FROM ks.t WHERE v = 1 LIMIT 10 ALLOW FILTERING"), 1_000);
    }
}
