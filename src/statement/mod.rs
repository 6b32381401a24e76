//! Prepared statements, typed by their effect.

mod select;
mod write;

use std::sync::Arc;

use keyspaces_cql::{Effect, Idempotence, Judgement};
use scylla::serialize::row::SerializeRow;
use scylla::statement::bound::BoundStatement;
use scylla::statement::prepared::PreparedStatement;

pub use self::select::Select;
pub use self::write::Write;
use crate::{Error, ErrorKind, Session, classify};

/// A statement that [`Session::prepare`] gives by the type asked for: [`Select`] or [`Write`].
pub trait Statement: sealed::Sealed + Sized {}

impl Session {
    /// Prepares one statement, to be executed many times; the type asked for says what it may do.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::{Select, Write};
    ///
    /// let store: Write<(&str, &str)> =
    ///     session.prepare("INSERT INTO shop.names (id, name) VALUES (?, ?)").await?;
    /// let name: Select<(&str,), (String,)> =
    ///     session.prepare("SELECT name FROM shop.names WHERE id = ?").await?;
    /// store.execute(&("7", "Ada")).await?;
    /// assert_eq!(name.one(&("7",)).await?, Some(("Ada".to_owned(),)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused), before anything is sent: the text does something else than the type says, names
    /// a table without its keyspace, or is refused by Keyspaces, whose reason and advice are in the error. After asking
    /// the server: its own refusal (no such table, for one). [`Type`](ErrorKind::Type): the rows of a `Select` are not
    /// of its row type. [`Timeout`](ErrorKind::Timeout): not prepared within the session's call timeout.
    pub async fn prepare<S: Statement>(&self, text: &str) -> Result<S, Error> {
        let about = About::check(text, self, S::EFFECT)?;
        let in_flight = self.begin()?;
        let preparing = tokio::time::timeout(self.call_timeout(), in_flight.driver().prepare(text));
        let attempted = || format!("preparing {}", about.attempted);
        let prepared = match preparing.await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => return Err(classify::prepare(&attempted(), error)),
            Err(_) => {
                // The driver prepares on every peer and waits for the slowest.
                let problem = format!("not prepared within {:?}", self.call_timeout());
                return Err(Error::new(ErrorKind::Timeout, attempted(), problem));
            }
        };
        S::new(Core { session: self.clone(), prepared, about: Arc::new(about) })
    }
}

/// What a prepared statement is made of, whatever its type.
#[derive(Clone, Debug)]
pub struct Core {
    session: Session,
    prepared: PreparedStatement,
    about: Arc<About>,
}

impl Core {
    fn bind(&self, values: &impl SerializeRow) -> Result<BoundStatement, Error> {
        self.prepared.clone().bind(values).map_err(|error| {
            Error::new(ErrorKind::Type, self.about.attempted.clone(), "the values do not fit the statement")
                .with_source(error)
        })
    }
}

/// What the text of a statement shows before it is sent.
#[derive(Debug)]
pub(crate) struct About {
    /// The statement in a few words, for errors: `INSERT INTO ks.t`.
    pub(crate) attempted: String,
    /// Whether it may be sent twice.
    pub(crate) repeatable: bool,
}

impl About {
    pub(crate) fn check(text: &str, session: &Session, wanted: Effect) -> Result<Self, Error> {
        let Ok(statement) = keyspaces_cql::parse(text) else {
            // The server has the last word on syntax; what cannot be read may not be repeated.
            return Ok(Self { attempted: first_words(text), repeatable: false });
        };
        let attempted = summary(&statement);
        let refused = |problem: String| Error::new(ErrorKind::Refused, attempted.clone(), problem);
        if statement.effect() != wanted {
            let problem = format!("a {} was asked for, the text is a {}", word(wanted), word(statement.effect()));
            return Err(refused(problem).with_advice("Ask prepare() for the type that says what the statement does"));
        }
        if let Some(table) = statement.tables().into_iter().find(|table| table.keyspace.is_none()) {
            return Err(refused(format!("the table {} is named without its keyspace", table.name.text))
                .with_advice(format!("Write keyspace.{}", table.name.text)));
        }
        if !session.is_plain_cassandra()
            && let Judgement::Refused(refusal) = keyspaces_cql::judge(&statement)
        {
            return Err(refused(format!("Keyspaces refuses {}", refusal.rule.refuses)).with_advice(refusal.rule.advice));
        }
        let repeatable = matches!(statement.idempotence(), Idempotence::Idempotent);
        Ok(Self { attempted, repeatable })
    }
}

fn summary(statement: &keyspaces_cql::Statement) -> String {
    use keyspaces_cql::Statement as Cql;
    let verb = match statement {
        Cql::Select(_) => "SELECT FROM",
        Cql::Insert(_) => "INSERT INTO",
        Cql::Update(_) => "UPDATE",
        Cql::Delete(_) => "DELETE FROM",
        Cql::Batch(_) => "BATCH",
        Cql::CreateKeyspace(_) => "CREATE KEYSPACE",
        Cql::AlterKeyspace(_) => "ALTER KEYSPACE",
        Cql::DropKeyspace(_) => "DROP KEYSPACE",
        Cql::CreateTable(_) => "CREATE TABLE",
        Cql::AlterTable(_) => "ALTER TABLE",
        Cql::DropTable(_) => "DROP TABLE",
        Cql::RestoreTable(_) => "RESTORE TABLE",
        Cql::CreateType(_) => "CREATE TYPE",
        Cql::DropType(_) => "DROP TYPE",
        Cql::Use(_) => "USE",
        Cql::Other(_) => "a statement that Keyspaces lacks",
    };
    match (statement.tables().first(), statement.keyspace_named()) {
        (Some(table), _) => format!("{verb} {table}"),
        (None, Some(keyspace)) => format!("{verb} {keyspace}"),
        (None, None) => verb.to_owned(),
    }
}

fn first_words(text: &str) -> String {
    text.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::ConditionalWrite => "conditional write",
        Effect::Increment => "counter increment",
        Effect::Definition => "definition",
        Effect::Use => "USE",
        Effect::Other => "statement of another kind",
    }
}

mod sealed {
    use keyspaces_cql::Effect;

    use super::Core;
    use crate::Error;

    pub trait Sealed: Sized {
        const EFFECT: Effect;

        fn new(core: Core) -> Result<Self, Error>;
    }
}
