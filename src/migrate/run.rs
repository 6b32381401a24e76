//! Applies the files that are not applied yet, one statement after the other.

use futures::stream::TryStreamExt;
use keyspaces_cql::Effect;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use tracing::info;

use super::history;
use super::lock::{FileProgress, Lock, LockState, now};
use super::migration::{Migration, MigrationStep};
use super::outcome::StepOutcome;
use super::{Migrate, MigrationProgress};
use crate::statement::summary;
use crate::{Conditional, Error, ErrorKind, Increment, Outcome, Row};

/// The error that stopped the migration at a statement.
struct Stopped {
    error: Error,
    /// Whether the service had accepted the statement, a definition, before the error.
    accepted: bool,
}

/// A migration in progress.
pub(super) struct RunningMigration<'a> {
    migrate: &'a Migrate<'a>,
    lock: &'a Lock<'a>,
    progress: UnboundedSender<MigrationProgress>,
}

/// Takes the lock, applies the files not applied yet, and returns their names.
pub(super) async fn run(
    migrate: &Migrate<'_>,
    progress: UnboundedSender<MigrationProgress>,
) -> Result<Vec<String>, Error> {
    history::create(migrate.session, migrate.keyspace, migrate.skip_keyspaces_options).await?;
    let lock = Lock::new(migrate).await?;
    lock.acquire(&progress).await?;
    let run = RunningMigration { migrate, lock: &lock, progress };
    let result = tokio::select! {
        biased;
        result = run.files() => result,
        lost = lock.keep_renewing() => Err(lost),
    };
    lock.release().await;
    result
}

impl RunningMigration<'_> {
    async fn files(&self) -> Result<Vec<String>, Error> {
        let state = &self.lock.state().await?;
        let applied = history::applied(self.migrate.session, self.migrate.keyspace).await?;
        let pending = history::pending(&self.migrate.migrations, &applied, state)?;
        self.check_decision(state, &pending)?;
        let mut files = Vec::new();
        for migration in pending {
            let begun = Instant::now();
            self.file(migration, state.progress_of(migration.version())).await?;
            self.report(MigrationProgress::Applied { file: migration.file().to_owned(), elapsed: begun.elapsed() });
            files.push(migration.file().to_owned());
        }
        Ok(files)
    }

    /// Refuses a decision about any statement other than the one whose outcome is unknown.
    fn check_decision(&self, state: &LockState, pending: &[&Migration]) -> Result<(), Error> {
        let Some(decision) = &self.migrate.decision else { return Ok(()) };
        let first = pending.first().map(|first| (first.version(), state.progress_of(first.version())));
        match first {
            Some((version, progress))
                if progress.sent && (version, progress.done + 1) == (decision.version, decision.statement) =>
            {
                Ok(())
            }
            _ => {
                let (version, statement) = (decision.version, decision.statement);
                let problem = format!(
                    "resolve_unknown({version}, {statement}, {}) was called, but the outcome of that statement is not unknown",
                    decision.applied
                );
                Err(Error::new(ErrorKind::Configuration, self.migrate.attempted(), problem))
            }
        }
    }

    async fn file(&self, migration: &Migration, begun: FileProgress) -> Result<(), Error> {
        for (index, step) in migration.steps().iter().enumerate().skip(begun.done) {
            let file = || migration.file().to_owned();
            let number = index + 1;
            let outcome = if index == begun.done && begun.sent {
                self.resolve(migration, number, step)
                    .await
                    .map_err(|error| error.with_context(&statement_context(migration, number)))?
            } else {
                StepOutcome::Send(step.text.clone())
            };
            let text = match outcome {
                StepOutcome::Send(text) => text,
                _ => {
                    self.report(MigrationProgress::Found { file: file(), statement: number });
                    continue;
                }
            };
            self.lock.record_progress(migration, FileProgress { done: index, sent: true }).await?;
            let total = migration.steps().len();
            self.report(MigrationProgress::Statement { file: file(), statement: number, total, text: text.clone() });
            if let Err(Stopped { error, accepted }) = self.send(migration, number, step, &text).await
                && !self.is_found(step, &error).await
            {
                // The earlier send may have been applied, whatever the error of this one.
                let was_sent = index == begun.done && begun.sent && self.migrate.decision.is_none();
                if !was_sent && !accepted && is_surely_not_applied(step, &error) {
                    // If this fails, the next migration has to determine the outcome of the statement.
                    let _ = self.lock.record_progress(migration, FileProgress { done: index, sent: false }).await;
                }
                return Err(error.with_context(&statement_context(migration, number)));
            }
        }
        let (session, keyspace) = (self.migrate.session, self.migrate.keyspace);
        history::record(session, keyspace, migration, now(&self.migrate.clock), &self.migrate.name).await
    }

    /// Decides what to do about a statement that an earlier program was about to send.
    async fn resolve(&self, migration: &Migration, number: usize, step: &MigrationStep) -> Result<StepOutcome, Error> {
        if let Some(decision) = &self.migrate.decision {
            return Ok(if decision.applied { StepOutcome::Applied } else { StepOutcome::Send(step.text.clone()) });
        }
        match StepOutcome::determine(step, self.migrate.session).await? {
            StepOutcome::Unknown(why) => {
                let problem = format!(
                    "an interrupted program was about to send this statement, and its outcome is unknown: {why}"
                );
                let version = migration.version();
                Err(Error::new(ErrorKind::Unknown, summary(&step.tree), problem).with_advice(format!(
                    "Find out whether it was applied, and migrate again with resolve_unknown({version}, {number}, true) or false"
                )))
            }
            outcome => Ok(outcome),
        }
    }

    /// Whether a definition whose answer was lost has been carried out.
    async fn is_found(&self, step: &MigrationStep, error: &Error) -> bool {
        step.tree.effect() == Effect::Definition
            && error.kind() == ErrorKind::Unknown
            && matches!(StepOutcome::determine(step, self.migrate.session).await, Ok(StepOutcome::Applied))
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
        let change = self.migrate.session.define(text);
        let change = if let Some(deadline) = self.migrate.deadline { change.with_deadline(deadline) } else { change };
        let change =
            if self.migrate.skip_keyspaces_options { change.without_keyspaces_options_on_cassandra() } else { change };
        let (mut changes, mut accepted) = (change.progress(), false);
        while let Some(progress) = changes.try_next().await.map_err(|error| Stopped { error, accepted })? {
            // The first report comes once the service has accepted the definition.
            accepted = true;
            self.report(MigrationProgress::Definition { file: migration.file().to_owned(), progress });
        }
        Ok(())
    }

    async fn write(&self, migration: &Migration, number: usize, step: &MigrationStep, text: &str) -> Result<(), Error> {
        let session = self.migrate.session;
        match step.tree.effect() {
            Effect::ConditionalWrite => {
                let write: Conditional<(), Row> = session.prepare(text).await?;
                match write.execute(()).await? {
                    Outcome::Applied => Ok(()),
                    Outcome::NotApplied(_) => {
                        self.report(MigrationProgress::NotApplied {
                            file: migration.file().to_owned(),
                            statement: number,
                        });
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

    fn report(&self, progress: MigrationProgress) {
        match &progress {
            // The text is not logged, because its literals are data.
            MigrationProgress::Statement { file, statement, total, .. } => {
                info!(file, statement, total, "sending a statement of a migration");
            }
            progress => info!(keyspace = self.migrate.keyspace, "migrating: {progress}"),
        }
        // A migration that is only awaited has no receiver.
        let _ = self.progress.send(progress);
    }
}

fn statement_context(migration: &Migration, number: usize) -> String {
    format!("migrating: {}, statement {number}", migration.file())
}

/// Whether the error proves that the statement was not applied. For a definition only a refusal does: any other error may
/// come from reading its status.
fn is_surely_not_applied(step: &MigrationStep, error: &Error) -> bool {
    match step.tree.effect() {
        Effect::Definition => error.is_refused(),
        _ => !error.may_have_been_applied(),
    }
}
