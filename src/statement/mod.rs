//! Prepared statements, typed by their effect.

mod answer;
mod batch;
mod cache;
mod conditional;
mod increment;
mod info;
mod markers;
mod mismatch;
mod modification;
mod named_columns;
mod named_values;
mod prepare_all;
mod prepared_text;
mod query;
mod refused;
mod resolve;
mod select;
mod serialized;
pub(crate) mod table_check;
mod untyped;
mod value_types;
mod values;
mod write;

use std::sync::Arc;

use keyspaces_cql::Effect;
use tokio::time::Instant;

pub use self::batch::{ConditionalBatch, LoggedBatch, UnloggedBatch};
pub(crate) use self::cache::Cache;
pub use self::conditional::{Conditional, Outcome};
pub use self::increment::Increment;
pub(crate) use self::info::{StatementInfo, summary};
pub(crate) use self::mismatch::{advice_on_columns, advice_on_row, explain_columns, explain_row};
pub(crate) use self::named_columns::NamedColumns;
pub use self::named_values::NamedValues;
pub use self::prepare_all::Statements;
pub use self::query::Query;
pub(crate) use self::refused::{rule_error, rule_problem_and_advice};
pub use self::select::Select;
pub(crate) use self::serialized::SerializedView;
pub(crate) use self::untyped::UntypedStatement;
pub use self::values::Values;
pub use self::write::Write;
use crate::execute::Call;
use crate::options::CallOptions;
use crate::{Error, ErrorKind, Session};

/// A type of statement that [`Session::prepare`] returns: [`Select`], [`Write`], [`Conditional`] or [`Increment`].
pub trait Statement: sealed::Sealed + Sized {}

pub(crate) async fn prepare<S: Statement>(session: &Session, text: &str) -> Result<S, Error> {
    prepare_with(session, text, CallOptions::default()).await
}

async fn prepare_with<S: Statement>(session: &Session, text: &str, options: CallOptions) -> Result<S, Error> {
    let began = Instant::now();
    let untyped = prepare_untyped(session, text, options.clone(), S::EFFECT).await?;
    let prepared_text = Arc::clone(&untyped.prepared_text);
    match S::new(untyped) {
        // Another program may have changed the table since this text was first prepared.
        Err(error) if error.kind() == ErrorKind::Type && prepared_text.is_older_than(began) => {
            session.statements().forget(&prepared_text);
            S::new(prepare_untyped(session, text, options, S::EFFECT).await?)
        }
        made => made,
    }
}

async fn prepare_untyped(
    session: &Session,
    text: &str,
    options: CallOptions,
    effect: Effect,
) -> Result<UntypedStatement, Error> {
    let (info, text) = StatementInfo::check(text, session, &[effect])?;
    let call = Arc::new(Call::new(session, info, options));
    let prepared_text = session.statements().prepare(session, &text, &call.info).await?;
    UntypedStatement::new(call, prepared_text, effect)
}

/// Adds the named options to a prepared statement: see [`call_options`](crate::options::call_options).
macro_rules! statement_options {
    ($statement:ident<$($parameter:ident),+>, $($group:ident),+) => {
        crate::options::call_options!(impl [$($parameter),+] $statement<$($parameter),+>, self: [&self], $($group),+);

        impl<$($parameter),+> $statement<$($parameter),+> {
            pub(crate) fn with_changed_options(
                &self,
                change: impl FnOnce(&mut crate::options::CallOptions),
            ) -> Self {
                let mut statement = self.clone();
                statement.untyped.change_options(change);
                statement
            }
        }
    };
}

use statement_options;

mod sealed {
    use keyspaces_cql::Effect;

    use super::UntypedStatement;
    use crate::Error;

    pub trait Sealed: Sized {
        const EFFECT: Effect;

        fn new(untyped: UntypedStatement) -> Result<Self, Error>;
    }
}
