//! RESTORE TABLE.

use std::fmt;

use super::{
    CapacityMode, PropertyError, PropertyProblem, RestoreOverride, RestorePoint, TableDefinition, TableError,
    TableOptions, or_first_error,
};
use crate::statement::{Constant, ConstantKind, RestoreTable, Term, TermKind, WithOption};
use crate::{Name, QualifiedName, Span, allowed, rules};

/// A table at an earlier moment, to be restored as a new table (`DG:PointInTimeRecovery_HowItWorks`).
///
/// The rows, the columns and the TTL are those of that moment. The other settings are the current ones of the source, or
/// those that it had when it was dropped, unless they are [overridden](Self::with). Tags and the CDC stream are not
/// restored.
///
/// ```
/// use keyspaces_cql::{CapacityMode, PointInTimeRecovery, QualifiedName, TableRestore};
///
/// let (users, restored) = (QualifiedName::new("shop", "users"), QualifiedName::new("shop", "users_restored"));
/// let restore = TableRestore::new(users, restored)
///     .at("2020-06-30T19:19:21.175Z".parse()?)
///     .with(CapacityMode::OnDemand)
///     .with(PointInTimeRecovery::Disabled);
/// assert_eq!(
///     restore.to_string(),
///     "RESTORE TABLE shop.users_restored FROM TABLE shop.users WITH restore_timestamp = '2020-06-30T19:19:21.175Z' AND \
///      custom_properties = {'capacity_mode': {'throughput_mode': 'PAY_PER_REQUEST'}, 'point_in_time_recovery': {'status': \
///      'disabled'}}"
/// );
/// # Ok::<(), keyspaces_cql::PropertyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TableRestore {
    /// The table to restore from.
    pub source: QualifiedName,
    /// The table to create.
    pub target: QualifiedName,
    /// The moment to restore to. Default: now. For a dropped table, leave it out: such a table can only be restored to the
    /// moment when it was dropped (`DG:cql.ddl.table`).
    pub point: Option<RestorePoint>,
    /// Only the options that a [`RestoreOverride`] can set.
    overrides: TableOptions,
}

impl TableRestore {
    /// Restores the current state of `source` as `target`.
    #[must_use]
    pub fn new(source: QualifiedName, target: QualifiedName) -> Self {
        Self { source, target, point: None, overrides: TableOptions::default() }
    }

    /// Sets the moment to restore to.
    #[must_use]
    pub fn at(self, point: RestorePoint) -> Self {
        Self { point: Some(point), ..self }
    }

    /// Overrides a setting of the source.
    #[must_use]
    pub fn with(self, setting: impl Into<RestoreOverride>) -> Self {
        Self { overrides: self.overrides.and(setting.into()), ..self }
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.tags.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// The settings that override the source's.
    #[must_use]
    pub fn overrides(&self) -> &TableOptions {
        &self.overrides
    }

    /// The RESTORE TABLE statement.
    #[must_use]
    pub fn statement(&self) -> RestoreTable {
        let timestamp = self.point.map(|point| {
            let constant = Constant { kind: ConstantKind::String, text: point.to_string() };
            let value = Term { kind: TermKind::Constant(constant), span: Span::default() };
            WithOption { name: Name::new(RESTORE_TIMESTAMP), value, span: Span::default() }
        });
        RestoreTable {
            span: Span::default(),
            table: self.target.clone(),
            source: self.source.clone(),
            options: timestamp.into_iter().chain(self.overrides.with_options()).collect(),
        }
    }

    /// The restored table. `source` has the columns and the TTL of the moment, and otherwise the current settings.
    ///
    /// Auto scaling is only restored with provisioned capacity: it is left out if an override sets the capacity mode to on
    /// demand.
    ///
    /// # Errors
    ///
    /// Keyspaces does not accept the result.
    pub fn restored(&self, source: &TableDefinition) -> Result<TableDefinition, TableError> {
        let mut options = TableOptions { tags: None, cdc: None, ..source.options.clone() };
        let overridden = self.overrides.properties().into_iter();
        options = overridden.fold(options, TableOptions::and);
        if options.capacity_mode.unwrap_or_default() == CapacityMode::OnDemand {
            options.auto_scaling = self.overrides.auto_scaling.clone();
            options.replica_capacity = self.overrides.replica_capacity.clone();
        }
        let table = TableDefinition { table: self.target.canonical(), options, ..source.clone() };
        table.create().definition()
    }
}

pub(crate) fn definition(statement: &RestoreTable) -> Result<TableRestore, PropertyError> {
    or_first_error(|report| examine(statement, report))
}

/// Reads the statement as far as possible, and reports every error to `report`.
pub(crate) fn examine(statement: &RestoreTable, report: &mut dyn FnMut(PropertyError)) -> TableRestore {
    if !statement.table.name.is_valid() {
        report(PropertyError::refused(statement.table.name.span, &rules::TABLE_NAME));
    }
    let mut restore = TableRestore::new(statement.source.canonical(), statement.table.canonical());
    let mut overrides = Vec::new();
    for option in &statement.options {
        match option.name.text.as_str() {
            RESTORE_TIMESTAMP if restore.point.is_some() => {
                report(PropertyError::unknown(option.span, format!("the option {RESTORE_TIMESTAMP} twice")));
            }
            RESTORE_TIMESTAMP => match point(&option.value) {
                Ok(point) => restore.point = Some(point),
                Err(problem) => report(PropertyError { span: option.value.span, problem }),
            },
            "cdc" | "default_time_to_live" => report(PropertyError::refused(option.span, &rules::RESTORE_OPTION)),
            name if allowed::RESTORE_TABLE_OPTIONS.contains(&name) => overrides.push(option.clone()),
            name => report(PropertyError::unknown(option.span, format!("the option {name} of a RESTORE TABLE"))),
        }
    }
    let read = TableOptions::examine(&overrides, report);
    for property in read.properties() {
        match RestoreOverride::try_from(property) {
            Ok(setting) => restore = restore.with(setting),
            Err(_) => report(PropertyError::refused(custom_properties(statement), &rules::RESTORE_OPTION)),
        }
    }
    restore
}

fn custom_properties(statement: &RestoreTable) -> Span {
    crate::statement::option(&statement.options, "custom_properties").map_or(statement.span, |option| option.span)
}

impl fmt::Display for TableRestore {
    /// Writes the RESTORE TABLE statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statement().fmt(f)
    }
}

fn point(value: &Term) -> Result<RestorePoint, PropertyProblem> {
    match &value.kind {
        TermKind::Constant(constant) if constant.kind == ConstantKind::String => {
            constant.text.parse().map_err(|error: PropertyError| error.problem)
        }
        _ => Err(PropertyProblem::Refused(&rules::RESTORE_TIMESTAMP)),
    }
}

const RESTORE_TIMESTAMP: &str = "restore_timestamp";
