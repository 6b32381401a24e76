//! Two ready-made tables: [`Events`], a time series, and [`Users`].
//!
//! Both use only the public parts of this crate: [`Session::prepare`](crate::Session::prepare), its statements and their
//! streams. `examples/own_table.rs` does the same for another table.
//!
//! ```no_run
//! # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
//! use chrono::{DateTime, Days, Utc};
//! use keyspaces::tables::{Event, Events};
//!
//! Events::create_table(&session, "my_application").await?;
//! let events = Events::new(&session, "my_application").await?;
//!
//! let now = DateTime::<Utc>::from(std::time::SystemTime::now());
//! events.insert(&Event::new("device-001", now, "temperature", "{\"celsius\": 19.5}")).await?;
//! let latest: Vec<Event> = events.latest("device-001", 10).try_collect().await?;
//! let mut week = events.between("device-001", now - Days::new(7)..now);
//! while let Some(event) = week.try_next().await? {
//!     println!("{} {}", event.event_time, event.payload);
//! }
//! # Ok(()) }
//! ```

mod event;
mod events;
mod users;

pub use self::event::Event;
pub use self::events::{DeleteDay, EventRange, Events, LatestEvents};
pub use self::users::{User, UserChange, Users};
