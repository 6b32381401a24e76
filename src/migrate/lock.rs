//! The lock that lets one program migrate at a time: a row that a conditional write takes until its lease expires.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::history::table;
use super::migration::Migration;
use super::progress::time_text;
use super::{Migrate, MigrationProgress};
use crate::auth::Clock;
use crate::lock::locked;
use crate::saturated::saturated;
use crate::{
    Conditional, DeserializeRow, Error, ErrorKind, Outcome, OwnedRow, ReadConsistency, Select, SerializeRow, Session,
};

/// How many times a conditional write is sent again while its outcome is unknown.
const MAX_ATTEMPTS: u32 = 5;

/// The average pause between two reads of a lock that another program holds.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The lock's row: its holder, and the progress of the file that was started last.
#[derive(Clone, Debug, DeserializeRow)]
#[scylla(crate = crate)]
pub(super) struct LockState {
    /// Nil if the lock is free: whether a condition may compare a column with null is not documented.
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

    /// The number of the file that was started last.
    pub(super) fn file_in_progress(&self) -> Option<u64> {
        u64::try_from(self.under_way).ok().filter(|version| *version > 0)
    }

    /// The progress of the file with this number.
    pub(super) fn progress_of(&self, version: u64) -> FileProgress {
        if self.file_in_progress() != Some(version) {
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
type RecordProgress = (DateTime<Utc>, i64, &'static str, i32, bool, Uuid);
type Take = (Uuid, &'static str, DateTime<Utc>, Uuid, DateTime<Utc>);

/// The lock, as used by one holder.
pub(super) struct Lock<'a> {
    migrate: &'a Migrate<'a>,
    holder: Uuid,
    read: Select<(), LockState>,
    take: Conditional<Take, Holder>,
    renew: Conditional<Renew, Holder>,
    record_progress: Conditional<RecordProgress, Holder>,
    release: Conditional<(Uuid, DateTime<Utc>, Uuid), Holder>,
    /// When the lease ends, by the monotonic clock.
    held_until: Mutex<Instant>,
}

impl<'a> Lock<'a> {
    pub(super) async fn new(migrate: &'a Migrate<'a>) -> Result<Self, Error> {
        let (session, table) = (migrate.session, table(migrate.keyspace));
        let prepare = |set: &str, condition: &str| format!("UPDATE {table} SET {set} WHERE version = 0 IF {condition}");
        let lock = Self {
            migrate,
            holder: migrate.holder,
            read: read(session, migrate.keyspace).await?,
            take: session
                .prepare(&prepare("holder = ?, held_by = ?, expires_at = ?", "holder = ? AND expires_at = ?"))
                .await?,
            // The condition never shortens the lease, which `record_progress` may have extended meanwhile.
            renew: session.prepare(&prepare("expires_at = ?", "holder = ? AND expires_at < ?")).await?,
            record_progress: session
                .prepare(&prepare("expires_at = ?, under_way = ?, checksum = ?, statement = ?, sent = ?", "holder = ?"))
                .await?,
            release: session.prepare(&prepare("holder = ?, held_by = '', expires_at = ?", "holder = ?")).await?,
            held_until: Mutex::new(Instant::now()),
        };
        if lock.read.one(()).await?.is_none() {
            let row = format!(
                "INSERT INTO {table} (version, holder, held_by, expires_at, under_way, checksum, statement, sent) \
                 VALUES (0, ?, '', ?, 0, '', 0, false) IF NOT EXISTS"
            );
            let row: Conditional<(Uuid, DateTime<Utc>), Holder> = session.prepare(&row).await?;
            lock.is_applied(&row, || (Uuid::nil(), DateTime::UNIX_EPOCH)).await?;
        }
        Ok(lock)
    }

    /// Waits until the lock is free and takes it. State read before this may be outdated, because another program may have
    /// held the lock meanwhile.
    pub(super) async fn acquire(&self, progress: &UnboundedSender<MigrationProgress>) -> Result<(), Error> {
        let deadline = Instant::now() + self.migrate.lock_timeout;
        let mut reported_holder = None;
        loop {
            let state = self.state().await?;
            if !state.is_held(now(&self.migrate.clock), self.migrate.skew) {
                let requested_at = Instant::now();
                let expires_at = now(&self.migrate.clock) + self.migrate.lease;
                let values = || (self.holder, self.migrate.name.as_str(), expires_at, state.holder, state.expires_at);
                if self.is_applied(&self.take, values).await? {
                    self.extend_lease(requested_at + self.migrate.lease);
                    return Ok(());
                }
                continue;
            }
            if Instant::now() >= deadline {
                let (by, until) = (&state.held_by, time_text(state.expires_at));
                let problem = format!("{by} holds the lock, with a lease until {until}");
                return Err(Error::new(ErrorKind::Timeout, self.migrate.attempted(), problem).with_advice(
                    "Wait for it. If it has died, the lock can be taken once the lease and the margin for clock skew have passed",
                ));
            }
            if reported_holder != Some(state.holder) {
                reported_holder = Some(state.holder);
                let _ = progress.send(MigrationProgress::Waiting { held_by: state.held_by, until: state.expires_at });
            }
            // Jitter, so that waiting programs do not all read at the same time.
            sleep(POLL_INTERVAL.mul_f64(0.5 + self.migrate.random.next()).min(deadline - Instant::now())).await;
        }
    }

    /// Reads the current row of the lock.
    pub(super) async fn state(&self) -> Result<LockState, Error> {
        Ok(self.read.one(()).await?.unwrap_or_else(LockState::none))
    }

    /// Records the progress of a file, and renews the lease. Fails if another program holds the lock.
    pub(super) async fn record_progress(&self, migration: &Migration, progress: FileProgress) -> Result<(), Error> {
        let requested_at = Instant::now();
        let version = saturated::<i64>(migration.version());
        let checksum = migration.checksum_of_first(progress.done + usize::from(progress.sent));
        let done = saturated::<i32>(progress.done);
        let expires_at = || now(&self.migrate.clock) + self.migrate.lease;
        let values = || (expires_at(), version, checksum.as_str(), done, progress.sent, self.holder);
        if !self.is_applied(&self.record_progress, values).await?
            || Instant::now() >= self.extend_lease(requested_at + self.migrate.lease)
        {
            return Err(self.lease_lost_error());
        }
        Ok(())
    }

    /// Renews the lease repeatedly; ends when the lease is lost.
    pub(super) async fn keep_renewing(&self) -> Error {
        loop {
            sleep(self.migrate.lease / 3).await;
            let requested_at = Instant::now();
            let values = || {
                let expires_at = now(&self.migrate.clock) + self.migrate.lease;
                (expires_at, self.holder, expires_at)
            };
            match timeout_at(self.held_until(), self.is_applied(&self.renew, values)).await {
                Ok(Ok(true)) => {
                    self.extend_lease(requested_at + self.migrate.lease);
                }
                Ok(Ok(false)) => return self.lease_lost_error(),
                // `record_progress` may have renewed the lease meanwhile.
                _ if Instant::now() >= self.held_until() => return self.lease_lost_error(),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "renewing the lease of the migration lock failed, and will be tried again");
                }
                Err(_) => {}
            }
        }
    }

    /// Releases the lock. If that fails, other programs have to wait until the lease expires.
    pub(super) async fn release(&self) {
        let values = || (Uuid::nil(), DateTime::UNIX_EPOCH, self.holder);
        if let Err(error) = self.is_applied(&self.release, values).await {
            tracing::warn!(%error, "releasing the migration lock failed");
        }
    }

    fn extend_lease(&self, until: Instant) -> Instant {
        let mut held = locked(&self.held_until);
        *held = until.max(*held);
        *held
    }

    fn held_until(&self) -> Instant {
        *locked(&self.held_until)
    }

    fn lease_lost_error(&self) -> Error {
        let problem = "the lease of the lock was lost, so another program may have taken over";
        Error::new(ErrorKind::Timeout, self.migrate.attempted(), problem)
            .with_advice("Migrate again: the statements that were applied are recorded")
    }

    /// Whether a conditional write was applied. It is sent again if its outcome is unknown: if the first attempt was
    /// applied, the next one finds this holder in the row.
    async fn is_applied<V: SerializeRow>(
        &self,
        statement: &Conditional<V, Holder>,
        values: impl Fn() -> V,
    ) -> Result<bool, Error> {
        match execute_again(self.migrate.session, statement, values).await? {
            Outcome::Applied => Ok(true),
            Outcome::NotApplied(row) => Ok(row.is_some_and(|row| row.holder == self.holder)),
            Outcome::Unknown(why) => Err(why),
        }
    }
}

/// Executes a conditional write, and sends it again while its outcome is unknown, at most [`MAX_ATTEMPTS`] times.
pub(super) async fn execute_again<V: SerializeRow, R: OwnedRow>(
    session: &Session,
    statement: &Conditional<V, R>,
    values: impl Fn() -> V,
) -> Result<Outcome<Option<R>>, Error> {
    let mut attempts = 0;
    loop {
        match statement.execute(&values()).await? {
            Outcome::Unknown(_) if attempts < MAX_ATTEMPTS => sleep(session.retry().wait_time(attempts)).await,
            outcome => return Ok(outcome),
        }
        attempts += 1;
    }
}

/// Reads the lock's row, without taking the lock.
pub(super) async fn state(session: &Session, keyspace: &str) -> Result<LockState, Error> {
    Ok(read(session, keyspace).await?.one(()).await?.unwrap_or_else(LockState::none))
}

/// Prepares the read of the lock's row at LOCAL_QUORUM, because the session's read consistency could miss another
/// program's writes.
async fn read(session: &Session, keyspace: &str) -> Result<Select<(), LockState>, Error> {
    let table = table(keyspace);
    let text = format!(
        "SELECT holder, held_by, expires_at, under_way, checksum, statement, sent FROM {table} WHERE version = 0"
    );
    let read: Select<(), LockState> = session.prepare(&text).await?;
    Ok(read.with_consistency(ReadConsistency::LocalQuorum))
}

/// The current time, truncated to the millisecond, as it is read back.
pub(super) fn now(clock: &Clock) -> DateTime<Utc> {
    let since = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_held_until_its_lease_plus_clock_skew_margin_expires() {
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
    fn only_the_file_in_progress_has_progress() {
        let state = LockState { under_way: 3, statement: 2, sent: true, ..LockState::none() };
        assert_eq!(state.progress_of(3), FileProgress { done: 2, sent: true });
        assert_eq!(state.progress_of(4), FileProgress::default());
        assert_eq!(LockState::none().file_in_progress(), None);
    }
}
