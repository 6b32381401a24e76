//! Application Auto Scaling: the read operations, which show the auto scaling of tables (API version 2016-02-06).
//!
//! On the service, a table's `autoScalingSpecification` creates scalable targets and policies; here they are derived
//! from the table's settings. Operations that would change them are refused: only the settings of the table change
//! them.

use std::collections::BTreeSet;

use keyspaces_cql::{CapacityScaling, TargetTracking};
use serde::{Deserialize, Serialize};

use super::constraint::Constraints;
use super::error::ApiError;
use super::protocol::{Input, Output, Timestamp};
use super::state::ControlPlaneState;
use crate::names::{ObjectKind, SchemaObject};
use crate::schema::ObjectStatus;

const READ: [&str; 4] =
    ["DescribeScalableTargets", "DescribeScalingActivities", "DescribeScalingPolicies", "DescribeScheduledActions"];

const NOT_EMULATED: [&str; 10] = [
    "DeleteScalingPolicy",
    "DeleteScheduledAction",
    "DeregisterScalableTarget",
    "GetPredictiveScalingForecast",
    "ListTagsForResource",
    "PutScalingPolicy",
    "PutScheduledAction",
    "RegisterScalableTarget",
    "TagResource",
    "UntagResource",
];

/// Whether the service has this operation.
pub(crate) fn has_operation(operation: &str) -> bool {
    READ.contains(&operation) || NOT_EMULATED.contains(&operation)
}

/// The filters of the four operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    service_namespace: Option<String>,
    resource_ids: Option<Vec<String>>,
    resource_id: Option<String>,
    scalable_dimension: Option<String>,
    policy_names: Option<Vec<String>>,
    max_results: Option<i32>,
    next_token: Option<String>,
}

/// The read or write capacity of a table with auto scaling.
struct Scaled {
    table: SchemaObject,
    dimension: ScalableDimension,
    tracking: TargetTracking,
    created: Timestamp,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ScalableDimension {
    Read,
    Write,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScalableTarget {
    service_namespace: &'static str,
    resource_id: String,
    scalable_dimension: &'static str,
    min_capacity: u32,
    max_capacity: u32,
    #[serde(rename = "RoleARN")]
    role_arn: String,
    creation_time: Timestamp,
    suspended_state: SuspendedState,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SuspendedState {
    dynamic_scaling_in_suspended: bool,
    dynamic_scaling_out_suspended: bool,
    scheduled_scaling_suspended: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingPolicy {
    #[serde(rename = "PolicyARN")]
    policy_arn: String,
    policy_name: String,
    service_namespace: &'static str,
    resource_id: String,
    scalable_dimension: &'static str,
    policy_type: &'static str,
    target_tracking_scaling_policy_configuration: Configuration,
    alarms: [(); 0],
    creation_time: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    target_value: f64,
    predefined_metric_specification: PredefinedMetric,
    scale_out_cooldown: u32,
    scale_in_cooldown: u32,
    disable_scale_in: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PredefinedMetric {
    predefined_metric_type: &'static str,
}

/// The output of each operation: one list, and a token if there are more pages.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingPage {
    #[serde(skip_serializing_if = "Option::is_none")]
    scalable_targets: Option<Vec<ScalableTarget>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_policies: Option<Vec<ScalingPolicy>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_activities: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_actions: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Executes an operation that [`has_operation`] knows.
pub(crate) async fn answer(
    state: &ControlPlaneState,
    account: &str,
    operation: &str,
    input: Input<'_>,
) -> Result<Output, ApiError> {
    if !READ.contains(&operation) {
        return Err(ApiError::not_emulated(format_args!(
            "{operation} of Application Auto Scaling; a table's own autoScalingSpecification does it (API:UpdateTable)"
        )));
    }
    let filter: Filter = input.decode()?;
    filter.check()?;
    if filter.service_namespace.as_deref() != Some("cassandra") {
        return Ok(Output::new(ScalingPage::new(operation, Vec::new(), Vec::new(), None)));
    }
    let gateway = state.gateway();
    gateway.apply_due_changes().await.map_err(|failed| ApiError::internal(format!("keyspaces-local: {failed}")))?;
    let schema = gateway.schema();
    let mut scaled: Vec<Scaled> = Vec::new();
    for (keyspace, _) in schema.visible_keyspaces() {
        for table in schema.visible_objects(&keyspace.keyspace, ObjectKind::Table) {
            let Some(entry) = schema.visible_entry(&table).filter(|entry| entry.status != ObjectStatus::Deleting)
            else {
                continue;
            };
            let Some(scaling) = &entry.options.auto_scaling else { continue };
            let created = Timestamp::from_millis(entry.created);
            for (dimension, scaling) in
                [(ScalableDimension::Read, scaling.read), (ScalableDimension::Write, scaling.write)]
            {
                if let Some(CapacityScaling::Target(tracking)) = scaling {
                    scaled.push(Scaled { table: table.clone(), dimension, tracking, created });
                }
            }
        }
    }
    scaled.retain(|scaled| filter.matches(scaled));
    let (page, next_token) = filter.page(scaled)?;
    let (region, account) = (state.region(), account);
    let targets = page.iter().map(|scaled| scaled.target(account)).collect();
    let policies = page.iter().map(|scaled| scaled.policy(region, account)).collect();
    Ok(Output::new(ScalingPage::new(operation, targets, policies, next_token)))
}

impl ScalingPage {
    fn new(
        operation: &str,
        targets: Vec<ScalableTarget>,
        policies: Vec<ScalingPolicy>,
        next_token: Option<String>,
    ) -> Self {
        match operation {
            "DescribeScalableTargets" => Self { scalable_targets: Some(targets), next_token, ..Self::default() },
            "DescribeScalingPolicies" => Self { scaling_policies: Some(policies), next_token, ..Self::default() },
            "DescribeScalingActivities" => Self { scaling_activities: Some([]), ..Self::default() },
            _ => Self { scheduled_actions: Some([]), ..Self::default() },
        }
    }
}

impl Filter {
    fn check(&self) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints.member("serviceNamespace", self.service_namespace.as_deref()).required().length(1..=64);
        constraints.member("resourceIds", self.resource_ids.as_deref()).count(0..=50);
        constraints.member("policyNames", self.policy_names.as_deref()).count(0..=50);
        // The greatest maximum of the four operations (API:DescribeScalableTargets).
        constraints.member("maxResults", self.max_results.as_ref()).range(1..=50);
        constraints.check()?;
        if self.scalable_dimension.is_some() && self.resource_ids.is_none() && self.resource_id.is_none() {
            return Err(ApiError::validation(
                "keyspaces-local: a ScalableDimension needs a resource id (the service's message is not known)",
            ));
        }
        Ok(())
    }

    fn matches(&self, scaled: &Scaled) -> bool {
        let resource = scaled.resource_id();
        let ids: BTreeSet<&str> =
            self.resource_ids.iter().flatten().chain(&self.resource_id).map(String::as_str).collect();
        (ids.is_empty() || ids.contains(resource.as_str()))
            && self.scalable_dimension.as_deref().is_none_or(|dimension| dimension == scaled.dimension.name())
            && self.policy_names.as_ref().is_none_or(|names| names.is_empty() || names.contains(&scaled.policy_name()))
    }

    /// A token is the number of the first entry of its page.
    fn page(&self, mut scaled: Vec<Scaled>) -> Result<(Vec<Scaled>, Option<String>), ApiError> {
        let from = match &self.next_token {
            None => 0,
            Some(token) => token.parse::<usize>().ok().filter(|from| *from <= scaled.len()).ok_or_else(|| {
                ApiError::new(
                    "InvalidNextTokenException",
                    "keyspaces-local: the token was not returned by this operation (the service's message is not known)",
                )
            })?,
        };
        let limit = self.max_results.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50);
        let next = (scaled.len() - from > limit).then(|| (from + limit).to_string());
        let page = scaled.drain(from..).take(limit).collect();
        Ok((page, next))
    }
}

impl Scaled {
    fn resource_id(&self) -> String {
        format!("keyspace/{}/table/{}", self.table.keyspace, self.table.name)
    }

    /// The name of the policy. The name that the service would give it is not known.
    fn policy_name(&self) -> String {
        let direction = match self.dimension {
            ScalableDimension::Read => "ReadCapacityUnits",
            ScalableDimension::Write => "WriteCapacityUnits",
        };
        format!("{}/{direction}", self.resource_id())
    }

    fn target(&self, account: &str) -> ScalableTarget {
        ScalableTarget {
            service_namespace: "cassandra",
            resource_id: self.resource_id(),
            scalable_dimension: self.dimension.name(),
            min_capacity: self.tracking.minimum,
            max_capacity: self.tracking.maximum,
            role_arn: format!(
                "arn:aws:iam::{account}:role/aws-service-role/cassandra.application-autoscaling.amazonaws.com/\
                 AWSServiceRoleForApplicationAutoScaling_CassandraTable"
            ),
            creation_time: self.created,
            suspended_state: SuspendedState::default(),
        }
    }

    fn policy(&self, region: &str, account: &str) -> ScalingPolicy {
        let (resource_id, policy_name) = (self.resource_id(), self.policy_name());
        ScalingPolicy {
            policy_arn: format!(
                "arn:aws:autoscaling:{region}:{account}:scalingPolicy:keyspaces-local:resource/cassandra/{resource_id}:\
                 policyName/{policy_name}"
            ),
            policy_name,
            service_namespace: "cassandra",
            resource_id,
            scalable_dimension: self.dimension.name(),
            policy_type: "TargetTrackingScaling",
            target_tracking_scaling_policy_configuration: Configuration {
                target_value: self.tracking.target,
                predefined_metric_specification: PredefinedMetric { predefined_metric_type: self.dimension.metric() },
                scale_out_cooldown: self.tracking.scale_out_cooldown.unwrap_or(0),
                scale_in_cooldown: self.tracking.scale_in_cooldown.unwrap_or(0),
                disable_scale_in: self.tracking.disable_scale_in,
            },
            alarms: [],
            creation_time: self.created,
        }
    }
}

impl ScalableDimension {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "cassandra:table:ReadCapacityUnits",
            Self::Write => "cassandra:table:WriteCapacityUnits",
        }
    }

    fn metric(self) -> &'static str {
        match self {
            Self::Read => "CassandraReadCapacityUtilization",
            Self::Write => "CassandraWriteCapacityUtilization",
        }
    }
}
