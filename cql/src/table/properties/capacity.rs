//! The read and write capacity of a table, and the way it is billed.

use std::collections::BTreeMap;

use super::PropertyError;
use super::setting::Setting;
use crate::rules;

/// The capacity mode, which decides the billing (`DG:ReadWriteCapacityMode`). A table without a setting is on demand.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CapacityMode {
    /// Billed by consumption.
    #[default]
    OnDemand,
    /// Billed by these units for each second, whether used or not.
    Provisioned {
        /// Read capacity units (RCU): 4 KB in a second at `LOCAL_QUORUM`; at least 1.
        read: u32,
        /// Write capacity units (WCU): 1 KB in a second; at least 1.
        write: u32,
    },
}

/// The units a second that a table can serve without scaling up first (`DG:warm-throughput`). They can only be raised, and
/// raising them is billed once. A side that is `None` stays as it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct WarmThroughput {
    /// Read units a second; 12,000 on a new on-demand table.
    pub read: Option<u32>,
    /// Write units a second; 4,000 on a new on-demand table.
    pub write: Option<u32>,
}

/// The read capacity of single Regions of a multi-Region table, by the name of the Region.
pub type ReplicaCapacity = BTreeMap<String, u32>;

impl CapacityMode {
    pub(super) fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let option = "capacity_mode";
        // The service shows the last two in addition to the settings.
        let known = [
            "throughput_mode",
            READ_UNITS,
            WRITE_UNITS,
            "last_update_to_pay_per_request_timestamp",
            "last_update_timestamp",
        ];
        let fields = setting.fields(option, &known)?;
        let mode = fields.required("throughput_mode", option)?;
        match mode.word(option)?.to_ascii_uppercase().as_str() {
            "PAY_PER_REQUEST" => Ok(Self::OnDemand),
            "PROVISIONED" => {
                let (Some(read), Some(write)) = (fields.get(READ_UNITS), fields.get(WRITE_UNITS)) else {
                    return Err(PropertyError::refused(mode.span, &rules::PROVISIONED_WITHOUT_UNITS));
                };
                Ok(Self::Provisioned { read: units(read, READ_UNITS)?, write: units(write, WRITE_UNITS)? })
            }
            other => Err(PropertyError::unknown(mode.span, format!("the throughput mode {other}"))),
        }
    }

    pub(super) fn setting(self) -> Setting {
        match self {
            Self::OnDemand => Setting::map([("throughput_mode", Setting::text("PAY_PER_REQUEST"))]),
            Self::Provisioned { read, write } => Setting::map([
                ("throughput_mode", Setting::text("PROVISIONED")),
                (READ_UNITS, Setting::unquoted(read)),
                (WRITE_UNITS, Setting::unquoted(write)),
            ]),
        }
    }
}

impl WarmThroughput {
    /// Reads and writes, in units a second.
    #[must_use]
    pub fn new(read: u32, write: u32) -> Self {
        Self { read: Some(read), write: Some(write) }
    }

    /// These units, with the sides that they do not set taken from `before`.
    #[must_use]
    pub fn or_previous(self, before: Option<Self>) -> Self {
        let before = before.unwrap_or(Self { read: None, write: None });
        Self { read: self.read.or(before.read), write: self.write.or(before.write) }
    }

    pub(super) fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let option = "warm_throughput";
        let fields = setting.fields(option, &[READ_PER_SECOND, WRITE_PER_SECOND, "status"])?;
        let units = |name| fields.get(name).map(|setting| units(setting, name)).transpose();
        let read = Self { read: units(READ_PER_SECOND)?, write: units(WRITE_PER_SECOND)? };
        match read {
            Self { read: None, write: None } => {
                Err(PropertyError::unknown(setting.span, format!("{option} without units")))
            }
            read => Ok(read),
        }
    }

    pub(super) fn setting(self) -> Setting {
        let sides = [(READ_PER_SECOND, self.read), (WRITE_PER_SECOND, self.write)];
        Setting::map(sides.into_iter().filter_map(|(name, units)| Some((name, Setting::unquoted(units?)))))
    }
}

/// The shape inside CUSTOM_PROPERTIES is inferred from the shape of AUTOSCALING_SETTINGS
/// (`DG:tables-mrr-create-provisioned`).
pub(super) fn read_replicas(setting: &Setting) -> Result<ReplicaCapacity, PropertyError> {
    let mut replicas = ReplicaCapacity::new();
    for (region, capacity) in setting.entries("replica_updates")? {
        let fields = capacity.fields("replica_updates", &[READ_UNITS])?;
        let read = units(fields.required(READ_UNITS, "replica_updates")?, READ_UNITS)?;
        let name = region.word("a Region")?.to_owned();
        if replicas.insert(name, read).is_some() {
            return Err(PropertyError::refused(region.span, &rules::DUPLICATE_REGION));
        }
    }
    Ok(replicas)
}

pub(super) fn replicas_setting(replicas: &ReplicaCapacity) -> Setting {
    let units = |read: u32| Setting::map([(READ_UNITS, Setting::unquoted(read))]);
    Setting::map(replicas.iter().map(|(region, read)| (region.as_str(), units(*read))))
}

/// Reads a number of units: at least 1 (`API:ProvisionedThroughput…`). The maximum is a quota of the account, so it is not
/// checked.
pub(super) fn units(setting: &Setting, option: &str) -> Result<u32, PropertyError> {
    let units = u32::try_from(setting.units(option)?).ok().filter(|units| *units > 0);
    units.ok_or_else(|| PropertyError::refused(setting.span, &rules::CAPACITY_UNITS))
}

const READ_UNITS: &str = "read_capacity_units";
const WRITE_UNITS: &str = "write_capacity_units";
const READ_PER_SECOND: &str = "read_units_per_second";
const WRITE_PER_SECOND: &str = "write_units_per_second";
