//! What a table may read and write in a second, and what is paid for it.

use std::collections::BTreeMap;

use super::PropertyError;
use super::setting::Setting;
use crate::rules;

/// How capacity is paid for (`DG:ReadWriteCapacityMode`). A table whose definition does not say is on demand.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CapacityMode {
    /// For what is used.
    #[default]
    OnDemand,
    /// For so many units in each second, used or not.
    Provisioned {
        /// Read capacity units (RCU): 4 KB in a second at `LOCAL_QUORUM`; at least 1.
        read: u32,
        /// Write capacity units (WCU): 1 KB in a second; at least 1.
        write: u32,
    },
}

/// What a table is prepared to bear at once (`DG:warm-throughput`); to be raised only, and paid for once.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct WarmThroughput {
    /// Read units in a second; 12,000 on a new on-demand table.
    pub read: u32,
    /// Write units in a second; 4,000 on a new on-demand table.
    pub write: u32,
}

/// The read capacity of single Regions of a multi-Region table, by the name of the Region.
pub type ReplicaCapacity = BTreeMap<String, u32>;

impl CapacityMode {
    pub(super) fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let what = "capacity_mode";
        // The last two are what the service shows beside what was said.
        let known = [
            "throughput_mode",
            READ_UNITS,
            WRITE_UNITS,
            "last_update_to_pay_per_request_timestamp",
            "last_update_timestamp",
        ];
        let fields = setting.fields(what, &known)?;
        let mode = fields.required("throughput_mode", what)?;
        match mode.word(what)?.to_ascii_uppercase().as_str() {
            "PAY_PER_REQUEST" => Ok(Self::OnDemand),
            "PROVISIONED" => {
                let units = |name| units(fields.required(name, "provisioned capacity")?, name);
                Ok(Self::Provisioned { read: units(READ_UNITS)?, write: units(WRITE_UNITS)? })
            }
            other => Err(PropertyError::unknown(mode.span, format!("the throughput mode {other}"))),
        }
    }

    pub(super) fn setting(self) -> Setting {
        match self {
            Self::OnDemand => Setting::map([("throughput_mode", Setting::text("PAY_PER_REQUEST"))]),
            Self::Provisioned { read, write } => Setting::map([
                ("throughput_mode", Setting::text("PROVISIONED")),
                (READ_UNITS, Setting::bare(read)),
                (WRITE_UNITS, Setting::bare(write)),
            ]),
        }
    }
}

impl WarmThroughput {
    pub(super) fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let what = "warm_throughput";
        let fields = setting.fields(what, &[READ_PER_SECOND, WRITE_PER_SECOND, "status"])?;
        let units = |name| units(fields.required(name, what)?, name);
        Ok(Self { read: units(READ_PER_SECOND)?, write: units(WRITE_PER_SECOND)? })
    }

    pub(super) fn setting(self) -> Setting {
        let Self { read, write } = self;
        Setting::map([(READ_PER_SECOND, Setting::bare(read)), (WRITE_PER_SECOND, Setting::bare(write))])
    }
}

/// The shape within CUSTOM_PROPERTIES is inferred from that of AUTOSCALING_SETTINGS (`DG:tables-mrr-create-provisioned`).
pub(super) fn read_replicas(setting: &Setting) -> Result<ReplicaCapacity, PropertyError> {
    let mut replicas = ReplicaCapacity::new();
    for (region, capacity) in setting.entries("replica_updates")? {
        let fields = capacity.fields("replica_updates", &[READ_UNITS])?;
        let read = units(fields.required(READ_UNITS, "replica_updates")?, READ_UNITS)?;
        let name = region.word("a Region")?.to_owned();
        if replicas.insert(name, read).is_some() {
            return Err(PropertyError::refused(region.span, &rules::REGION_TWICE));
        }
    }
    Ok(replicas)
}

pub(super) fn replicas_setting(replicas: &ReplicaCapacity) -> Setting {
    let units = |read: u32| Setting::map([(READ_UNITS, Setting::bare(read))]);
    Setting::map(replicas.iter().map(|(region, read)| (region.as_str(), units(*read))))
}

/// At least one (`API:ProvisionedThroughput…`); how many at most is a quota of the account.
pub(super) fn units(setting: &Setting, what: &str) -> Result<u32, PropertyError> {
    let units = u32::try_from(setting.units(what)?).ok().filter(|units| *units > 0);
    units.ok_or_else(|| PropertyError::refused(setting.span, &rules::CAPACITY_UNITS))
}

const READ_UNITS: &str = "read_capacity_units";
const WRITE_UNITS: &str = "write_capacity_units";
const READ_PER_SECOND: &str = "read_units_per_second";
const WRITE_PER_SECOND: &str = "write_units_per_second";
