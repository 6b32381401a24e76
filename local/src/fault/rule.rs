//! The conditions of faults.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Effect, Injected};
use crate::protocol::RequestKind;
use crate::random::mix;

/// An effect, and the requests that it strikes: every request, unless conditions are added.
///
/// A request has to meet all conditions. A matching request counts as a match, whether the fault strikes it or not. In
/// JSON, which the program accepts, `effect` is required and everything else is optional:
///
/// ```
/// # use keyspaces_local::fault::{Effect, Fault, Moment};
/// # use keyspaces_local::journal::Kind;
/// let json = r#"{"effect": {"close": "after"}, "kind": "EXECUTE", "containing": "INSERT", "nth": 3}"#;
/// let fault: Fault = serde_json::from_str(json).unwrap();
/// assert_eq!(fault, Fault::new(Effect::Close(Moment::After)).kind(Kind::Execute).containing("INSERT").nth(3));
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a fault does nothing itself: give it to `Faults::inject`"]
pub struct Fault {
    effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<RequestKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    containing: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nth: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    #[serde(default)]
    seed: u64,
}

/// A request as faults match it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) connection: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) statement: Option<&'a str>,
    pub(crate) batched: &'a [Arc<str>],
}

impl Fault {
    /// A fault with this effect on every request.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            kind: None,
            containing: None,
            connection: None,
            peer: None,
            nth: None,
            every: None,
            times: None,
            probability: None,
            seed: 0,
        }
    }

    /// Only requests of this kind, which is the frame's opcode.
    pub fn kind(self, kind: RequestKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Only statements whose text contains `part`, and batches with such a statement.
    pub fn containing(self, part: impl Into<String>) -> Self {
        Self { containing: Some(part.into()), ..self }
    }

    /// Only requests on the connection with this number, which the journal shows.
    pub fn connection(self, number: u64) -> Self {
        Self { connection: Some(number), ..self }
    }

    /// Only requests to this peer: the address that the client connected to.
    pub fn peer(self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// Only the n-th match, counted from 1.
    pub fn nth(self, nth: u64) -> Self {
        Self { nth: Some(nth), ..self }
    }

    /// Only every n-th match: for 3 the third, the sixth and so on. For 0, every match.
    pub fn every(self, every: u64) -> Self {
        Self { every: Some(every), ..self }
    }

    /// At most this many times.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Each match with this probability, 0 to 1. Only the [seed](Self::seed) and the match's number determine which
    /// matches these are.
    pub fn probability(self, probability: f64) -> Self {
        Self { probability: Some(probability), ..self }
    }

    /// The seed of probabilities and of garbage. Default 0.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    fn matches(&self, request: &Candidate<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == request.kind)
            && self.connection.is_none_or(|number| number == request.connection)
            && self.peer.is_none_or(|peer| peer == request.peer)
            && self.containing.as_ref().is_none_or(|part| request.contains(part))
    }
}

impl Candidate<'_> {
    fn contains(&self, part: &str) -> bool {
        let has = |text: &str| text.contains(part);
        self.statement.is_some_and(has) || self.batched.iter().any(|text| has(text))
    }
}

/// An active fault.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) number: u64,
    pub(super) struck: u64,
    matched: u64,
    fault: Fault,
}

impl Rule {
    pub(super) fn new(number: u64, fault: Fault) -> Self {
        Self { number, struck: 0, matched: 0, fault }
    }

    /// Counts a matching request, and strikes it if the conditions hold and no other fault has struck it.
    pub(super) fn apply(&mut self, request: &Candidate<'_>, already_struck: bool) -> Option<Injected> {
        if !self.fault.matches(request) {
            return None;
        }
        self.matched += 1;
        let Fault { nth, every, times, probability, seed, .. } = self.fault;
        let number = mix(mix(seed) ^ self.matched);
        // 53 bits, the precision of an `f64`.
        let chance = (number >> 11) as f64 / (1_u64 << 53) as f64;
        let strikes = !already_struck
            && nth.is_none_or(|nth| nth == self.matched)
            && every.is_none_or(|every| every == 0 || self.matched.is_multiple_of(every))
            && times.is_none_or(|times| self.struck < times)
            && probability.is_none_or(|probability| chance < probability);
        strikes.then(|| {
            self.struck += 1;
            Injected { fault: self.number, effect: self.fault.effect.clone(), seed: mix(number) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Faults, Moment};
    use super::*;
    use crate::protocol::RequestKind as Kind;

    fn received(statement: &str) -> Candidate<'_> {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        Candidate { kind: Kind::Query, connection: 1, peer, statement: Some(statement), batched: &[] }
    }

    /// Which of 100 INSERTs are struck.
    fn struck(fault: Fault) -> Vec<usize> {
        let faults = Faults::default();
        faults.inject(fault);
        (1..=100).filter(|_| faults.apply(&received("INSERT INTO ks.t")).is_some()).collect()
    }

    fn fault() -> Fault {
        Fault::new(Effect::Drop(Moment::Before))
    }

    #[test]
    fn fault_strikes_the_nth_every_nth_or_first_few_matches() {
        assert_eq!(struck(fault()).len(), 100);
        assert_eq!(struck(fault().nth(3)), [3]);
        assert_eq!(struck(fault().every(30)), [30, 60, 90]);
        assert_eq!(struck(fault().every(30).times(2)), [30, 60]);
        assert_eq!(struck(fault().times(2)), [1, 2]);
    }

    #[test]
    fn same_seed_strikes_the_same_requests() {
        let struck_with = |seed| struck(fault().probability(0.3).seed(seed));
        assert_eq!(struck_with(1), struck_with(1));
        assert_ne!(struck_with(1), struck_with(2));
        assert!((15..=45).contains(&struck_with(1).len()), "{:?}", struck_with(1));
        assert!(struck(fault().probability(0.0)).is_empty());
        assert_eq!(struck(fault().probability(1.0)).len(), 100);
    }

    #[test]
    fn a_request_has_to_match_all_conditions() {
        let peer = received("").peer;
        for (fault, strikes) in [
            (fault().kind(Kind::Query).containing("INTO ks").connection(1).peer(peer), true),
            (fault().kind(Kind::Execute), false),
            (fault().containing("SELECT"), false),
            (fault().connection(2), false),
            (fault().peer(([127, 0, 0, 9], 1).into()), false),
        ] {
            assert_eq!(struck(fault.clone()).len(), if strikes { 100 } else { 0 }, "{fault:?}");
        }
    }

    #[test]
    fn oldest_due_fault_strikes_and_every_fault_counts_the_match() {
        let faults = Faults::default();
        let [first, second] = [faults.inject(fault().every(2)), faults.inject(fault().every(3))];
        let all: Vec<_> = (0..6).map(|_| faults.apply(&received("x")).map(|injected| injected.fault)).collect();
        assert_eq!(all, [None, Some(first), Some(second), Some(first), None, Some(first)]);
        assert_eq!((faults.strike_count(first), faults.strike_count(second)), (3, 1));
        faults.remove(first);
        assert_eq!(faults.apply(&received("x")), None);
        faults.clear();
        assert_eq!(faults.strike_count(second), 0);
    }

    #[test]
    fn fault_round_trips_through_json() {
        let all = [
            fault().kind(Kind::AuthResponse).containing("é").connection(1).nth(2).every(3).times(4).seed(5),
            Fault::new(Effect::Delay(Moment::After, std::time::Duration::from_millis(7))).probability(0.5),
            Fault::new(Effect::throttled_read()).peer(([127, 0, 0, 1], 9142).into()),
            Fault::new(Effect::Garbage),
            Fault::new(Effect::Restart(std::time::Duration::from_secs(1))),
        ];
        for fault in all {
            let json = serde_json::to_string(&fault).unwrap();
            assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault, "{json}");
        }
        let wrong = serde_json::from_str::<Fault>(r#"{"effect": "garbage", "opcode": "QUERY"}"#).unwrap_err();
        assert!(wrong.to_string().starts_with("unknown field `opcode`, expected one of `effect`"), "{wrong}");
    }
}
