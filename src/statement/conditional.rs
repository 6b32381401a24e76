use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use keyspaces_cql::Effect;
use scylla::serialize::row::SerializeRow;

use super::answer::{self, Answer};
use super::{Statement, UntypedStatement, Values, sealed, statement_options};
use crate::row::{OwnedRow, Row};
use crate::{Error, ErrorKind, Session, execute};

/// A prepared INSERT, UPDATE or DELETE with `IF`: binds values of type `V`, and returns the existing row as an `R` if the
/// condition does not hold.
///
/// ```no_run
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// use keyspaces::{Conditional, Outcome};
///
/// #[keyspaces::row(read)]
/// struct Owner {
///     name: String,
/// }
///
/// let claim: Conditional<(&str, &str), Owner> =
///     session.prepare("INSERT INTO shop.owners (id, name) VALUES (?, ?) IF NOT EXISTS").await?;
/// match claim.execute(("7", "Ada")).await? {
///     Outcome::Applied => println!("it is hers"),
///     Outcome::NotApplied(Some(owner)) => println!("it is {}'s", owner.name),
///     Outcome::NotApplied(None) => println!("the server did not say whose it is"),
///     Outcome::Unknown(why) => println!("resolve() reads what became of it: {why}"),
/// }
/// # Ok(()) }
/// ```
///
/// The server chooses the columns of that row: all of them after `INSERT … IF NOT EXISTS`, those of the condition after
/// `UPDATE … IF`, none after `IF EXISTS`. A derived `R` reads the columns that it names and ignores the others, so a
/// column that is added to the table later does not affect it; a tuple must have exactly the columns that the server
/// returns.
///
/// It is cheap to clone. If a statement with a borrowed `V` is stored, its type may use the lifetime `'static`; it
/// still binds values of any shorter lifetime.
pub struct Conditional<V, R = Row> {
    pub(super) untyped: UntypedStatement,
    shape: PhantomData<fn() -> (V, R)>,
}

/// The outcome of a conditional write.
///
/// `T` is `Option<R>` for a [`Conditional`], and `Vec<R>` for a [`ConditionalBatch`](super::ConditionalBatch).
#[derive(Debug)]
#[must_use = "a conditional write that was not applied has changed nothing"]
pub enum Outcome<T> {
    /// The condition held, and the write was applied.
    Applied,
    /// The condition did not hold, and nothing was written. Contains the existing row, if the server returns it.
    NotApplied(T),
    /// The answer was lost or the request was throttled, so the write may have been applied or not; the error says why.
    /// [`Conditional::resolve`] reads whether it was applied. If the write is sent again, its condition may fail
    /// because the first attempt was applied.
    Unknown(Error),
}

impl<T> Outcome<T> {
    /// Whether the write is known to be applied.
    pub fn is_applied(&self) -> bool {
        matches!(self, Self::Applied)
    }

    pub(super) fn from_answer(answered: Result<Answer<T>, Error>) -> Result<Self, Error> {
        match answered {
            Ok(Answer::Applied) => Ok(Self::Applied),
            Ok(Answer::NotApplied(row)) => Ok(Self::NotApplied(row)),
            Err(error) if error.kind() == ErrorKind::Unknown => Ok(Self::Unknown(error)),
            Err(error) => Err(error),
        }
    }
}

impl<V: SerializeRow, R: OwnedRow> Conditional<V, R> {
    /// Executes the write if the condition holds.
    ///
    /// The write is not sent twice (but see [`retry_when_throttled`](Self::retry_when_throttled)), because the
    /// condition of the second attempt could fail on the row that the first attempt wrote.
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// Before anything is sent: [`Type`](ErrorKind::Type) if the values do not fit the bind markers,
    /// [`TooLarge`](ErrorKind::TooLarge) if they exceed a limit of Keyspaces. After: [`Type`](ErrorKind::Type) if the
    /// write was not applied and the existing row does not fit `R`; any refusal by the server. If the answer was lost
    /// or the request was throttled, the result is [`Outcome::Unknown`], not an error.
    pub async fn execute(&self, values: impl Values<V>) -> Result<Outcome<Option<R>>, Error> {
        let mut request = match self.untyped.bind(values.values()) {
            Ok(request) => request,
            Err(error) => self.untyped.prepare_again(error).await?.bind(values.values())?,
        };
        let answered = execute::write(&self.untyped.call, &mut request).await;
        Outcome::from_answer(answered.and_then(|result| answer::decode_one(&self.untyped.call.info, result)))
    }

    /// Finds the outcome of a write whose outcome is [`Unknown`](Outcome::Unknown): reads the row at LOCAL_QUORUM and
    /// compares it with `values`, the values of the write.
    ///
    /// - [`Applied`](Outcome::Applied): every column that the write sets to a bound value has that value.
    /// - [`NotApplied`](Outcome::NotApplied) with a row: some column has another value. With `None`: the row does not
    ///   exist, or the write has `IF EXISTS`.
    ///
    /// The comparison identifies the write only if no other write has the same values. Give each call a unique id, in a
    /// column that is never changed.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::{Conditional, Outcome};
    /// use uuid::Uuid;
    ///
    /// #[keyspaces::row(read)]
    /// struct Seat {
    ///     booking: Uuid,
    /// }
    ///
    /// let book: Conditional<(&str, Uuid), Seat> =
    ///     session.prepare("INSERT INTO shop.seats (seat, booking) VALUES (?, ?) IF NOT EXISTS").await?;
    /// let booking = Uuid::new_v4();
    /// let outcome = match book.execute(("12A", booking)).await? {
    ///     Outcome::Unknown(_) => book.resolve(("12A", booking)).await?,
    ///     known => known,
    /// };
    /// match outcome {
    ///     Outcome::Applied => println!("booked"),
    ///     Outcome::NotApplied(Some(seat)) => println!("taken by {}", seat.booking),
    ///     Outcome::NotApplied(None) => println!("nobody has it so far: it can be tried again, with the same id"),
    ///     Outcome::Unknown(why) => println!("{why}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// The read shows the current row. An attempt whose answer was lost may still be in progress in the service and be
    /// applied after the read; a throttled attempt is not (DG:troubleshooting.serverless). So if no row exists, try again
    /// with the same id: if the first attempt is applied late, the existing row has this id.
    ///
    /// It compares the columns of native types that are set to a bind marker, except `varint`, `decimal` and
    /// `duration`, whose values have several encodings. The future may be dropped at any time.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the text sets no such column (a DELETE, for instance) or does not name the
    /// whole primary key; [`Type`](ErrorKind::Type) if the values do not fit, or the row does not fit `R`; and the
    /// errors of the read.
    pub async fn resolve(&self, values: impl Borrow<V>) -> Result<Outcome<Option<R>>, Error> {
        super::resolve::resolve(self, values).await
    }
}

statement_options!(Conditional<V, R>, all, retry, using);

impl<V, R> Conditional<V, R> {
    pub(crate) fn session(&self) -> &Session {
        &self.untyped.call.session
    }
}

impl<V: SerializeRow, R: OwnedRow> Statement for Conditional<V, R> {}

impl<V: SerializeRow, R: OwnedRow> sealed::Sealed for Conditional<V, R> {
    const EFFECT: Effect = Effect::ConditionalWrite;

    fn new(untyped: UntypedStatement) -> Result<Self, Error> {
        untyped.check_value_type::<V>()?;
        Ok(Self { untyped, shape: PhantomData })
    }
}

impl<V, R> Clone for Conditional<V, R> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), shape: PhantomData }
    }
}

impl<V, R> fmt::Debug for Conditional<V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conditional").field(&self.untyped.prepared.get_statement()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lost_response_gives_an_unknown_outcome() {
        let failed = |kind| Outcome::<()>::from_answer(Err(Error::new(kind, "INSERT INTO ks.t", "it failed")));
        assert!(matches!(failed(ErrorKind::Unknown), Ok(Outcome::Unknown(why)) if why.kind() == ErrorKind::Unknown));
        for kind in [ErrorKind::Refused, ErrorKind::Type, ErrorKind::NoConnection, ErrorKind::Closed] {
            assert_eq!(failed(kind).expect_err("it is known not to be applied").kind(), kind);
        }
    }
}
