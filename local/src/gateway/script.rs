//! A schema file, which is executed before clients are accepted.

use std::path::{Path, PathBuf};

use keyspaces_cql::{KnownTables, Span, Statement};

use super::analyse::{Analysed, analyse_in};
use super::scope::NameScope;
use crate::error::{Error, ErrorKind};
use crate::protocol::error_of;
use crate::schema::Schema;

/// A file with CREATE, ALTER and DROP statements and USE.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    path: PathBuf,
    text: String,
}

impl Script {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(ErrorKind::Setting, format!("the schema file {} cannot be read: {error}", path.display()))
                .with_source(error)
        })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Executes its statements one after the other. Each is executed once the object of the one before is ACTIVE.
    pub(super) async fn run(&self, schema: &Schema) -> Result<(), Error> {
        let mut keyspace = None;
        for statement in keyspaces_cql::parse_script(&self.text) {
            let statement = statement.map_err(|error| self.problem(error.span, error.problem.to_string()))?;
            let span = statement.span();
            match self.execute(statement, keyspace.as_deref(), schema).await {
                Ok(None) => {}
                Ok(used) => keyspace = used,
                Err(problem) => return Err(self.problem(span, problem)),
            }
        }
        Ok(())
    }

    /// The new keyspace for names without one, if the statement is a USE.
    async fn execute(
        &self,
        statement: Statement,
        keyspace: Option<&str>,
        schema: &Schema,
    ) -> Result<Option<String>, String> {
        if matches!(statement, Statement::RestoreTable(_)) {
            return Err(String::from(ONLY_DEFINITIONS));
        }
        let scope = NameScope { keyspace, names: schema.names(), data_center: schema.data_center(), prepared: false };
        if scope.created_if_missing(&statement).is_some_and(|object| schema.has(&object)) {
            return Ok(None);
        }
        let analysed = analyse_in(scope, statement, &self.text, &KnownTables::default());
        match analysed.map_err(|refusal| refusal.text)? {
            Analysed::Use(keyspace) => {
                schema.check_keyspace(&keyspace).map_err(|refusal| refusal.text)?;
                Ok(Some(keyspace))
            }
            Analysed::Define(definition) => {
                let answer = schema.define_at_once(&definition).await.map_err(|refused| refused.refusal.text)?;
                error_of(&answer).map_or(Ok(None), |(_, text)| Err(text.to_owned()))
            }
            Analysed::Dml(_) | Analysed::NothingToDo => Err(String::from(ONLY_DEFINITIONS)),
        }
    }

    fn problem(&self, span: Span, problem: impl std::fmt::Display) -> Error {
        let position = span.position(&self.text);
        let place = format!("{}:{}:{}", self.path.display(), position.line, position.column);
        Error::new(ErrorKind::Setting, format!("the schema file could not be applied: {place}: {problem}"))
    }
}

const ONLY_DEFINITIONS: &str =
    "a schema file has CREATE, ALTER and DROP statements and USE; write rows with a client when the service is ready";
