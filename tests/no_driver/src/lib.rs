//! An application's own table, with all kinds of statements and values, without a dependency on the driver, on `futures` or
//! on `tokio`: that this compiles is the test.

use chrono::{DateTime, NaiveDate, Utc};
use keyspaces::value::{Counter, CqlValue, MaybeUnset};
use keyspaces::{
    Conditional, ConditionalBatch, Error, Increment, LoggedBatch, Outcome, Row, Select, SerializeRow, Session,
    UnloggedBatch, Value, Write,
};
use uuid::Uuid;

/// A newtype.
#[derive(Clone, Copy, Debug, PartialEq, Value)]
pub struct SensorId(pub Uuid);

/// An enum that is stored as text.
#[derive(Clone, Copy, Debug, PartialEq, Value)]
#[value(text, rename_all = "lowercase")]
pub enum Kind {
    /// Once a minute.
    Minute,
    /// Once an hour.
    Hour,
}

/// A user-defined type.
#[keyspaces::user_type]
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
}

/// A row, read and written.
#[keyspaces::row]
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Part of the partition key.
    pub sensor_id: SensorId,
    /// Part of the partition key.
    pub day: NaiveDate,
    /// The clustering column.
    pub at: DateTime<Utc>,
    /// Under another name in the table.
    #[scylla(rename = "val")]
    pub value: f64,
    /// The column `type`.
    pub r#type: Kind,
    /// May be null.
    pub place: Option<Place>,
}

/// A row that somebody keeps as the driver has it. What an update leaves out stays as it was.
#[derive(Debug, SerializeRow)]
#[scylla(crate = keyspaces)]
pub struct Correction {
    val: MaybeUnset<f64>,
    sensor_id: SensorId,
    day: NaiveDate,
    at: DateTime<Utc>,
}

/// All that an application does with a table.
///
/// # Errors
///
/// Whatever goes wrong first.
pub async fn everything(session: &Session, reading: &Reading) -> Result<Vec<Reading>, Error> {
    let text = "INSERT INTO app.readings (sensor_id, day, at, val, type, place) VALUES (?, ?, ?, ?, ?, ?)";
    let store: Write<Reading> = session.prepare(text).await?;
    let claim: Conditional<Reading, Reading> = session.prepare(&format!("{text} IF NOT EXISTS")).await?;
    let hits: Increment<(Counter, SensorId)> =
        session.prepare("UPDATE app.hits SET n = n + ? WHERE sensor_id = ?").await?;
    let of_day: Select<(SensorId, NaiveDate), Reading> = session
        .prepare("SELECT sensor_id, day, at, val, type, place FROM app.readings WHERE sensor_id = ? AND day = ?")
        .await?;
    let correct: Write<Correction> =
        session.prepare("UPDATE app.readings SET val = ? WHERE sensor_id = ? AND day = ? AND at = ?").await?;

    store.execute(reading).await?;
    correct
        .execute(Correction { val: MaybeUnset::Unset, sensor_id: reading.sensor_id, day: reading.day, at: reading.at })
        .await?;
    hits.execute((Counter(1), reading.sensor_id)).await?;
    match claim.execute(reading).await? {
        Outcome::Applied | Outcome::NotApplied(None) => {}
        Outcome::NotApplied(Some(there)) => return Ok(vec![there]),
        Outcome::Unknown(why) => return Err(why),
    }
    let mut unlogged = UnloggedBatch::new(session);
    unlogged.push(&store, reading)?.execute().await?;
    let mut logged = LoggedBatch::new(session);
    logged.push(&store, reading)?.execute().await?;
    let mut conditional = ConditionalBatch::<Row>::new(session);
    if let Outcome::NotApplied(rows) = conditional.push(&claim, reading)?.execute().await? {
        for row in rows {
            let _: Option<&CqlValue> = row.get("val");
        }
    }
    of_day.rows((reading.sensor_id, reading.day)).try_collect().await
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_driver_is_not_among_the_dependencies() {
        assert!(!include_str!("../Cargo.toml").contains(concat!("scyl", "la")));
    }
}
