use std::error::Error as StdError;

use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::{Error, ErrorKind};

/// The error for a failed request, from the SDK's error.
pub(super) fn request_error<E, R>(attempted: String, error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let (code, message) = (error.code().unwrap_or_default().to_owned(), error.message().map(str::to_owned));
    let (kind, problem, advice) = match &error {
        SdkError::ServiceError(_) => match code.as_str() {
            "AccessDenied" | "AccessDeniedException" | "UnrecognizedClientException" | "InvalidClientTokenId" => (
                ErrorKind::Unauthorized,
                format!("CloudWatch refused the request with {code}"),
                "The principal needs cloudwatch:DescribeAlarms, cloudwatch:PutMetricAlarm and cloudwatch:GetMetricData",
            ),
            "Throttling" | "ThrottlingException" => {
                (ErrorKind::Throttled, format!("CloudWatch refused the request with {code}"), "Try again later")
            }
            "InternalServiceFault" | "InternalServiceError" | "InternalServerException" => {
                (ErrorKind::Server, format!("CloudWatch failed with {code}"), "Try again later")
            }
            "" => (
                ErrorKind::Refused,
                "CloudWatch refused the request without a code".to_owned(),
                "See CloudWatch's message",
            ),
            _ => {
                (ErrorKind::Refused, format!("CloudWatch refused the request with {code}"), "See CloudWatch's message")
            }
        },
        SdkError::TimeoutError(_) => {
            (ErrorKind::Timeout, "CloudWatch did not answer in time".to_owned(), "Try again later")
        }
        other => (
            ErrorKind::ConnectionLost,
            format!(
                "the request did not reach CloudWatch or its answer cannot be read: {}",
                DisplayErrorContext(other)
            ),
            "Check the client's endpoint, Region and credentials",
        ),
    };
    let request_error = Error::new(kind, attempted, problem).with_advice(advice).with_source(error);
    match message {
        Some(message) => request_error.with_server_message(message),
        None => request_error,
    }
}
