//! The AWS services that belong to a keyspace, over HTTP: the Amazon Keyspaces API, IAM's service-specific credentials,
//! the read operations of Application Auto Scaling, and CloudWatch's metrics and alarms for the gateway's counts.

mod autoscaling;
mod constraint;
mod dispatch;
pub(crate) mod error;
mod iam;
pub(crate) mod keyspaces;
pub(crate) mod monitoring;
pub(crate) mod protocol;
mod route;
mod server;
mod state;

pub(crate) use server::{ControlPlane, ControlPlaneSettings, Limits};
pub(crate) use state::ControlPlaneState;
