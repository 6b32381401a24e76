//! The settings of a table: the shapes of the API, and their conversion to table options of the model, as CQL has them.

use keyspaces_cql::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, ClientSideTimestamps, Encryption, PointInTimeRecovery,
    ReplicaCapacity, StreamTags, TableOptions, TableProperty, TargetTracking, Ttl, WarmThroughput, rules,
};
use serde::{Deserialize, Serialize};

use super::super::constraint::Constraints;
use super::super::error::ApiError;
use super::super::protocol::{Number, Timestamp};
use super::constraints;
use super::tag::{self, Tag};
use crate::protocol::refused_by;
use crate::saturated::saturated;

/// The status of a setting that is on or off.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SettingStatus {
    pub(super) status: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CapacitySpecification {
    pub(super) throughput_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_capacity_units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) write_capacity_units: Option<i64>,
    /// In answers only.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) last_update_to_pay_per_request_timestamp: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EncryptionSpecification {
    #[serde(rename = "type")]
    pub(super) encryption_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kms_key_identifier: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CdcSpecification {
    status: Option<String>,
    view_type: Option<String>,
    tags: Option<Vec<Tag>>,
    propagate_tags: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WarmThroughputSpecification {
    read_units_per_second: Option<i64>,
    write_units_per_second: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AutoScalingSpecification {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) write_capacity_auto_scaling: Option<AutoScalingSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_capacity_auto_scaling: Option<AutoScalingSettings>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AutoScalingSettings {
    auto_scaling_disabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_policy: Option<TableScalingPolicy>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct TableScalingPolicy {
    target_tracking_scaling_policy_configuration: Option<TargetTrackingConfiguration>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetTrackingConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_scale_in: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale_in_cooldown: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale_out_cooldown: Option<i64>,
    target_value: Option<Number>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicaSpecification {
    region: Option<String>,
    read_capacity_units: Option<i64>,
    read_capacity_auto_scaling: Option<AutoScalingSettings>,
}

/// The settings that a request may name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TableSettings<'a> {
    pub(super) capacity: Option<&'a CapacitySpecification>,
    pub(super) encryption: Option<&'a EncryptionSpecification>,
    pub(super) recovery: Option<&'a SettingStatus>,
    pub(super) ttl: Option<&'a SettingStatus>,
    pub(super) default_ttl: Option<&'a i64>,
    pub(super) timestamps: Option<&'a SettingStatus>,
    pub(super) auto_scaling: Option<&'a AutoScalingSpecification>,
    pub(super) replicas: Option<&'a [ReplicaSpecification]>,
    pub(super) cdc: Option<&'a CdcSpecification>,
    pub(super) warm_throughput: Option<&'a WarmThroughputSpecification>,
}

/// Checks a setting that can only be turned on.
pub(super) fn enabled(constraints: &mut Constraints, path: &str, status: Option<&SettingStatus>) {
    if let Some(SettingStatus { status }) = status {
        constraints::one_of(constraints, &format!("{path}.status"), status.as_ref(), &["ENABLED"]);
    }
}

impl TableSettings<'_> {
    /// The names of the members end with `suffix`, which is not empty for the overrides of a restore.
    pub(super) fn constrain(&self, constraints: &mut Constraints, suffix: &str) {
        if let Some(capacity) = self.capacity {
            let path = |name: &str| format!("capacitySpecification{suffix}.{name}");
            let modes = ["PAY_PER_REQUEST", "PROVISIONED"];
            constraints::one_of(constraints, &path("throughputMode"), capacity.throughput_mode.as_ref(), &modes);
            constraints::units(constraints, &path("readCapacityUnits"), capacity.read_capacity_units.as_ref());
            constraints::units(constraints, &path("writeCapacityUnits"), capacity.write_capacity_units.as_ref());
        }
        if let Some(encryption) = self.encryption {
            let path = |name: &str| format!("encryptionSpecification{suffix}.{name}");
            let types = ["CUSTOMER_MANAGED_KMS_KEY", "AWS_OWNED_KMS_KEY"];
            constraints::one_of(constraints, &path("type"), encryption.encryption_type.as_ref(), &types);
            let key = encryption.kms_key_identifier.as_deref();
            constraints.member(&path("kmsKeyIdentifier"), key).length(1..=5096);
        }
        if let Some(SettingStatus { status }) = self.recovery {
            let path = format!("pointInTimeRecovery{suffix}.status");
            constraints::one_of(constraints, &path, status.as_ref(), &["ENABLED", "DISABLED"]);
        }
        enabled(constraints, "ttl", self.ttl);
        constraints.member("defaultTimeToLive", self.default_ttl).range(0..=630_720_000);
        enabled(constraints, "clientSideTimestamps", self.timestamps);
        if let Some(AutoScalingSpecification { write_capacity_auto_scaling, read_capacity_auto_scaling }) =
            self.auto_scaling
        {
            let path = "autoScalingSpecification";
            constrain_scaling(constraints, &format!("{path}.writeCapacityAutoScaling"), write_capacity_auto_scaling);
            constrain_scaling(constraints, &format!("{path}.readCapacityAutoScaling"), read_capacity_auto_scaling);
        }
        constraints.member("replicaSpecifications", self.replicas).count(1..=usize::MAX);
        for (index, replica) in self.replicas.unwrap_or_default().iter().enumerate() {
            let path = |name: &str| format!("replicaSpecifications.{}.member.{name}", index + 1);
            constraints.member(&path("region"), replica.region.as_deref()).required().length(2..=25);
            constraints::units(constraints, &path("readCapacityUnits"), replica.read_capacity_units.as_ref());
            constrain_scaling(constraints, &path("readCapacityAutoScaling"), &replica.read_capacity_auto_scaling);
        }
        if let Some(cdc) = self.cdc {
            let path = |name: &str| format!("cdcSpecification.{name}");
            let statuses = ["ENABLED", "ENABLING", "DISABLED", "DISABLING"];
            constraints::one_of(constraints, &path("status"), cdc.status.as_ref(), &statuses);
            let views = CdcView::ALL.map(CdcView::name);
            constraints.member(&path("viewType"), cdc.view_type.as_deref()).one_of(&views);
            tag::constrain(constraints, &path("tags"), cdc.tags.as_deref(), false);
            constraints.member(&path("propagateTags"), cdc.propagate_tags.as_deref()).one_of(&["TABLE", "NONE"]);
        }
        if let Some(warm) = self.warm_throughput {
            let path = |name: &str| format!("warmThroughputSpecification.{name}");
            constraints::units(constraints, &path("readUnitsPerSecond"), warm.read_units_per_second.as_ref());
            constraints::units(constraints, &path("writeUnitsPerSecond"), warm.write_units_per_second.as_ref());
        }
    }

    /// The settings as table options of the model. The rules check them where they check the options of CQL.
    pub(super) fn options(&self) -> Result<TableOptions, ApiError> {
        let mut options = TableOptions::default();
        if let Some(capacity) = self.capacity {
            options = options.and(capacity.mode()?);
        }
        if let Some(encryption) = self.encryption {
            options = options.and(encryption.key());
        }
        if let Some(SettingStatus { status }) = self.recovery {
            options = options.and(match status.as_deref() {
                Some("ENABLED") => PointInTimeRecovery::Enabled,
                _ => PointInTimeRecovery::Disabled,
            });
        }
        if self.ttl.is_some() {
            options = options.and(Ttl::Enabled);
        }
        if let Some(seconds) = self.default_ttl {
            options = options.and(TableProperty::DefaultTimeToLive(count(*seconds)));
        }
        if self.timestamps.is_some() {
            options = options.and(ClientSideTimestamps::Enabled);
        }
        if let Some(warm) = self.warm_throughput {
            let (read, write) = (warm.read_units_per_second.map(count), warm.write_units_per_second.map(count));
            if read.or(write).is_none() {
                return Err(ApiError::not_emulated("warm_throughput without units"));
            }
            options = options.and(WarmThroughput { read, write });
        }
        if let Some(cdc) = self.cdc {
            options = cdc.add_to(options)?;
        }
        self.with_scaling(options)
    }

    fn with_scaling(&self, mut options: TableOptions) -> Result<TableOptions, ApiError> {
        let (mut units, mut scaling) = (ReplicaCapacity::new(), AutoScaling::default());
        if let Some(specification) = self.auto_scaling {
            let read = |settings: &Option<AutoScalingSettings>| {
                settings.as_ref().map(AutoScalingSettings::scaling).transpose()
            };
            scaling.read = read(&specification.read_capacity_auto_scaling)?;
            scaling.write = read(&specification.write_capacity_auto_scaling)?;
        }
        let twice = || ApiError::validation(refused_by(&rules::DUPLICATE_REGION).text);
        let mut regions = std::collections::BTreeSet::new();
        for replica in self.replicas.unwrap_or_default() {
            let region = replica.region.clone().unwrap_or_default();
            if !regions.insert(region.clone()) {
                return Err(twice());
            }
            units.extend(replica.read_capacity_units.map(|read| (region.clone(), count(read))));
            if let Some(read) = &replica.read_capacity_auto_scaling {
                scaling.replicas.insert(region, read.scaling()?);
            }
        }
        if !units.is_empty() {
            options = options.and(TableProperty::ReplicaCapacity(units));
        }
        if scaling != AutoScaling::default() {
            options = options.and(scaling);
        }
        Ok(options)
    }
}

impl CapacitySpecification {
    pub(super) fn mode(&self) -> Result<CapacityMode, ApiError> {
        match (self.throughput_mode.as_deref(), self.read_capacity_units, self.write_capacity_units) {
            (Some("PROVISIONED"), Some(read), Some(write)) => {
                Ok(CapacityMode::Provisioned { read: count(read), write: count(write) })
            }
            (Some("PROVISIONED"), ..) => Err(ApiError::validation(refused_by(&rules::PROVISIONED_WITHOUT_UNITS).text)),
            _ => Ok(CapacityMode::OnDemand),
        }
    }

    pub(super) fn from_mode(mode: CapacityMode, on_demand_since: u64) -> Self {
        match mode {
            CapacityMode::OnDemand => Self {
                throughput_mode: Some("PAY_PER_REQUEST".to_owned()),
                read_capacity_units: None,
                write_capacity_units: None,
                last_update_to_pay_per_request_timestamp: Some(Timestamp::from_millis(on_demand_since)),
            },
            CapacityMode::Provisioned { read, write } => Self {
                throughput_mode: Some("PROVISIONED".to_owned()),
                read_capacity_units: Some(read.into()),
                write_capacity_units: Some(write.into()),
                last_update_to_pay_per_request_timestamp: None,
            },
        }
    }
}

impl EncryptionSpecification {
    fn key(&self) -> Encryption {
        match self.encryption_type.as_deref() {
            // Without a key the identifier is empty, which the rules refuse.
            Some("CUSTOMER_MANAGED_KMS_KEY") => {
                Encryption::CustomerManagedKey(self.kms_key_identifier.clone().unwrap_or_default())
            }
            _ => Encryption::AwsOwnedKey,
        }
    }

    pub(super) fn from_encryption(encryption: &Encryption) -> Self {
        let (encryption_type, key) = match encryption {
            Encryption::AwsOwnedKey => ("AWS_OWNED_KMS_KEY", None),
            Encryption::CustomerManagedKey(key) => ("CUSTOMER_MANAGED_KMS_KEY", Some(key.clone())),
        };
        Self { encryption_type: Some(encryption_type.to_owned()), kms_key_identifier: key }
    }
}

impl CdcSpecification {
    fn add_to(&self, options: TableOptions) -> Result<TableOptions, ApiError> {
        let named = CdcView::ALL.into_iter().find(|view| self.view_type.as_deref() == Some(view.name()));
        let mut options = options.and(match self.status.as_deref() {
            Some("ENABLED" | "ENABLING") => Cdc::On(named.unwrap_or_default()),
            _ => Cdc::Off,
        });
        match (self.propagate_tags.as_deref(), &self.tags) {
            (Some("TABLE"), Some(_)) => {
                return Err(ApiError::not_emulated("propagate_tags and tags of one CDC stream"));
            }
            (Some("TABLE"), None) => options = options.and(StreamTags::SameAsTable),
            (_, Some(tags)) => options = options.and(StreamTags::Own(tag::tags(tags.clone()))),
            (_, None) => {}
        }
        Ok(options)
    }
}

impl AutoScalingSettings {
    fn scaling(&self) -> Result<CapacityScaling, ApiError> {
        if self.auto_scaling_disabled == Some(true) {
            return Ok(CapacityScaling::Disabled);
        }
        // The same text as for CQL.
        let missing = |name: &str| ApiError::not_emulated(format_args!("autoscaling_settings without {name}"));
        let policy = self.scaling_policy.as_ref().ok_or_else(|| missing("scaling_policy"))?;
        let tracking = policy.target_tracking_scaling_policy_configuration.as_ref();
        let tracking = tracking.ok_or_else(|| missing("target_tracking_scaling_policy_configuration"))?;
        let Number(target) = tracking.target_value.ok_or_else(|| missing("target_value"))?;
        Ok(CapacityScaling::Target(TargetTracking {
            minimum: count(self.minimum_units.ok_or_else(|| missing("minimum_units"))?),
            maximum: count(self.maximum_units.ok_or_else(|| missing("maximum_units"))?),
            target,
            scale_in_cooldown: tracking.scale_in_cooldown.map(count),
            scale_out_cooldown: tracking.scale_out_cooldown.map(count),
            disable_scale_in: tracking.disable_scale_in.unwrap_or_default(),
        }))
    }

    pub(super) fn from_scaling(scaling: &CapacityScaling) -> Self {
        let CapacityScaling::Target(tracking) = scaling else {
            let (minimum_units, maximum_units, scaling_policy) = (None, None, None);
            return Self { auto_scaling_disabled: Some(true), minimum_units, maximum_units, scaling_policy };
        };
        let configuration = TargetTrackingConfiguration {
            disable_scale_in: Some(tracking.disable_scale_in),
            // A cooldown is 0 by default (API:TargetTrackingScalingPolicyConfiguration).
            scale_in_cooldown: Some(tracking.scale_in_cooldown.unwrap_or_default().into()),
            scale_out_cooldown: Some(tracking.scale_out_cooldown.unwrap_or_default().into()),
            target_value: Some(Number(tracking.target)),
        };
        let policy = TableScalingPolicy { target_tracking_scaling_policy_configuration: Some(configuration) };
        Self {
            auto_scaling_disabled: Some(false),
            minimum_units: Some(tracking.minimum.into()),
            maximum_units: Some(tracking.maximum.into()),
            scaling_policy: Some(policy),
        }
    }
}

fn constrain_scaling(constraints: &mut Constraints, path: &str, settings: &Option<AutoScalingSettings>) {
    let Some(settings) = settings else { return };
    constraints::units(constraints, &format!("{path}.minimumUnits"), settings.minimum_units.as_ref());
    constraints::units(constraints, &format!("{path}.maximumUnits"), settings.maximum_units.as_ref());
    let policy = settings.scaling_policy.as_ref();
    if let Some(tracking) = policy.and_then(|policy| policy.target_tracking_scaling_policy_configuration.as_ref()) {
        let path = format!("{path}.scalingPolicy.targetTrackingScalingPolicyConfiguration.targetValue");
        constraints.member(&path, tracking.target_value.as_ref()).required();
    }
}

/// The number as `u32`. A number out of its range becomes one that the quotas refuse.
fn count(units: i64) -> u32 {
    saturated::<u32>(units.max(0))
}
