//! A request from its bytes to its answer: route, signature, permission, operation.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::error::ApiError;
use super::protocol::xml::{Element, escaped};
use super::protocol::{Input, JsonVersion, Output, Protocol};
use super::route::{self, AwsService, RequestHead, Route};
use super::state::ControlPlaneState;
use super::{autoscaling, iam, keyspaces, monitoring};
use crate::auth::http::{CredentialScope, SignedRequest, Unauthenticated, verify_request};

/// A request, read to its end.
#[derive(Debug)]
pub(super) struct HttpRequest {
    pub(super) client: SocketAddr,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The output of an operation, in the form that its protocol writes.
enum OperationAnswer {
    Output(Output),
    Elements(Vec<Element>),
}

impl HttpRequest {
    /// Answers the request. `unreadable` is the error if it could not be read.
    pub(super) async fn answer(
        &self,
        state: &ControlPlaneState,
        unreadable: Option<ApiError>,
    ) -> Response<Full<Bytes>> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let head = self.head();
        let answered = match unreadable {
            Some(error) => Err(error),
            None => self.execute(&head, state).await,
        };
        let protocol = head.protocol();
        let body = answered.and_then(|(route, result)| write(&route, &result, &request_id));
        match body {
            Ok(body) => response(protocol, StatusCode::OK, body, &request_id),
            Err(error) => {
                self.log(&error, &request_id);
                let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let body = error_body(protocol, &error, &request_id);
                let mut response = response(protocol, status, body, &request_id);
                self.add_query_error(&error, &mut response);
                response
            }
        }
    }

    /// Adds the error code of the Query protocol, for clients that request it: those of services that once had this
    /// protocol.
    fn add_query_error(&self, error: &ApiError, response: &mut Response<Full<Bytes>>) {
        if self.headers.get("x-amzn-query-mode").is_none_or(|mode| mode != "true") {
            return;
        }
        let side = if error.status() < 500 { "Sender" } else { "Receiver" };
        if let Ok(code) = HeaderValue::from_str(&format!("{};{side}", error.query_code())) {
            response.headers_mut().insert("x-amzn-query-error", code);
        }
    }

    fn head(&self) -> RequestHead<'_> {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        RequestHead {
            method: &self.method,
            path: &self.path,
            target: header("x-amz-target"),
            smithy_protocol: header("smithy-protocol"),
            content_type: header("content-type"),
        }
    }

    async fn execute(
        &self,
        head: &RequestHead<'_>,
        state: &ControlPlaneState,
    ) -> Result<(Route, OperationAnswer), ApiError> {
        let route = head.route(&self.body)?;
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let (method, path, query) = (self.method.as_str(), self.path.as_str(), self.query.as_str());
        let request = SignedRequest { method, path, query, headers: &headers, body: &self.body };
        let regions = match route.service {
            // IAM is global, and signed for us-east-1 by the CLI and SDKs; some clients sign for their own Region if an
            // endpoint is configured.
            AwsService::Iam => vec!["us-east-1", state.region()],
            _ => vec![state.region()],
        };
        let scope = CredentialScope { regions: &regions, service: route.service.signing_name() };
        let principal = verify_request(state.authority(), &request, scope)?;
        let operation = route.operation.as_str();
        if !principal.has_permissions {
            let action = match route.service {
                AwsService::Keyspaces => keyspaces::action(operation).unwrap_or_default().to_owned(),
                service => format!("{}:{operation}", service.action_prefix()),
            };
            let problem = format!(
                "User: {} is not authorized to perform: {action} because no identity-based policy allows the {action} action",
                principal.arn
            );
            return Err(ApiError::access_denied(problem));
        }
        let input = Input::new(route.protocol, &self.body);
        let result = match route.service {
            AwsService::Keyspaces => OperationAnswer::Output(keyspaces::answer(state, operation, input).await?),
            AwsService::ApplicationAutoScaling => {
                OperationAnswer::Output(autoscaling::answer(state, &principal.account, operation, input).await?)
            }
            AwsService::CloudWatch => {
                let (gateway, alarms, region) = (state.gateway(), state.alarms(), state.region());
                let account = &principal.account;
                OperationAnswer::Output(monitoring::answer(&gateway, alarms, region, account, operation, input).await?)
            }
            AwsService::Iam => OperationAnswer::Elements(iam::answer(state, &principal, operation, input).await?),
        };
        Ok((route, result))
    }

    /// Logs a refused request, as the gateway does for statements.
    fn log(&self, error: &ApiError, request_id: &str) {
        let head = self.head();
        let operation = match head.protocol() {
            Protocol::Query => route::action(&self.body),
            _ => None,
        };
        let operation = operation.unwrap_or_else(|| head.target.unwrap_or(head.path).to_owned());
        let operation: String = operation.chars().take(100).collect();
        let (client, status, reason) = (self.client, error.status(), &error.message);
        tracing::info!(
            target: crate::journal::LOG,
            %client, kind = "HTTP", operation, error = error.name, status, reason, request_id, "refused"
        );
    }
}

impl From<Unauthenticated> for ApiError {
    fn from(unauthenticated: Unauthenticated) -> Self {
        match unauthenticated {
            Unauthenticated::Missing => {
                Self::new("MissingAuthenticationTokenException", "Request is missing Authentication Token")
            }
            Unauthenticated::Incomplete(problem) => Self::new("IncompleteSignatureException", problem),
            Unauthenticated::UnknownClient => {
                Self::new("UnrecognizedClientException", "The security token included in the request is invalid.")
            }
            Unauthenticated::Signature(problem) => Self::new("InvalidSignatureException", problem),
            Unauthenticated::Expired => {
                Self::new("ExpiredTokenException", "The security token included in the request is expired")
            }
        }
    }
}

fn write(route: &Route, result: &OperationAnswer, request_id: &str) -> Result<Vec<u8>, ApiError> {
    match (route.protocol, result) {
        (Protocol::Cbor, OperationAnswer::Output(output)) => output.cbor(),
        (_, OperationAnswer::Output(output)) => output.json(),
        (_, OperationAnswer::Elements(elements)) => Ok(iam_answer(&route.operation, elements, request_id).into_bytes()),
    }
}

fn iam_answer(operation: &str, elements: &[Element], request_id: &str) -> String {
    let mut xml = format!("<{operation}Response xmlns=\"{IAM}\">");
    if !elements.is_empty() {
        xml += &format!("<{operation}Result>");
        elements.iter().for_each(|element| element.write(&mut xml));
        xml += &format!("</{operation}Result>");
    }
    Element::with("ResponseMetadata", [Element::text("RequestId", request_id)]).write(&mut xml);
    xml + &format!("</{operation}Response>")
}

const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The shape of an error: errors of the service are in its own namespace, errors that all services share are in
/// another.
fn shape(name: &str) -> String {
    let namespace = match name {
        "AccessDeniedException"
        | "ConflictException"
        | "InternalServerException"
        | "ResourceNotFoundException"
        | "ServiceQuotaExceededException"
        | "ValidationException" => "com.amazonaws.keyspaces",
        _ => "com.amazon.coral.service",
    };
    format!("{namespace}#{name}")
}

fn error_body(protocol: Protocol, error: &ApiError, request_id: &str) -> Vec<u8> {
    if protocol == Protocol::Query {
        let side = if error.status() < 500 { "Sender" } else { "Receiver" };
        let (code, message) = (error.query_code(), escaped(&error.message));
        let xml = format!(
            "<ErrorResponse xmlns=\"{IAM}\"><Error><Type>{side}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>"
        );
        return xml.into_bytes();
    }
    let name = match protocol {
        Protocol::Json(JsonVersion::V1_1) => error.name.to_owned(),
        _ => shape(error.name),
    };
    let mut body = json!({ "__type": name, "message": error.message });
    if let Some(arn) = &error.resource_arn {
        body["resourceArn"] = arn.as_str().into();
    }
    let body = Output::new(body);
    let written = if protocol == Protocol::Cbor { body.cbor() } else { body.json() };
    written.unwrap_or_default()
}

fn response(protocol: Protocol, status: StatusCode, body: Vec<u8>, request_id: &str) -> Response<Full<Bytes>> {
    let content_type = match protocol {
        Protocol::Json(JsonVersion::V1_0) => "application/x-amz-json-1.0",
        Protocol::Json(JsonVersion::V1_1) => "application/x-amz-json-1.1",
        Protocol::Cbor => "application/cbor",
        Protocol::Query => "text/xml",
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", request_id);
    }
    if protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::captured_log::CapturedLog;

    fn received(path: &str, headers: &[(&'static str, &str)], body: &'static str) -> HttpRequest {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let (client, body) = (([127, 0, 0, 1], 5000).into(), Bytes::from_static(body.as_bytes()));
        HttpRequest { client, method: "POST".to_owned(), path: path.to_owned(), query: String::new(), headers, body }
    }

    #[test]
    fn a_refusal_is_logged_in_one_line_with_its_operation() {
        let log = CapturedLog::default();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let long = format!("/service/KeyspacesService/operation/{}", "x".repeat(1000));
        tracing::subscriber::with_default(log.subscriber(), || {
            let error = ApiError::conflict("it is there");
            received("/", &[("x-amz-target", "KeyspacesService.CreateTable")], "{}").log(&error, "id-1");
            let in_cbor = [("smithy-protocol", "rpc-v2-cbor")];
            received("/service/KeyspacesService/operation/GetTable", &in_cbor, "").log(&error, "id-2");
            received("/", &form, "Action=CreateUser&UserName=a").log(&ApiError::access_denied("no"), "id-3");
            received(&long, &in_cbor, "").log(&error, "id-4");
        });
        let line = |operation: &str, error: &str, request_id: &str| {
            format!(
                " INFO keyspaces_local::client: refused client=127.0.0.1:5000 kind=\"HTTP\" operation=\"{operation}\" {error} \
                 request_id=\"{request_id}\"\n"
            )
        };
        let conflict = "error=\"ConflictException\" status=409 reason=\"it is there\"";
        let expected = [
            line("KeyspacesService.CreateTable", conflict, "id-1"),
            line("/service/KeyspacesService/operation/GetTable", conflict, "id-2"),
            line("CreateUser", "error=\"AccessDeniedException\" status=403 reason=\"no\"", "id-3"),
            line(&long[..100], conflict, "id-4"),
        ];
        assert_eq!(log.text(), expected.concat());
    }
}
