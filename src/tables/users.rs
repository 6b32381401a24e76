use std::fmt;

use chrono::{DateTime, Utc};
use keyspaces_cql::Name;
use uuid::Uuid;

use super::event::truncate_to_millis;
use crate::options::{CallOptions, call_options};
use crate::schema::{NativeType, TableDefinition};
use crate::{Conditional, DeserializeRow, Error, ErrorKind, FanOut, Outcome, Select, SerializeRow, Session, Write};

/// A row of the `users` table.
#[derive(Clone, Debug, DeserializeRow, Eq, Hash, PartialEq, SerializeRow)]
#[scylla(crate = crate)]
pub struct User {
    /// The id, the only unique column: see [`Users::register`].
    pub user_id: Uuid,
    /// The e-mail address, as the caller gave it.
    pub email: String,
    /// The name, as the caller gave it.
    pub name: String,
    /// The time of the registration. The table stores milliseconds.
    pub created_at: DateTime<Utc>,
    /// The user's status, as the application defines it.
    pub status: String,
}

impl User {
    /// Creates a user registered at `created_at`, truncated to the millisecond, as it is read back.
    pub fn new(
        user_id: Uuid,
        email: impl Into<String>,
        name: impl Into<String>,
        created_at: DateTime<Utc>,
        status: impl Into<String>,
    ) -> Self {
        let (email, name, status) = (email.into(), name.into(), status.into());
        Self { user_id, email, name, created_at: truncate_to_millis(created_at), status }
    }
}

/// The fields that [`Users::update`] changes. A field of `None` is not changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UserChange {
    /// The new address.
    pub email: Option<String>,
    /// The new name.
    pub name: Option<String>,
}

/// The `users` table.
///
/// ```sql
/// CREATE TABLE users (user_id uuid PRIMARY KEY, email text, name text, created_at timestamp, status text)
/// ```
///
/// An e-mail address must have text on both sides of an `@`, and no white space. Only a message to it can show whether
/// it exists.
///
/// A `Users` is cheap to clone.
#[derive(Clone)]
pub struct Users {
    table: String,
    register: Conditional<User, User>,
    by_id: Select<(Uuid,), User>,
    update_both: Conditional<(&'static str, &'static str, Uuid), ()>,
    update_email: Conditional<(&'static str, Uuid), ()>,
    update_name: Conditional<(&'static str, Uuid), ()>,
    set_status: Conditional<(&'static str, Uuid, &'static str), (Option<String>,)>,
    delete: Write<(Uuid,)>,
}

impl Users {
    /// Creates the table `users` in `keyspace` if it does not exist, and waits until it can be used.
    ///
    /// The name of the keyspace is case-sensitive, and is quoted if CQL requires it.
    ///
    /// If the future is dropped, it no longer waits; a definition that was sent is still carried out.
    ///
    /// # Errors
    ///
    /// The errors of every change of the [`schema`](Session::schema).
    pub async fn create_table(session: &Session, keyspace: &str) -> Result<(), Error> {
        session.schema().create_table_if_not_exists(&Self::table(keyspace)?).await
    }

    /// Returns the definition of the table `users` in `keyspace`, so that options can be added before the table is
    /// created.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the name of the keyspace is invalid.
    pub fn table(keyspace: &str) -> Result<TableDefinition, Error> {
        let table = TableDefinition::builder(keyspace, "users")
            .partition_key("user_id", NativeType::Uuid)
            .column("email", NativeType::Text)
            .column("name", NativeType::Text)
            .column("created_at", NativeType::Timestamp)
            .column("status", NativeType::Text);
        Ok(table.build()?)
    }

    /// Prepares all statements for the table `users` in `keyspace`.
    ///
    /// The future may be dropped at any time: statements being prepared are still finished and kept.
    ///
    /// # Errors
    ///
    /// The errors of [`Session::prepare`]: [`NotReady`](ErrorKind::NotReady) if the table does not exist,
    /// [`Type`](ErrorKind::Type) if its columns have other types.
    pub async fn new(session: &Session, keyspace: &str) -> Result<Self, Error> {
        let table = format!("{}.users", Name::new(keyspace));
        let columns = "user_id, email, name, created_at, status";
        let register = format!("INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS");
        let by_id = format!("SELECT {columns} FROM {table} WHERE user_id = ?");
        let update = |set: &str, condition: &str| format!("UPDATE {table} SET {set} WHERE user_id = ? IF {condition}");
        let update_both = update("email = ?, name = ?", "EXISTS");
        let update_email = update("email = ?", "EXISTS");
        let update_name = update("name = ?", "EXISTS");
        let set_status = update("status = ?", "status = ?");
        let delete = format!("DELETE FROM {table} WHERE user_id = ?");
        let texts = [&register, &by_id, &update_both, &update_email, &update_name, &set_status, &delete];
        let (register, by_id, update_both, update_email, update_name, set_status, delete) =
            session.prepare_all(texts.map(String::as_str)).await?;
        Ok(Self { table, register, by_id, update_both, update_email, update_name, set_status, delete })
    }

    /// Stores a new user unless a user with the same id exists. In that case the existing user is returned.
    ///
    /// Only the id is unique. Two users may have the same e-mail address, because the table is not keyed by it. To make
    /// addresses unique, use another table keyed by the address, with an `INSERT … IF NOT EXISTS` before this call.
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the address is invalid; otherwise the errors of [`Conditional::execute`]. A lost or
    /// throttled answer is [`Outcome::Unknown`].
    pub async fn register(&self, user: &User) -> Result<Outcome<Option<User>>, Error> {
        self.check("INSERT INTO", &user.email)?;
        self.register.execute(user).await
    }

    /// Returns the user with this id, if it exists.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// The errors of [`Select::one`].
    pub async fn get(&self, user_id: Uuid) -> Result<Option<User>, Error> {
        self.by_id.one((user_id,)).await
    }

    /// Reads many users in parallel, and returns each with its id, in the order of the ids unless
    /// [`unordered`](FanOut::unordered) is set.
    ///
    /// ```no_run
    /// # async fn run(users: keyspaces::tables::Users, ids: Vec<uuid::Uuid>) -> Result<(), keyspaces::Error> {
    /// let mut found = users.get_many(ids);
    /// while let Some(((id,), user)) = found.try_next().await? {
    ///     println!("{id}: {user:?}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`Select::one`], for each id.
    pub fn get_many<I>(&self, user_ids: I) -> FanOut<(Uuid,), Option<User>>
    where
        I: IntoIterator<Item = Uuid, IntoIter: Send + 'static>,
    {
        self.by_id.one_for_each(user_ids.into_iter().map(|user_id| (user_id,)))
    }

    /// Changes fields of a user. If the user does not exist, nothing is written.
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the change has no field, or the address is invalid; otherwise the errors of
    /// [`register`](Self::register).
    pub async fn update(&self, user_id: Uuid, change: &UserChange) -> Result<Outcome<()>, Error> {
        if let Some(email) = &change.email {
            self.check("UPDATE", email)?;
        }
        let outcome = match (change.email.as_deref(), change.name.as_deref()) {
            (Some(email), Some(name)) => self.update_both.execute((email, name, user_id)).await?,
            (Some(email), None) => self.update_email.execute((email, user_id)).await?,
            (None, Some(name)) => self.update_name.execute((name, user_id)).await?,
            (None, None) => {
                let attempted = format!("UPDATE {}", self.table);
                return Err(Error::new(ErrorKind::Value, attempted, "the change has no field")
                    .with_advice("Set the e-mail address, the name or both; for the status, use set_status()"));
            }
        };
        Ok(match outcome {
            Outcome::Applied => Outcome::Applied,
            Outcome::NotApplied(_) => Outcome::NotApplied(()),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        })
    }

    /// Sets the status if the current status is `expected`. Otherwise returns the current status: `None` if the user has none or
    /// does not exist.
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// The errors of [`register`](Self::register).
    pub async fn set_status(
        &self,
        user_id: Uuid,
        expected: &str,
        status: &str,
    ) -> Result<Outcome<Option<String>>, Error> {
        Ok(match self.set_status.execute((status, user_id, expected)).await? {
            Outcome::Applied => Outcome::Applied,
            Outcome::NotApplied(row) => Outcome::NotApplied(row.and_then(|(status,)| status)),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        })
    }

    /// Deletes the user, if it exists.
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt follows.
    ///
    /// # Errors
    ///
    /// The errors of [`Write::execute`].
    pub async fn delete(&self, user_id: Uuid) -> Result<(), Error> {
        self.delete.execute((user_id,)).await
    }

    fn check(&self, verb: &str, email: &str) -> Result<(), Error> {
        let parts = email.rsplit_once('@');
        let possible = parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if possible && !email.contains(char::is_whitespace) {
            return Ok(());
        }
        // The address is left out, because errors end up in logs.
        let problem = "the e-mail address is invalid";
        Err(Error::new(ErrorKind::Value, format!("{verb} {}", self.table), problem)
            .with_advice("It needs text on both sides of an @, and no white space"))
    }

    fn with_changed_options(&self, change: impl Fn(&mut CallOptions)) -> Self {
        Self {
            table: self.table.clone(),
            register: self.register.with_changed_options(&change),
            by_id: self.by_id.with_changed_options(&change),
            update_both: self.update_both.with_changed_options(&change),
            update_email: self.update_email.with_changed_options(&change),
            update_name: self.update_name.with_changed_options(&change),
            set_status: self.set_status.with_changed_options(&change),
            delete: self.delete.with_changed_options(&change),
        }
    }
}

call_options!(impl [] Users, self: [&self], all, read, retry);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("table", &self.table).finish_non_exhaustive()
    }
}
