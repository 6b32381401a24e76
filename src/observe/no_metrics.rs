//! Nothing is counted without the feature.

use std::time::Duration;

use crate::ErrorKind;
use crate::statement::StatementInfo;

#[derive(Clone, Copy, Debug)]
pub(crate) struct StatementMetrics;

pub(crate) struct RunningCall;

impl StatementMetrics {
    pub(crate) fn of(_about: &StatementInfo, _tag: Option<&str>) -> Self {
        Self
    }

    pub(crate) fn describe() {}

    #[inline]
    pub(crate) fn begin(self) -> RunningCall {
        RunningCall
    }

    #[inline]
    pub(crate) fn attempt(self) {}

    #[inline]
    pub(crate) fn failed_attempt(self, _kind: ErrorKind) {}

    #[inline]
    pub(crate) fn failed_call(self, _kind: ErrorKind) {}

    #[inline]
    pub(crate) fn waited(self, _for: Duration) {}
}
