//! What a single call may have otherwise than its session: methods that every kind of statement has.

/// Gives a statement the options that all kinds have.
macro_rules! options_of_all {
    ($statement:ident<$($parameter:ident),+>) => {
        impl<$($parameter),+> $statement<$($parameter),+> {
            /// The same statement with `deadline` for a call (for a page, of a read), all its attempts together; a year at
            /// most. Default: the session's [call timeout](crate::Builder::call_timeout).
            ///
            /// As all of a statement's options it can be set for good or for one call:
            /// `store.with_deadline(second).execute(&row)`.
            #[must_use]
            pub fn with_deadline(&self, deadline: std::time::Duration) -> Self {
                let mut statement = self.clone();
                statement.core.call.deadline = Some(deadline.min(crate::session::LONGEST_TIMEOUT));
                statement
            }

            /// The same statement with `timeout` for each attempt of a call; a year at most. Default: the session's [attempt
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
            pub fn with_attempt_timeout(&self, timeout: std::time::Duration) -> Self {
                let mut statement = self.clone();
                statement.core.call.attempt_timeout = Some(timeout.min(crate::session::LONGEST_TIMEOUT));
                statement
            }

            /// The same statement under a name of the caller's own, which is the field `tag` of the span [`request`](crate::observe) that
            /// [`tracing`](https://docs.rs/tracing) gets of each request (at level DEBUG). Default: none.
            #[must_use]
            pub fn with_tag(&self, tag: &str) -> Self {
                let mut statement = self.clone();
                statement.core.call.tag = Some(tag.into());
                statement
            }
        }
    };
}

/// Gives a statement that writes rows the options of `USING`.
macro_rules! options_of_using {
    ($statement:ident<$($parameter:ident),+>) => {
        impl<$($parameter),+> $statement<$($parameter),+> {
            /// The same statement with what it writes expiring after `ttl`, rounded up to whole seconds, at most 20 years
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
            pub fn with_ttl(&self, ttl: std::time::Duration) -> Self {
                let mut statement = self.clone();
                statement.core.using.ttl = Some(ttl);
                statement
            }

            /// The same statement with what it writes written as of `timestamp`, in microseconds: of two writes to a cell
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
            pub fn with_timestamp(&self, timestamp: chrono::DateTime<chrono::Utc>) -> Self {
                let mut statement = self.clone();
                statement.core.using.timestamp = Some(timestamp.timestamp_micros());
                statement
            }
        }
    };
}

/// Gives a statement that writes the option of being repeated after it was throttled.
macro_rules! options_of_repeating {
    ($statement:ident<$($parameter:ident),+>) => {
        impl<$($parameter),+> $statement<$($parameter),+> {
            /// The same statement, sent again when it was throttled although it may not be sent twice.
            ///
            /// The service says that what it throttles is not applied, and says it as a write timeout that received no
            /// answer (DG:troubleshooting.serverless); the protocol cannot tell that from a write that timed out after it
            /// was applied. So this trusts the service. Default: such a statement is sent once. A lost answer is never
            /// followed by a repeat of it.
            #[must_use]
            pub fn repeat_when_throttled(&self) -> Self {
                let mut statement = self.clone();
                statement.core.call.repeats.when_throttled = true;
                statement
            }
        }
    };
}

pub(super) use {options_of_all, options_of_repeating, options_of_using};
