//! Stands in for `statement_metrics` without the feature `metrics`: the same types, which do nothing.

use std::time::Duration;

use crate::ErrorKind;
use crate::statement::StatementInfo;

#[derive(Clone, Copy, Debug)]
pub(crate) struct StatementMetrics;

pub(crate) struct RunningCall;

impl StatementMetrics {
    pub(crate) fn for_statement(_info: &StatementInfo, _tag: Option<&str>) -> Self {
        Self
    }

    pub(crate) fn describe() {}

    #[inline]
    pub(crate) fn begin_call(self) -> RunningCall {
        RunningCall
    }

    #[inline]
    pub(crate) fn count_attempt(self) {}

    #[inline]
    pub(crate) fn count_failed_attempt(self, _kind: ErrorKind) {}

    #[inline]
    pub(crate) fn count_failed_call(self, _kind: ErrorKind) {}

    #[inline]
    pub(crate) fn record_wait(self, _wait: Duration) {}
}
