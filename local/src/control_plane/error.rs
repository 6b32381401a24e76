//! Errors of the services of the control plane.

use std::fmt;

/// An error of a service: its name as clients match it, and a message for a person.
///
/// The name is the one of JSON and CBOR (`__type`). IAM's Query protocol has other names for some of them, which
/// [`query_code`](Self::query_code) gives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) name: &'static str,
    pub(crate) message: String,
    /// The ARN of the resource, in a `ResourceNotFoundException`.
    pub(crate) resource_arn: Option<String>,
}

impl ApiError {
    /// An error with any name. The constructors below are for names that are used in several places.
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into(), resource_arn: None }
    }

    /// The input is malformed, or breaks a rule of the service.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// The object exists already, or another change of it is in progress.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new("ConflictException", message)
    }

    /// The keyspace, table or type does not exist.
    pub(crate) fn not_found(message: impl Into<String>, resource_arn: impl Into<String>) -> Self {
        Self { resource_arn: Some(resource_arn.into()), ..Self::new("ResourceNotFoundException", message) }
    }

    /// The request would exceed a quota of the account, or of the keyspace or table.
    pub(crate) fn service_quota_exceeded(message: impl Into<String>) -> Self {
        Self::new("ServiceQuotaExceededException", message)
    }

    /// This service failed: the backing Cassandra cannot be reached, for instance.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalServerException", message)
    }

    /// The principal lacks a permission.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self::new("AccessDeniedException", message)
    }

    /// The body is not JSON or CBOR, or a member has another type than in the model.
    pub(crate) fn serialization(problem: impl fmt::Display) -> Self {
        let message = format!("keyspaces-local: {problem} (the service's message is not known)");
        Self::new("SerializationException", message)
    }

    /// The request names no operation of the service.
    pub(crate) fn unknown_operation(problem: impl fmt::Display) -> Self {
        let message = format!("keyspaces-local: {problem} (the service's message is not known)");
        Self::new("UnknownOperationException", message)
    }

    /// The HTTP request breaks its protocol.
    pub(crate) fn malformed_request(problem: impl fmt::Display) -> Self {
        let message = format!("keyspaces-local: {problem} (the service's message is not known)");
        Self::new("MalformedHttpRequestException", message)
    }

    /// The service supports this, and this emulation does not.
    pub(crate) fn not_emulated(what: impl fmt::Display) -> Self {
        Self::validation(format!("keyspaces-local: not emulated: {what}"))
    }

    /// The HTTP status of the answer.
    ///
    /// Sources disagree: the service model has a status of its own for five of the errors of Keyspaces, and the API
    /// reference says 400 for all of them but InternalServerException. The model is followed here, since the CBOR
    /// protocol demands its statuses. Clients decide by the name. The errors that all services share have the statuses
    /// of `API:CommonErrors`; InvalidSignatureException and MissingAuthenticationTokenException, which are not listed
    /// there, have the status of the other authentication errors.
    pub(crate) fn status(&self) -> u16 {
        match self.name {
            "ServiceQuotaExceededException" => 402,
            "AccessDeniedException"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException" => 403,
            "NoSuchEntity"
            | "NotSupportedService"
            | "ResourceNotFound"
            | "ResourceNotFoundException"
            | "UnknownOperationException" => 404,
            "RequestTimeoutException" => 408,
            "ConflictException" | "LimitExceeded" => 409,
            "RequestEntityTooLargeException" => 413,
            "InternalServerException" => 500,
            _ => 400,
        }
    }

    /// The name in the Query protocol (`API:CommonErrors` of IAM).
    pub(crate) fn query_code(&self) -> &'static str {
        match self.name {
            "AccessDeniedException" => "AccessDenied",
            "ExpiredTokenException" => "ExpiredToken",
            "IncompleteSignatureException" => "IncompleteSignature",
            "InternalServerException" => "ServiceFailure",
            "InvalidSignatureException" => "SignatureDoesNotMatch",
            "MalformedHttpRequestException" | "SerializationException" => "MalformedQueryString",
            "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
            "RequestEntityTooLargeException" => "RequestEntityTooLarge",
            "RequestTimeoutException" => "RequestExpired",
            "UnknownOperationException" => "InvalidAction",
            "UnrecognizedClientException" => "InvalidClientTokenId",
            "ValidationException" => "ValidationError",
            name => name,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for ApiError {}
