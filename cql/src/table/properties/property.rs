//! One option of a table, with its default, the way in which a table shows it, its cost, its changes, and whether a
//! restored table may override it.

use super::auto_scaling::within_bounds;
use super::tags::differing;
use super::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, ClientSideTimestamps, Encryption, PointInTimeRecovery,
    PropertyError, ReplicaCapacity, StreamTags, TableOptions, Tags, Ttl, WarmThroughput,
};
use crate::difference::warning::{
    CDC_COSTS, EXPIRY_COSTS, KEY_COSTS, PROVISIONED, RECOVERY_COSTS, RECOVERY_LOST, SCALING_COSTS, STREAM_LOST,
    TIMESTAMPS_STAY, TTL_STAYS, WARM_COSTS, WARM_STAYS,
};
use crate::difference::{Comparison, Unchanged, Warning};
use crate::statement::WithOption;
use crate::table::TableChange;
use crate::{QualifiedName, Span, rules};

/// One option of a table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TableProperty {
    /// `capacity_mode` in CUSTOM_PROPERTIES
    CapacityMode(CapacityMode),
    /// `warm_throughput` in CUSTOM_PROPERTIES
    WarmThroughput(WarmThroughput),
    /// `point_in_time_recovery` in CUSTOM_PROPERTIES
    PointInTimeRecovery(PointInTimeRecovery),
    /// `encryption_specification` in CUSTOM_PROPERTIES
    Encryption(Encryption),
    /// `client_side_timestamps` in CUSTOM_PROPERTIES
    ClientSideTimestamps(ClientSideTimestamps),
    /// `ttl` in CUSTOM_PROPERTIES
    Ttl(Ttl),
    /// `replica_updates` in CUSTOM_PROPERTIES
    ReplicaCapacity(ReplicaCapacity),
    /// `CDC`, with `cdc_specification` in CUSTOM_PROPERTIES
    Cdc(Cdc),
    /// `tags` or `propagate_tags` of `cdc_specification`
    StreamTags(StreamTags),
    /// `default_time_to_live`, in seconds; it turns on [`Ttl`]
    DefaultTimeToLive(u32),
    /// `AUTOSCALING_SETTINGS`
    AutoScaling(AutoScaling),
    /// `TAGS` of a CREATE
    Tags(Tags),
    /// `comment`
    Comment(String),
    /// An option of Cassandra's that Keyspaces accepts and ignores
    Ignored(WithOption),
}

/// A setting of the restored table that overrides the source's. RESTORE TABLE has no others (`DG:cql.ddl.table`).
#[derive(Clone, Debug, PartialEq)]
pub enum RestoreOverride {
    /// The capacity mode. Default: the source's.
    CapacityMode(CapacityMode),
    /// The key that encrypts the table. Default: the source's. The service needs access to both keys.
    Encryption(Encryption),
    /// Whether the restored table can be restored in turn. Default: enabled, as on the source.
    PointInTimeRecovery(PointInTimeRecovery),
    /// The read capacity of single Regions of a multi-Region table. Default: the source's.
    ReplicaCapacity(ReplicaCapacity),
    /// The auto scaling of the provisioned capacity. Default: the source's.
    AutoScaling(AutoScaling),
    /// The tags. Default: none.
    Tags(Tags),
}

impl TableProperty {
    /// The `WITH` options that set the property: one, or two for a CDC stream.
    #[must_use]
    pub fn with_options(&self) -> Vec<WithOption> {
        TableOptions::default().and(self.clone()).with_options()
    }

    /// Whether a table with these options shows the property, as far as the service is known to show it. A property that
    /// the service shows in another form, or not at all, counts as shown.
    #[must_use]
    pub fn is_satisfied_by(&self, options: &TableOptions) -> bool {
        match self {
            Self::CapacityMode(desired) => match (*desired, options.capacity_mode) {
                (
                    CapacityMode::Provisioned { read, write },
                    Some(CapacityMode::Provisioned { read: reads, write: writes }),
                ) => {
                    // Auto scaling may have changed the units.
                    let scaling = options.auto_scaling.clone().unwrap_or_default();
                    let is = |desired, current, scaling| {
                        desired == current || matches!(scaling, Some(CapacityScaling::Target(_)))
                    };
                    is(read, reads, scaling.read) && is(write, writes, scaling.write)
                }
                (desired, current) => current.is_none_or(|current| current == desired),
            },
            Self::WarmThroughput(desired) => {
                let reached = |current: Option<u32>, desired: Option<u32>| {
                    current.zip(desired).is_none_or(|(current, desired)| current >= desired)
                };
                options
                    .warm_throughput
                    .is_none_or(|current| reached(current.read, desired.read) && reached(current.write, desired.write))
            }
            Self::PointInTimeRecovery(desired) => {
                options.point_in_time_recovery.is_none_or(|current| current == *desired)
            }
            Self::Encryption(desired) => {
                options.encryption.as_ref().is_none_or(|current| desired.is_satisfied_by(current))
            }
            Self::Cdc(desired) => matches!(desired, Cdc::On(_)) == matches!(options.cdc, Some(Cdc::On(_))),
            Self::DefaultTimeToLive(desired) => options.default_time_to_live.unwrap_or_default() == *desired,
            // It is not known whether the service shows TTL and client-side timestamps, or how it writes the other properties.
            Self::ClientSideTimestamps(_)
            | Self::Ttl(_)
            | Self::ReplicaCapacity(_)
            | Self::StreamTags(_)
            | Self::AutoScaling(_)
            | Self::Tags(_)
            | Self::Comment(_)
            | Self::Ignored(_) => true,
        }
    }

    /// Whether the property has the same effect as no setting, on a table with the options `to`.
    pub(crate) fn is_default(&self, to: &TableOptions) -> bool {
        match self {
            Self::CapacityMode(mode) => *mode == CapacityMode::OnDemand,
            Self::PointInTimeRecovery(recovery) => *recovery == PointInTimeRecovery::Disabled,
            Self::Encryption(encryption) => *encryption == Encryption::AwsOwnedKey,
            Self::Cdc(cdc) => *cdc == Cdc::Off,
            Self::DefaultTimeToLive(seconds) => *seconds == 0,
            Self::AutoScaling(scaling) => scaling.in_effect() == AutoScaling::default(),
            Self::Tags(tags) => tags.is_empty(),
            Self::Comment(comment) => comment.is_empty(),
            Self::Ignored(_) => true,
            // A default time to live turns TTL on.
            Self::Ttl(_) => to.has_ttl(),
            Self::WarmThroughput(_)
            | Self::ClientSideTimestamps(_)
            | Self::ReplicaCapacity(_)
            | Self::StreamTags(_) => false,
        }
    }

    /// The costs and risks of setting the property on a table with these options.
    pub(crate) fn warnings(&self, current: &TableOptions) -> Vec<&'static Warning> {
        match self {
            Self::CapacityMode(CapacityMode::Provisioned { read, write }) => match current.capacity_mode {
                Some(CapacityMode::Provisioned { read: reads, write: writes })
                    if *read <= reads && *write <= writes =>
                {
                    Vec::new()
                }
                _ => vec![&PROVISIONED],
            },
            Self::WarmThroughput(_) => vec![&WARM_STAYS, &WARM_COSTS],
            Self::PointInTimeRecovery(PointInTimeRecovery::Enabled) => vec![&RECOVERY_COSTS],
            Self::PointInTimeRecovery(PointInTimeRecovery::Disabled) => {
                let lost = current.point_in_time_recovery == Some(PointInTimeRecovery::Enabled);
                if lost { vec![&RECOVERY_LOST] } else { Vec::new() }
            }
            Self::Encryption(Encryption::CustomerManagedKey(_)) => vec![&KEY_COSTS],
            Self::ClientSideTimestamps(_) => vec![&TIMESTAMPS_STAY],
            Self::Ttl(_) => vec![&TTL_STAYS, &EXPIRY_COSTS],
            Self::DefaultTimeToLive(1..) if current.has_ttl() => vec![&EXPIRY_COSTS],
            Self::DefaultTimeToLive(1..) => vec![&TTL_STAYS, &EXPIRY_COSTS],
            Self::ReplicaCapacity(_) => vec![&PROVISIONED],
            Self::Cdc(Cdc::On(_)) => vec![&CDC_COSTS],
            Self::Cdc(Cdc::Off) => {
                if matches!(current.cdc, Some(Cdc::On(_))) {
                    vec![&STREAM_LOST]
                } else {
                    Vec::new()
                }
            }
            Self::AutoScaling(AutoScaling { read, write, replicas }) => {
                let mut parts = read.iter().chain(write).chain(replicas.values());
                if parts.any(|part| matches!(part, CapacityScaling::Target(_))) {
                    vec![&SCALING_COSTS]
                } else {
                    Vec::new()
                }
            }
            Self::CapacityMode(CapacityMode::OnDemand)
            | Self::Encryption(Encryption::AwsOwnedKey)
            | Self::StreamTags(_)
            | Self::Comment(_)
            | Self::DefaultTimeToLive(0)
            | Self::Tags(_)
            | Self::Ignored(_) => Vec::new(),
        }
    }
}

/// Compares each option that `to` sets, and lists the options that `to` leaves as they are.
pub(crate) fn compare(comparison: &mut Comparison<'_>, from: &TableOptions, to: &TableOptions) {
    // Destructures without `..`, so that an option that is not compared here does not compile.
    let TableOptions {
        capacity_mode,
        warm_throughput,
        point_in_time_recovery,
        encryption,
        client_side_timestamps,
        replica_capacity,
        cdc,
        stream_tags,
        auto_scaling,
        tags,
        comment,
        // Compared by `compare_time_to_live`.
        ttl: _,
        default_time_to_live: _,
        // Keyspaces ignores them.
        ignored: _,
    } = to;
    let current = from.capacity_mode.unwrap_or_default();
    let desired = capacity_mode.map_or(current, |desired| within_bounds(current, desired, from, to));
    if desired != current {
        comparison.reversible.push(set(desired));
    }
    if let Some(desired) = auto_scaling {
        let current = from.auto_scaling.clone().unwrap_or_default();
        let after = desired.clone().or_previous(Some(current.clone()));
        if after.in_effect() != current.in_effect() {
            comparison.reversible.push(set(after));
        }
    }
    if let Some(desired) = replica_capacity {
        let current = from.replica_capacity.clone().unwrap_or_default();
        let mut after = current.clone();
        after.extend(desired.clone());
        if after != current {
            comparison.reversible.push(TableChange::Set(TableProperty::ReplicaCapacity(after)));
        }
    }
    if let Some(desired) = tags {
        compare_tags(comparison, from.tags.as_ref().unwrap_or(&Tags::new()), desired);
    }
    if let Some(desired) = encryption {
        let current = from.encryption.clone().unwrap_or_default();
        if !desired.is_satisfied_by(&current) {
            comparison.reversible.push(set(desired.clone()));
        } else if let (Encryption::CustomerManagedKey(key), Encryption::CustomerManagedKey(alias)) = (current, desired)
            && key != *alias
        {
            comparison.unchanged.push(Unchanged::Key { table: comparison.table.clone(), key, alias: alias.clone() });
        }
    }
    if let Some(desired) = *point_in_time_recovery
        && desired != from.point_in_time_recovery.unwrap_or_default()
    {
        let change = set(desired);
        if desired == PointInTimeRecovery::Enabled { &mut comparison.reversible } else { &mut comparison.irreversible }
            .push(change);
    }
    compare_time_to_live(comparison, from, to);
    let stream = from.cdc.unwrap_or_default();
    match (stream, cdc.unwrap_or(stream)) {
        (current, desired) if current == desired => {}
        (Cdc::Off, desired) => {
            comparison.reversible.push(set(desired));
            let tags = match stream_tags {
                Some(StreamTags::SameAsTable) => tags.clone().or_else(|| from.tags.clone()),
                Some(StreamTags::Own(tags)) => Some(tags.clone()),
                None => None,
            };
            comparison.reversible.extend(tags.filter(|tags| !tags.is_empty()).map(TableChange::AddStreamTags));
        }
        // The view type of a stream cannot be changed while the stream is on.
        (Cdc::On(_), Cdc::On(view)) => comparison.irreversible.extend([set(Cdc::Off), set(Cdc::On(view))]),
        (Cdc::On(_), Cdc::Off) => comparison.irreversible.push(set(Cdc::Off)),
    }
    compare_warm_throughput(comparison, from.warm_throughput, *warm_throughput);
    if let (None, Some(desired)) = (from.client_side_timestamps, *client_side_timestamps) {
        comparison.irreversible.push(set(desired));
    }
    if let Some(desired) = comment
        && desired != from.comment.as_deref().unwrap_or_default()
    {
        comparison.reversible.push(TableChange::Set(TableProperty::Comment(desired.clone())));
    }
    comparison.unchanged.extend(unchanged(comparison.table, from, to));
}

fn compare_time_to_live(comparison: &mut Comparison<'_>, from: &TableOptions, to: &TableOptions) {
    let seconds = from.default_time_to_live.unwrap_or_default();
    let desired = to.default_time_to_live.unwrap_or(seconds);
    if desired != seconds {
        let change = TableChange::Set(TableProperty::DefaultTimeToLive(desired));
        if from.has_ttl() { &mut comparison.reversible } else { &mut comparison.irreversible }.push(change);
    } else if let (false, Some(ttl)) = (from.has_ttl(), to.ttl) {
        comparison.irreversible.push(set(ttl));
    }
}

fn compare_warm_throughput(comparison: &mut Comparison<'_>, from: Option<WarmThroughput>, to: Option<WarmThroughput>) {
    let Some(desired) = to.map(|to| to.or_previous(from)).filter(|desired| Some(*desired) != from) else { return };
    let is_lower = |current: Option<u32>, desired: Option<u32>| {
        current.zip(desired).is_some_and(|(current, desired)| desired < current)
    };
    match from {
        Some(current) if is_lower(current.read, desired.read) || is_lower(current.write, desired.write) => {
            let units =
                |side: Option<u32>| side.map_or_else(|| "an unknown number of".to_owned(), |units| units.to_string());
            let change = format!(
                "lowering its warm throughput from {} reads and {} writes a second to {} and {}",
                units(current.read),
                units(current.write),
                units(desired.read),
                units(desired.write)
            );
            comparison.impossible(change, "Keep the current units, or raise them.", "DG:warm-throughput");
        }
        _ => comparison.irreversible.push(set(desired)),
    }
}

fn compare_tags(comparison: &mut Comparison<'_>, from: &Tags, to: &Tags) {
    let (added, dropped) = differing(from, to);
    if !added.is_empty() {
        comparison.reversible.push(TableChange::AddTags(added));
    }
    if !dropped.is_empty() {
        comparison.reversible.push(TableChange::DropTags(dropped));
    }
}

/// The options that differ from their defaults and that `to` does not set.
fn unchanged(table: &QualifiedName, from: &TableOptions, to: &TableOptions) -> Vec<Unchanged> {
    let set = to.properties();
    let kept = from.properties().into_iter().filter(|property| {
        let is_default = property.is_default(to);
        let kind = std::mem::discriminant(property);
        !is_default && set.iter().all(|set| std::mem::discriminant(set) != kind)
    });
    kept.map(|property| Unchanged::Option { table: table.clone(), property }).collect()
}

fn set(property: impl Into<TableProperty>) -> TableChange {
    TableChange::Set(property.into())
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
    /// [`rules::RESTORE_OPTION`] refuses every property that a restored table cannot override.
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

macro_rules! properties {
    ($($value:ty => $property:ident),* $(,)?) => {$(
        impl From<$value> for TableProperty {
            fn from(value: $value) -> Self {
                Self::$property(value)
            }
        }
    )*};
}

properties! {
    CapacityMode => CapacityMode,
    WarmThroughput => WarmThroughput,
    PointInTimeRecovery => PointInTimeRecovery,
    Encryption => Encryption,
    ClientSideTimestamps => ClientSideTimestamps,
    Ttl => Ttl,
    Cdc => Cdc,
    StreamTags => StreamTags,
    AutoScaling => AutoScaling,
}
