use std::fmt;

use crate::counted::Counted;
use crate::saturated::saturated;

/// Computes how many connections each instance of an application should open to each endpoint of the service, with
/// AWS's formula (`DG:connections`):
///
/// > requests per second / (instances − 1) / endpoints / 500, rounded up
///
/// One instance is subtracted so that the others can take its load if it fails. AWS plans 500 requests per second for
/// each connection, although 3,000 are possible, to leave room for an uneven load. The result is at least 3
/// (`DG:using_java_driver`).
///
/// ```
/// use keyspaces::PoolAdvice;
///
/// let advice = PoolAdvice::new(20_000, 3, PoolAdvice::PUBLIC_ENDPOINTS);
/// assert_eq!(advice.connections_per_host(), 3);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PoolAdvice {
    requests_per_second: u64,
    instances: u32,
    endpoints: u32,
}

/// The requests per second that the formula plans for one connection (`DG:connections`).
pub(super) const REQUESTS_PER_CONNECTION: u64 = 500;

/// The minimum number of connections of a pool (`DG:using_java_driver`).
const MIN_CONNECTIONS: u64 = 3;

impl PoolAdvice {
    /// The number of endpoints that `system.peers` lists for a public endpoint (`DG:connections`).
    pub const PUBLIC_ENDPOINTS: u32 = 9;

    /// Creates the advice from the requests per second of the whole application, the number of its instances, and the
    /// number of endpoints: 9 for a public endpoint; 2 to 5 for a VPC endpoint, one for each availability zone; 1 if
    /// `system.peers` is empty.
    ///
    /// Each key of an `IN` and each replicated write of a multi-Region table counts as a request
    /// (`DG:functional-differences`). With one instance, the divisor is 1; zero instances or endpoints count as one.
    pub fn new(requests_per_second: u64, instances: u32, endpoints: u32) -> Self {
        Self { requests_per_second, instances: instances.max(1), endpoints: endpoints.max(1) }
    }

    /// The connections that each instance should open to each endpoint.
    pub fn connections_per_host(&self) -> usize {
        let needed = self
            .requests_per_second
            .div_ceil(self.connections_across_instances().saturating_mul(REQUESTS_PER_CONNECTION));
        saturated::<usize>(needed.max(MIN_CONNECTIONS))
    }

    /// Returns the same advice for another number of endpoints.
    pub(super) fn with_endpoints(self, endpoints: u32) -> Self {
        Self::new(self.requests_per_second, self.instances, endpoints)
    }

    fn divisor(&self) -> u32 {
        (self.instances - 1).max(1)
    }

    fn connections_across_instances(&self) -> u64 {
        u64::from(self.divisor()) * u64::from(self.endpoints)
    }
}

/// Prints the advice and its calculation.
impl fmt::Display for PoolAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests_per_second, instances, endpoints } = self;
        write!(
            f,
            "{} connections per host for {} per second from {} over {} ({requests_per_second} / {} / {endpoints} / \
             {REQUESTS_PER_CONNECTION}, rounded up, at least {MIN_CONNECTIONS})",
            self.connections_per_host(),
            Counted(*requests_per_second, "request"),
            Counted(*instances, "instance"),
            Counted(*endpoints, "endpoint"),
            self.divisor(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pool_advice_matches_the_guide_examples() {
        for (endpoints, connections) in [(9, 3), (5, 4), (2, 10), (1, 20)] {
            assert_eq!(PoolAdvice::new(20_000, 3, endpoints).connections_per_host(), connections);
        }
    }

    #[test]
    fn advised_connections_are_rounded_up_and_at_least_three() {
        for (requests, instances, endpoints, connections) in [
            (0, 1, 9, 3),
            (13_500, 1, 9, 3),
            (13_501, 1, 9, 4),
            (18_000, 2, 9, 4),
            (18_000, 3, 9, 3),
            (1_500, 1, 1, 3),
            (1_501, 1, 1, 4),
            (27_000, 1, 9, 6),
            (1_000_000, 101, 9, 3),
        ] {
            assert_eq!(
                PoolAdvice::new(requests, instances, endpoints).connections_per_host(),
                connections,
                "{requests} / {instances} / {endpoints}"
            );
        }
    }

    #[test]
    fn pool_advice_divides_by_at_least_one_instance_and_endpoint() {
        assert_eq!(PoolAdvice::new(20_000, 1, 9), PoolAdvice::new(20_000, 0, 9));
        assert_eq!(PoolAdvice::new(20_000, 1, 9).connections_per_host(), 5);
        assert_eq!(PoolAdvice::new(20_000, 2, 9).connections_per_host(), 5);
        assert_eq!(PoolAdvice::new(20_000, 1, 0), PoolAdvice::new(20_000, 1, 1));
    }

    #[test]
    fn pool_advice_does_not_overflow() {
        assert_eq!(PoolAdvice::new(u64::MAX, u32::MAX, u32::MAX).connections_per_host(), 3);
        let most = usize::try_from(u64::MAX.div_ceil(500)).unwrap();
        assert_eq!(PoolAdvice::new(u64::MAX, 1, 1).connections_per_host(), most);
    }

    #[test]
    fn pool_advice_shows_its_calculation() {
        assert_eq!(
            PoolAdvice::new(20_000, 3, 9).to_string(),
            "3 connections per host for 20000 requests per second from 3 instances over 9 endpoints (20000 / 2 / 9 / \
             500, rounded up, at least 3)"
        );
        assert_eq!(
            PoolAdvice::new(5_000, 1, 1).to_string(),
            "10 connections per host for 5000 requests per second from 1 instance over 1 endpoint (5000 / 1 / 1 / 500, \
             rounded up, at least 3)"
        );
    }
}
