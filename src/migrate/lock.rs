//! The lock that lets one program migrate at a time: a row that a conditional write takes for the time of a lease.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::history::table;
use super::migration::Migration;
use super::progress::at;
use super::{Migrate, Progress};
use crate::auth::Clock;
use crate::lock::locked;
use crate::saturated::saturated;
use crate::{
    Conditional, DeserializeRow, Error, ErrorKind, Outcome, OwnedRow, ReadConsistency, Select, SerializeRow, Session,
};

/// How often a conditional write is sent while its outcome is unknown.
const TRIES: u32 = 5;

/// The pause between two reads of a lock that another program holds.
const LOOK: Duration = Duration::from_secs(1);

/// The lock's row: its holder, and the progress of the file begun last.
#[derive(Clone, Debug, DeserializeRow)]
#[scylla(crate = crate)]
pub(super) struct LockState {
    /// Nil if the lock is free, because no documentation says that a condition may compare a column with null.
    holder: Uuid,
    pub(super) held_by: String,
    pub(super) expires_at: DateTime<Utc>,
    under_way: i64,
    pub(super) checksum: String,
    statement: i32,
    sent: bool,
}

/// The progress of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct FileProgress {
    /// How many of its statements are known to have been carried out.
    pub(super) done: usize,
    /// Whether the next statement was about to be sent.
    pub(super) sent: bool,
}

impl LockState {
    pub(super) fn none() -> Self {
        let (held_by, checksum) = (String::new(), String::new());
        Self {
            holder: Uuid::nil(),
            held_by,
            expires_at: DateTime::UNIX_EPOCH,
            under_way: 0,
            checksum,
            statement: 0,
            sent: false,
        }
    }

    /// The number of the file that was begun last.
    pub(super) fn under_way(&self) -> Option<u64> {
        u64::try_from(self.under_way).ok().filter(|version| *version > 0)
    }

    /// The progress of the file with this number.
    pub(super) fn place_in(&self, version: u64) -> FileProgress {
        if self.under_way() != Some(version) {
            return FileProgress::default();
        }
        FileProgress { done: usize::try_from(self.statement).unwrap_or_default(), sent: self.sent }
    }

    /// Whether the lock is held, or may be held by a program whose clock is `skew` behind this one.
    pub(super) fn is_held(&self, now: DateTime<Utc>, skew: Duration) -> bool {
        !self.holder.is_nil() && now <= self.expires_at + skew
    }
}

/// The existing row when a conditional write is not applied.
#[derive(DeserializeRow)]
#[scylla(crate = crate)]
struct Holder {
    holder: Uuid,
}

type Renew = (DateTime<Utc>, Uuid, DateTime<Utc>);
type Note = (DateTime<Utc>, i64, &'static str, i32, bool, Uuid);
type Take = (Uuid, &'static str, DateTime<Utc>, Uuid, DateTime<Utc>);

/// The lock, as used by one holder.
pub(super) struct Lock<'a> {
    of: &'a Migrate<'a>,
    me: Uuid,
    read: Select<(), LockState>,
    take: Conditional<Take, Holder>,
    renew: Conditional<Renew, Holder>,
    note: Conditional<Note, Holder>,
    release: Conditional<(Uuid, DateTime<Utc>, Uuid), Holder>,
    /// When the lease ends, by the monotonic clock.
    until: Mutex<Instant>,
}

impl<'a> Lock<'a> {
    pub(super) async fn new(of: &'a Migrate<'a>) -> Result<Self, Error> {
        let (session, table) = (of.session, table(of.keyspace));
        let prepare = |set: &str, condition: &str| format!("UPDATE {table} SET {set} WHERE version = 0 IF {condition}");
        let lock = Self {
            of,
            me: of.holder,
            read: read(session, of.keyspace).await?,
            take: session
                .prepare(&prepare("holder = ?, held_by = ?, expires_at = ?", "holder = ? AND expires_at = ?"))
                .await?,
            // The condition keeps a later end of the lease, which a note may have set meanwhile.
            renew: session.prepare(&prepare("expires_at = ?", "holder = ? AND expires_at < ?")).await?,
            note: session
                .prepare(&prepare("expires_at = ?, under_way = ?, checksum = ?, statement = ?, sent = ?", "holder = ?"))
                .await?,
            release: session.prepare(&prepare("holder = ?, held_by = '', expires_at = ?", "holder = ?")).await?,
            until: Mutex::new(Instant::now()),
        };
        if lock.read.one(()).await?.is_none() {
            let row = format!(
                "INSERT INTO {table} (version, holder, held_by, expires_at, under_way, checksum, statement, sent) \
                 VALUES (0, ?, '', ?, 0, '', 0, false) IF NOT EXISTS"
            );
            let row: Conditional<(Uuid, DateTime<Utc>), Holder> = session.prepare(&row).await?;
            lock.settled(&row, || (Uuid::nil(), DateTime::UNIX_EPOCH)).await?;
        }
        Ok(lock)
    }

    /// Waits until the lock is free and takes it. State read before this may be outdated, because another program may have
    /// held the lock meanwhile.
    pub(super) async fn acquire(&self, tell: &UnboundedSender<Progress>) -> Result<(), Error> {
        let deadline = Instant::now() + self.of.wait;
        let mut told = None;
        loop {
            let state = self.state().await?;
            if !state.is_held(now(&self.of.clock), self.of.skew) {
                let asked = Instant::now();
                let expires_at = now(&self.of.clock) + self.of.lease;
                let values = || (self.me, self.of.name.as_str(), expires_at, state.holder, state.expires_at);
                if self.settled(&self.take, values).await? {
                    self.hold_until(asked + self.of.lease);
                    return Ok(());
                }
                continue;
            }
            if Instant::now() >= deadline {
                let (by, until) = (&state.held_by, at(state.expires_at));
                let problem = format!("{by} holds the lock, with a lease until {until}");
                return Err(Error::new(ErrorKind::Timeout, self.of.attempted(), problem).with_advice(
                    "Wait for it; if it has died, the lock is taken over when the lease and the margin for clocks have passed",
                ));
            }
            if told != Some(state.holder) {
                told = Some(state.holder);
                let _ = tell.send(Progress::Waiting { held_by: state.held_by, until: state.expires_at });
            }
            // Jitter, so that waiting programs do not all read at the same time.
            sleep(LOOK.mul_f64(0.5 + self.of.random.next()).min(deadline - Instant::now())).await;
        }
    }

    /// Reads the current row of the lock.
    pub(super) async fn state(&self) -> Result<LockState, Error> {
        Ok(self.read.one(()).await?.unwrap_or_else(LockState::none))
    }

    /// Records the progress of a file, and renews the lease. Fails if another program holds the lock.
    pub(super) async fn note(&self, migration: &Migration, place: FileProgress) -> Result<(), Error> {
        let asked = Instant::now();
        let version = saturated::<i64>(migration.version());
        let checksum = migration.checksum_of_first(place.done + usize::from(place.sent));
        let done = saturated::<i32>(place.done);
        let expires_at = || now(&self.of.clock) + self.of.lease;
        let values = || (expires_at(), version, checksum.as_str(), done, place.sent, self.me);
        if !self.settled(&self.note, values).await? || Instant::now() >= self.hold_until(asked + self.of.lease) {
            return Err(self.lost());
        }
        Ok(())
    }

    /// Renews the lease repeatedly; ends when the lease is lost.
    pub(super) async fn keep(&self) -> Error {
        loop {
            sleep(self.of.lease / 3).await;
            let asked = Instant::now();
            let values = || {
                let expires_at = now(&self.of.clock) + self.of.lease;
                (expires_at, self.me, expires_at)
            };
            match timeout_at(self.held_until(), self.settled(&self.renew, values)).await {
                Ok(Ok(true)) => {
                    self.hold_until(asked + self.of.lease);
                }
                Ok(Ok(false)) => return self.lost(),
                // A note may have renewed the lease meanwhile.
                _ if Instant::now() >= self.held_until() => return self.lost(),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the lease on the lock of migrations was not renewed, and will be tried again");
                }
                Err(_) => {}
            }
        }
    }

    /// Releases the lock. If that fails, other programs have to wait until the lease expires.
    pub(super) async fn release(&self) {
        let values = || (Uuid::nil(), DateTime::UNIX_EPOCH, self.me);
        if let Err(error) = self.settled(&self.release, values).await {
            tracing::warn!(%error, "the lock of migrations was not released");
        }
    }

    fn hold_until(&self, until: Instant) -> Instant {
        let mut held = locked(&self.until);
        *held = until.max(*held);
        *held
    }

    fn held_until(&self) -> Instant {
        *locked(&self.until)
    }

    fn lost(&self) -> Error {
        let problem = "the lease on the lock was lost: another program may go on from here";
        Error::new(ErrorKind::Timeout, self.of.attempted(), problem)
            .with_advice("Migrate again: what was applied is written down")
    }

    /// Whether a conditional write was applied. It is sent again if its outcome is unknown: if the first was applied, the
    /// repeat finds this holder in the row.
    async fn settled<V: SerializeRow>(
        &self,
        statement: &Conditional<V, Holder>,
        values: impl Fn() -> V,
    ) -> Result<bool, Error> {
        match execute_again(self.of.session, statement, values).await? {
            Outcome::Applied => Ok(true),
            Outcome::NotApplied(there) => Ok(there.is_some_and(|there| there.holder == self.me)),
            Outcome::Unknown(why) => Err(why),
        }
    }
}

/// Executes a conditional write, and sends it again while its outcome is unknown, at most [`TRIES`] times.
pub(super) async fn execute_again<V: SerializeRow, R: OwnedRow>(
    session: &Session,
    statement: &Conditional<V, R>,
    values: impl Fn() -> V,
) -> Result<Outcome<Option<R>>, Error> {
    let mut tries = 0;
    loop {
        match statement.execute(&values()).await? {
            Outcome::Unknown(_) if tries < TRIES => sleep(session.retry().wait(tries)).await,
            outcome => return Ok(outcome),
        }
        tries += 1;
    }
}

/// Reads the lock's row, without taking the lock.
pub(super) async fn state(session: &Session, keyspace: &str) -> Result<LockState, Error> {
    Ok(read(session, keyspace).await?.one(()).await?.unwrap_or_else(LockState::none))
}

/// Prepares the read of the lock's row, at LOCAL_QUORUM and not at the session's read consistency, because another
/// program's writes must be seen.
async fn read(session: &Session, keyspace: &str) -> Result<Select<(), LockState>, Error> {
    let table = table(keyspace);
    let text = format!(
        "SELECT holder, held_by, expires_at, under_way, checksum, statement, sent FROM {table} WHERE version = 0"
    );
    let read: Select<(), LockState> = session.prepare(&text).await?;
    Ok(read.with_consistency(ReadConsistency::LocalQuorum))
}

/// The current time to the millisecond, the precision at which it is read back.
pub(super) fn now(clock: &Clock) -> DateTime<Utc> {
    let since = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_its_lease_and_the_margin_for_clocks_have_passed() {
        let expires_at = DateTime::from_timestamp_millis(1_000_000).expect("a time");
        let held = LockState { holder: Uuid::from_u128(7), expires_at, ..LockState::none() };
        let skew = Duration::from_secs(10);
        for (after, expected) in [(-60_000, true), (0, true), (10_000, true), (10_001, false), (3_600_000, false)] {
            let now = expires_at + chrono::TimeDelta::milliseconds(after);
            assert_eq!(held.is_held(now, skew), expected, "{after} ms after the lease");
        }
        let released = LockState { holder: Uuid::nil(), ..held };
        assert!(!released.is_held(expires_at - chrono::TimeDelta::hours(1), skew));
    }

    #[test]
    fn a_place_is_that_of_the_file_under_way_only() {
        let state = LockState { under_way: 3, statement: 2, sent: true, ..LockState::none() };
        assert_eq!(state.place_in(3), FileProgress { done: 2, sent: true });
        assert_eq!(state.place_in(4), FileProgress::default());
        assert_eq!(LockState::none().under_way(), None);
    }
}
