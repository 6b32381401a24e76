//! Fault injection. The same seed always injects the same faults.
//!
//! A [`Fault`] says which requests it strikes, and how. [`Local::faults`](crate::Local::faults) takes them, the
//! program's `--fault` and its fault port accept them as JSON. The [journal](crate::Journal) shows which fault struck a
//! request.
//!
//! ```no_run
//! # async fn test(local: &keyspaces_local::Local) {
//! use std::time::Duration;
//!
//! use keyspaces_local::fault::{Effect, Fault, Moment};
//! use keyspaces_local::journal::Kind;
//!
//! // The third INSERT into this table is carried out, and never answered.
//! local.faults().inject(Fault::new(Effect::Drop(Moment::After)).containing("INSERT INTO shop.events").nth(3));
//! // About every tenth request to this peer takes half a second longer.
//! let peer = ([127, 0, 0, 2], local.port()).into();
//! let slow = Fault::new(Effect::Delay(Moment::Before, Duration::from_millis(500)));
//! let slow = local.faults().inject(slow.peer(peer).probability(0.1).seed(7));
//! // The next twenty writes are answered as if the table were throttled.
//! local.faults().inject(Fault::new(Effect::throttled_write()).kind(Kind::Execute).containing("INSERT").times(20));
//! // …
//! println!("{} requests were slow", local.faults().strike_count(slow));
//! local.faults().clear();
//! # }
//! ```

mod effect;
mod rule;

use crate::lock::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};

pub use effect::{Effect, Moment};
pub(crate) use effect::{TIMED_OUT, error_body, garbage};
pub(crate) use rule::Candidate;
pub use rule::Fault;

/// The faults of one local Keyspaces. Clones are cheap and share their state.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<FaultsInner>);

#[derive(Debug, Default)]
struct FaultsInner {
    /// Whether there are faults. Without faults, a request checks only this.
    has_faults: AtomicBool,
    rules: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    all: Vec<rule::Rule>,
    next: u64,
}

/// A fault that struck a request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Injected {
    /// The fault's number, which [`Faults::inject`] returned.
    pub fault: u64,
    /// Its effect.
    pub effect: Effect,
    /// The seed of the garbage that this strike sends.
    pub(crate) seed: u64,
}

impl Faults {
    /// Adds a fault for requests received from now on, and returns its number. If several faults match a
    /// request, the oldest one strikes it; the others count it as a match, too.
    pub fn inject(&self, fault: Fault) -> u64 {
        let mut rules = self.rules();
        let number = rules.next;
        rules.next += 1;
        rules.all.push(rule::Rule::new(number, fault));
        self.0.has_faults.store(true, Ordering::Release);
        number
    }

    /// Removes a fault. Connections that it silenced stay silent.
    pub fn remove(&self, fault: u64) {
        let mut rules = self.rules();
        rules.all.retain(|rule| rule.number != fault);
        self.0.has_faults.store(!rules.all.is_empty(), Ordering::Release);
    }

    /// Removes all faults. Connections that were silenced stay silent.
    pub fn clear(&self) {
        let mut rules = self.rules();
        rules.all.clear();
        self.0.has_faults.store(false, Ordering::Release);
    }

    /// How many requests a fault has struck; 0 if it was removed.
    pub fn strike_count(&self, fault: u64) -> u64 {
        self.rules().all.iter().find(|rule| rule.number == fault).map_or(0, |rule| rule.struck)
    }

    /// The fault that strikes a request, if one does.
    pub(crate) fn apply(&self, request: &Candidate<'_>) -> Option<Injected> {
        if !self.0.has_faults.load(Ordering::Acquire) {
            return None;
        }
        let mut injected = None;
        for rule in &mut self.rules().all {
            let struck = rule.apply(request, injected.is_some());
            injected = injected.or(struck);
        }
        injected
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.0.rules.lock()
    }
}
