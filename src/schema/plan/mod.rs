//! Plans the changes from the current schema to the desired one; a plan is reviewed, then applied.

mod current_schema;

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures::future::BoxFuture;
use keyspaces_cql::{Definitions, DefinitionsError, Difference, ImpossibleChange, Statement, Step, Unchanged};

use self::current_schema::CurrentSchema;
use super::change::{DEFAULT_DEADLINE, Definition, in_stages, unsupported_options};
use super::{Schema, SchemaChange};
use crate::{Error, ErrorKind};

pub(crate) fn plan<'a>(schema: &Schema<'a>, desired: Definitions) -> Planning<'a> {
    Planning { schema: *schema, desired, skip_keyspaces_options: false }
}

/// A plan that is being made, from [`Schema::plan`].
///
/// Planning only reads, so it can be dropped at any time.
#[derive(Debug)]
#[must_use = "a plan is made when it is awaited"]
pub struct Planning<'a> {
    schema: Schema<'a>,
    desired: Definitions,
    skip_keyspaces_options: bool,
}

impl Planning<'_> {
    /// On a plain Cassandra, leaves out the options that only Keyspaces has, which are refused otherwise. On Keyspaces this
    /// has no effect.
    pub fn without_keyspaces_options_on_cassandra(mut self) -> Self {
        self.skip_keyspaces_options = true;
        self
    }
}

impl<'a> IntoFuture for Planning<'a> {
    type Output = Result<Plan<'a>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn into_future(self) -> Self::IntoFuture {
        let Self { schema, mut desired, skip_keyspaces_options } = self;
        Box::pin(async move {
            if let Some(duplicate) = desired.duplicate() {
                return Err(Error::new(ErrorKind::Refused, PLANNING, format!("{duplicate} is defined twice")));
            }
            if schema.session.is_plain_cassandra() {
                let portable = desired.portable();
                if !skip_keyspaces_options && portable != desired {
                    return Err(unsupported_options(PLANNING));
                }
                desired = portable;
            }
            let current = CurrentSchema::read(schema, &desired).await?;
            if schema.session.is_plain_cassandra() {
                // The replication of a plain Cassandra is left as it is.
                for keyspace in &mut desired.keyspaces {
                    let existing =
                        current.definitions.keyspaces.iter().find(|other| other.name.text == keyspace.name.text);
                    if let Some(existing) = existing {
                        keyspace.replication = existing.replication.clone();
                    }
                }
            }
            let mut difference = current.definitions.difference(&desired, schema.session.data_center());
            difference.unchanged.extend(current.others.iter().cloned().map(Unchanged::Table));
            Ok(Plan { schema, contents: Arc::new(PlanContents { desired, current, difference }) })
        })
    }
}

/// The changes from the current schema to the desired one, from [`Schema::plan`].
///
/// Its `Display` is meant to be reviewed before the plan is applied:
///
/// ```text
/// 2 statements:
///   1. ALTER TABLE shop.names WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}}
///        costs money: the data for restores is stored in addition to the table (DG:PointInTimeRecovery)
///   2. ALTER TABLE shop.names ADD (note text)
///        cannot be undone: a column cannot be dropped (DG:cql.ddl.table)
/// left as it is:
///    - the table shop.prices, which is not among the definitions
/// ```
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    schema: Schema<'a>,
    contents: Arc<PlanContents>,
}

#[derive(Debug)]
struct PlanContents {
    desired: Definitions,
    current: CurrentSchema,
    difference: Difference,
}

impl<'a> Plan<'a> {
    /// The statements, in the order in which they are sent, each with its warnings.
    pub fn steps(&self) -> &[Step] {
        &self.contents.difference.steps
    }

    /// The changes that Keyspaces cannot make. A plan with any of them cannot be applied.
    pub fn impossible(&self) -> &[ImpossibleChange] {
        &self.contents.difference.impossible
    }

    /// The objects that exist but are not among the definitions; they stay.
    pub fn unchanged(&self) -> &[Unchanged] {
        &self.contents.difference.unchanged
    }

    /// Whether the plan has no steps and no impossible changes.
    pub fn is_empty(&self) -> bool {
        self.steps().is_empty() && self.impossible().is_empty()
    }

    /// Applies the plan: reads the current schema again, checks that it has not changed since the plan was made, and then sends
    /// the statements one after the other, awaiting each. New tables are created together, up to 50 at once.
    ///
    /// It stops at the first failure, and the error says how many statements were carried out. To continue, plan again and
    /// apply the new plan. Keyspaces has no lock on definitions: a change that another program makes between the check and a
    /// statement is only noticed if the statement fails because of it. (A new table is created without IF NOT EXISTS, so a
    /// table of the same name that was created in between is an error.)
    ///
    /// The default deadline of the whole change is 5 minutes for each statement; new tables that are created together
    /// count as one. Adding a Region can take hours: see [`with_deadline`](SchemaChange::with_deadline).
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused), with nothing sent, if the plan has an impossible change, or if the schema has changed
    /// since the plan was made (except capacity units that auto scaling changed); otherwise the errors of every change of
    /// the [`schema`](crate::Session::schema).
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub fn apply(&self) -> SchemaChange<'a> {
        let (session, impossible) = (self.schema.session, self.impossible());
        if !impossible.is_empty() {
            let problems: Vec<_> = impossible.iter().map(ToString::to_string).collect();
            let problem = format!("Keyspaces cannot make these changes: {}", problems.join("; "));
            let advice = "Change the definitions, and plan again";
            return SchemaChange::new(
                session,
                Err(Error::new(ErrorKind::Refused, APPLYING, problem).with_advice(advice)),
            );
        }
        let stages = self.stages();
        let deadline = DEFAULT_DEADLINE * stages.as_ref().map_or(1, |stages| u32::try_from(stages.len()).unwrap_or(1));
        let (schema, contents) = (self.schema, Arc::clone(&self.contents));
        let unchanged = async move {
            let now = CurrentSchema::read(schema, &contents.desired).await?;
            match contents.current.first_change(&now) {
                None => Ok(()),
                Some(object) => {
                    let problem = format!("{object} has changed since the plan was made");
                    Err(Error::new(ErrorKind::Refused, APPLYING, problem).with_advice("Plan again"))
                }
            }
        };
        SchemaChange::new(session, stages)
            .with_deadline(deadline.max(DEFAULT_DEADLINE))
            .with_initial_check(Box::pin(unchanged))
    }

    fn stages(&self) -> Result<Vec<Vec<Definition>>, Error> {
        let is_create = |step: &&Step| matches!(step.statement, Statement::CreateTable(_));
        let (creates, others): (Vec<_>, Vec<_>) = self.steps().iter().partition(is_create);
        let definition = |step: &Step| Definition::new(&step.statement, self.schema.session);
        let mut stages = Vec::new();
        for step in others {
            stages.push(vec![definition(step)?]);
        }
        stages.extend(in_stages(creates.into_iter().map(definition).collect::<Result<_, _>>()?));
        Ok(stages)
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.contents.difference.fmt(f)
    }
}

impl From<DefinitionsError> for Error {
    fn from(error: DefinitionsError) -> Self {
        Self::new(ErrorKind::Refused, "reading definitions", error.to_string())
    }
}

const PLANNING: &str = "planning a change of the schema";
const APPLYING: &str = "applying a plan";
