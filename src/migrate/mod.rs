//! Numbered files of CQL, applied once each, in their order, by one program at a time.
//!
//! ```no_run
//! # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
//! use keyspaces::migrate::Migrations;
//!
//! let migrations = Migrations::from_folder("migrations")?; // 0001_users.cql, 0002_prices.cql …
//! println!("{}", session.migrate("shop", &migrations).dry_run().await?);
//! let applied = session.migrate("shop", &migrations).await?;
//! println!("applied: {}", applied.join(", "));
//! # Ok(()) }
//! ```
//!
//! What was applied is kept in a table of the keyspace, `schema_migrations`: number, name, checksum, when and by whom, a row
//! for each file (`SELECT version, file, checksum, applied_at, applied_by FROM shop.schema_migrations`). A file that was
//! applied stays as it was: one that has changed since, one that is missing, and a new one with a lower number than
//! an applied one are refused before anything is sent.
//!
//! # One program at a time
//!
//! Keyspaces has no lock, but conditional writes: row 0 of the table names who migrates, and until when. That lease (60
//! seconds unless [told otherwise](Migrate::lease)) is renewed at every third of it. Before each statement it is renewed and
//! written down, in one conditional write, that the statement is about to be sent: a program that was suspended for longer
//! than its lease finds another in its place and stops. What no lock of this kind can keep out is a program that is
//! suspended between that write and its statement for all of the lease and the margin.
//!
//! The lease's end is a time by the clock of the program that holds it. Others take the lock over when that time and a margin
//! for clocks that do not agree (10 seconds unless [told otherwise](Migrate::clock_skew)) have passed by theirs. A program
//! that ends in an error or with success lets the lock go at once; one that is killed, or whose future is dropped, does not.
//!
//! # Interrupted
//!
//! Migrate again. What is known to be carried out of a file is not sent again. Of the one statement that was about to be sent
//! the outcome is not known: a definition is compared with what is there, an idempotent write is sent again, and what is
//! neither stops with an error of kind [`Unknown`](ErrorKind::Unknown), to be settled by
//! [`was_applied`](Migrate::was_applied).

mod history;
mod lock;
mod migration;
mod outcome;
mod progress;
mod run;

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;
use uuid::Uuid;

use self::lock::LockState;
pub use self::migration::{Migration, Migrations};
pub use self::progress::Progress;
#[cfg(doc)]
use crate::ErrorKind;
use crate::auth::Clock;
use crate::retry::Random;
use crate::{Error, Session};

/// Files about to be applied, from [`Session::migrate`]: `.await` it, look on at its [`progress`](Self::progress), or only
/// at what it would do ([`dry_run`](Self::dry_run)).
///
/// Dropped, it sends nothing more: a statement that was sent is carried out all the same, and the lock is free when its
/// lease has run out.
#[must_use = "files are applied when it is awaited, or its progress is looked at"]
pub struct Migrate<'a> {
    session: &'a Session,
    keyspace: &'a str,
    migrations: Migrations,
    name: String,
    lease: Duration,
    skew: Duration,
    wait: Duration,
    /// The deadline of a definition, if it is not the default.
    deadline: Option<Duration>,
    leave_out: bool,
    decision: Option<Decision>,
    clock: Clock,
    holder: Uuid,
    random: Random,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What somebody has found out of a statement.
#[derive(Clone, Copy, Debug)]
struct Decision {
    version: u64,
    statement: usize,
    applied: bool,
}

impl<'a> Migrate<'a> {
    pub(crate) fn new(session: &'a Session, keyspace: &'a str, migrations: &Migrations) -> Self {
        Self {
            session,
            keyspace,
            migrations: migrations.in_keyspace(keyspace),
            name: format!("process {}", std::process::id()),
            lease: Duration::from_secs(60),
            skew: Duration::from_secs(10),
            wait: Duration::from_secs(300),
            deadline: None,
            leave_out: false,
            decision: None,
            clock: Clock::system(),
            holder: Uuid::new_v4(),
            random: Random::new(),
        }
    }

    /// What others are told who waits for whom, and what is recorded with a file. Default: `process` and its number.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How long the lock is held without being renewed, which is how long others wait for a program that was killed. Default:
    /// 60 seconds; at least one, at most a day.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_secs(1), DAY);
        self
    }

    /// By how much the clocks of those who migrate may differ. Default: 10 seconds; at most a day.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.skew = skew.min(DAY);
        self
    }

    /// How long to wait for another program that holds the lock. Default: 5 minutes; at most a year.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait.min(365 * DAY);
        self
    }

    /// How long a definition may take to be carried out, a year at most. Default: 5 minutes; 3 hours if a table is restored.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline.min(365 * DAY));
        self
    }

    /// On a plain Cassandra, leaves out what only Keyspaces has, where it is refused otherwise. On Keyspaces this changes
    /// nothing.
    pub fn without_keyspaces_options_on_cassandra(mut self) -> Self {
        self.leave_out = true;
        self
    }

    /// Says of the one statement whose outcome is not known whether it was applied: the number of its file, its place in it
    /// from 1. Another one is an error of kind [`Configuration`](ErrorKind::Configuration).
    pub fn was_applied(mut self, version: u64, statement: usize, applied: bool) -> Self {
        self.decision = Some(Decision { version, statement, applied });
        self
    }

    /// What would be applied, without writing anything: not even the table, or the lock.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`Session::migrate`], of what does not fit what was applied.
    pub async fn dry_run(&self) -> Result<DryRun, Error> {
        let there = self.session.schema().describe_untagged(self.keyspace, history::TABLE).await?;
        let (applied, state) = match there {
            None => (Vec::new(), LockState::none()),
            Some(_) => {
                (history::applied(self.session, self.keyspace).await?, lock::state(self.session, self.keyspace).await?)
            }
        };
        let pending = history::pending(&self.migrations, &applied, &state)?;
        let pending = pending.into_iter().map(|migration| {
            let place = state.place_in(migration.version());
            Pending {
                version: migration.version(),
                file: migration.file().to_owned(),
                statements: migration.statements().map(str::to_owned).collect(),
                done: place.done,
                unknown: place.sent,
            }
        });
        let held_by = state.is_held(lock::now(&self.clock), self.skew).then(|| state.held_by.clone());
        Ok(DryRun { pending: pending.collect(), held_by })
    }

    /// Applies the files, and tells how far it is. The stream ends when all are applied, or with the error that stopped it.
    /// Dropped, it sends nothing more; what was sent goes on in the service, and the lock is free when its lease has run out.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub fn progress(self) -> BoxStream<'a, Result<Progress, Error>> {
        let (tell, told) = mpsc::unbounded_channel();
        let run: BoxFuture<'a, _> = Box::pin(async move { run::run(&self, tell).await.map(drop) });
        stream::try_unfold((Some(run), told, Ok(())), |(mut run, mut told, mut ended)| async move {
            loop {
                if let Ok(progress) = told.try_recv() {
                    return Ok(Some((progress, (run, told, ended))));
                }
                let Some(running) = &mut run else { return ended.map(|()| None) };
                tokio::select! {
                    biased;
                    Some(progress) = told.recv() => return Ok(Some((progress, (run, told, ended)))),
                    result = running => (run, ended) = (None, result),
                }
            }
        })
        .boxed()
    }

    fn attempted(&self) -> String {
        format!("migrating by {}", history::table(self.keyspace))
    }
}

impl<'a> IntoFuture for Migrate<'a> {
    /// The names of the files that were applied now.
    type Output = Result<Vec<String>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (tell, _) = mpsc::unbounded_channel();
            run::run(&self, tell).await
        })
    }
}

impl fmt::Debug for Migrate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrate")
            .field("keyspace", &self.keyspace)
            .field("migrations", &self.migrations)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What would be applied; from [`Migrate::dry_run`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DryRun {
    /// The files, in their order.
    pub pending: Vec<Pending>,
    /// Who holds the lock now, if anybody does.
    pub held_by: Option<String>,
}

/// A file that is not applied, or not all of it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pending {
    /// Its number.
    pub version: u64,
    /// Its name.
    pub file: String,
    /// Its statements.
    pub statements: Vec<String>,
    /// How many of them are known to be carried out.
    pub done: usize,
    /// Whether it is not known of the next.
    pub unknown: bool,
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(holder) = &self.held_by {
            writeln!(f, "{holder} is migrating")?;
        }
        if self.pending.is_empty() {
            return f.write_str("nothing to do");
        }
        for (place, file) in self.pending.iter().enumerate() {
            let line = if place == 0 { "" } else { "\n" };
            write!(f, "{line}{}", file.file)?;
            if file.done > 0 {
                write!(f, ", of which {} of {} statements are carried out", file.done, file.statements.len())?;
            }
            for (number, statement) in file.statements.iter().enumerate().skip(file.done) {
                let unknown = if number == file.done && file.unknown { " (carried out perhaps)" } else { "" };
                write!(f, "\n{:3}. {statement}{unknown}", number + 1)?;
            }
        }
        Ok(())
    }
}
