//! A change of the schema, which sends its definitions one after the other and awaits each.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use keyspaces_cql::{Effect, Portable, Statement};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};

use super::TableStatus;
use super::awaited::{Awaited, AwaitedStatus, SchemaStatus};
use super::precheck;
use crate::execute::Call;
use crate::options::CallOptions;
use crate::saturated::saturated;
use crate::session::MAX_TIMEOUT;
use crate::statement::StatementInfo;
use crate::{Error, ErrorKind, Session, execute};

/// The default deadline. AWS's tools wait up to 15 minutes (toolkit-truncate.py); users report about one minute.
pub(super) const DEFAULT_DEADLINE: Duration = Duration::from_secs(300);

/// The default deadline of a restore, which takes up to 20 minutes for an empty table and hours for a large one
/// (DG:PointInTimeRecovery_HowItWorks).
pub(crate) const DEFAULT_RESTORE_DEADLINE: Duration = Duration::from_secs(3 * 60 * 60);

/// The shortest and the longest pause between two reads of the system tables. Each pause is 1.5 times the one before.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How many definitions an account may have in progress in a Region (DG:quotas).
pub(crate) const MAX_CONCURRENT_DEFINITIONS: usize = 50;

/// A change of the schema that has not been sent yet: `.await` it, or follow its [`progress`](Self::progress).
///
/// Definitions are sent one after the other, each once the one before has been carried out, because Keyspaces accepts
/// one change of a table at a time (`DG:cql.ddl.table`). Only new tables are created together, up to 50 at once. If the
/// change is dropped before it completes, it sends no more definitions; those already sent continue in the service.
#[must_use = "a change is made when it is awaited, or its progress is polled"]
pub struct SchemaChange<'a> {
    session: &'a Session,
    stages: Result<VecDeque<Vec<Definition>>, Error>,
    deadline: Duration,
    skip_keyspaces_options: bool,
    initial_check: InitialCheck<'a>,
}

/// The check to make before anything is sent.
enum InitialCheck<'a> {
    /// Check that the current tables allow the change.
    Precheck,
    /// Run this check instead.
    Check(BoxFuture<'a, Result<(), Error>>),
}

/// The progress of a [`SchemaChange`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChangeProgress {
    /// The definition in progress, shortened: `CREATE TABLE shop.names`. If several are in progress, the first of them.
    pub definition: String,
    /// How many definitions have been carried out.
    pub done: usize,
    /// How many definitions the change has.
    pub total: usize,
    /// The status that the service reports for the object, if it reports one yet.
    pub status: Option<TableStatus>,
    /// The time since the change began.
    pub elapsed: Duration,
}

/// One definition to be sent.
#[derive(Debug)]
pub(super) struct Definition {
    info: StatementInfo,
    /// The text; `None` if it was sent before.
    text: Option<String>,
    /// The object to wait for; `None` if the text cannot be parsed.
    awaited: Option<Awaited>,
}

impl Definition {
    pub(super) fn from_text(text: &str, session: &Session) -> Result<Self, Error> {
        let (info, text) = StatementInfo::check(text, session, &[Effect::Definition])?;
        let awaited = info.tree().and_then(Awaited::for_statement);
        Ok(Self { info, text: Some(text.into_owned()), awaited })
    }

    /// Waits for a table whose definition was sent before.
    pub(super) fn wait_for_table(keyspace: &str, table: &str) -> Self {
        let info = StatementInfo::unparsed(&format!("waiting for the table {keyspace}.{table}"));
        Self { info, text: None, awaited: Some(Awaited::table(keyspace, table)) }
    }

    pub(super) fn new(statement: &Statement, session: &Session) -> Result<Self, Error> {
        Self::from_text(&statement.to_string(), session)
    }

    /// The parsed statement; `None` if it was sent before, or cannot be parsed.
    pub(super) fn statement(&self) -> Option<&Statement> {
        self.info.tree()
    }
}

impl<'a> SchemaChange<'a> {
    /// Creates a change in stages: the definitions of a stage are sent together, once the stage before has been carried
    /// out.
    pub(super) fn new(session: &'a Session, stages: Result<Vec<Vec<Definition>>, Error>) -> Self {
        let is_restore = |definition: &Definition| matches!(definition.statement(), Some(Statement::RestoreTable(_)));
        let restores = stages.iter().flatten().flatten().any(is_restore);
        let deadline = if restores { DEFAULT_RESTORE_DEADLINE } else { DEFAULT_DEADLINE };
        Self {
            session,
            stages: stages.map(VecDeque::from),
            deadline,
            skip_keyspaces_options: false,
            initial_check: InitialCheck::Precheck,
        }
    }

    /// Returns the same change with a check that has to pass before it begins.
    pub(super) fn with_initial_check(self, check: BoxFuture<'a, Result<(), Error>>) -> Self {
        Self { initial_check: InitialCheck::Check(check), ..self }
    }

    /// Sets how long to wait until the whole change is carried out, at most a year. Default: 5 minutes; 3 hours if a table
    /// is restored.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(MAX_TIMEOUT);
        self
    }

    /// On a plain Cassandra, leaves out the options that only Keyspaces has (capacity, recovery, encryption, tags …), which
    /// are refused otherwise. On Keyspaces this has no effect.
    pub fn without_keyspaces_options_on_cassandra(mut self) -> Self {
        self.skip_keyspaces_options = true;
        self
    }

    /// Returns a stream that makes the change as it is polled, and yields the progress: an item when definitions have
    /// been sent, and after each read of their status. The stream ends when the change is done, or with the error that
    /// stopped it.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use futures::TryStreamExt;
    ///
    /// let mut progress = session.define("CREATE TABLE shop.names (id text PRIMARY KEY, name text)").progress();
    /// while let Some(progress) = progress.try_next().await? {
    ///     println!("{progress}");
    /// }
    /// # Ok(()) }
    /// ```
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub fn progress(self) -> BoxStream<'a, Result<ChangeProgress, Error>> {
        let (session, deadline, skip_keyspaces_options) = (self.session, self.deadline, self.skip_keyspaces_options);
        let stages = match self.stages {
            Ok(stages) => stages,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let begun = Instant::now();
        let run = RunningChange {
            session,
            total: stages.iter().map(Vec::len).sum(),
            stages,
            in_progress: Vec::new(),
            permits: None,
            done: 0,
            pause: None,
            begun,
            deadline: begun + deadline,
            skip_keyspaces_options,
            initial_check: Some(self.initial_check),
        };
        stream::try_unfold(Some(run), |run| async move {
            let Some(mut run) = run else { return Ok(None) };
            let done = run.done;
            let next = timeout_at(run.deadline, run.step()).await;
            if run.done > done || !matches!(next, Ok(Ok(_))) {
                // The change may have invalidated prepared statements.
                run.session.statements().clear();
            }
            match next {
                Ok(Ok(Some(progress))) => Ok(Some((progress, Some(run)))),
                Ok(Ok(None)) => Ok(None),
                Ok(Err(error)) => Err(run.with_definition_counts(error)),
                Err(_) => Err(run.timed_out()),
            }
        })
        .boxed()
    }
}

impl<'a> IntoFuture for SchemaChange<'a> {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.progress().try_for_each(|_| async { Ok(()) }))
    }
}

impl fmt::Debug for SchemaChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaChange")
            .field("stages", &self.stages)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ChangeProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { definition, done, total, status, elapsed } = self;
        write!(f, "{done} of {total}: {definition}")?;
        if let Some(status) = status {
            write!(f, " is {status}")?;
        }
        write!(f, " after {elapsed:.1?}")
    }
}

/// Divides definitions into stages of at most [`MAX_CONCURRENT_DEFINITIONS`].
pub(super) fn in_stages(mut definitions: Vec<Definition>) -> Vec<Vec<Definition>> {
    let mut stages = Vec::new();
    while !definitions.is_empty() {
        let rest = definitions.split_off(MAX_CONCURRENT_DEFINITIONS.min(definitions.len()));
        stages.push(std::mem::replace(&mut definitions, rest));
    }
    stages
}

/// The error for options that a plain Cassandra does not have.
pub(super) fn unsupported_options(attempted: impl Into<Cow<'static, str>>) -> Error {
    let problem = "only Keyspaces has the options custom_properties, autoscaling_settings, cdc and tags, and changes of \
                   Regions, and this is a plain Cassandra";
    let advice = "Leave them out, or call without_keyspaces_options_on_cassandra()";
    Error::new(ErrorKind::Refused, attempted, problem).with_advice(advice)
}

fn failure(attempted: String, why: &'static str, status: Option<TableStatus>) -> Error {
    let error = Error::new(ErrorKind::Refused, attempted, why);
    match status {
        Some(status @ TableStatus::InaccessibleEncryptionCredentials) => error
            .with_server_message(status.to_string())
            .with_advice("Give the service access to the KMS key, or choose another key (DG:EncryptionAtRest)"),
        Some(status) => error.with_server_message(status.to_string()),
        None => error,
    }
}

/// A change in progress.
struct RunningChange<'a> {
    session: &'a Session,
    stages: VecDeque<Vec<Definition>>,
    in_progress: Vec<SentDefinition>,
    /// The permits for the definitions in progress.
    permits: Option<SemaphorePermit<'a>>,
    done: usize,
    total: usize,
    /// The pause before the next read of the system tables; `None` before the first read of a stage.
    pause: Option<Duration>,
    begun: Instant,
    deadline: Instant,
    skip_keyspaces_options: bool,
    initial_check: Option<InitialCheck<'a>>,
}

/// A definition that has been sent.
struct SentDefinition {
    attempted: String,
    /// The object to wait for; `None` if the text could not be parsed.
    awaited: Option<Awaited>,
}

impl RunningChange<'_> {
    /// Continues until there is progress to report; `None` when the change is done.
    async fn step(&mut self) -> Result<Option<ChangeProgress>, Error> {
        match self.initial_check.take() {
            Some(InitialCheck::Precheck) => precheck::check(self.session, self.stages.iter().flatten()).await?,
            Some(InitialCheck::Check(check)) => check.await?,
            None => {}
        }
        if self.in_progress.is_empty() {
            let Some(stage) = self.stages.pop_front() else { return Ok(None) };
            return self.send(stage).await.map(Some);
        }
        if self.session.is_plain_cassandra() {
            let info = StatementInfo::unparsed(&self.in_progress[0].attempted);
            execute::agree_on_schema(&Call::new(self.session, info, CallOptions::default())).await?;
            return Ok(Some(self.all_done()));
        }
        let pause = self.pause.unwrap_or_default();
        sleep(pause).await;
        self.pause = Some(MAX_POLL_INTERVAL.min(MIN_POLL_INTERVAL.max(pause * 3 / 2)));
        let awaited: Vec<_> = self.in_progress.iter().filter_map(|sent| sent.awaited.as_ref()).collect();
        let status = SchemaStatus::read(self.session, &awaited).await?;
        let (mut left, mut first_status) = (Vec::new(), None);
        let (mut last_done, mut failed) = (None, None);
        for mut definition in std::mem::take(&mut self.in_progress) {
            match definition.awaited.as_mut().map_or(AwaitedStatus::Done, |awaited| awaited.update(&status)) {
                AwaitedStatus::Done => {
                    self.done += 1;
                    last_done = Some(definition.attempted);
                }
                AwaitedStatus::NotYet(status) => {
                    if left.is_empty() {
                        first_status = status;
                    }
                    left.push(definition);
                }
                AwaitedStatus::Failed(why, status) => {
                    failed.get_or_insert_with(|| failure(definition.attempted, why, status));
                }
            }
        }
        self.in_progress = left;
        if let Some(error) = failed {
            return Err(error);
        }
        let definition = self.in_progress.first().map(|definition| definition.attempted.clone()).or(last_done);
        Ok(Some(self.report(definition.unwrap_or_default(), first_status)))
    }

    async fn send(&mut self, stage: Vec<Definition>) -> Result<ChangeProgress, Error> {
        self.pause = None;
        self.permits = None;
        // All permits are taken at once, because two changes that each hold some and wait for more would wait for ever. The
        // semaphore is never closed.
        let permits = saturated::<u32>(stage.len());
        self.permits = self.session.definitions().acquire_many(permits).await.ok();
        for Definition { info, text, awaited } in stage {
            let attempted = info.attempted.clone();
            let text = match text {
                Some(text) if self.session.is_plain_cassandra() => self.for_cassandra(&info, text)?,
                text => text,
            };
            self.in_progress.push(SentDefinition { attempted, awaited });
            if let Some(text) = text {
                let call = Call::new(self.session, info, CallOptions::default());
                if let Err(error) = execute::define(&call, &text).await {
                    self.in_progress.pop();
                    return Err(match call.info.tree() {
                        Some(statement) => precheck::explain(self.session, statement, error).await,
                        None => error,
                    });
                }
            }
        }
        let first = self.in_progress.first().map(|definition| definition.attempted.clone());
        Ok(self.report(first.unwrap_or_default(), None))
    }

    /// The text of a definition for a Cassandra with one data center, without what only Keyspaces has; `None` if
    /// nothing is left.
    fn for_cassandra(&self, info: &StatementInfo, text: String) -> Result<Option<String>, Error> {
        let Some(statement) = info.tree() else { return Ok(Some(text)) };
        if let Statement::RestoreTable(_) = statement {
            let problem = "a plain Cassandra has no point-in-time recovery to restore from";
            return Err(Error::new(ErrorKind::Refused, info.attempted.clone(), problem));
        }
        let portable = statement.portable();
        if portable != Portable::All && !self.skip_keyspaces_options {
            return Err(unsupported_options(info.attempted.clone()));
        }
        let (statement, text) = match portable {
            Portable::All => (statement.clone(), text),
            Portable::Part(part) => {
                let text = part.to_string();
                (keyspaces_cql::parse(&text).unwrap_or(*part), text)
            }
            Portable::Nothing => return Ok(None),
        };
        Ok(Some(self.with_replication(&statement, text)))
    }

    /// Replaces `SingleRegionStrategy` by the replication of a Cassandra with one node.
    fn with_replication(&self, statement: &Statement, text: String) -> String {
        let Statement::CreateKeyspace(create) = statement else { return text };
        let Ok(definition) = create.definition() else { return text };
        let Some(span) = create.replication().map(|option| option.value.span) else { return text };
        // A replication over a Cassandra's own data centers is sent unchanged.
        if definition.replication != keyspaces_cql::Replication::SingleRegion {
            return text;
        }
        let data_center = self.session.data_center().replace('\'', "''");
        let nodes = format!("{{'class': 'NetworkTopologyStrategy', '{data_center}': 1}}");
        format!("{}{nodes}{}", &text[..span.start], &text[span.end..])
    }

    fn all_done(&mut self) -> ChangeProgress {
        self.done += self.in_progress.len();
        let last = self.in_progress.drain(..).next_back().map(|definition| definition.attempted);
        self.report(last.unwrap_or_default(), None)
    }

    fn report(&self, definition: String, status: Option<TableStatus>) -> ChangeProgress {
        ChangeProgress { definition, done: self.done, total: self.total, status, elapsed: self.begun.elapsed() }
    }

    /// Adds to the error how many definitions were carried out, and how many continue.
    fn with_definition_counts(&self, error: Error) -> Error {
        if self.total < 2 {
            return error;
        }
        let (done, total, sent) = (self.done, self.total, self.in_progress.len());
        let left = total - done - sent;
        let advice = error.advice().map(|advice| format!("{}. ", advice.trim_end_matches('.'))).unwrap_or_default();
        let continuing = match sent {
            0 => String::new(),
            1 => "; 1 more was sent and continues in the service".to_owned(),
            several => format!("; {several} more were sent and continue in the service"),
        };
        let left = if left == 1 { "1 is left".to_owned() } else { format!("{left} are left") };
        error.with_advice(format!("{advice}{done} of {total} definitions were carried out{continuing}; {left}"))
    }

    fn timed_out(&self) -> Error {
        let attempted = self.in_progress.first().map(|definition| definition.attempted.clone());
        let waited = self.deadline - self.begun;
        let is_table = self.in_progress.first().and_then(|sent| sent.awaited.as_ref()).is_some_and(Awaited::is_table);
        let how = if is_table { "call wait_for_tables() to wait longer" } else { "send the definition again" };
        let advice = format!("The service continues with it: read its status in system_schema_mcs, or {how}");
        let is_unchanged = |sent: &SentDefinition| sent.awaited.as_ref().is_some_and(Awaited::is_active_but_unchanged);
        let problem = if self.in_progress.first().is_some_and(is_unchanged) {
            format!("the table is ACTIVE, but does not show the change after {waited:?}")
        } else {
            format!("it was not carried out within {waited:?}")
        };
        let attempted = attempted.unwrap_or_else(|| "a change of the schema".to_owned());
        let error = Error::new(ErrorKind::Timeout, attempted, problem);
        self.with_definition_counts(error.with_advice(advice))
    }
}
