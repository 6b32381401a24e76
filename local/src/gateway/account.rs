//! Capacity taken before a request is run, and consumption counted after it.

use std::time::Duration;

use super::answer::{Answer, throttled};
use super::capacity::RequiredCapacity;
use super::request_context::RequestContext;
use crate::journal::Outcome;
use crate::protocol::Refusal;
use crate::protocol::metadata::is_applied;
use crate::throttle::{Demand, Direction};

/// Takes the capacity that a request needs. If there is too little, returns the answer to a throttled request.
pub(super) fn admit(context: &RequestContext<'_>, stream: i16, required: &RequiredCapacity<'_>) -> Result<(), Answer> {
    if required.demands.is_empty() {
        return Ok(());
    }
    context.shared.throttling.admit(context.rate_limit, &required.demands).map_err(|(exceeded, index)| {
        let Demand { table, direction, .. } = required.demands[index];
        context.shared.metering.record_throttled(table, required.operations[index], direction, exceeded);
        throttled(stream, direction, exceeded)
    })
}

/// Counts the consumption or the failure of a request, and charges the units of the rows that it read, which are known
/// only now. A batch counts once for each table, whatever the number of rows that it writes. `result` has the answer
/// and the number of bytes of the rows that were read.
pub(super) fn record_consumption(
    context: &RequestContext<'_>,
    required: &RequiredCapacity<'_>,
    result: &Result<(Answer, usize), Refusal>,
    latency: Duration,
) {
    let (metering, demands) = (&context.shared.metering, &required.demands);
    let is_first_of_table = |index: usize| demands[..index].iter().all(|other| other.table != demands[index].table);
    let tables = demands.iter().zip(&required.operations).enumerate().filter(|(index, _)| is_first_of_table(*index));
    for (_, (demand, operation)) in tables {
        let (answer, bytes_read) = match result {
            Err(Refusal { code, .. }) | Ok(((_, Outcome::Failed { code, .. } | Outcome::Refused { code, .. }), _)) => {
                metering.record_failure(demand.table, *operation, *code);
                continue;
            }
            Ok(((answer, Outcome::Forwarded), bytes_read)) => (answer, *bytes_read),
            Ok(_) => continue,
        };
        let units = match demand.direction {
            Direction::Read => {
                let units = required.read_units(bytes_read);
                context.shared.throttling.charge(demand, units);
                units
            }
            Direction::Write => {
                demands.iter().filter(|other| other.table == demand.table).map(|other| other.units).sum()
            }
        };
        metering.record_success(demand.table, *operation, demand.direction, units, latency);
        if demand.direction == Direction::Write && !is_applied(answer) {
            metering.record_failed_condition(demand.table, *operation);
        }
    }
}
