use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use keyspaces_cql::Effect;
use scylla::serialize::row::SerializeRow;

use super::answer::{self, Answer};
use super::{Core, Statement, Values, sealed, statement_options};
use crate::row::{OwnedRow, Row};
use crate::{Error, ErrorKind, Session, execute};

/// A prepared INSERT, UPDATE or DELETE with `IF`: binds values of type `V`, and where the condition does not hold gives the
/// row that stood in the way as an `R`.
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
/// Which columns the row has is the server's: all of them after `INSERT … IF NOT EXISTS`, those of the condition after
/// `UPDATE … IF`, none after `IF EXISTS`. An `R` that is derived takes those that it names and leaves the others, so that a
/// column added to the table later breaks nothing; a tuple must have exactly the columns that come.
///
/// Cheap to clone. A borrowed `V` may be named with `'static` where the statement is kept and binds values of any shorter
/// lifetime.
pub struct Conditional<V, R = Row> {
    pub(super) core: Core,
    shape: PhantomData<fn() -> (V, R)>,
}

/// What became of a conditional write.
///
/// `T` is `Option<R>` for a [`Conditional`], and `Vec<R>` for a [`ConditionalBatch`](super::ConditionalBatch).
#[derive(Debug)]
#[must_use = "a conditional write that was not applied has changed nothing"]
pub enum Outcome<T> {
    /// The condition held, it is written.
    Applied,
    /// The condition did not hold, nothing is written: what stood in the way, as far as the server tells.
    NotApplied(T),
    /// The answer was lost or the request throttled, which may mean either: the error says why.
    /// [`Conditional::resolve`] reads what became of it; to send it again may find one's own write in the way.
    Unknown(Error),
}

impl<T> Outcome<T> {
    /// Whether it is known to be written.
    pub fn is_applied(&self) -> bool {
        matches!(self, Self::Applied)
    }

    pub(super) fn of(answered: Result<Answer<T>, Error>) -> Result<Self, Error> {
        match answered {
            Ok(Answer::Applied) => Ok(Self::Applied),
            Ok(Answer::NotApplied(row)) => Ok(Self::NotApplied(row)),
            Err(error) if error.kind() == ErrorKind::Unknown => Ok(Self::Unknown(error)),
            Err(error) => Err(error),
        }
    }
}

impl<V: SerializeRow, R: OwnedRow> Conditional<V, R> {
    /// Writes if the condition holds.
    ///
    /// It is not sent twice (but see [`repeat_when_throttled`](Self::repeat_when_throttled)): the second might find what the
    /// first has written.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// Before anything is sent: [`Type`](ErrorKind::Type) if the values do not fit the bind markers,
    /// [`TooLarge`](ErrorKind::TooLarge) if they are more than Keyspaces takes. After: [`Type`](ErrorKind::Type) if it was not
    /// applied and the row that stood in the way does not fit `R`; what the server refuses. A lost or throttled answer is
    /// no error but [`Outcome::Unknown`].
    pub async fn execute(&self, values: impl Values<V>) -> Result<Outcome<Option<R>>, Error> {
        let mut request = match self.core.bind(values.values()) {
            Ok(request) => request,
            Err(error) => self.core.prepared_anew(error).await?.bind(values.values())?,
        };
        let answered = execute::write(&self.core.call, &mut request).await;
        Outcome::of(answered.and_then(|result| answer::of_one(&self.core.call.about, result)))
    }

    /// Says what became of a write whose outcome is [`Unknown`](Outcome::Unknown): reads the row at LOCAL_QUORUM and compares
    /// it with `values`, those of the write.
    ///
    /// - [`Applied`](Outcome::Applied): every column that the write binds a value to has that value.
    /// - [`NotApplied`](Outcome::NotApplied) with a row: some column has another value. With `None`: there is no row, or the
    ///   write says `IF EXISTS`.
    ///
    /// That tells this write from the same write of others only if no other writes the same values: give each call an id of
    /// its own, in a column that nobody changes.
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
    /// What is read is what is there now. An attempt whose answer was lost may still be under way in the service and be applied
    /// after the read; one that was throttled is not (DG:troubleshooting.serverless). So where nothing is there, try again with
    /// the same id: if the first attempt comes late, the row in the way has this id.
    ///
    /// Compared are columns of native types that are set to a bind marker, but for `varint` and `decimal`, of which one number
    /// has several forms. It may be dropped at any time.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the text sets no such column, as a DELETE, or does not name the whole primary key;
    /// [`Type`](ErrorKind::Type) if the values do not fit, or the row does not fit `R`; what the read comes to.
    pub async fn resolve(&self, values: impl Borrow<V>) -> Result<Outcome<Option<R>>, Error> {
        super::resolve::resolve(self, values).await
    }
}

statement_options!(Conditional<V, R>, all, repeat, using);

impl<V, R> Conditional<V, R> {
    pub(crate) fn session(&self) -> &Session {
        &self.core.call.session
    }
}

impl<V: SerializeRow, R: OwnedRow> Statement for Conditional<V, R> {}

impl<V: SerializeRow, R: OwnedRow> sealed::Sealed for Conditional<V, R> {
    const EFFECT: Effect = Effect::ConditionalWrite;

    fn new(core: Core) -> Result<Self, Error> {
        core.check_values::<V>()?;
        Ok(Self { core, shape: PhantomData })
    }
}

impl<V, R> Clone for Conditional<V, R> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), shape: PhantomData }
    }
}

impl<V, R> fmt::Debug for Conditional<V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conditional").field(&self.core.prepared.get_statement()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_lost_is_an_outcome_and_any_other_error_is_an_error() {
        let failed = |kind| Outcome::<()>::of(Err(Error::new(kind, "INSERT INTO ks.t", "it failed")));
        assert!(matches!(failed(ErrorKind::Unknown), Ok(Outcome::Unknown(why)) if why.kind() == ErrorKind::Unknown));
        for kind in [ErrorKind::Refused, ErrorKind::Type, ErrorKind::NoConnection, ErrorKind::Closed] {
            assert_eq!(failed(kind).expect_err("it is known not to be applied").kind(), kind);
        }
    }
}
