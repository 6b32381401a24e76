//! Faults that are injected on purpose, the same each time for the same seed.
//!
//! A [`Fault`] says which requests it strikes, and how. [`Local::faults`](crate::Local::faults) takes them, the program's
//! `--fault` and its fault port take the same as JSON. What a request was struck by is in the
//! [journal](crate::Journal).
//!
//! ```no_run
//! # async fn test(local: &keyspaces_local::Local) {
//! use std::time::Duration;
//!
//! use keyspaces_local::fault::{Effect, Fault, Moment};
//! use keyspaces_local::journal::Kind;
//!
//! // The third INSERT into this table is carried out, and nobody hears of it.
//! local.faults().inject(Fault::new(Effect::Drop(Moment::After)).containing("INSERT INTO shop.events").nth(3));
//! // Every tenth request or so to this peer takes half a second longer.
//! let peer = ([127, 0, 0, 2], local.port()).into();
//! let slow = Fault::new(Effect::Delay(Moment::Before, Duration::from_millis(500)));
//! let slow = local.faults().inject(slow.peer(peer).probability(0.1).seed(7));
//! // The next twenty writes are answered as if the table were throttled.
//! local.faults().inject(Fault::new(Effect::throttled_write()).kind(Kind::Execute).containing("INSERT").times(20));
//! // …
//! println!("{} requests were slow", local.faults().struck(slow));
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
    /// Whether there is any fault: without one, this is all that a request costs.
    armed: AtomicBool,
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
    /// The fault's number, which [`Faults::inject`] gave.
    pub fault: u64,
    /// Its effect.
    pub effect: Effect,
    /// The seed of the garbage that this strike sends.
    pub(crate) seed: u64,
}

impl Faults {
    /// Puts a fault in place for what is received from now on, and gives it a number. Where several would strike one
    /// request, the oldest does; the others count it all the same.
    pub fn inject(&self, fault: Fault) -> u64 {
        let mut rules = self.rules();
        let number = rules.next;
        rules.next += 1;
        rules.all.push(rule::Rule::new(number, fault));
        self.0.armed.store(true, Ordering::Release);
        number
    }

    /// Takes a fault away; connections that it has silenced stay so.
    pub fn withdraw(&self, fault: u64) {
        let mut rules = self.rules();
        rules.all.retain(|rule| rule.number != fault);
        self.0.armed.store(!rules.all.is_empty(), Ordering::Release);
    }

    /// Takes all faults away; connections that were silenced stay so.
    pub fn clear(&self) {
        let mut rules = self.rules();
        rules.all.clear();
        self.0.armed.store(false, Ordering::Release);
    }

    /// How many requests a fault has struck; 0 if it was removed.
    pub fn struck(&self, fault: u64) -> u64 {
        self.rules().all.iter().find(|rule| rule.number == fault).map_or(0, |rule| rule.struck)
    }

    /// The fault that strikes a request, if one does.
    pub(crate) fn strike(&self, request: &Candidate<'_>) -> Option<Injected> {
        if !self.0.armed.load(Ordering::Acquire) {
            return None;
        }
        let mut injected = None;
        for rule in &mut self.rules().all {
            let struck = rule.counts(request, injected.is_some());
            injected = injected.or(struck);
        }
        injected
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.0.rules.lock()
    }
}
