//! Which operation of which service a request asks for, and in which protocol.

use super::error::ApiError;
use super::protocol::{JsonVersion, Protocol};
use super::{iam, keyspaces, monitoring};

/// A service of the control plane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    Keyspaces,
    Iam,
    ApplicationAutoScaling,
    CloudWatch,
}

/// An operation, and how it is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    pub(crate) protocol: Protocol,
    pub(crate) service: Service,
    pub(crate) operation: String,
}

/// What of a request decides its route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) target: Option<&'a str>,
    pub(crate) smithy_protocol: Option<&'a str>,
    pub(crate) content_type: Option<&'a str>,
}

impl Service {
    /// The name of the service that a signature is for.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::Keyspaces => "cassandra",
            Self::Iam => "iam",
            Self::ApplicationAutoScaling => "application-autoscaling",
            Self::CloudWatch => "monitoring",
        }
    }

    /// What its actions in policies begin with.
    pub(crate) fn action_prefix(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            service => service.signing_name(),
        }
    }

    /// The name of the service in `X-Amz-Target` and in the path.
    fn of_target(name: &str) -> Option<Self> {
        match name {
            "KeyspacesService" => Some(Self::Keyspaces),
            "AnyScaleFrontendService" => Some(Self::ApplicationAutoScaling),
            "GraniteServiceVersion20100801" => Some(Self::CloudWatch),
            _ => None,
        }
    }
}

impl Head<'_> {
    /// The protocol that an error is answered in.
    pub(crate) fn protocol(&self) -> Protocol {
        if self.smithy_protocol.is_some() || self.path.starts_with("/service/") {
            Protocol::Cbor
        } else if self.target.is_none() && self.is_of_type("application/x-www-form-urlencoded") {
            Protocol::Query
        } else if self.is_of_type("application/x-amz-json-1.1") {
            Protocol::Json(JsonVersion::V1_1)
        } else {
            Protocol::Json(JsonVersion::V1_0)
        }
    }

    /// # Errors
    ///
    /// An UnknownOperationException where no such operation is, a MalformedHttpRequestException where two protocols are mixed
    /// or one is not kept to.
    pub(crate) fn route(&self, body: &[u8]) -> Result<Route, ApiError> {
        let protocol = self.protocol();
        if self.method != "POST" && !(protocol == Protocol::Query && self.method == "GET") {
            return Err(ApiError::unknown_operation(format_args!("there is nothing for {}", self.method)));
        }
        let (service, operation) = match protocol {
            Protocol::Cbor => self.cbor()?,
            Protocol::Json(_) => self.json()?,
            Protocol::Query => query(body)?,
        };
        let is_known = match service {
            Service::Keyspaces => keyspaces::action(&operation).is_some(),
            Service::Iam => iam::has(&operation),
            Service::ApplicationAutoScaling => super::autoscaling::has(&operation),
            Service::CloudWatch => monitoring::has(&operation),
        };
        if !is_known {
            let operation: String = operation.chars().take(64).collect();
            return Err(match service {
                Service::Iam => ApiError::new(
                    "UnknownOperationException",
                    format!("Could not find operation {operation} for version {}", iam::VERSION),
                ),
                _ => ApiError::unknown_operation(format_args!("{service:?} has no operation {operation:?}")),
            });
        }
        Ok(Route { protocol, service, operation })
    }

    /// Smithy's specification wants the four last segments of the path, the protocol in a header, no target, and CBOR.
    fn cbor(&self) -> Result<(Service, String), ApiError> {
        if self.target.is_some() {
            return Err(ApiError::malformed_request("a request in CBOR has no X-Amz-Target header"));
        }
        if self.smithy_protocol != Some("rpc-v2-cbor") {
            return Err(ApiError::malformed_request("a request in CBOR has the header smithy-protocol: rpc-v2-cbor"));
        }
        if !self.is_of_type("application/cbor") {
            return Err(ApiError::malformed_request("a request in CBOR has the content type application/cbor"));
        }
        let mut segments = self.path.rsplit('/');
        let [operation, is_operation, service, is_service] = [(); 4].map(|()| segments.next().unwrap_or_default());
        let name = service.rsplit('.').next().unwrap_or_default();
        match Service::of_target(name) {
            Some(service @ (Service::Keyspaces | Service::CloudWatch))
                if is_service == "service" && is_operation == "operation" =>
            {
                Ok((service, operation.to_owned()))
            }
            _ => Err(ApiError::unknown_operation("the path names no service that is here in CBOR")),
        }
    }

    fn json(&self) -> Result<(Service, String), ApiError> {
        let target = self.target.ok_or_else(|| {
            ApiError::unknown_operation(
                "the request names no operation: it has neither X-Amz-Target nor a path of CBOR",
            )
        })?;
        if self.path != "/" {
            return Err(ApiError::unknown_operation("a request in JSON has the path /"));
        }
        let target_of =
            target.split_once('.').and_then(|(name, operation)| Some((Service::of_target(name)?, operation)));
        let (service, operation) = target_of.ok_or_else(|| {
            ApiError::unknown_operation("X-Amz-Target names no service that is here, as KeyspacesService is")
        })?;
        let expected = match service {
            Service::ApplicationAutoScaling => "application/x-amz-json-1.1",
            _ => "application/x-amz-json-1.0",
        };
        if !self.is_of_type(expected) {
            return Err(ApiError::malformed_request(format_args!("the content type of {service:?} is {expected}")));
        }
        Ok((service, operation.to_owned()))
    }

    /// Whatever the content type's parameters are.
    fn is_of_type(&self, expected: &str) -> bool {
        let content_type = self.content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        content_type.trim().eq_ignore_ascii_case(expected)
    }
}

/// The operation that a form asks for.
pub(super) fn action(form: &[u8]) -> Option<String> {
    member(form, "Action")
}

/// IAM is the one service here that takes forms.
fn query(form: &[u8]) -> Result<(Service, String), ApiError> {
    let action = action(form)
        .ok_or_else(|| ApiError::new("MissingAction", "The request is missing an action or a required parameter."))?;
    match member(form, "Version") {
        Some(version) if version == iam::VERSION => Ok((Service::Iam, action)),
        _ => Err(ApiError::new(
            "UnknownOperationException",
            format!("keyspaces-local: not emulated: forms of another Version than IAM's, {}", iam::VERSION),
        )),
    }
}

fn member(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(member, _)| member == name).map(|(_, value)| value.into_owned())
}
