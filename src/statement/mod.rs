//! Prepared statements, typed by their effect.

mod about;
mod answer;
mod batch;
mod bind;
mod cache;
mod cells;
mod conditional;
mod increment;
mod markers;
mod mismatch;
mod named_columns;
mod named_values;
mod prepare_all;
mod prepared;
mod query;
mod refused;
mod resolve;
mod select;
mod table_check;
mod touched;
mod value_types;
mod values;
mod write;

use std::sync::Arc;

use keyspaces_cql::Effect;
use scylla::response::query_result::QueryResult;
use scylla::statement::prepared::PreparedStatement;
use tokio::time::Instant;

pub(crate) use self::about::{About, summary};
pub use self::batch::{ConditionalBatch, LoggedBatch, UnloggedBatch};
pub(crate) use self::cache::Cache;
pub(crate) use self::cells::Cells;
pub use self::conditional::{Conditional, Outcome};
pub use self::increment::Increment;
use self::markers::Markers;
pub(crate) use self::mismatch::{advice_on_columns, advice_on_row, of_columns, of_row};
pub(crate) use self::named_columns::NamedColumns;
pub use self::named_values::NamedValues;
pub use self::prepare_all::Statements;
use self::prepared::Prepared;
pub use self::query::Query;
pub(crate) use self::refused::{by_rule, by_rule_in_words};
pub use self::select::Select;
pub use self::values::Values;
pub use self::write::Write;
use crate::consistency::WRITE_CONSISTENCY;
use crate::execute::Call;
use crate::options::CallOptions;
use crate::stream::TextHash;
use crate::{Error, ErrorKind, Session};

/// A statement that [`Session::prepare`] gives by the type asked for: [`Select`], [`Write`], [`Conditional`] or
/// [`Increment`].
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
    /// A text is prepared once for a session, however many ask for it, and kept (the last 1,000 texts asked for). It is
    /// repeated like a read until the session's call timeout has passed.
    ///
    /// Dropped before it is done, it leaves nothing behind: the text is prepared all the same, for whoever asks next.
    ///
    /// # Tables that change under a running program
    ///
    /// A column that another program adds disturbs nothing: see [`Select`]. A table that another program drops and creates
    /// again with other types is noticed as follows. Before a row type or values are said not to fit, the text is prepared
    /// anew, once; so a statement that is prepared after the change has the new types. One that was prepared before it fails
    /// with [`Type`](crate::ErrorKind::Type) as soon as the session has read the ids of its tables again, every 60 s
    /// ([`Builder::topology_interval`](crate::Builder::topology_interval)). Until then it is sent with values of the old
    /// types, and the server stores them if their bytes are a value of the new type as well: version 4 of the protocol does
    /// not let a client notice. What this session itself defines is noticed at once by what it prepares afterwards.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::ErrorKind::Refused), before anything is sent: the text is no CQL (the error says
    /// where, and what is expected there), does something else than the type says, names a table without its keyspace in a
    /// session that has [none](crate::Builder::keyspace), or is refused by Keyspaces, whose reason and advice are in the error. After
    /// asking the server: its own refusal (no such table, for one). [`Type`](crate::ErrorKind::Type): the rows of a
    /// `Select` are not of its row type, or a tuple of values has another number of values than the statement has bind
    /// markers, or one that never fits; values of other types are checked when they are bound. [`Timeout`](crate::ErrorKind::Timeout): not prepared within the session's call
    /// timeout.
    pub async fn prepare<S: Statement>(&self, text: &str) -> Result<S, Error> {
        self.prepare_with(text, CallOptions::default()).await
    }

    async fn prepare_with<S: Statement>(&self, text: &str, options: CallOptions) -> Result<S, Error> {
        let began = Instant::now();
        let (about, text) = About::check(text, self, &[S::EFFECT])?;
        let call = Arc::new(Call::new(self, about, options));
        let kept = self.statements().prepared(self, &text, &call.about).await?;
        match Core::of(Arc::clone(&call), Arc::clone(&kept), S::EFFECT).and_then(S::new) {
            // Another program may have changed the table since this text was first prepared.
            Err(error) if error.kind() == ErrorKind::Type && kept.is_older_than(began) => {
                self.statements().forget(&kept);
                let kept = self.statements().prepared(self, &text, &call.about).await?;
                Core::of(call, kept, S::EFFECT).and_then(S::new)
            }
            made => made,
        }
    }
}

/// What a prepared statement is made of, whatever its type.
#[derive(Clone, Debug)]
pub struct Core {
    pub(crate) call: Arc<Call>,
    pub(crate) prepared: PreparedStatement,
    pub(crate) text: TextHash,
    effect: Effect,
    markers: Arc<Markers>,
    /// Whether a value bound to it can break a rule that is not of its size.
    is_restricted: bool,
    /// What the server said when it prepared the text; `prepared` has the options of this statement besides.
    kept: Arc<Prepared>,
}

impl Core {
    fn of(call: Arc<Call>, kept: Arc<Prepared>, effect: Effect) -> Result<Self, Error> {
        let prepared = kept.statement.clone();
        call.about.settle(effect, prepared.get_variable_col_specs().as_slice())?;
        let markers = kept.markers(&call.about);
        let mut core = Self {
            // A plain Cassandra gets what Keyspaces refuses, bound as well as in the text.
            is_restricted: markers.are_restricted() && !call.session.is_plain_cassandra(),
            text: TextHash::of(prepared.get_statement()),
            call,
            prepared,
            effect,
            markers,
            kept,
        };
        core.give_options_to_driver();
        Ok(core)
    }

    fn change_options(&mut self, change: impl FnOnce(&mut CallOptions)) {
        Arc::make_mut(&mut self.call).change_options(change);
        self.give_options_to_driver();
    }

    /// Gives the driver its part of the options: once, not with each call.
    fn give_options_to_driver(&mut self) {
        let Call { about, session, options, .. } = &*self.call;
        if !about.is_read() {
            return self.prepared.set_consistency(WRITE_CONSISTENCY);
        }
        let consistency = options.consistency.unwrap_or_else(|| session.read_consistency());
        self.prepared.set_consistency(consistency.as_driver());
        let page_size = options.page_size_for_driver().unwrap_or_else(|| about.page_size(session.page_size()));
        self.prepared.set_page_size(page_size);
    }

    /// This statement as its text is prepared now, after values did not fit it: another program may have changed the table.
    /// `error` if the text has the columns that this statement has.
    async fn prepared_anew(&self, error: Error) -> Result<Self, Error> {
        if error.kind() != ErrorKind::Type || self.kept.is_outdated() {
            return Err(error);
        }
        let session = &self.call.session;
        match session.statements().checked(session, self.kept.text(), &self.call.about).await {
            Ok(kept) if !kept.has_the_columns_of(&self.kept.statement) => {
                Self::of(Arc::clone(&self.call), kept, self.effect)
            }
            Ok(_) | Err(_) => Err(error),
        }
    }

    /// What a write without a condition answers; with one that the parser could not see, it would say whether it was
    /// applied, and nobody would look.
    fn expect_no_rows(about: &About, answer: QueryResult) -> Result<(), Error> {
        if !answer.is_rows() {
            return Ok(());
        }
        let problem = "the answer has rows, as that to a conditional write has";
        Err(Error::new(ErrorKind::Server, about.attempted.clone(), problem)
            .with_advice("Ask prepare() for a Conditional and look at its outcome"))
    }
}

/// Gives a prepared statement the options that it names: see [`call_options`](crate::options::call_options).
macro_rules! statement_options {
    ($statement:ident<$($parameter:ident),+>, $($group:ident),+) => {
        crate::options::call_options!(impl [$($parameter),+] $statement<$($parameter),+>, self: [&self], $($group),+);

        impl<$($parameter),+> $statement<$($parameter),+> {
            pub(crate) fn with_changed_options(
                &self,
                change: impl FnOnce(&mut crate::options::CallOptions),
            ) -> Self {
                let mut statement = self.clone();
                statement.core.change_options(change);
                statement
            }
        }
    };
}

use statement_options;

mod sealed {
    use keyspaces_cql::Effect;

    use super::Core;
    use crate::Error;

    pub trait Sealed: Sized {
        const EFFECT: Effect;

        fn new(core: Core) -> Result<Self, Error>;
    }
}
