//! The options of a call, which override the settings of its session, and the methods that set them on statements, batches and
//! tables.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::ReadConsistency;
use crate::saturated::saturated;

/// The options of a call. If an option is `None`, the session's setting or the text of the statement applies.
///
/// A new option needs a field here, a method in [`call_options`], and the code that reads the field.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    /// The time limit for all attempts together.
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    /// The caller's name for the call, in spans and metrics.
    pub(crate) tag: Option<Arc<str>>,
    pub(crate) consistency: Option<ReadConsistency>,
    pub(crate) page_size: Option<NonZeroU32>,
    pub(crate) ttl: Option<Duration>,
    /// In microseconds since 1970.
    pub(crate) timestamp: Option<i64>,
    /// Treats the statement as idempotent, even if its text does not show that it is.
    pub(crate) assume_idempotent: bool,
    pub(crate) retry_when_throttled: bool,
}

impl CallOptions {
    pub(crate) fn page_size_for_driver(&self) -> Option<i32> {
        self.page_size.map(|rows| saturated::<i32>(rows.get()))
    }
}

/// Implements the methods of the named groups for a type. The type needs a method `with_changed_options`, which takes a
/// function that changes [`CallOptions`] and returns the changed value. The generated methods have the same receiver as
/// that method.
macro_rules! call_options {
    (impl [$($generics:tt)*] $carrier:ty, $self:ident: $receiver:tt, $($group:ident),+) => {
        impl<$($generics)*> $carrier {
            $(crate::options::call_options!(@$group $self $receiver);)+
        }
    };

    (@all $self:ident [$($receiver:tt)*]) => {
        /// Sets the time limit for all attempts of a call together; for a read, of each page. At most a year. Default: the
        /// session's [call timeout](crate::SessionBuilder::call_timeout).
        ///
        /// Like every option, it can be set permanently or for one call: `store.with_deadline(second).execute(&row)`.
        #[must_use]
        pub fn with_deadline($($receiver)*, deadline: std::time::Duration) -> Self {
            let deadline = deadline.min(crate::session::MAX_TIMEOUT);
            $self.with_changed_options(|options| options.deadline = Some(deadline))
        }

        /// Sets the time limit for each attempt of a call, at most a year. Default: the session's [attempt
        /// timeout](crate::SessionBuilder::attempt_timeout). An attempt also ends at the deadline of its call.
        ///
        /// A statement that the server executes slowly needs a longer deadline and a longer attempt timeout: with the
        /// deadline alone, each attempt still ends after the session's attempt timeout.
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

        /// Sets the caller's name for the calls: the field `tag` of their [`tracing`](https://docs.rs/tracing) span
        /// [`request`](crate::observe) (at level DEBUG), and with feature `metrics` a label of their metrics. Use few
        /// tags, not one for each user, because each tag creates a series of metrics. Default: none.
        #[must_use]
        pub fn with_tag($($receiver)*, tag: &str) -> Self {
            let tag: std::sync::Arc<str> = tag.into();
            $self.with_changed_options(|options| options.tag = Some(std::sync::Arc::clone(&tag)))
        }
    };

    (@read $self:ident [$($receiver:tt)*]) => {
        /// Sets the consistency of reads. Default: the session's.
        #[must_use]
        pub fn with_consistency($($receiver)*, consistency: crate::ReadConsistency) -> Self {
            $self.with_changed_options(|options| options.consistency = Some(consistency))
        }

        /// Sets the maximum number of rows of a page, regardless of a LIMIT. Default: the session's
        /// [page size](crate::SessionBuilder::page_size), or the LIMIT if that is less and no rows are filtered out.
        ///
        /// With a filter, the page size counts the rows read, not the rows returned (DG:paginating-results).
        #[must_use]
        pub fn with_page_size($($receiver)*, rows: std::num::NonZeroU32) -> Self {
            $self.with_changed_options(|options| options.page_size = Some(rows))
        }
    };

    (@retry $self:ident [$($receiver:tt)*]) => {
        /// Retries a throttled statement even if it is not idempotent.
        ///
        /// AWS documents that a throttled write is not applied, and reports it as a write timeout without any response
        /// (DG:troubleshooting.serverless); the protocol cannot distinguish that from a write that timed out after it
        /// was applied. So this option relies on the documentation. It does not apply to a lost answer: the statement
        /// is not sent again after one. Default: a statement that is not idempotent is not sent again.
        #[must_use]
        pub fn retry_when_throttled($($receiver)*) -> Self {
            $self.with_changed_options(|options| options.retry_when_throttled = true)
        }
    };

    (@idempotent $self:ident [$($receiver:tt)*]) => {
        /// Treats the statement as idempotent, so that it is retried after a lost answer: the caller asserts that a
        /// second execution does no harm. Default: determined from the text; a statement with `now()`, `uuid()` or an
        /// append to a list, for instance, is not idempotent.
        #[must_use]
        pub fn assume_idempotent($($receiver)*) -> Self {
            $self.with_changed_options(|options| options.assume_idempotent = true)
        }
    };

    (@using $self:ident [$($receiver:tt)*]) => {
        /// Sets the time to live of the written values, rounded up to whole seconds, at most 20 years (DG:TTL). Zero
        /// means that they never expire, even if the table has a default time to live.
        ///
        /// The text must have `USING TTL ?`, and the bound values must leave out that bind marker. (Without this
        /// option, bind an `i32` to it; its name is `[ttl]`, for a field `#[scylla(rename = "[ttl]")]`.) Keyspaces
        /// refuses a TTL on a table that does not have the feature enabled.
        ///
        /// # Errors
        ///
        /// When the statement is executed, before anything is sent: [`Type`](crate::ErrorKind::Type) if the text has no such
        /// bind marker, [`Value`](crate::ErrorKind::Value) if the time to live is too long.
        #[must_use]
        pub fn with_ttl($($receiver)*, ttl: std::time::Duration) -> Self {
            $self.with_changed_options(|options| options.ttl = Some(ttl))
        }

        /// Sets the write timestamp, with a precision of microseconds: if two writes set the same cell, the one with the
        /// later timestamp wins.
        ///
        /// The text must have `USING TIMESTAMP ?`, and the bound values must leave out that bind marker. (Without this
        /// option, bind an `i64` to it; its name is `[timestamp]`.) Keyspaces refuses a timestamp on a table without
        /// client-side timestamps, and one that is more than two days old or more than five minutes in the future
        /// (DG:client-side-timestamps-how-to-queries).
        ///
        /// # Errors
        ///
        /// When the statement is executed, before anything is sent: [`Type`](crate::ErrorKind::Type) if the text has no such
        /// bind marker, [`Value`](crate::ErrorKind::Value) if the timestamp is outside the service's window.
        #[must_use]
        pub fn with_timestamp($($receiver)*, timestamp: chrono::DateTime<chrono::Utc>) -> Self {
            let micros = timestamp.timestamp_micros();
            $self.with_changed_options(|options| options.timestamp = Some(micros))
        }
    };
}

pub(crate) use call_options;
