//! The rate at which rows are sent, in capacity units.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use tokio::time::Instant;

use super::table::DescribedTable;
use crate::rate_limiter::Allowance;
use crate::saturated::saturated;
use crate::{Error, ErrorKind, Session};

/// The limit of the capacity units that an operation uses in a second.
///
/// The units of a row are computed before it is sent, by AWS's own estimate ([`keyspaces_cql::units`]): a row of 5 KB takes
/// five or six. With every setting, the rate adapts to a table that throttles
/// ([`SessionBuilder::table_limit`](crate::SessionBuilder) says how).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Rate {
    /// The capacity of the table: starts at the provisioned capacity, or for a table on demand as fast as the
    /// connections allow, and then follows the acknowledged rate.
    #[default]
    Adaptive,
    /// A fixed number of units a second.
    Units(NonZeroU32),
    /// A percentage of the capacity that is provisioned for the table when the operation begins; the rest is left to the
    /// application. An error on a table that is on demand.
    PercentOfProvisioned(NonZeroU8),
}

impl Rate {
    /// The limit in units a second, for an operation that reads or writes. The session then starts at the table's capacity,
    /// and need not be throttled to find it.
    pub(super) fn limit(
        self,
        session: &Session,
        table: &DescribedTable,
        is_read: bool,
        attempted: &str,
    ) -> Result<Option<NonZeroU32>, Error> {
        let provisioned = table.provisioned().map(|(read, write)| if is_read { read } else { write });
        if let Some(units) = provisioned {
            session.rate_limiters().set_known_rate(
                &table.name.to_string(),
                is_read,
                units,
                session.age(Instant::now()),
            );
        }
        let percent = match self {
            Self::Adaptive => return Ok(None),
            Self::Units(units) => return Ok(Some(units)),
            Self::PercentOfProvisioned(percent) => u32::from(percent.get()),
        };
        let provisioned = provisioned.ok_or_else(|| {
            let problem =
                format!("the rate is {percent} % of the provisioned capacity, and {} is on demand", table.name);
            Error::new(ErrorKind::Value, attempted.to_owned(), problem).with_advice("Set the rate in units a second")
        })?;
        let units = u64::from(provisioned.get()) * u64::from(percent) / 100;
        Ok(NonZeroU32::new(saturated::<u32>(units).max(1)))
    }
}

/// Paces sending by units.
#[derive(Debug)]
pub(super) struct Pacer(Option<Allowance>);

impl Pacer {
    pub(super) fn new(limit: Option<NonZeroU32>) -> Self {
        Self(limit.map(Allowance::new))
    }

    /// The pause until the units charged so far are within the limit; `None` if a request may be sent now. `now` is the
    /// time since the operation began.
    pub(super) fn wait_time(&mut self, now: Duration) -> Option<Duration> {
        let allowance = self.0.as_mut()?;
        Some(allowance.wait_time(0.0, 1.0, now)).filter(|wait| !wait.is_zero())
    }

    /// Charges the units of a request that is sent.
    pub(super) fn charge(&mut self, units: f64) {
        if let Some(allowance) = &mut self.0 {
            allowance.charge(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pacer_stays_within_its_limit_after_the_first_second() {
        let mut pacer = Pacer::new(NonZeroU32::new(100));
        let (mut now, mut given) = (Duration::ZERO, 0.0);
        while now < Duration::from_secs(10) {
            match pacer.wait_time(now) {
                Some(wait) => now += wait,
                None => {
                    pacer.charge(3.0);
                    given += 3.0;
                }
            }
        }
        assert!((1_095.0..=1_103.0).contains(&given), "{given}");
        assert_eq!(Pacer::new(None).wait_time(Duration::ZERO), None);
    }
}
