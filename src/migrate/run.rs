//! Applies the files that are not applied yet, one statement after the other.

use futures::stream::TryStreamExt;
use keyspaces_cql::Effect;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use tracing::info;

use super::history;
use super::lock::{FileProgress, Lock, LockState, now};
use super::migration::{Migration, MigrationStep};
use super::outcome::Known;
use super::{Migrate, Progress};
use crate::statement::summary;
use crate::{Conditional, Error, ErrorKind, Increment, Outcome, Row};

/// Why a statement was not carried out, as far as is known.
struct Stopped {
    error: Error,
    /// Whether it is a definition that the service has nevertheless accepted.
    accepted: bool,
}

/// A migration in progress.
pub(super) struct RunningMigration<'a> {
    of: &'a Migrate<'a>,
    lock: &'a Lock<'a>,
    tell: UnboundedSender<Progress>,
}

/// Takes the lock, applies the files not applied yet, and returns their names.
pub(super) async fn run(of: &Migrate<'_>, tell: UnboundedSender<Progress>) -> Result<Vec<String>, Error> {
    history::create(of.session, of.keyspace, of.leave_out).await?;
    let lock = Lock::new(of).await?;
    lock.acquire(&tell).await?;
    let run = RunningMigration { of, lock: &lock, tell };
    let result = tokio::select! {
        biased;
        result = run.files() => result,
        lost = lock.keep() => Err(lost),
    };
    lock.release().await;
    result
}

impl RunningMigration<'_> {
    async fn files(&self) -> Result<Vec<String>, Error> {
        let state = &self.lock.state().await?;
        let applied = history::applied(self.of.session, self.of.keyspace).await?;
        let pending = history::pending(&self.of.migrations, &applied, state)?;
        self.decision_is_wanted(state, &pending)?;
        let mut files = Vec::new();
        for migration in pending {
            let begun = Instant::now();
            self.file(migration, state.place_in(migration.version())).await?;
            self.tell(Progress::Applied { file: migration.file().to_owned(), elapsed: begun.elapsed() });
            files.push(migration.file().to_owned());
        }
        Ok(files)
    }

    /// What was decided of a statement must be about the one of which nothing is known.
    fn decision_is_wanted(&self, state: &LockState, pending: &[&Migration]) -> Result<(), Error> {
        let Some(decision) = &self.of.decision else { return Ok(()) };
        let first = pending.first().map(|first| (first.version(), state.place_in(first.version())));
        match first {
            Some((version, place))
                if place.sent && (version, place.done + 1) == (decision.version, decision.statement) =>
            {
                Ok(())
            }
            _ => {
                let (version, statement) = (decision.version, decision.statement);
                let problem = format!(
                    "was_applied({version}, {statement}, {}) was said, and nothing is unknown of that statement",
                    decision.applied
                );
                Err(Error::new(ErrorKind::Configuration, self.of.attempted(), problem))
            }
        }
    }

    async fn file(&self, migration: &Migration, begun: FileProgress) -> Result<(), Error> {
        for (index, step) in migration.steps().iter().enumerate().skip(begun.done) {
            let file = || migration.file().to_owned();
            let number = index + 1;
            let known = if index == begun.done && begun.sent {
                self.unknown(migration, number, step)
                    .await
                    .map_err(|error| error.with_context(&place(migration, number)))?
            } else {
                Known::Send(step.text.clone())
            };
            let text = match known {
                Known::Send(text) => text,
                _ => {
                    self.tell(Progress::Found { file: file(), statement: number });
                    continue;
                }
            };
            self.lock.note(migration, FileProgress { done: index, sent: true }).await?;
            let of = migration.steps().len();
            self.tell(Progress::Statement { file: file(), statement: number, of, text: text.clone() });
            if let Err(Stopped { error, accepted }) = self.send(migration, number, step, &text).await
                && !self.is_found(step, &error).await
            {
                // What was sent before may have been applied, whatever is said of this time.
                let was_sent = index == begun.done && begun.sent && self.of.decision.is_none();
                if !was_sent && !accepted && is_surely_not_applied(step, &error) {
                    // Where this fails, whoever migrates next has to find out what became of it.
                    let _ = self.lock.note(migration, FileProgress { done: index, sent: false }).await;
                }
                return Err(error.with_context(&place(migration, number)));
            }
        }
        let (session, keyspace) = (self.of.session, self.of.keyspace);
        history::record(session, keyspace, migration, now(&self.of.clock), &self.of.name).await
    }

    /// Decides what to do about a statement that an earlier program was about to send.
    async fn unknown(&self, migration: &Migration, number: usize, step: &MigrationStep) -> Result<Known, Error> {
        if let Some(decision) = &self.of.decision {
            return Ok(if decision.applied { Known::Applied } else { Known::Send(step.text.clone()) });
        }
        match Known::of(step, self.of.session).await? {
            Known::Nothing(why) => {
                let problem = format!(
                    "it is not known whether this was applied by the program that was about to send it, and {why}"
                );
                let version = migration.version();
                Err(Error::new(ErrorKind::Unknown, summary(&step.tree), problem).with_advice(format!(
                    "Look whether it was, and migrate again with was_applied({version}, {number}, true), or with false"
                )))
            }
            known => Ok(known),
        }
    }

    /// Whether a definition whose answer was lost has been carried out.
    async fn is_found(&self, step: &MigrationStep, error: &Error) -> bool {
        step.tree.effect() == Effect::Definition
            && error.kind() == ErrorKind::Unknown
            && matches!(Known::of(step, self.of.session).await, Ok(Known::Applied))
    }

    async fn send(
        &self,
        migration: &Migration,
        number: usize,
        step: &MigrationStep,
        text: &str,
    ) -> Result<(), Stopped> {
        if step.tree.effect() != Effect::Definition {
            let written = self.write(migration, number, step, text).await;
            return written.map_err(|error| Stopped { error, accepted: false });
        }
        let change = self.of.session.define(text);
        let change = if let Some(deadline) = self.of.deadline { change.with_deadline(deadline) } else { change };
        let change = if self.of.leave_out { change.without_keyspaces_options_on_cassandra() } else { change };
        let (mut told, mut accepted) = (change.progress(), false);
        while let Some(progress) = told.try_next().await.map_err(|error| Stopped { error, accepted })? {
            // It is told of first when the service has taken it.
            accepted = true;
            self.tell(Progress::Definition { file: migration.file().to_owned(), progress });
        }
        Ok(())
    }

    async fn write(&self, migration: &Migration, number: usize, step: &MigrationStep, text: &str) -> Result<(), Error> {
        let session = self.of.session;
        match step.tree.effect() {
            Effect::ConditionalWrite => {
                let write: Conditional<(), Row> = session.prepare(text).await?;
                match write.execute(()).await? {
                    Outcome::Applied => Ok(()),
                    Outcome::NotApplied(_) => {
                        self.tell(Progress::NotApplied { file: migration.file().to_owned(), statement: number });
                        Ok(())
                    }
                    Outcome::Unknown(why) => Err(why),
                }
            }
            Effect::Increment => {
                let increment: Increment<()> = session.prepare(text).await?;
                increment.execute(()).await
            }
            _ => session.execute(text, ()).await,
        }
    }

    fn tell(&self, progress: Progress) {
        match &progress {
            // Its literals are data.
            Progress::Statement { file, statement, of, .. } => info!(file, statement, of, "a statement of a migration"),
            progress => info!(keyspace = self.of.keyspace, "migrating: {progress}"),
        }
        // Nobody looks on where it is only awaited.
        let _ = self.tell.send(progress);
    }
}

fn place(migration: &Migration, number: usize) -> String {
    format!("migrating: {}, statement {number}", migration.file())
}

/// For a definition only a refusal says so: any other error may come from reading what became of it.
fn is_surely_not_applied(step: &MigrationStep, error: &Error) -> bool {
    match step.tree.effect() {
        Effect::Definition => error.is_refused(),
        _ => !error.may_have_been_applied(),
    }
}
