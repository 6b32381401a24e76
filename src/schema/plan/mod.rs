//! Plans the changes from the current schema to the wanted one; a plan is reviewed, then applied.

mod current_schema;

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures::future::BoxFuture;
use keyspaces_cql::{Definitions, DefinitionsError, Difference, ImpossibleChange, Statement, Step, Unchanged};

use self::current_schema::CurrentSchema;
use super::change::{DEFAULT_DEADLINE, Definition, in_stages, only_on_keyspaces};
use super::{Schema, SchemaChange};
use crate::{Error, ErrorKind};

pub(crate) fn plan<'a>(schema: &Schema<'a>, wanted: Definitions) -> Planning<'a> {
    Planning { schema: *schema, wanted, leave_out: false }
}

/// A plan that is being made, from [`Schema::plan`].
///
/// Planning only reads, and may be dropped at any time.
#[derive(Debug)]
#[must_use = "a plan is made when it is awaited"]
pub struct Planning<'a> {
    schema: Schema<'a>,
    wanted: Definitions,
    leave_out: bool,
}

impl Planning<'_> {
    /// On a plain Cassandra, leaves out the options that only Keyspaces has, which are refused otherwise. On Keyspaces this
    /// has no effect.
    pub fn without_keyspaces_options_on_cassandra(mut self) -> Self {
        self.leave_out = true;
        self
    }
}

impl<'a> IntoFuture for Planning<'a> {
    type Output = Result<Plan<'a>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    #[inline] // compiled by the programs that use it, with all that it awaits
    fn into_future(self) -> Self::IntoFuture {
        let Self { schema, mut wanted, leave_out } = self;
        Box::pin(async move {
            if let Some(duplicate) = wanted.duplicate() {
                return Err(Error::new(ErrorKind::Refused, PLANNING, format!("{duplicate} is defined a second time")));
            }
            if schema.session.is_plain_cassandra() {
                let part = wanted.portable();
                if !leave_out && part != wanted {
                    return Err(only_on_keyspaces(PLANNING));
                }
                wanted = part;
            }
            let there = CurrentSchema::read(schema, &wanted).await?;
            if schema.session.is_plain_cassandra() {
                // The replication of a plain Cassandra is left as it is.
                for keyspace in &mut wanted.keyspaces {
                    let is = there.definitions.keyspaces.iter().find(|is| is.name.text == keyspace.name.text);
                    keyspace.replication = is.map_or_else(|| keyspace.replication.clone(), |is| is.replication.clone());
                }
            }
            let mut difference = there.definitions.difference(&wanted, schema.session.data_center());
            difference.unchanged.extend(there.others.iter().cloned().map(Unchanged::Table));
            Ok(Plan { schema, made: Arc::new(Made { wanted, there, difference }) })
        })
    }
}

/// The changes from the current schema to the wanted one, from [`Schema::plan`].
///
/// Its `Display` is meant to be reviewed before the plan is applied:
///
/// ```text
/// 2 statements:
///   1. ALTER TABLE shop.names WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}}
///        costs money: what can be restored is stored beside the table (DG:PointInTimeRecovery)
///   2. ALTER TABLE shop.names ADD (note text)
///        cannot be undone: nothing takes a column away again (DG:cql.ddl.table)
/// left as it is:
///    - the table shop.prices, which is not among the definitions
/// ```
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    schema: Schema<'a>,
    made: Arc<Made>,
}

#[derive(Debug)]
struct Made {
    wanted: Definitions,
    there: CurrentSchema,
    difference: Difference,
}

impl<'a> Plan<'a> {
    /// The statements, in the order in which they are sent, each with its warnings.
    pub fn steps(&self) -> &[Step] {
        &self.made.difference.steps
    }

    /// The changes that Keyspaces cannot make. A plan with any of them cannot be applied.
    pub fn impossible(&self) -> &[ImpossibleChange] {
        &self.made.difference.impossible
    }

    /// The objects that exist but are not among the definitions; they stay.
    pub fn unchanged(&self) -> &[Unchanged] {
        &self.made.difference.unchanged
    }

    /// Whether nothing has to change, apart from objects that are left as they are.
    pub fn is_empty(&self) -> bool {
        self.steps().is_empty() && self.impossible().is_empty()
    }

    /// Makes the change: reads what is there once more and compares it with what the plan was made against, then sends the
    /// statements one after the other, each awaited; new tables up to 50 together.
    ///
    /// It stops at the first failure, and the error says how many statements had been carried out. Plan again and apply that
    /// to go on. Keyspaces has no lock on definitions: what another program changes between the comparison and a statement
    /// is only found if it makes the statement fail. (A new table is created without IF NOT EXISTS, so that one of that name
    /// that came in between is an error.)
    ///
    /// By default it waits 5 minutes for each statement, all together; another Region can take hours: see
    /// [`with_deadline`](SchemaChange::with_deadline).
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if there is anything that Keyspaces cannot do, or what is there has changed since it
    /// was planned (units that auto scaling moved apart): nothing is sent then. Else as of every change of the
    /// [`schema`](crate::Session::schema).
    #[inline] // compiled by the programs that use it, with all that it awaits
    pub fn apply(&self) -> SchemaChange<'a> {
        let (session, impossible) = (self.schema.session, self.impossible());
        if !impossible.is_empty() {
            let all: Vec<_> = impossible.iter().map(ToString::to_string).collect();
            let problem = format!("Keyspaces cannot do all of it: {}", all.join("; "));
            let advice = "Change the definitions, and plan again";
            return SchemaChange::new(
                session,
                Err(Error::new(ErrorKind::Refused, APPLYING, problem).with_advice(advice)),
            );
        }
        let stages = self.stages();
        let deadline = DEFAULT_DEADLINE * stages.as_ref().map_or(1, |stages| u32::try_from(stages.len()).unwrap_or(1));
        let (schema, made) = (self.schema, Arc::clone(&self.made));
        let unchanged = async move {
            let now = CurrentSchema::read(schema, &made.wanted).await?;
            match made.there.changed(&now) {
                None => Ok(()),
                Some(what) => {
                    let problem = format!("{what} is not as it was when this was planned");
                    Err(Error::new(ErrorKind::Refused, APPLYING, problem).with_advice("Plan again"))
                }
            }
        };
        SchemaChange::new(session, stages).with_deadline(deadline.max(DEFAULT_DEADLINE)).after(Box::pin(unchanged))
    }

    fn stages(&self) -> Result<Vec<Vec<Definition>>, Error> {
        let is_create = |step: &&Step| matches!(step.statement, Statement::CreateTable(_));
        let (creates, others): (Vec<_>, Vec<_>) = self.steps().iter().partition(is_create);
        let definition = |step: &Step| Definition::of(&step.statement, self.schema.session);
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
        self.made.difference.fmt(f)
    }
}

impl From<DefinitionsError> for Error {
    fn from(error: DefinitionsError) -> Self {
        Self::new(ErrorKind::Refused, "reading definitions", error.to_string())
    }
}

const PLANNING: &str = "planning a change of the schema";
const APPLYING: &str = "applying a plan";
