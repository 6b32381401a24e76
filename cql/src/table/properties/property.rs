//! An option of a table, and what is known of each beside its text.

use super::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, ClientSideTimestamps, Encryption, PointInTimeRecovery,
    ReplicaCapacity, StreamTags, TableOptions, Tags, Ttl, WarmThroughput,
};
use crate::difference::Mark;
use crate::difference::mark::{
    CDC_COSTS, EXPIRY_COSTS, KEY_COSTS, PROVISIONED, RECOVERY_COSTS, RECOVERY_LOST, SCALING_COSTS, STREAM_LOST,
    TIMESTAMPS_STAY, TTL_STAYS, WARM_COSTS, WARM_STAYS,
};
use crate::statement::WithOption;

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
    /// An option of Cassandra's that Keyspaces takes and ignores
    Ignored(WithOption),
}

impl TableProperty {
    /// The `WITH` options that say it: one, or two for a CDC stream.
    #[must_use]
    pub fn with_options(&self) -> Vec<WithOption> {
        TableOptions::default().and(self.clone()).with_options()
    }

    /// Whether a table with these options shows it, as far as the service is known to show it. What is shown in another form
    /// for a reason, or not at all, counts as shown.
    #[must_use]
    pub fn is_shown_by(&self, options: &TableOptions) -> bool {
        match self {
            Self::CapacityMode(asked) => match (*asked, options.capacity_mode) {
                (
                    CapacityMode::Provisioned { read, write },
                    Some(CapacityMode::Provisioned { read: reads, write: writes }),
                ) => {
                    // The units are what auto scaling makes of them.
                    let scaling = options.auto_scaling.clone().unwrap_or_default();
                    let is =
                        |asked, there, scaling| asked == there || matches!(scaling, Some(CapacityScaling::Target(_)));
                    is(read, reads, scaling.read) && is(write, writes, scaling.write)
                }
                (asked, there) => there.is_none_or(|there| there == asked),
            },
            Self::WarmThroughput(asked) => {
                let reached = |there: Option<u32>, asked: Option<u32>| {
                    there.zip(asked).is_none_or(|(there, asked)| there >= asked)
                };
                options
                    .warm_throughput
                    .is_none_or(|there| reached(there.read, asked.read) && reached(there.write, asked.write))
            }
            Self::PointInTimeRecovery(asked) => options.point_in_time_recovery.is_none_or(|there| there == *asked),
            Self::Encryption(asked) => options.encryption.as_ref().is_none_or(|there| asked.may_be_shown_as(there)),
            Self::Cdc(asked) => matches!(asked, Cdc::On(_)) == matches!(options.cdc, Some(Cdc::On(_))),
            Self::DefaultTimeToLive(asked) => options.default_time_to_live.unwrap_or_default() == *asked,
            // That the service shows TTL and client-side timestamps, and how it writes the rest, is not known.
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

    /// Whether it is as if nobody had said anything, where `to` is what is said of the other options.
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
            // Turned on with the default, which is said.
            Self::Ttl(_) => to.has_ttl(),
            Self::WarmThroughput(_)
            | Self::ClientSideTimestamps(_)
            | Self::ReplicaCapacity(_)
            | Self::StreamTags(_) => false,
        }
    }

    /// What to know before it is set where the table has these options.
    pub(crate) fn marks(&self, there: &TableOptions) -> Vec<&'static Mark> {
        match self {
            Self::CapacityMode(CapacityMode::Provisioned { read, write }) => match there.capacity_mode {
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
                let lost = there.point_in_time_recovery == Some(PointInTimeRecovery::Enabled);
                if lost { vec![&RECOVERY_LOST] } else { Vec::new() }
            }
            Self::Encryption(Encryption::CustomerManagedKey(_)) => vec![&KEY_COSTS],
            Self::ClientSideTimestamps(_) => vec![&TIMESTAMPS_STAY],
            Self::Ttl(_) => vec![&TTL_STAYS, &EXPIRY_COSTS],
            Self::DefaultTimeToLive(1..) if there.has_ttl() => vec![&EXPIRY_COSTS],
            Self::DefaultTimeToLive(1..) => vec![&TTL_STAYS, &EXPIRY_COSTS],
            Self::ReplicaCapacity(_) => vec![&PROVISIONED],
            Self::Cdc(Cdc::On(_)) => vec![&CDC_COSTS],
            Self::Cdc(Cdc::Off) => {
                if matches!(there.cdc, Some(Cdc::On(_))) {
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
