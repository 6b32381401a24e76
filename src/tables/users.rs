use std::fmt;

use chrono::{DateTime, Utc};
use keyspaces_cql::Name;
use uuid::Uuid;

use super::event::cut;
use crate::options::{CallOptions, call_options};
use crate::schema::{NativeType, TableDefinition};
use crate::{Conditional, DeserializeRow, Error, ErrorKind, FanOut, Outcome, Select, SerializeRow, Session, Write};

/// A row of the `users` table.
#[derive(Clone, Debug, DeserializeRow, Eq, Hash, PartialEq, SerializeRow)]
#[scylla(crate = crate)]
pub struct User {
    /// Who. Nothing else is unique: see [`Users::register`].
    pub user_id: Uuid,
    /// The address, as it was given.
    pub email: String,
    /// The name, as it was given.
    pub name: String,
    /// When the user registered. The table holds milliseconds, what is finer is cut off.
    pub created_at: DateTime<Utc>,
    /// What the application calls the user's state.
    pub status: String,
}

impl User {
    /// A user registered at `created_at`, cut to the millisecond, which is how it will be read back.
    pub fn new(
        user_id: Uuid,
        email: impl Into<String>,
        name: impl Into<String>,
        created_at: DateTime<Utc>,
        status: impl Into<String>,
    ) -> Self {
        let (email, name, status) = (email.into(), name.into(), status.into());
        Self { user_id, email, name, created_at: cut(created_at), status }
    }
}

/// What [`Users::update`] is to change; what is `None` stays as it is.
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
/// An e-mail address is looked at only as far as tells it from something else in its place: there is something on both sides
/// of an `@`, and no white space. Whether it is one, only a message to it can tell.
///
/// Cheap to clone.
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
    /// Creates the table `users` in `keyspace` unless it is there, and waits until it can be used.
    ///
    /// The keyspace's name is taken as it is, in capitals or not, and quoted where CQL needs it.
    ///
    /// Dropped, it waits no more: a definition that was sent is carried out all the same.
    ///
    /// # Errors
    ///
    /// As [`Session::schema`].
    pub async fn create_table(session: &Session, keyspace: &str) -> Result<(), Error> {
        session.schema().create_table_if_not_exists(&Self::table(keyspace)?).await
    }

    /// The definition of the table `users` in `keyspace`, to be created with options of its own.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the keyspace cannot have such a name.
    pub fn table(keyspace: &str) -> Result<TableDefinition, Error> {
        let table = TableDefinition::builder(keyspace, "users")
            .partition_key("user_id", NativeType::Uuid)
            .column("email", NativeType::Text)
            .column("name", NativeType::Text)
            .column("created_at", NativeType::Timestamp)
            .column("status", NativeType::Text);
        Ok(table.build()?)
    }

    /// The table `users` in `keyspace`, with all its statements prepared.
    ///
    /// It may be dropped: what is being prepared is kept when it is done.
    ///
    /// # Errors
    ///
    /// As [`Session::prepare`]: [`NotReady`](ErrorKind::NotReady) if the table is not there, [`Type`](ErrorKind::Type) if it is
    /// another one.
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

    /// Stores a new user, unless there is one of the same id, who then is the answer.
    ///
    /// Only the id is unique: that no two users have the same address is not seen to, because the table is not keyed by it.
    /// A table of its own that is, with an `INSERT … IF NOT EXISTS` before this, would do it.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the address cannot be one. Else as
    /// [`Conditional::execute`]; a lost or throttled answer is [`Outcome::Unknown`].
    pub async fn register(&self, user: &User) -> Result<Outcome<Option<User>>, Error> {
        self.check("INSERT INTO", &user.email)?;
        self.register.execute(user).await
    }

    /// The user of this id.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As [`Select::one`].
    pub async fn get(&self, user_id: Uuid) -> Result<Option<User>, Error> {
        self.by_id.one((user_id,)).await
    }

    /// The users of these ids, each with the id, many read together; in the order asked, unless
    /// [`as_they_come`](FanOut::as_they_come) is asked for.
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
    /// As [`Select::one`], for each id.
    pub fn get_many<I>(&self, user_ids: I) -> FanOut<(Uuid,), Option<User>>
    where
        I: IntoIterator<Item = Uuid, IntoIter: Send + 'static>,
    {
        self.by_id.one_of_each(user_ids.into_iter().map(|user_id| (user_id,)))
    }

    /// Changes what is given, if the user is there; if not, nothing is written.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if nothing is given, or the address cannot be one. Else as
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
                return Err(Error::new(ErrorKind::Value, attempted, "there is nothing to change")
                    .with_advice("Give an e-mail address, a name or both; the status has set_status()"));
            }
        };
        Ok(match outcome {
            Outcome::Applied => Outcome::Applied,
            Outcome::NotApplied(_) => Outcome::NotApplied(()),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        })
    }

    /// Sets the status, if it is `expected` now. If it is not, the answer is what it is: `None` if the user has none, or is
    /// not there.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub async fn set_status(
        &self,
        user_id: Uuid,
        expected: &str,
        status: &str,
    ) -> Result<Outcome<Option<String>>, Error> {
        Ok(match self.set_status.execute((status, user_id, expected)).await? {
            Outcome::Applied => Outcome::Applied,
            Outcome::NotApplied(there) => Outcome::NotApplied(there.and_then(|(status,)| status)),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        })
    }

    /// Deletes the user, if there is one.
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// As [`Write::execute`].
    pub async fn delete(&self, user_id: Uuid) -> Result<(), Error> {
        self.delete.execute((user_id,)).await
    }

    fn check(&self, verb: &str, email: &str) -> Result<(), Error> {
        let parts = email.rsplit_once('@');
        let possible = parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if possible && !email.contains(char::is_whitespace) {
            return Ok(());
        }
        // The address itself is not shown: errors end in logs.
        let problem = "the e-mail address cannot be one";
        Err(Error::new(ErrorKind::Value, format!("{verb} {}", self.table), problem)
            .with_advice("It needs something on both sides of an @, and no white space"))
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

call_options!(impl [] Users, self: [&self], all, read, repeat);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("table", &self.table).finish_non_exhaustive()
    }
}
