//! The waiting calls, divided into lanes by the length of their deadlines.
//!
//! In a single first-come queue, callers with long deadlines would fill the queue up to these deadlines, and callers with
//! short ones would never be served. So each lane with waiting calls gets an equal share of the units, and the others share
//! what a lane does not use (start-time fair queueing). Within a lane, calls are served in the order of arrival.

use std::collections::BTreeMap;
use std::time::Duration;

use super::queue::{Ask, QueuePlace};

/// How long a lane still counts as used after its last call has waited.
const WAITED_IN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Lanes<T>(BTreeMap<u32, Lane<T>>);

#[derive(Debug)]
struct Lane<T> {
    waiting: BTreeMap<QueuePlace, (Ask, T)>,
    /// The units of all waiting calls.
    units: f64,
    /// The units granted to this lane; raised to the least of the other lanes when a call joins the empty lane.
    given: f64,
    waited: Duration,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The units ahead of a call: those of its own lane, and as many again, with the call's own, for each other lane in
    /// use.
    pub(super) fn ahead(&self, ask: Ask, now: Duration) -> f64 {
        let own = self.0.get(&lane_of(ask)).map_or(0.0, |lane| lane.ahead(ask.place));
        self.with_others(lane_of(ask), own, ask.units, now)
    }

    /// Returns the calls for which `late_by` returns a wait. `late_by` receives each call with the units ahead of it, not
    /// counting other late calls.
    pub(super) fn late(
        &self,
        now: Duration,
        mut late_by: impl FnMut(Ask, f64) -> Option<Duration>,
    ) -> Vec<(Ask, Duration)> {
        let mut late = Vec::new();
        for (class, lane) in &self.0 {
            let mut own = 0.0;
            for (ask, _) in lane.waiting.values() {
                match late_by(*ask, self.with_others(*class, own, ask.units, now)) {
                    Some(wait) => late.push((*ask, wait)),
                    None => own += ask.units,
                }
            }
        }
        late
    }

    /// The most units that all lanes are granted before a call with `own` units ahead of it in its lane has its turn.
    fn with_others(&self, class: u32, own: f64, units: f64, now: Duration) -> f64 {
        let is_waited_in = |lane: &Lane<T>| !lane.waiting.is_empty() || now.saturating_sub(lane.waited) < WAITED_IN;
        let others = self.0.iter().filter(|(other, lane)| **other != class && is_waited_in(lane));
        others.fold(own, |ahead, _| ahead + own + units)
    }

    pub(super) fn insert(&mut self, ask: Ask, handle: T, now: Duration) {
        let others = self.0.values().filter(|lane| !lane.waiting.is_empty()).map(|lane| lane.given);
        let least = others.fold(f64::INFINITY, f64::min);
        let fresh = || Lane { waiting: BTreeMap::new(), units: 0.0, given: 0.0, waited: now };
        let lane = self.0.entry(lane_of(ask)).or_insert_with(fresh);
        if lane.waiting.is_empty() && least.is_finite() {
            lane.given = lane.given.max(least);
        }
        lane.waited = now;
        lane.units += ask.units;
        lane.waiting.insert(ask.place, (ask, handle));
    }

    pub(super) fn remove(&mut self, ask: Ask) -> Option<T> {
        let lane = self.0.get_mut(&lane_of(ask))?;
        let (_, handle) = lane.waiting.remove(&ask.place)?;
        lane.units = if lane.waiting.is_empty() { 0.0 } else { lane.units - ask.units };
        Some(handle)
    }

    /// The next call to be served.
    pub(super) fn first(&self) -> Option<Ask> {
        let waited_in = self.0.values().filter(|lane| !lane.waiting.is_empty());
        let next = waited_in.min_by(|one, other| one.given.total_cmp(&other.given))?;
        next.waiting.values().next().map(|(ask, _)| *ask)
    }

    /// Charges the units of a granted turn to its lane.
    pub(super) fn give(&mut self, ask: Ask) {
        if let Some(lane) = self.0.get_mut(&lane_of(ask)) {
            lane.given += ask.units;
        }
    }

    /// All waiting calls, lane by lane, each lane in its order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Ask> {
        self.0.values().flat_map(|lane| lane.waiting.values().map(|(ask, _)| *ask))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|lane| lane.waiting.is_empty())
    }
}

impl<T> Lane<T> {
    fn ahead(&self, place: QueuePlace) -> f64 {
        let is_last = self.waiting.last_key_value().is_none_or(|(last, _)| *last < place);
        if is_last { self.units } else { self.waiting.range(..place).map(|(_, (ask, _))| ask.units).sum() }
    }
}

/// The lane of a call: the time from its place to its deadline, in powers of four milliseconds.
fn lane_of(ask: Ask) -> u32 {
    let patience = ask.deadline.saturating_sub(ask.place.0).as_millis();
    (patience + 1).ilog2() / 2
}
