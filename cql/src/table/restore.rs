//! What a RESTORE TABLE restores.

use std::fmt;

use super::{
    AutoScaling, CapacityMode, Encryption, PointInTimeRecovery, PropertyError, PropertyProblem, ReplicaCapacity,
    RestorePoint, TableDefinition, TableError, TableOptions, TableProperty, Tags, or_first,
};
use crate::statement::{Constant, ConstantKind, RestoreTable, Term, TermKind, WithOption};
use crate::{Name, QualifiedName, Span, allowed, rules};

/// A table as it was at a moment, to be made as a new one (`DG:PointInTimeRecovery_HowItWorks`).
///
/// Its rows, columns and TTL are those of that moment; its other settings are those that the source has now, or had when it was
/// dropped, but for what is [overridden](Self::with). Tags and a CDC stream are not restored.
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
    /// The table that was.
    pub source: QualifiedName,
    /// The table to be made.
    pub target: QualifiedName,
    /// The moment; now unless said. A dropped table can only be restored to when it was dropped (`DG:cql.ddl.table`), which
    /// is not said.
    pub point: Option<RestorePoint>,
    /// Only what a [`RestoreOverride`] can be.
    overrides: TableOptions,
}

/// A setting of the restored table that is not to be the source's. RESTORE TABLE has no others (`DG:cql.ddl.table`).
#[derive(Clone, Debug, PartialEq)]
pub enum RestoreOverride {
    /// How capacity is paid for; as the source's unless said.
    CapacityMode(CapacityMode),
    /// With which key it is encrypted; with the source's unless said. The service has to reach both keys.
    Encryption(Encryption),
    /// Whether it can be restored in turn. The source can, so it can unless said.
    PointInTimeRecovery(PointInTimeRecovery),
    /// The read capacity of single Regions of a multi-Region table; as the source's unless said.
    ReplicaCapacity(ReplicaCapacity),
    /// How its provisioned capacity follows what is used; as the source's does unless said.
    AutoScaling(AutoScaling),
    /// Its tags; none unless said.
    Tags(Tags),
}

impl TableRestore {
    /// The source as it is now, to be made as the target.
    #[must_use]
    pub fn new(source: QualifiedName, target: QualifiedName) -> Self {
        Self { source, target, point: None, overrides: TableOptions::default() }
    }

    /// The same to this moment.
    #[must_use]
    pub fn at(self, point: RestorePoint) -> Self {
        Self { point: Some(point), ..self }
    }

    /// The same with a setting that is not the source's.
    #[must_use]
    pub fn with(self, setting: impl Into<RestoreOverride>) -> Self {
        Self { overrides: self.overrides.and(setting.into()), ..self }
    }

    /// The same with one more tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.tags.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// The settings that are not to be the source's.
    #[must_use]
    pub fn overrides(&self) -> &TableOptions {
        &self.overrides
    }

    /// The statement that restores it.
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

    /// The table that it makes of a source with the columns and the TTL of the moment and with the other settings of now.
    ///
    /// Auto scaling is restored with provisioned capacity only; the source's is left out where the capacity mode is overridden
    /// to be on demand.
    ///
    /// # Errors
    ///
    /// It would be no table that Keyspaces takes.
    pub fn restored(&self, source: &TableDefinition) -> Result<TableDefinition, TableError> {
        let mut options = TableOptions { tags: None, cdc: None, ..source.options.clone() };
        let overridden = self.overrides.properties().into_iter();
        options = overridden.fold(options, TableOptions::and);
        if options.capacity_mode.unwrap_or_default() == CapacityMode::OnDemand {
            options.auto_scaling = self.overrides.auto_scaling.clone();
            options.replica_capacity = self.overrides.replica_capacity.clone();
        }
        let table = TableDefinition { table: self.target.bare(), options, ..source.clone() };
        table.create().definition()
    }
}

impl RestoreTable {
    /// What it restores.
    ///
    /// # Errors
    ///
    /// A rule refuses its options or the name of its target, or Keyspaces is not known to have them.
    pub fn definition(&self) -> Result<TableRestore, PropertyError> {
        or_first(|tell| self.examine(tell))
    }

    /// As much as can be read of what it restores; all that is wrong with the rest is told.
    pub(crate) fn examine(&self, tell: &mut dyn FnMut(PropertyError)) -> TableRestore {
        if !self.table.name.is_possible() {
            tell(PropertyError::refused(self.table.name.span, &rules::TABLE_NAME));
        }
        let mut restore = TableRestore::new(self.source.bare(), self.table.bare());
        let mut overrides = Vec::new();
        for option in &self.options {
            match option.name.text.as_str() {
                RESTORE_TIMESTAMP if restore.point.is_some() => {
                    tell(PropertyError::unknown(option.span, format!("the option {RESTORE_TIMESTAMP} twice")));
                }
                RESTORE_TIMESTAMP => match point(&option.value) {
                    Ok(point) => restore.point = Some(point),
                    Err(problem) => tell(PropertyError { span: option.value.span, problem }),
                },
                "cdc" | "default_time_to_live" => tell(PropertyError::refused(option.span, &rules::RESTORE_OPTION)),
                name if allowed::RESTORE_TABLE_OPTIONS.contains(&name) => overrides.push(option.clone()),
                name => tell(PropertyError::unknown(option.span, format!("the option {name} of a RESTORE TABLE"))),
            }
        }
        let read = TableOptions::examine(&overrides, tell);
        for property in read.properties() {
            match RestoreOverride::try_from(property) {
                Ok(setting) => restore = restore.with(setting),
                Err(_) => tell(PropertyError::refused(self.custom_properties(), &rules::RESTORE_OPTION)),
            }
        }
        restore
    }

    fn custom_properties(&self) -> Span {
        crate::statement::option(&self.options, "custom_properties").map_or(self.span, |option| option.span)
    }
}

impl fmt::Display for TableRestore {
    /// The RESTORE TABLE that restores it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statement().fmt(f)
    }
}

impl From<RestoreOverride> for TableProperty {
    fn from(setting: RestoreOverride) -> Self {
        match setting {
            RestoreOverride::CapacityMode(mode) => Self::CapacityMode(mode),
            RestoreOverride::Encryption(encryption) => Self::Encryption(encryption),
            RestoreOverride::PointInTimeRecovery(recovery) => Self::PointInTimeRecovery(recovery),
            RestoreOverride::ReplicaCapacity(replicas) => Self::ReplicaCapacity(replicas),
            RestoreOverride::AutoScaling(scaling) => Self::AutoScaling(scaling),
            RestoreOverride::Tags(tags) => Self::Tags(tags),
        }
    }
}

impl TryFrom<TableProperty> for RestoreOverride {
    type Error = PropertyError;

    /// # Errors
    ///
    /// [`rules::RESTORE_OPTION`]
    fn try_from(property: TableProperty) -> Result<Self, PropertyError> {
        match property {
            TableProperty::CapacityMode(mode) => Ok(Self::CapacityMode(mode)),
            TableProperty::Encryption(encryption) => Ok(Self::Encryption(encryption)),
            TableProperty::PointInTimeRecovery(recovery) => Ok(Self::PointInTimeRecovery(recovery)),
            TableProperty::ReplicaCapacity(replicas) => Ok(Self::ReplicaCapacity(replicas)),
            TableProperty::AutoScaling(scaling) => Ok(Self::AutoScaling(scaling)),
            TableProperty::Tags(tags) => Ok(Self::Tags(tags)),
            TableProperty::WarmThroughput(_)
            | TableProperty::ClientSideTimestamps(_)
            | TableProperty::Ttl(_)
            | TableProperty::Cdc(_)
            | TableProperty::StreamTags(_)
            | TableProperty::DefaultTimeToLive(_)
            | TableProperty::Comment(_)
            | TableProperty::Ignored(_) => Err(PropertyError::refused(Span::default(), &rules::RESTORE_OPTION)),
        }
    }
}

macro_rules! overrides {
    ($($value:ident),* $(,)?) => {$(
        impl From<$value> for RestoreOverride {
            fn from(value: $value) -> Self {
                Self::$value(value)
            }
        }
    )*};
}

overrides! { CapacityMode, Encryption, PointInTimeRecovery, AutoScaling }

fn point(value: &Term) -> Result<RestorePoint, PropertyProblem> {
    match &value.kind {
        TermKind::Constant(constant) if constant.kind == ConstantKind::String => {
            constant.text.parse().map_err(|error: PropertyError| error.problem)
        }
        _ => Err(PropertyProblem::Refused(&rules::RESTORE_TIMESTAMP)),
    }
}

const RESTORE_TIMESTAMP: &str = "restore_timestamp";
