//! One program at a time: a row that is taken by a conditional write, for as long as a lease.

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

/// How often a conditional write is sent whose outcome is not known.
const TRIES: u32 = 5;

/// Between two looks at a lock that another holds.
const LOOK: Duration = Duration::from_secs(1);

/// The lock's row: who holds it, and how far the file is that was begun last.
#[derive(Clone, Debug, DeserializeRow)]
#[scylla(crate = crate)]
pub(super) struct LockState {
    /// Nil where nobody does: that a column may be compared with null is nowhere said.
    holder: Uuid,
    pub(super) held_by: String,
    pub(super) expires_at: DateTime<Utc>,
    under_way: i64,
    pub(super) checksum: String,
    statement: i32,
    sent: bool,
}

/// How far a file is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct FileProgress {
    /// How many of its statements are known to be carried out.
    pub(super) done: usize,
    /// Whether the next was about to be sent.
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

    /// How far the file of this number is.
    pub(super) fn place_in(&self, version: u64) -> FileProgress {
        if self.under_way() != Some(version) {
            return FileProgress::default();
        }
        FileProgress { done: usize::try_from(self.statement).unwrap_or_default(), sent: self.sent }
    }

    /// Whether somebody holds it, or may do so by a clock that goes `skew` after this one.
    pub(super) fn is_held(&self, now: DateTime<Utc>, skew: Duration) -> bool {
        !self.holder.is_nil() && now <= self.expires_at + skew
    }
}

/// What stands in the way of a conditional write.
#[derive(DeserializeRow)]
#[scylla(crate = crate)]
struct Holder {
    holder: Uuid,
}

type Renew = (DateTime<Utc>, Uuid, DateTime<Utc>);
type Note = (DateTime<Utc>, i64, &'static str, i32, bool, Uuid);
type Take = (Uuid, &'static str, DateTime<Utc>, Uuid, DateTime<Utc>);

/// The lock, for one holder.
pub(super) struct Lock<'a> {
    of: &'a Migrate<'a>,
    me: Uuid,
    read: Select<(), LockState>,
    take: Conditional<Take, Holder>,
    renew: Conditional<Renew, Holder>,
    note: Conditional<Note, Holder>,
    release: Conditional<(Uuid, DateTime<Utc>, Uuid), Holder>,
    /// Until when it is held, by a clock that nobody sets.
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
            // Not earlier than a note has said meanwhile.
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

    /// Takes the lock when nobody holds it. What its row said before may be of a time before another held it.
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
            // Not all who wait at the same moments.
            sleep(LOOK.mul_f64(0.5 + self.of.random.next()).min(deadline - Instant::now())).await;
        }
    }

    /// What the lock's row says now.
    pub(super) async fn state(&self) -> Result<LockState, Error> {
        Ok(self.read.one(()).await?.unwrap_or_else(LockState::none))
    }

    /// Writes down how far a file is, and holds the lock for another lease. An error if another has it.
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

    /// Renews the lease again and again; ends when it is lost.
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
                // What was noted meanwhile holds it, too.
                _ if Instant::now() >= self.held_until() => return self.lost(),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the lease on the lock of migrations was not renewed, and will be tried again");
                }
                Err(_) => {}
            }
        }
    }

    /// Lets others have it now. Where that fails they have to wait for the lease to run out.
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

    /// Whether a conditional write holds. Where its outcome is not known it is sent again: if the first was applied, it finds
    /// the holder in the way, which is this one.
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

/// Sends it again while its outcome is not known, [`TRIES`] times at most.
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

/// The lock's row as it is, without the wish to have it.
pub(super) async fn state(session: &Session, keyspace: &str) -> Result<LockState, Error> {
    Ok(read(session, keyspace).await?.one(()).await?.unwrap_or_else(LockState::none))
}

/// At LOCAL_QUORUM, whatever the session reads at: what another program has written must be seen.
async fn read(session: &Session, keyspace: &str) -> Result<Select<(), LockState>, Error> {
    let table = table(keyspace);
    let text = format!(
        "SELECT holder, held_by, expires_at, under_way, checksum, statement, sent FROM {table} WHERE version = 0"
    );
    let read: Select<(), LockState> = session.prepare(&text).await?;
    Ok(read.with_consistency(ReadConsistency::LocalQuorum))
}

/// To the millisecond, which is how it will be read back.
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
