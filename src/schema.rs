//! Definitions: sent, and waited for, because Keyspaces carries them out after it has answered.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use keyspaces_cql::{Effect, QualifiedName, Statement};
use tokio::time::{Instant, sleep, timeout_at};

use crate::execute::Call;
use crate::statement::About;
use crate::{Error, ErrorKind, Select, Session, execute};

/// How long [`Session::define`] waits by default. AWS's tools wait up to 15 minutes (toolkit-truncate.py); about one is
/// what users report.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(300);

/// Between two looks at `system_schema_mcs`, growing by half from the first to the last.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(5);

impl Session {
    /// Creates, alters or drops a keyspace, a table or a type, and waits until that is so.
    ///
    /// Keyspaces answers a definition before it has carried it out, and what is used too early fails with `unconfigured
    /// table`; so this polls `system_schema_mcs` until the table is `ACTIVE`, the keyspace is there, or what was dropped
    /// is gone. On a plain Cassandra it waits for schema agreement instead, and `SingleRegionStrategy` is sent as
    /// `NetworkTopologyStrategy` with one replica, so that the same program defines its tables in a container.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// session
    ///     .define("CREATE KEYSPACE IF NOT EXISTS shop WITH REPLICATION = {'class': 'SingleRegionStrategy'}")
    ///     .within(std::time::Duration::from_secs(60))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Dropped before it is done, it leaves the definition running on the server.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused): the text is no definition, Keyspaces refuses it (reason and advice are in the
    /// error), or the server does. [`Timeout`](ErrorKind::Timeout): not done within the deadline (5 minutes unless
    /// [`within`](Define::within) says otherwise); it goes on, and defining again with `IF NOT EXISTS` goes on waiting.
    pub fn define<'a>(&'a self, cql: &'a str) -> Define<'a> {
        Define { session: self, cql, deadline: DEFAULT_DEADLINE }
    }
}

/// A definition about to be sent: `.await` it.
#[derive(Debug)]
#[must_use = "a definition is sent when it is awaited"]
pub struct Define<'a> {
    session: &'a Session,
    cql: &'a str,
    deadline: Duration,
}

impl<'a> Define<'a> {
    /// How long to wait until it is carried out. Default: 5 minutes.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn run(self) -> Result<(), Error> {
        let about = About::check(self.cql, self.session, &[Effect::Definition])?;
        let mut call = Call::new(self.session, about);
        call.deadline = Some(self.deadline);
        let deadline = Instant::now() + self.deadline;
        let carried_out = async {
            if self.session.is_plain_cassandra() {
                let text = for_cassandra(self.session, self.cql);
                execute::define(&call, &text).await?;
                return execute::agree_on_schema(&call).await;
            }
            execute::define(&call, self.cql).await?;
            // Without a tree there is nothing to look for; the server has taken the text all the same.
            let Some(awaited) = keyspaces_cql::parse(self.cql).ok().and_then(|statement| Awaited::of(&statement))
            else {
                return Ok(());
            };
            awaited.wait(&call).await
        };
        let carried_out = timeout_at(deadline, carried_out).await;
        // What was prepared may mean something else now.
        self.session.statements().clear();
        match carried_out {
            Ok(done) => done,
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                call.about.attempted.clone(),
                format!("not carried out within {:?}", self.deadline),
            )
            .with_advice("The service goes on with it: look at its status in system_schema_mcs, or define it again")),
        }
    }
}

impl<'a> IntoFuture for Define<'a> {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// What is to be seen in `system_schema_mcs` when a definition has been carried out.
struct Awaited {
    query: &'static str,
    keyspace: String,
    name: Option<String>,
    there: bool,
}

const TABLE: &str = "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = ? AND table_name = ?";
const TYPE: &str = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name = ? AND type_name = ?";
// A keyspace has no status: it is ready when it has a row (DG:keyspaces-create).
const KEYSPACE: &str = "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name = ?";

impl Awaited {
    fn of(statement: &Statement) -> Option<Self> {
        let keyspace = |name: &str, there| Self { query: KEYSPACE, keyspace: name.to_owned(), name: None, there };
        let within = |query, named: &QualifiedName, there| {
            let keyspace = named.keyspace.as_ref()?.text.clone();
            Some(Self { query, keyspace, name: Some(named.name.text.clone()), there })
        };
        match statement {
            Statement::CreateKeyspace(it) => Some(keyspace(&it.keyspace.text, true)),
            Statement::AlterKeyspace(it) => Some(keyspace(&it.keyspace.text, true)),
            Statement::DropKeyspace(it) => Some(keyspace(&it.keyspace.text, false)),
            Statement::CreateTable(it) => within(TABLE, &it.table, true),
            Statement::AlterTable(it) => within(TABLE, &it.table, true),
            Statement::RestoreTable(it) => within(TABLE, &it.table, true),
            Statement::DropTable(it) => within(TABLE, &it.table, false),
            Statement::CreateType(it) => within(TYPE, &it.name, true),
            Statement::DropType(it) => within(TYPE, &it.name, false),
            _ => None,
        }
    }

    async fn wait(self, call: &Call) -> Result<(), Error> {
        let mut pause = FIRST_LOOK;
        loop {
            let status = self.look(&call.session).await?;
            match (self.there, status.as_deref()) {
                (false, None) => return Ok(()),
                (true, Some(status)) if self.name.is_none() || status.eq_ignore_ascii_case("ACTIVE") => return Ok(()),
                (_, Some(status)) if status.eq_ignore_ascii_case("INACCESSIBLE_ENCRYPTION_CREDENTIALS") => {
                    return Err(Error::new(
                        ErrorKind::Refused,
                        call.about.attempted.clone(),
                        "the table's key is not accessible",
                    )
                    .with_said(status)
                    .with_advice("Give the service access to the KMS key, or choose another (DG:EncryptionAtRest)"));
                }
                _ => {}
            }
            sleep(pause).await;
            pause = LAST_LOOK.min(pause * 3 / 2);
        }
    }

    async fn look(&self, session: &Session) -> Result<Option<String>, Error> {
        let row: Option<(Option<String>,)> = match &self.name {
            Some(name) => {
                let status: Select<(&str, &str), (Option<String>,)> = session.prepare(self.query).await?;
                status.one(&(self.keyspace.as_str(), name.as_str())).await?
            }
            None => {
                let there: Select<(&str,), (Option<String>,)> = session.prepare(self.query).await?;
                there.one(&(self.keyspace.as_str(),)).await?
            }
        };
        Ok(row.map(|(status,)| status.unwrap_or_default()))
    }
}

/// `SingleRegionStrategy` in the words of a Cassandra of one node.
fn for_cassandra(session: &Session, cql: &str) -> String {
    let Ok(Statement::CreateKeyspace(create)) = keyspaces_cql::parse(cql) else { return cql.to_owned() };
    match create.replication().map(|option| option.value.span) {
        Some(span) if cql[span.range()].contains("SingleRegionStrategy") => {
            let data_center = session.data_center().replace('\'', "''");
            let nodes = format!("{{'class': 'NetworkTopologyStrategy', '{data_center}': 1}}");
            format!("{}{nodes}{}", &cql[..span.start], &cql[span.end..])
        }
        _ => cql.to_owned(),
    }
}
