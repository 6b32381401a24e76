use std::fmt;
use std::time::Duration;

use crate::region::Quoted;
use crate::saturated::saturated;
use crate::{Error, ErrorKind};

/// The length of one data point: a whole number of minutes, because the metrics of Keyspaces are aggregated by the minute
/// (`DG:metrics-dimensions`).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Period {
    seconds: u32,
}

impl Period {
    /// 60 s.
    pub const MINUTE: Self = Self { seconds: 60 };

    /// 300 s, the interval of the metrics of provisioned capacity.
    pub const FIVE_MINUTES: Self = Self { seconds: 300 };

    /// 3,600 s.
    pub const HOUR: Self = Self { seconds: 3600 };

    /// CloudWatch evaluates alarms over at most a week.
    const MAX_SECONDS: u32 = 7 * 24 * 3600;

    /// Creates a period of this length.
    ///
    /// # Errors
    ///
    /// `Configuration`: the length is not a multiple of 60 s, or is longer than a week.
    ///
    /// ```
    /// use std::time::Duration;
    /// use keyspaces::monitoring::Period;
    ///
    /// assert_eq!(Period::new(Duration::from_secs(60)).unwrap(), Period::MINUTE);
    /// assert_eq!(
    ///     Period::new(Duration::from_secs(45)).unwrap_err().to_string(),
    ///     "using 45s as a period of CloudWatch failed: Keyspaces' metrics are aggregated by the minute. Use a multiple of \
    ///      60 s, up to a week"
    /// );
    /// ```
    pub fn new(length: Duration) -> Result<Self, Error> {
        let seconds = saturated::<u32>(length.as_secs());
        if length.subsec_nanos() != 0 || seconds == 0 || !seconds.is_multiple_of(60) || seconds > Self::MAX_SECONDS {
            let attempted = format!("using {length:?} as a period of CloudWatch");
            let problem = "Keyspaces' metrics are aggregated by the minute";
            return Err(Error::new(ErrorKind::Configuration, attempted, problem)
                .with_advice("Use a multiple of 60 s, up to a week"));
        }
        Ok(Self { seconds })
    }

    /// The length in seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.seconds
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.seconds)
    }
}

/// The error for an invalid value of an alarm or a dashboard.
pub(super) fn refused(kind: &str, value: &str, problem: impl Into<String>, advice: &'static str) -> Error {
    let attempted = format!("using {} as {kind}", Quoted(value));
    Error::new(ErrorKind::Configuration, attempted, problem.into()).with_advice(advice)
}
