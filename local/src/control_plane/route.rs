//! Routes a request to an operation of a service, and finds its protocol.

use super::error::ApiError;
use super::protocol::{JsonVersion, Protocol};
use super::{iam, keyspaces, monitoring};

/// A service of the control plane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AwsService {
    Keyspaces,
    Iam,
    ApplicationAutoScaling,
    CloudWatch,
}

/// An operation, its service and its protocol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    pub(crate) protocol: Protocol,
    pub(crate) service: AwsService,
    pub(crate) operation: String,
}

/// The parts of a request that decide its route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) target: Option<&'a str>,
    pub(crate) smithy_protocol: Option<&'a str>,
    pub(crate) content_type: Option<&'a str>,
}

impl AwsService {
    /// The name of the service that a signature is for.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::Keyspaces => "cassandra",
            Self::Iam => "iam",
            Self::ApplicationAutoScaling => "application-autoscaling",
            Self::CloudWatch => "monitoring",
        }
    }

    /// The prefix of its actions in IAM policies.
    pub(crate) fn action_prefix(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            service => service.signing_name(),
        }
    }

    /// The name of the service in `X-Amz-Target` and in the path.
    fn from_target(name: &str) -> Option<Self> {
        match name {
            "KeyspacesService" => Some(Self::Keyspaces),
            "AnyScaleFrontendService" => Some(Self::ApplicationAutoScaling),
            "GraniteServiceVersion20100801" => Some(Self::CloudWatch),
            _ => None,
        }
    }
}

impl RequestHead<'_> {
    /// The protocol in which an error is answered.
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
    /// An UnknownOperationException if there is no such operation; a MalformedHttpRequestException if the request mixes
    /// two protocols or breaks its own.
    pub(crate) fn route(&self, body: &[u8]) -> Result<Route, ApiError> {
        let protocol = self.protocol();
        if self.method != "POST" && !(protocol == Protocol::Query && self.method == "GET") {
            return Err(ApiError::unknown_operation(format_args!("the method {} is not supported", self.method)));
        }
        let (service, operation) = match protocol {
            Protocol::Cbor => self.cbor()?,
            Protocol::Json(_) => self.json()?,
            Protocol::Query => query(body)?,
        };
        let is_known = match service {
            AwsService::Keyspaces => keyspaces::action(&operation).is_some(),
            AwsService::Iam => iam::has_operation(&operation),
            AwsService::ApplicationAutoScaling => super::autoscaling::has_operation(&operation),
            AwsService::CloudWatch => monitoring::has_operation(&operation),
        };
        if !is_known {
            let operation: String = operation.chars().take(64).collect();
            return Err(match service {
                AwsService::Iam => ApiError::new(
                    "UnknownOperationException",
                    format!("Could not find operation {operation} for version {}", iam::VERSION),
                ),
                _ => ApiError::unknown_operation(format_args!("{service:?} has no operation {operation:?}")),
            });
        }
        Ok(Route { protocol, service, operation })
    }

    /// Smithy's specification requires the last four segments of the path, the protocol header, CBOR, and no target.
    fn cbor(&self) -> Result<(AwsService, String), ApiError> {
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
        match AwsService::from_target(name) {
            Some(service @ (AwsService::Keyspaces | AwsService::CloudWatch))
                if is_service == "service" && is_operation == "operation" =>
            {
                Ok((service, operation.to_owned()))
            }
            _ => Err(ApiError::unknown_operation("the path names no service that speaks CBOR")),
        }
    }

    fn json(&self) -> Result<(AwsService, String), ApiError> {
        let target = self.target.ok_or_else(|| {
            ApiError::unknown_operation(
                "the request names no operation: it has neither X-Amz-Target nor the path of a CBOR request",
            )
        })?;
        if self.path != "/" {
            return Err(ApiError::unknown_operation("a request in JSON has the path /"));
        }
        let resolved =
            target.split_once('.').and_then(|(name, operation)| Some((AwsService::from_target(name)?, operation)));
        let (service, operation) = resolved.ok_or_else(|| {
            ApiError::unknown_operation("X-Amz-Target names no service of this control plane, as KeyspacesService is")
        })?;
        let expected = match service {
            AwsService::ApplicationAutoScaling => "application/x-amz-json-1.1",
            _ => "application/x-amz-json-1.0",
        };
        if !self.is_of_type(expected) {
            return Err(ApiError::malformed_request(format_args!("the content type of {service:?} is {expected}")));
        }
        Ok((service, operation.to_owned()))
    }

    /// Compares content types without their parameters.
    fn is_of_type(&self, expected: &str) -> bool {
        let content_type = self.content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        content_type.trim().eq_ignore_ascii_case(expected)
    }
}

/// The operation that a form asks for.
pub(super) fn action(form: &[u8]) -> Option<String> {
    member(form, "Action")
}

/// The route of a form. IAM is the only service here that takes forms.
fn query(form: &[u8]) -> Result<(AwsService, String), ApiError> {
    let action = action(form)
        .ok_or_else(|| ApiError::new("MissingAction", "The request is missing an action or a required parameter."))?;
    match member(form, "Version") {
        Some(version) if version == iam::VERSION => Ok((AwsService::Iam, action)),
        _ => Err(ApiError::new(
            "UnknownOperationException",
            format!("keyspaces-local: not emulated: forms of another Version than IAM's, {}", iam::VERSION),
        )),
    }
}

fn member(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(member, _)| member == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::protocol::JsonVersion;
    use super::*;

    /// A request of a service's own clients.
    fn head<'a>(method: &'a str, path: &'a str, headers: &[(&str, &'a str)]) -> RequestHead<'a> {
        let value = |name: &str| headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value);
        RequestHead {
            method,
            path,
            target: value("x-amz-target"),
            smithy_protocol: value("smithy-protocol"),
            content_type: value("content-type"),
        }
    }

    const TARGET: (&str, &str) = ("x-amz-target", "KeyspacesService.GetTable");
    const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
    const CBOR: (&str, &str) = ("content-type", "application/cbor");
    const SMITHY: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    const PATH: &str = "/service/KeyspacesService/operation/GetTable";

    #[test]
    fn each_client_uses_its_own_protocol() {
        let scaling = ("x-amz-target", "AnyScaleFrontendService.DescribeScalableTargets");
        let json_1_1 = ("content-type", "application/x-amz-json-1.1");
        let form = b"Action=ListServiceSpecificCredentials&Version=2010-05-08".as_slice();
        let in_json = |version| Protocol::Json(version);
        for (head, body, service, operation, protocol) in [
            (
                head("POST", "/", &[TARGET, JSON]),
                &b""[..],
                AwsService::Keyspaces,
                "GetTable",
                in_json(JsonVersion::V1_0),
            ),
            (head("POST", PATH, &[SMITHY, CBOR]), b"", AwsService::Keyspaces, "GetTable", Protocol::Cbor),
            // Smithy allows a prefix of the path, and the name of the service with its namespace.
            (
                head(
                    "POST",
                    "/v1/service/com.amazonaws.keyspaces.KeyspacesService/operation/GetTable",
                    &[SMITHY, CBOR],
                ),
                b"",
                AwsService::Keyspaces,
                "GetTable",
                Protocol::Cbor,
            ),
            (
                head("POST", "/", &[scaling, json_1_1]),
                b"",
                AwsService::ApplicationAutoScaling,
                "DescribeScalableTargets",
                in_json(JsonVersion::V1_1),
            ),
            (head("POST", "/", &[FORM]), form, AwsService::Iam, "ListServiceSpecificCredentials", Protocol::Query),
        ] {
            let expected = Route { protocol, service, operation: operation.to_owned() };
            assert_eq!(head.route(body), Ok(expected), "{head:?}");
        }
    }

    #[test]
    fn mixed_protocols_and_unknown_operations_are_refused() {
        let malformed = "MalformedHttpRequestException";
        let unknown = "UnknownOperationException";
        for (head, name, text) in [
            (head("POST", PATH, &[SMITHY, CBOR, TARGET]), malformed, "a request in CBOR has no X-Amz-Target header"),
            (head("POST", "/", &[SMITHY, JSON, TARGET]), malformed, "a request in CBOR has no X-Amz-Target header"),
            (head("POST", PATH, &[CBOR]), malformed, "a request in CBOR has the header smithy-protocol: rpc-v2-cbor"),
            (
                head("POST", PATH, &[("smithy-protocol", "rpc-v2-json"), CBOR]),
                malformed,
                "a request in CBOR has the header smithy-protocol: rpc-v2-cbor",
            ),
            (head("POST", PATH, &[SMITHY, JSON]), malformed, "a request in CBOR has the content type application/cbor"),
            (head("POST", PATH, &[SMITHY]), malformed, "a request in CBOR has the content type application/cbor"),
            (
                head("POST", "/", &[TARGET, CBOR]),
                malformed,
                "the content type of Keyspaces is application/x-amz-json-1.0",
            ),
            (head("POST", "/", &[TARGET]), malformed, "the content type of Keyspaces is application/x-amz-json-1.0"),
            (
                head("POST", "/", &[JSON]),
                unknown,
                "the request names no operation: it has neither X-Amz-Target nor the path of a CBOR request",
            ),
            (head("POST", "/tables", &[TARGET, JSON]), unknown, "a request in JSON has the path /"),
            (head("GET", "/", &[TARGET, JSON]), unknown, "the method GET is not supported"),
            (head("PUT", PATH, &[SMITHY, CBOR]), unknown, "the method PUT is not supported"),
            (
                head("POST", "/service/KeyspacesService/operation/", &[SMITHY, CBOR]),
                unknown,
                "Keyspaces has no operation \"\"",
            ),
            (
                head("POST", "/service/KeyspacesService/GetTable", &[SMITHY, CBOR]),
                unknown,
                "the path names no service that speaks CBOR",
            ),
            (
                head("POST", "/service/AnyScaleFrontendService/operation/DescribeScalableTargets", &[SMITHY, CBOR]),
                unknown,
                "the path names no service that speaks CBOR",
            ),
            (
                head("POST", "/", &[("x-amz-target", "KeyspacesService.getTable"), JSON]),
                unknown,
                "Keyspaces has no operation \"getTable\"",
            ),
            (
                head("POST", "/", &[("x-amz-target", "KeyspacesService"), JSON]),
                unknown,
                "X-Amz-Target names no service of this control plane, as KeyspacesService is",
            ),
        ] {
            let error = head.route(b"").unwrap_err();
            let message = format!("keyspaces-local: {text} (the service's message is not known)");
            assert_eq!((error.name, error.message), (name, message), "{head:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn router_never_panics_on_arbitrary_requests(
            method in "POST|GET|[A-Z]{0,9}",
            path in "/|(/(service|operation|KeyspacesService|GetTable|.{0,9})){0,6}",
            target in proptest::option::of("(KeyspacesService|AnyScaleFrontendService|.{0,9})[.]?(GetTable|.{0,80})"),
            smithy_protocol in proptest::option::of("rpc-v2-cbor|.{0,9}"),
            content_type in proptest::option::of("application/(cbor|x-amz-json-1.[01]|x-www-form-urlencoded)(; ?.{0,9})?|.{0,9}"),
            body in "(Action=.{0,9}|Version=2010-05-08|.{0,9}|&){0,5}",
        ) {
            let (target, smithy_protocol) = (target.as_deref(), smithy_protocol.as_deref());
            let head = RequestHead { method: &method, path: &path, target, smithy_protocol, content_type: content_type.as_deref() };
            if let Err(error) = head.route(body.as_bytes()) {
                proptest::prop_assert!(error.message.len() < 1000, "{error}");
            }
        }
    }
}
