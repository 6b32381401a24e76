//! The waiting calls, divided into lanes by the length of their deadlines.
//!
//! In a single first-come queue, calls with long deadlines would fill the queue up to these deadlines, and calls with
//! short deadlines would never be served. So each lane with waiting calls gets an equal share of the units; what a lane
//! does not use is shared by the others (start-time fair queueing). Within a lane, calls are served in the order of
//! arrival.

use std::collections::BTreeMap;
use std::time::Duration;

use super::queue::{QueuePlace, Ticket};

/// How long a lane still counts as in use after a call last joined it.
const IN_USE_FOR: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Lanes<T>(BTreeMap<u32, Lane<T>>);

#[derive(Debug)]
struct Lane<T> {
    waiting: BTreeMap<QueuePlace, (Ticket, T)>,
    /// The units of all waiting calls.
    units: f64,
    /// The units granted to this lane. When a call joins the empty lane, this is raised to the minimum of the other
    /// lanes with waiting calls.
    granted: f64,
    last_joined: Duration,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The units ahead of a call: those ahead of it in its own lane and, for each other lane in use, the same number
    /// plus the call's own units.
    pub(super) fn ahead(&self, ticket: Ticket, now: Duration) -> f64 {
        let own = self.0.get(&lane_of(ticket)).map_or(0.0, |lane| lane.ahead(ticket.place));
        self.ahead_in_all_lanes(lane_of(ticket), own, ticket.units, now)
    }

    /// Returns the calls that are late, each with its wait. `wait_if_late` receives each call with the units ahead of it, not
    /// counting other late calls.
    pub(super) fn late(
        &self,
        now: Duration,
        mut wait_if_late: impl FnMut(Ticket, f64) -> Option<Duration>,
    ) -> Vec<(Ticket, Duration)> {
        let mut late = Vec::new();
        for (number, lane) in &self.0 {
            let mut own = 0.0;
            for (ticket, _) in lane.waiting.values() {
                match wait_if_late(*ticket, self.ahead_in_all_lanes(*number, own, ticket.units, now)) {
                    Some(wait) => late.push((*ticket, wait)),
                    None => own += ticket.units,
                }
            }
        }
        late
    }

    /// The maximum number of units that all lanes together are granted before the turn of a call with `own` units ahead
    /// of it in its lane.
    fn ahead_in_all_lanes(&self, number: u32, own: f64, units: f64, now: Duration) -> f64 {
        let is_in_use = |lane: &Lane<T>| !lane.waiting.is_empty() || now.saturating_sub(lane.last_joined) < IN_USE_FOR;
        let others = self.0.iter().filter(|(other, lane)| **other != number && is_in_use(lane));
        others.fold(own, |ahead, _| ahead + own + units)
    }

    pub(super) fn insert(&mut self, ticket: Ticket, handle: T, now: Duration) {
        let others = self.0.values().filter(|lane| !lane.waiting.is_empty()).map(|lane| lane.granted);
        let minimum = others.fold(f64::INFINITY, f64::min);
        let new_lane = || Lane { waiting: BTreeMap::new(), units: 0.0, granted: 0.0, last_joined: now };
        let lane = self.0.entry(lane_of(ticket)).or_insert_with(new_lane);
        if lane.waiting.is_empty() && minimum.is_finite() {
            lane.granted = lane.granted.max(minimum);
        }
        lane.last_joined = now;
        lane.units += ticket.units;
        lane.waiting.insert(ticket.place, (ticket, handle));
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let lane = self.0.get_mut(&lane_of(ticket))?;
        let (_, handle) = lane.waiting.remove(&ticket.place)?;
        lane.units = if lane.waiting.is_empty() { 0.0 } else { lane.units - ticket.units };
        Some(handle)
    }

    /// The next call to be served.
    pub(super) fn first(&self) -> Option<Ticket> {
        let in_use = self.0.values().filter(|lane| !lane.waiting.is_empty());
        let next = in_use.min_by(|one, other| one.granted.total_cmp(&other.granted))?;
        next.waiting.values().next().map(|(ticket, _)| *ticket)
    }

    /// Charges the units of a granted turn to its lane.
    pub(super) fn charge(&mut self, ticket: Ticket) {
        if let Some(lane) = self.0.get_mut(&lane_of(ticket)) {
            lane.granted += ticket.units;
        }
    }

    /// All waiting calls, lane by lane, each lane in its order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Ticket> {
        self.0.values().flat_map(|lane| lane.waiting.values().map(|(ticket, _)| *ticket))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|lane| lane.waiting.is_empty())
    }
}

impl<T> Lane<T> {
    fn ahead(&self, place: QueuePlace) -> f64 {
        let is_last = self.waiting.last_key_value().is_none_or(|(last, _)| *last < place);
        if is_last { self.units } else { self.waiting.range(..place).map(|(_, (ticket, _))| ticket.units).sum() }
    }
}

/// The lane of a call: the logarithm to base 4 of the milliseconds between its beginning and its deadline, rounded
/// down.
fn lane_of(ticket: Ticket) -> u32 {
    let time_to_deadline = ticket.deadline.saturating_sub(ticket.place.0).as_millis();
    (time_to_deadline + 1).ilog2() / 2
}
