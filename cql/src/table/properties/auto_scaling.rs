//! Auto scaling: provisioned capacity that follows consumption (`DG:autoscaling`).

use std::collections::BTreeMap;

use super::capacity::units;
use super::setting::Setting;
use super::{CapacityMode, PropertyError, TableOptions};
use crate::rules;

/// The auto scaling of a table's provisioned capacity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoScaling {
    /// The scaling of reads; `None` leaves it as it is.
    pub read: Option<CapacityScaling>,
    /// The scaling of writes; `None` leaves it as it is. A multi-Region table has the same write scaling in all Regions.
    pub write: Option<CapacityScaling>,
    /// The scaling of reads in single Regions, by the name of the Region. A Region without an entry stays as it is.
    pub replicas: BTreeMap<String, CapacityScaling>,
}

/// The auto scaling of read units or of write units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CapacityScaling {
    /// No auto scaling.
    Disabled,
    /// The units stay between two bounds and follow a target utilization.
    Target(TargetTracking),
}

/// A target utilization of the provisioned units, and how the units follow it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetTracking {
    /// The minimum number of units; at least 1.
    pub minimum: u32,
    /// The maximum number of units; at least `minimum`.
    pub maximum: u32,
    /// The target utilization in percent: 20 to 90 (`DG:autoscaling`).
    pub target: f64,
    /// The seconds after a change before auto scaling may lower the units.
    pub scale_in_cooldown: Option<u32>,
    /// The seconds after a change before auto scaling may raise the units.
    pub scale_out_cooldown: Option<u32>,
    /// Whether auto scaling never lowers the units.
    pub disable_scale_in: bool,
}

impl TargetTracking {
    /// Between `minimum` and `maximum` units with a target utilization of 70 percent (the guide's default), without
    /// cooldowns.
    #[must_use]
    pub fn between(minimum: u32, maximum: u32) -> Self {
        let (scale_in_cooldown, scale_out_cooldown) = (None, None);
        Self { minimum, maximum, target: 70.0, scale_in_cooldown, scale_out_cooldown, disable_scale_in: false }
    }
}

impl AutoScaling {
    /// Drops disabled entries, which have the same effect as missing entries.
    pub(crate) fn in_effect(&self) -> Self {
        let on = |part: &CapacityScaling| *part != CapacityScaling::Disabled;
        let replicas = self.replicas.iter().filter(|(_, part)| on(part));
        Self {
            read: self.read.filter(on),
            write: self.write.filter(on),
            replicas: replicas.map(|(region, part)| (region.clone(), *part)).collect(),
        }
    }

    /// These settings, with the sides and Regions that they do not set taken from `before`.
    #[must_use]
    pub fn or_previous(self, before: Option<Self>) -> Self {
        let Self { read, write, mut replicas } = before.unwrap_or_default();
        replicas.extend(self.replicas);
        Self { read: self.read.or(read), write: self.write.or(write), replicas }
    }

    pub(super) fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let fields = setting.fields(NAME, &[WRITE, READ, REPLICAS])?;
        let scaling = |name| fields.get(name).map(CapacityScaling::read).transpose();
        let mut replicas = BTreeMap::new();
        if let Some(regions) = fields.get(REPLICAS) {
            for (region, updates) in regions.entries(REPLICAS)? {
                let name = region.word("a Region")?.to_owned();
                let updates = updates.fields(REPLICAS, &[READ])?;
                let read = CapacityScaling::read(updates.required(READ, REPLICAS)?)?;
                if replicas.insert(name, read).is_some() {
                    return Err(PropertyError::refused(region.span, &rules::DUPLICATE_REGION));
                }
            }
        }
        Ok(Self { read: scaling(READ)?, write: scaling(WRITE)?, replicas })
    }

    pub(super) fn setting(&self) -> Setting {
        let mut entries = Vec::new();
        entries.extend(self.write.map(|write| (WRITE, write.setting())));
        entries.extend(self.read.map(|read| (READ, read.setting())));
        if !self.replicas.is_empty() {
            let region =
                |(name, read): (&String, &CapacityScaling)| (name.clone(), Setting::map([(READ, read.setting())]));
            entries.push((REPLICAS, Setting::map(self.replicas.iter().map(region))));
        }
        Setting::map(entries)
    }
}

impl CapacityScaling {
    /// The settings as a row of `system_schema_mcs.autoscaling` shows them. The form in which the service writes the policy
    /// there is not known.
    #[must_use]
    pub fn to_system_table(self) -> BTreeMap<String, String> {
        self.setting().to_system_table()
    }

    /// Reads the map that [`to_system_table`](Self::to_system_table) returns, and ignores unknown names.
    ///
    /// # Errors
    ///
    /// An entry is missing, or has an unknown value.
    pub fn from_system_table(row: &BTreeMap<String, String>) -> Result<Self, PropertyError> {
        let mut setting = Vec::new();
        for (name, value) in row {
            let value = if value.trim_start().starts_with('{') { super::parsed(value)? } else { Setting::text(value) };
            setting.push((name.as_str(), value));
        }
        Self::read(&Setting::map(setting).ignoring_unknown())
    }

    fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let known = ["autoscaling_disabled", "minimum_units", "maximum_units", "scaling_policy"];
        let fields = setting.fields(NAME, &known)?;
        if let Some(disabled) = fields.get("autoscaling_disabled")
            && disabled.is_true("autoscaling_disabled")?
        {
            return Ok(Self::Disabled);
        }
        let minimum = units(fields.required("minimum_units", NAME)?, "minimum_units")?;
        let maximum = fields.required("maximum_units", NAME)?;
        let most = units(maximum, "maximum_units")?;
        if most < minimum {
            return Err(PropertyError::refused(maximum.span, &rules::AUTO_SCALING));
        }
        let policy = fields.required("scaling_policy", NAME)?.fields("scaling_policy", &[TRACKING])?;
        let known = ["target_value", "scale_in_cooldown", "scale_out_cooldown", "disable_scale_in"];
        let tracking = policy.required(TRACKING, NAME)?.fields(TRACKING, &known)?;
        let target_setting = tracking.required("target_value", NAME)?;
        let target: f64 = target_setting.word(NAME)?.parse().unwrap_or(f64::NAN);
        if !(20.0..=90.0).contains(&target) {
            return Err(PropertyError::refused(target_setting.span, &rules::AUTO_SCALING));
        }
        let seconds = |name| {
            let Some(setting) = tracking.get(name) else { return Ok(None) };
            let seconds = u32::try_from(setting.units(name)?);
            seconds.map(Some).map_err(|_| PropertyError::refused(setting.span, &rules::AUTO_SCALING))
        };
        Ok(Self::Target(TargetTracking {
            minimum,
            maximum: most,
            target,
            scale_in_cooldown: seconds("scale_in_cooldown")?,
            scale_out_cooldown: seconds("scale_out_cooldown")?,
            disable_scale_in: match tracking.get("disable_scale_in") {
                Some(disabled) => disabled.is_true("disable_scale_in")?,
                None => false,
            },
        }))
    }

    fn setting(&self) -> Setting {
        let Self::Target(tracking) = self else {
            return Setting::map([("autoscaling_disabled", Setting::unquoted(true))]);
        };
        let mut policy = vec![("target_value", Setting::unquoted(tracking.target))];
        policy.extend(tracking.scale_in_cooldown.map(|seconds| ("scale_in_cooldown", Setting::unquoted(seconds))));
        policy.extend(tracking.scale_out_cooldown.map(|seconds| ("scale_out_cooldown", Setting::unquoted(seconds))));
        policy.push(("disable_scale_in", Setting::unquoted(tracking.disable_scale_in)));
        Setting::map([
            ("autoscaling_disabled", Setting::unquoted(false)),
            ("minimum_units", Setting::unquoted(tracking.minimum)),
            ("maximum_units", Setting::unquoted(tracking.maximum)),
            ("scaling_policy", Setting::map([(TRACKING, Setting::map(policy))])),
        ])
    }
}

const NAME: &str = "autoscaling_settings";
const READ: &str = "provisioned_read_capacity_autoscaling_update";
const WRITE: &str = "provisioned_write_capacity_autoscaling_update";
const REPLICAS: &str = "replica_updates";
const TRACKING: &str = "target_tracking_scaling_policy_configuration";

/// The capacity mode to set. The current units are kept if auto scaling is on before and after the change, and if they are
/// within the bounds after it.
pub(super) fn within_bounds(
    current: CapacityMode,
    desired: CapacityMode,
    from: &TableOptions,
    to: &TableOptions,
) -> CapacityMode {
    let (CapacityMode::Provisioned { read, write }, CapacityMode::Provisioned { read: reads, write: writes }) =
        (current, desired)
    else {
        return desired;
    };
    let before = from.auto_scaling.clone().unwrap_or_default();
    let after = to.auto_scaling.clone().unwrap_or_default().or_previous(Some(before.clone()));
    let moved = |current: u32, desired: u32, before, after| match (before, after) {
        (Some(CapacityScaling::Target(_)), Some(CapacityScaling::Target(bounds)))
            if (bounds.minimum..=bounds.maximum).contains(&current) =>
        {
            current
        }
        _ => desired,
    };
    CapacityMode::Provisioned {
        read: moved(read, reads, before.read, after.read),
        write: moved(write, writes, before.write, after.write),
    }
}
