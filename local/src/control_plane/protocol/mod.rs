//! How inputs and outputs are written: JSON, CBOR, and IAM's Query protocol.
//!
//! The types of inputs and outputs are the same for every protocol: serde types whose members have the names of the
//! service model. Members that the model does not have are ignored, as in AWS services, which serve old and new
//! clients. Smithy's specification does not define this for servers.

mod decode;
mod number;
#[cfg(test)]
mod tests;
pub(crate) mod xml;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;
pub(crate) use number::{Number, Timestamp};

/// The protocol of a request, and so of its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    /// JSON, with the operation in `X-Amz-Target`.
    Json(JsonVersion),
    /// Smithy RPC v2 CBOR, with the operation in the path.
    Cbor,
    /// A form with the operation in `Action`, answered in XML.
    Query,
}

/// The version of the JSON protocol, which the content type names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JsonVersion {
    /// Keyspaces, CloudWatch.
    V1_0,
    /// Application Auto Scaling.
    V1_1,
}

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    protocol: Protocol,
    body: &'a [u8],
}

/// The output of an operation.
pub(crate) struct Output(Box<dyn Encode + Send>);

/// An output without members.
#[derive(Debug, Serialize)]
pub(crate) struct EmptyOutput {}

impl<'a> Input<'a> {
    pub(crate) fn new(protocol: Protocol, body: &'a [u8]) -> Self {
        Self { protocol, body }
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    /// The input of an operation. Members that may be absent are `Option`; null counts as absent. Constraints are not
    /// checked here.
    ///
    /// # Errors
    ///
    /// A SerializationException: the body is not of its protocol, or a member has another type than `T` says.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        match self.protocol {
            Protocol::Json(_) => decode::json(self.body),
            Protocol::Cbor => decode::cbor(self.body),
            Protocol::Query => decode::form(self.body),
        }
    }
}

impl Output {
    /// The output of an operation. `None` members have to be skipped: `#[serde(skip_serializing_if =
    /// "Option::is_none")]`.
    pub(crate) fn new(output: impl Serialize + Send + 'static) -> Self {
        Self(Box::new(output))
    }

    /// # Errors
    ///
    /// The output has a value that JSON cannot represent, which is a defect of this service.
    pub(crate) fn json(&self) -> Result<Vec<u8>, ApiError> {
        self.0.json()
    }

    /// # Errors
    ///
    /// As [`json`](Self::json).
    pub(crate) fn cbor(&self) -> Result<Vec<u8>, ApiError> {
        self.0.cbor()
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

trait Encode {
    fn json(&self) -> Result<Vec<u8>, ApiError>;
    fn cbor(&self) -> Result<Vec<u8>, ApiError>;
}

impl<T: Serialize> Encode for T {
    fn json(&self) -> Result<Vec<u8>, ApiError> {
        serde_json::to_vec(self).map_err(unwritable)
    }

    fn cbor(&self) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        ciborium::into_writer(self, &mut body).map_err(unwritable)?;
        Ok(body)
    }
}

fn unwritable(error: impl std::fmt::Display) -> ApiError {
    ApiError::internal(format!("keyspaces-local: the answer could not be written: {error}"))
}
