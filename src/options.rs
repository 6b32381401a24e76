//! What a call may have otherwise than its session: one struct, and the methods that set it on whatever makes calls.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::ReadConsistency;
use crate::saturated::saturated;

/// What a call has otherwise than its session. What is `None` is the session's.
///
/// A new option is a field here and a method in [`call_options`]; the place that honours it reads the field.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    /// For all attempts together.
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    /// The caller's own name for it, in the trace.
    pub(crate) tag: Option<Arc<str>>,
    pub(crate) consistency: Option<ReadConsistency>,
    pub(crate) page_size: Option<NonZeroU32>,
    pub(crate) ttl: Option<Duration>,
    /// In microseconds since 1970.
    pub(crate) timestamp: Option<i64>,
    /// A second execution does no harm, whatever the text shows.
    pub(crate) assume_idempotent: bool,
    pub(crate) retry_when_throttled: bool,
}

impl CallOptions {
    /// In the driver's type.
    pub(crate) fn page_size_for_driver(&self) -> Option<i32> {
        self.page_size.map(|rows| saturated::<i32>(rows.get()))
    }
}

/// Gives a type the methods of the groups that it names. The type has a method `with_changed_options`, which takes a function
/// that changes [`CallOptions`] and gives the type back; its receiver is that of all methods.
macro_rules! call_options {
    (impl [$($generics:tt)*] $carrier:ty, $self:ident: $receiver:tt, $($group:ident),+) => {
        impl<$($generics)*> $carrier {
            $(crate::options::call_options!(@$group $self $receiver);)+
        }
    };

    (@all $self:ident [$($receiver:tt)*]) => {
        /// The same with `deadline` for a call (for a page, if it reads), all its attempts together; a year at most.
        /// Default: the session's [call timeout](crate::Builder::call_timeout).
        ///
        /// As all options it can be set for good or for one call: `store.with_deadline(second).execute(&row)`.
        #[must_use]
        pub fn with_deadline($($receiver)*, deadline: std::time::Duration) -> Self {
            let deadline = deadline.min(crate::session::MAX_TIMEOUT);
            $self.with_changed_options(|options| options.deadline = Some(deadline))
        }

        /// The same with `timeout` for each attempt of a call; a year at most. Default: the session's [attempt
        /// timeout](crate::Builder::attempt_timeout). No attempt outlasts the deadline of its call.
        ///
        /// A statement that takes the server long needs both: with a deadline alone, each attempt is given up after the
        /// session's attempt timeout.
        ///
        /// ```no_run
        /// # use std::time::Duration;
        /// # async fn run(count: keyspaces::Select<(), (i64,)>) -> Result<(), keyspaces::Error> {
        /// let slow = count.with_deadline(Duration::from_secs(60)).with_attempt_timeout(Duration::from_secs(30));
        /// let rows = slow.one(()).await?;
        /// # drop(rows);
        /// # Ok(()) }
        /// ```
        #[must_use]
        pub fn with_attempt_timeout($($receiver)*, timeout: std::time::Duration) -> Self {
            let timeout = timeout.min(crate::session::MAX_TIMEOUT);
            $self.with_changed_options(|options| options.attempt_timeout = Some(timeout))
        }

        /// The same under a name of the caller's own: the field `tag` of the span [`request`](crate::observe) that
        /// [`tracing`](https://docs.rs/tracing) gets of each call (at level DEBUG), and with feature `metrics` a label of its
        /// metrics. So a program has few of them, not one for each user. Default: none.
        #[must_use]
        pub fn with_tag($($receiver)*, tag: &str) -> Self {
            let tag: std::sync::Arc<str> = tag.into();
            $self.with_changed_options(|options| options.tag = Some(std::sync::Arc::clone(&tag)))
        }
    };

    (@read $self:ident [$($receiver:tt)*]) => {
        /// The same with reads at another consistency than the session's.
        #[must_use]
        pub fn with_consistency($($receiver)*, consistency: crate::ReadConsistency) -> Self {
            $self.with_changed_options(|options| options.consistency = Some(consistency))
        }

        /// The same with pages of at most `rows` rows, whatever a LIMIT says. Default: the session's
        /// [page size](crate::Builder::page_size), or the LIMIT if that is less and nothing is filtered.
        ///
        /// Where a filter drops rows, it is rows read, not rows given (DG:paginating-results).
        #[must_use]
        pub fn with_page_size($($receiver)*, rows: std::num::NonZeroU32) -> Self {
            $self.with_changed_options(|options| options.page_size = Some(rows))
        }
    };

    (@repeat $self:ident [$($receiver:tt)*]) => {
        /// The same, sent again when it was throttled although it may not be sent twice.
        ///
        /// The service says that what it throttles is not applied, and says it as a write timeout that received no
        /// answer (DG:troubleshooting.serverless); the protocol cannot tell that from a write that timed out after it
        /// was applied. So this trusts the service. Default: such a statement is sent once. A lost answer is never
        /// followed by a repeat of it.
        #[must_use]
        pub fn retry_when_throttled($($receiver)*) -> Self {
            $self.with_changed_options(|options| options.retry_when_throttled = true)
        }
    };

    (@idempotent $self:ident [$($receiver:tt)*]) => {
        /// The same, sent again after a lost answer whatever its text shows: the caller says that a second execution
        /// does no harm. Default: what the text shows (not with `now()`, `uuid()` or an append to a list, for instance).
        #[must_use]
        pub fn assume_idempotent($($receiver)*) -> Self {
            $self.with_changed_options(|options| options.assume_idempotent = true)
        }
    };

    (@using $self:ident [$($receiver:tt)*]) => {
        /// The same with what it writes expiring after `ttl`, rounded up to whole seconds, at most 20 years
        /// (DG:TTL). With zero it never expires, whatever the table's own time to live is.
        ///
        /// The text must have `USING TTL ?`; the values then leave that bind marker out. (Else bind a value for it: its
        /// name is `[ttl]`, for a field `#[scylla(rename = "[ttl]")]`, its type `i32`.) Keyspaces refuses a TTL on a
        /// table that does not have the feature enabled.
        ///
        /// # Errors
        ///
        /// At the call, before anything is sent: [`Type`](crate::ErrorKind::Type) without such a bind
        /// marker, [`Value`](crate::ErrorKind::Value) if it is too long.
        #[must_use]
        pub fn with_ttl($($receiver)*, ttl: std::time::Duration) -> Self {
            $self.with_changed_options(|options| options.ttl = Some(ttl))
        }

        /// The same with what it writes written as of `timestamp`, in microseconds: of two writes to a cell
        /// the later one stays.
        ///
        /// The text must have `USING TIMESTAMP ?`; the values then leave that bind marker out. (Else bind a value for
        /// it: its name is `[timestamp]`, its type `i64`.) Keyspaces refuses it on a table without client-side
        /// timestamps, and takes none that is more than two days old or more than five minutes ahead
        /// (DG:client-side-timestamps-how-to-queries).
        ///
        /// # Errors
        ///
        /// At the call, before anything is sent: [`Type`](crate::ErrorKind::Type) without such a bind
        /// marker, [`Value`](crate::ErrorKind::Value) outside the service's window.
        #[must_use]
        pub fn with_timestamp($($receiver)*, timestamp: chrono::DateTime<chrono::Utc>) -> Self {
            let micros = timestamp.timestamp_micros();
            $self.with_changed_options(|options| options.timestamp = Some(micros))
        }
    };
}

pub(crate) use call_options;
