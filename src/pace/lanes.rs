//! Calls that wait, in lanes by how long their callers are ready to wait.
//!
//! In one queue in the order of arrival, callers with long deadlines would fill it up to these, and leave nothing to
//! callers with short ones. So each lane that is waited in gets the same share of the units, and what one does not use is
//! for the others (start-time fair queueing). Within a lane it is the order of arrival.

use std::collections::BTreeMap;
use std::time::Duration;

use super::queue::{Ask, QueuePlace};

/// A lane counts as waited in for so long after somebody waited in it.
const WAITED_IN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Lanes<T>(BTreeMap<u32, Lane<T>>);

#[derive(Debug)]
struct Lane<T> {
    waiting: BTreeMap<QueuePlace, (Ask, T)>,
    /// Sum over those that wait.
    units: f64,
    /// Units given, or what the others were given while nobody waited here.
    given: f64,
    waited: Duration,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The units in front of a call, those of other lanes among them: as many as those of its own.
    pub(super) fn ahead(&self, ask: Ask, now: Duration) -> f64 {
        let own = self.0.get(&lane_of(ask)).map_or(0.0, |lane| lane.ahead(ask.place));
        self.with_others(lane_of(ask), own, ask.units, now)
    }

    /// Those for whom `late_by` says how long they would wait, given the units in front of each without those of others who
    /// are late.
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

    /// At most so many units are given to all lanes until a call with `own` in front of it in its lane has its turn.
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

    /// Who is next.
    pub(super) fn first(&self) -> Option<Ask> {
        let waited_in = self.0.values().filter(|lane| !lane.waiting.is_empty());
        let next = waited_in.min_by(|one, other| one.given.total_cmp(&other.given))?;
        next.waiting.values().next().map(|(ask, _)| *ask)
    }

    /// Counts the units of a turn to its lane.
    pub(super) fn give(&mut self, ask: Ask) {
        if let Some(lane) = self.0.get_mut(&lane_of(ask)) {
            lane.given += ask.units;
        }
    }

    /// Each who waits, a lane after the other and each in its order.
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

/// By the time that the caller is ready to wait, in powers of four milliseconds.
fn lane_of(ask: Ask) -> u32 {
    let patience = ask.deadline.saturating_sub(ask.place.0).as_millis();
    (patience + 1).ilog2() / 2
}
