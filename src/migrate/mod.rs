//! Applies numbered CQL files, each once and in order, by one program at a time.
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
//! The table `schema_migrations` of the keyspace records each applied file in a row: its number, name and checksum, and
//! when and by whom it was applied (`SELECT version, file, checksum, applied_at, applied_by FROM shop.schema_migrations`).
//! An applied file must not change: a file that has changed or is missing, and a new file with a lower number than an
//! applied one, are refused before any statement of the files is sent.
//!
//! # One program at a time
//!
//! Keyspaces has no locks, but it has conditional writes: row 0 of the table names the program that migrates, and the
//! end of its lease. The lease (60 seconds unless [set](Migrate::lease)) is renewed each time a third of it has passed.
//! Before each statement, one conditional write renews the lease and records that the statement is about to be sent. So
//! a program that was suspended for longer than its lease finds another holder and stops. One case remains: a program
//! that is suspended between that write and its statement, for longer than the lease and the margin, still sends the
//! statement.
//!
//! The end of the lease is a time by the holder's clock. Other programs take the lock when that time, plus a margin for
//! clock skew (10 seconds unless [set](Migrate::clock_skew)), has passed by their clocks. A program that ends, with an
//! error or with success, releases the lock at once; a program that is killed, or whose future is dropped, does not.
//!
//! # Interruptions
//!
//! Migrate again after an interruption. Statements known to be carried out are not sent again. The outcome of the statement
//! that was about to be sent is unknown: a definition is compared with the current schema, an idempotent write is sent
//! again, and any other statement stops with an error of kind [`Unknown`](ErrorKind::Unknown), to be resolved by
//! [`resolve_unknown`](Migrate::resolve_unknown).

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
pub use self::progress::MigrationProgress;
#[cfg(doc)]
use crate::ErrorKind;
use crate::auth::Clock;
use crate::retry::Random;
use crate::{Error, Session};

/// A migration, from [`Session::migrate`]: `.await` it, follow its [`progress`](Self::progress), or only see what it would
/// do ([`dry_run`](Self::dry_run)).
///
/// If it is dropped, it sends nothing more. A statement already sent is still carried out, and the lock is free when its
/// lease expires.
#[must_use = "files are applied when it is awaited, or its progress is polled"]
pub struct Migrate<'a> {
    session: &'a Session,
    keyspace: &'a str,
    migrations: Migrations,
    name: String,
    lease: Duration,
    skew: Duration,
    lock_timeout: Duration,
    /// The deadline of a definition, if it is not the default.
    deadline: Option<Duration>,
    skip_keyspaces_options: bool,
    decision: Option<Decision>,
    clock: Clock,
    holder: Uuid,
    random: Random,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The operator's decision about a statement of unknown outcome.
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
            lock_timeout: Duration::from_secs(300),
            deadline: None,
            skip_keyspaces_options: false,
            decision: None,
            clock: Clock::system(),
            holder: Uuid::new_v4(),
            random: Random::new(),
        }
    }

    /// Sets the name shown to programs that wait for the lock, recorded with each applied file. Default: `process` and
    /// the process id.
    pub fn program_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how long the lock is held without renewal, which is how long others wait for a killed program. Default: 60
    /// seconds; at least one second, at most a day.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_secs(1), DAY);
        self
    }

    /// Sets by how much the clocks of the migrating programs may differ. Default: 10 seconds; at most a day.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.skew = skew.min(DAY);
        self
    }

    /// Sets how long to wait for another program that holds the lock. Default: 5 minutes; at most a year.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout.min(365 * DAY);
        self
    }

    /// Sets how long a definition may take to be carried out, at most a year. Default: 5 minutes; 3 hours if a table is
    /// restored.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline.min(365 * DAY));
        self
    }

    /// On a plain Cassandra, leaves out the options that only Keyspaces has, which are refused otherwise. On Keyspaces this
    /// has no effect.
    pub fn without_keyspaces_options_on_cassandra(mut self) -> Self {
        self.skip_keyspaces_options = true;
        self
    }

    /// States whether the statement whose outcome is unknown was applied. `version` is the number of its file, and
    /// `statement` its number in the file, from 1. Any other statement is an error of kind
    /// [`Configuration`](ErrorKind::Configuration).
    pub fn resolve_unknown(mut self, version: u64, statement: usize, applied: bool) -> Self {
        self.decision = Some(Decision { version, statement, applied });
        self
    }

    /// Returns what would be applied, without writing anything, not even the table or the lock.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// The errors of [`Session::migrate`] for files that contradict the applied files.
    pub async fn dry_run(&self) -> Result<DryRun, Error> {
        let history = self.session.schema().describe_untagged(self.keyspace, history::TABLE).await?;
        let (applied, state) = match history {
            None => (Vec::new(), LockState::none()),
            Some(_) => {
                (history::applied(self.session, self.keyspace).await?, lock::state(self.session, self.keyspace).await?)
            }
        };
        let pending = history::pending(&self.migrations, &applied, &state)?;
        let pending = pending.into_iter().map(|migration| {
            let progress = state.progress_of(migration.version());
            Pending {
                version: migration.version(),
                file: migration.file().to_owned(),
                statements: migration.statements().map(str::to_owned).collect(),
                statements_done: progress.done,
                outcome_unknown: progress.sent,
            }
        });
        let held_by = state.is_held(lock::now(&self.clock), self.skew).then(|| state.held_by.clone());
        Ok(DryRun { pending: pending.collect(), held_by })
    }

    /// Returns a stream that applies the files as it is polled, and yields the progress. The stream ends when all are
    /// applied, or with the error that stopped it. If the stream is dropped, nothing more is sent; statements already
    /// sent continue in the service, and the lock is free when its lease expires.
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub fn progress(self) -> BoxStream<'a, Result<MigrationProgress, Error>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let run: BoxFuture<'a, _> = Box::pin(async move { run::run(&self, sender).await.map(drop) });
        stream::try_unfold((Some(run), receiver, Ok(())), |(mut run, mut receiver, mut ended)| async move {
            loop {
                if let Ok(progress) = receiver.try_recv() {
                    return Ok(Some((progress, (run, receiver, ended))));
                }
                let Some(running) = &mut run else { return ended.map(|()| None) };
                tokio::select! {
                    biased;
                    Some(progress) = receiver.recv() => return Ok(Some((progress, (run, receiver, ended)))),
                    result = running => (run, ended) = (None, result),
                }
            }
        })
        .boxed()
    }

    fn attempted(&self) -> String {
        format!("migrating with {}", history::table(self.keyspace))
    }
}

impl<'a> IntoFuture for Migrate<'a> {
    /// The names of the files applied by this call.
    type Output = Result<Vec<String>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (sender, _) = mpsc::unbounded_channel();
            run::run(&self, sender).await
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

/// The files that would be applied, from [`Migrate::dry_run`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DryRun {
    /// The files, in order.
    pub pending: Vec<Pending>,
    /// The program that holds the lock now, if any.
    pub held_by: Option<String>,
}

/// A file that is not applied, or only partly applied.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pending {
    /// Its number.
    pub version: u64,
    /// Its name.
    pub file: String,
    /// Its statements.
    pub statements: Vec<String>,
    /// How many of the statements are known to have been carried out.
    pub statements_done: usize,
    /// Whether the outcome of the next statement is unknown.
    pub outcome_unknown: bool,
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(holder) = &self.held_by {
            writeln!(f, "{holder} is migrating")?;
        }
        if self.pending.is_empty() {
            return f.write_str("nothing to do");
        }
        for (index, file) in self.pending.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{}", file.file)?;
            if file.statements_done > 0 {
                write!(
                    f,
                    ", with {} of {} statements already carried out",
                    file.statements_done,
                    file.statements.len()
                )?;
            }
            for (number, statement) in file.statements.iter().enumerate().skip(file.statements_done) {
                let unknown =
                    if number == file.statements_done && file.outcome_unknown { " (outcome unknown)" } else { "" };
                write!(f, "\n{:3}. {statement}{unknown}", number + 1)?;
            }
        }
        Ok(())
    }
}
